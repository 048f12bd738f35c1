/** Several models side by side: the similarities that they see, and how well they do on the same data. */
import {
  differenceText,
  type PairedInterval,
  pairedBootstrap,
  pairedBootstrapCorrelation,
} from '../evaluation/bootstrap.js'
import { spearman } from '../evaluation/correlation.js'
import type { Evaluator } from '../evaluation/evaluator.js'
import { mean } from '../evaluation/mean.js'
import { throwIfAborted } from '../io/abort.js'
import type { SentenceTransformer } from '../models/sentence-transformer.js'
import type { Bar } from '../plots/data.js'
import { similarityFigure } from './embedding-figures.js'
import type { Figure } from './figures.js'
import { type Html, html } from './html.js'
import { type PageSection, page } from './page.js'
import { type Cell, table } from './tables.js'
import { figuresView } from './write-report.js'

/** What models are compared on. */
export interface ComparisonData {
  /** Their similarities are drawn for every model. */
  sentences?: readonly string[]
  /** Measured by Spearman's correlation of the models' similarities with `gold`. */
  pairs?: readonly { name: string; texts1: readonly string[]; texts2: readonly string[]; gold: readonly number[] }[]
  /** Measured by the share whose positive is nearer to the anchor. */
  triplets?: readonly {
    name: string
    anchors: readonly string[]
    positives: readonly string[]
    negatives: readonly string[]
  }[]
  /** Measured by their primary metrics, without an interval. */
  evaluators?: readonly { name: string; evaluator: Evaluator }[]
}

/** What one model gives for the data. */
export interface MeasuredModel {
  name: string
  similarity?: Figure
  /** A score for each pair or triplet, by the name of the data. */
  items: ReadonlyMap<string, Float64Array>
  /** Of evaluators: name and value of the primary metric, by the name of the data. */
  metrics: ReadonlyMap<string, { metric: string; value: number }>
}

/** A metric of several models, the first of which all others are compared with. */
export interface ComparedMetric {
  data: string
  metric: string
  /** In the order of the models. */
  values: readonly number[]
  /** Of the second model and each after it, where there are scores for each item. */
  intervals?: readonly PairedInterval[]
}

/** Measures one model, so that models need not be in memory together. */
export async function measureModel(
  name: string,
  model: SentenceTransformer,
  { sentences, pairs = [], triplets = [], evaluators = [] }: ComparisonData,
  signal?: AbortSignal,
): Promise<MeasuredModel> {
  const options = signal && { signal }
  const items = new Map<string, Float64Array>()
  const metrics = new Map<string, { metric: string; value: number }>()
  const similarity = sentences && similarityFigure(name, sentences, await model.encode(sentences, options))
  for (const { name: data, texts1, texts2 } of pairs) {
    const [a, b] = [await model.encode(texts1, options), await model.encode(texts2, options)]
    items.set(data, Float64Array.from(model.similarityPairwise(a, b)))
  }
  for (const { name: data, anchors, positives, negatives } of triplets) {
    const anchor = await model.encode(anchors, options)
    const near = model.similarityPairwise(anchor, await model.encode(positives, options))
    const far = model.similarityPairwise(anchor, await model.encode(negatives, options))
    items.set(
      data,
      Float64Array.from(near, (value, i) => Number(value > far[i]!)),
    )
  }
  for (const { name: data, evaluator } of evaluators) {
    throwIfAborted(signal, 'The comparison')
    const { metrics: found, primaryMetric } = await evaluator.evaluate(model, options)
    metrics.set(data, { metric: primaryMetric, value: found[primaryMetric]! })
  }
  return { name, ...(similarity && { similarity }), items, metrics }
}

/** The metrics of all models, and the intervals of their differences to the first. */
export async function compareMetrics(
  models: readonly MeasuredModel[],
  data: ComparisonData,
): Promise<ComparedMetric[]> {
  const { pairs = [], triplets = [], evaluators = [] } = data
  const rows: ComparedMetric[] = []
  for (const { name, gold } of pairs) {
    const [first, ...others] = models.map(({ items }) => items.get(name)!)
    const intervals: PairedInterval[] = []
    for (const after of others) intervals.push(await pairedBootstrapCorrelation({ gold, before: first!, after }))
    const values = [first!, ...others].map((scores) => spearman(gold, scores))
    rows.push({ data: name, metric: 'Spearman', values, intervals })
  }
  for (const { name } of triplets) {
    const [first, ...others] = models.map(({ items }) => items.get(name)!)
    const intervals: PairedInterval[] = []
    for (const after of others) intervals.push(await pairedBootstrap(first!, after))
    rows.push({ data: name, metric: 'accuracy', values: [first!, ...others].map((right) => mean(right)), intervals })
  }
  for (const { name } of evaluators) {
    const found = models.map(({ metrics }) => metrics.get(name)!)
    rows.push({ data: name, metric: found[0]!.metric, values: found.map(({ value }) => value) })
  }
  return rows
}

/** One HTML file without scripts that loads nothing. */
export async function modelComparisonPage(
  models: readonly MeasuredModel[],
  metrics: readonly ComparedMetric[],
): Promise<string> {
  const names = models.map(({ name }) => name)
  const figures = models.flatMap(({ similarity }) => similarity ?? [])
  const sections: PageSection[] = []
  if (metrics.length > 0) {
    const bars = await figuresView(metrics.map((metric) => barsOf(metric, names)))
    const content = html`${metricsTable(metrics, names)}
<p class="muted">Intervals are of the difference to ${names[0]}: paired bootstrap, 95 %.</p>${bars}`
    sections.push({ id: 'results', title: 'Results', content })
  }
  if (figures.length > 0) {
    sections.push({ id: 'similarity', title: 'Similarities', content: await figuresView(figures) })
  }
  return page(`Comparison of ${models.length} models`, html`<p class="muted">${names.join(', ')}</p>`, sections)
}

function metricsTable(metrics: readonly ComparedMetric[], names: readonly string[]): Html {
  const columns = [{ title: 'data' }, { title: 'metric' }, ...names.map((title) => ({ title }))]
  const rows = metrics.map(({ data, metric, values, intervals }): Cell[] => {
    const cells = values.map((value, i) => {
      const interval = i > 0 ? intervals?.[i - 1] : undefined
      return html`${value.toFixed(4)}${interval && html`<br><span class="muted">${differenceText(interval)}</span>`}`
    })
    return [data, metric, ...cells]
  })
  return table(columns, rows)
}

/** The interval of a difference is drawn around the value of the first model. */
function barsOf({ data, metric, values, intervals }: ComparedMetric, names: readonly string[]): Figure {
  const bars = values.map((value, i): Bar => {
    const interval = i > 0 ? intervals?.[i - 1] : undefined
    const ends = interval && { low: values[0]! + interval.low, high: values[0]! + interval.high }
    return { label: names[i]!, value, ...ends }
  })
  return { kind: 'bars', title: `${data}: ${metric}`, bars }
}
