/** Figures that every run has: of its data, of texts before and after training, and of what its evaluators measured. */
import { Dataset } from '../data/dataset.js'
import type { EvaluatedRows, EvaluationResult } from '../evaluation/evaluator.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { lengthHistogram, overlapTable } from '../report/data-figures.js'
import { evaluationFigures } from '../report/evaluation-figures.js'
import type { Figure } from '../report/figures.js'
import { MEASURED, type Measured, type MeasuredRole } from './metrics.js'
import type { RecipeModel } from './model-kind.js'
import { sampleTexts, similarityFigure } from './similarity-figure.js'
import { TextMap, textColumns } from './text-map.js'

/** Most rows that are searched for duplicates: a few seconds, and some hundred megabytes. */
const MOST_ROWS = 300_000
/** The evaluations whose rows are drawn: of the first that there is. */
const SHOWN: readonly MeasuredRole[] = ['test', 'dev', 'outside']

/** Draws the figures of a run as it learns of its data, and of its model before and after training. */
export class RunFigures {
  readonly #write: (name: string, figure: Figure) => Promise<void>
  readonly #rows: { role: string; dataset: Dataset }[] = []
  #texts: { of: string; sample: readonly string[]; map: TextMap } | undefined

  constructor(write: (name: string, figure: Figure) => Promise<void>) {
    this.#write = write
  }

  /** Data of the run. The first training rows are those whose texts are drawn. */
  data(role: string, dataset: Dataset): void {
    this.#rows.push({ role, dataset })
    if (role === 'train') this.#show(role, dataset)
  }

  async before(model: RecipeModel, measured: Measured): Promise<void> {
    for (const role of MEASURED) {
      for (const dataset of datasetsOf(measured[role])) this.#rows.push({ role, dataset })
    }
    // Where a recipe has no training rows, or makes them later.
    const [role] = SHOWN.filter((name) => datasetsOf(measured[name]).length > 0)
    if (role !== undefined) this.#show(role, datasetsOf(measured[role])[0]!)
    await this.#similarity(model, 'before')
    if (model instanceof SentenceTransformer) await this.#texts?.map.before(model)
  }

  async after(model: RecipeModel, before: Measured, after: Measured): Promise<void> {
    await this.#similarity(model, 'after')
    const map = model instanceof SentenceTransformer ? await this.#texts?.map.after(model) : undefined
    if (map) await this.#write('map', map)
    const role = SHOWN.find((name) => datasetsOf(after[name]).length > 0)
    if (role === undefined || before[role] === undefined) return
    await this.#writeAll(evaluationFigures(role, before[role], after[role]!))
  }

  /** Duplicates, leakage and lengths. */
  async finish(): Promise<void> {
    const rows = this.#rows.filter(({ dataset }) => textColumns(dataset).length > 0)
    if (rows.length === 0) return
    const isTraining = ({ role }: { role: string }) => role === 'train'
    const named = namedData([...rows.filter(isTraining), ...rows.filter((entry) => !isTraining(entry))])
    const count = rows.reduce((sum, { dataset }) => sum + dataset.length, 0)
    if (count <= MOST_ROWS) await this.#write('data-overlap', await overlapTable(named))
    await this.#write('data-lengths', await lengthHistogram(named))
  }

  #show(of: string, dataset: Dataset): void {
    if (textColumns(dataset).length === 0) return
    const title = of === 'train' ? 'Texts of the training data' : `Texts of ${of}`
    this.#texts ??= { of, sample: sampleTexts(dataset), map: new TextMap(dataset, title) }
  }

  async #similarity(model: RecipeModel, when: 'before' | 'after'): Promise<void> {
    const { of = '', sample = [] } = this.#texts ?? {}
    if (sample.length < 2) return
    const name = `similarity-${when === 'before' ? 1 : 2}-${when}`
    const figure = await similarityFigure(model, sample, when, of === 'train' ? 'training' : of)
    if (figure) await this.#write(name, figure)
  }

  async #writeAll(figures: Readonly<Record<string, Figure>>): Promise<void> {
    for (const [name, figure] of Object.entries(figures)) await this.#write(name, figure)
  }
}

/** The data sets of a run by their names: `train`, `train 2`, `dev`. */
function namedData(data: readonly { role: string; dataset: Dataset }[]): Record<string, Dataset> {
  const counts = new Map<string, number>()
  const entries = data.map(({ role, dataset }) => {
    const count = (counts.get(role) ?? 0) + 1
    counts.set(role, count)
    return [count === 1 ? role : `${role} ${count}`, dataset] as const
  })
  return Object.fromEntries(entries)
}

/** The texts that evaluators measured. */
function datasetsOf(result: EvaluationResult | undefined): Dataset[] {
  if (result === undefined) return []
  if (result.parts !== undefined) return result.parts.flatMap((part) => datasetsOf(part.result))
  return result.rows === undefined ? [] : [datasetOf(result.rows)]
}

function datasetOf(rows: EvaluatedRows): Dataset {
  switch (rows.kind) {
    case 'pairs':
      return Dataset.fromColumns({ sentence1: rows.texts1, sentence2: rows.texts2 })
    case 'triplets':
      return Dataset.fromColumns({ anchor: rows.anchors, positive: rows.positives, negative: rows.negatives })
    case 'queries':
      return Dataset.fromColumns({ query: rows.queries, 'relevant document': rows.relevant })
  }
}
