// The scores of each item behind a metric, and the interval of a difference that is made of them.
import test from 'ava'
import { metricInterval, pairedBootstrap, pairedBootstrapCorrelation } from '../../lib/evaluation/bootstrap.js'
import { pearson, spearman } from '../../lib/evaluation/correlation.js'
import type { EvaluatedModel, EvaluationResult, Evaluator } from '../../lib/evaluation/evaluator.js'
import {
  BinaryClassificationEvaluator,
  EmbeddingSimilarityEvaluator,
  InformationRetrievalEvaluator,
  LabelAccuracyEvaluator,
  RerankingEvaluator,
  SequentialEvaluator,
  TripletEvaluator,
} from '../../lib/evaluation/index.js'
import { embeddings } from '../../lib/models/embeddings.js'

/** Embeds the text `n` on a circle, at an angle that depends on the model. */
function circle(step: number): EvaluatedModel {
  const encode = async (texts: readonly string[]) => {
    const data = Float32Array.from(
      texts.flatMap((text) => [Math.cos(Number(text) ** 2 * step), Math.sin(Number(text) * step)]),
    )
    return embeddings(data, texts.length, 2)
  }
  return { encode, encodeQuery: encode, encodeDocument: encode, similarityFnName: 'cosine' }
}

const count = 24
const numbers = Array.from({ length: count }, (_, i) => String(i))
const [others, far] = [1, 5].map((shift) => numbers.map((_, i) => String((i * 5 + shift) % count)))
const scores = numbers.map((_, i) => (i * 7) % count)
const both = { similarityFnNames: ['cosine', 'euclidean'] } as const

const evaluators: Record<string, Evaluator> = {
  similarity: new EmbeddingSimilarityEvaluator({
    sentences1: numbers,
    sentences2: others!,
    scores,
    ...both,
    name: 'a',
  }),
  triplet: new TripletEvaluator({ anchors: numbers, positives: others!, negatives: far!, ...both }),
  retrieval: new InformationRetrievalEvaluator({
    queries: Object.fromEntries(numbers.slice(0, 9).map((text, i) => [`q${i}`, text])),
    corpus: Object.fromEntries(numbers.map((text, i) => [`d${i}`, text])),
    relevantDocs: Object.fromEntries(
      numbers.slice(0, 9).map((_, i) => [`q${i}`, [`d${(i * 5) % count}`, `d${i + 9}`]]),
    ),
    name: 'ir',
  }),
  reranking: new RerankingEvaluator({
    samples: numbers
      .slice(0, 6)
      .map((query, i) => ({ query, positive: others!.slice(i, i + 2), negative: far!.slice(i, i + 4) })),
  }),
  labels: new LabelAccuracyEvaluator({
    sentences1: numbers,
    sentences2: others!,
    labels: numbers.map((_, i) => i % 2),
    logits: async (first) => embeddings(Float32Array.from(first.data), count, 2),
  }),
}

/** The metric, from its items. */
function ofItems({ items }: EvaluationResult, metric: string): number {
  const { scores, gold, correlation } = items![metric]!
  if (gold) return (correlation === 'pearson' ? pearson : spearman)(Array.from(gold), Array.from(scores))
  return Array.from(scores).reduce((sum, score) => sum + score, 0) / scores.length
}

for (const [name, evaluator] of Object.entries(evaluators)) {
  test(`${name}: items make the metric`, async (t) => {
    const [before, after] = [
      await evaluator.evaluate(circle(0.11), { items: true }),
      await evaluator.evaluate(circle(0.37), { items: true }),
    ]
    t.deepEqual(
      Object.keys(after.items!),
      Object.keys(after.metrics).filter((metric) => !/(^|_)max(_|$)/.test(metric)),
    )
    for (const metric of Object.keys(after.items!)) {
      t.true(Math.abs(ofItems(after, metric) - after.metrics[metric]!) < 1e-7, metric)
      const found = await metricInterval(metric, before, after, { resamples: 200 })
      const { gold, correlation, scores: now } = after.items![metric]!
      const old = before.items![metric]!.scores
      const expected = gold
        ? await pairedBootstrapCorrelation({ gold, before: old, after: now }, { correlation, resamples: 200 })
        : await pairedBootstrap(old, now, { resamples: 200 })
      t.deepEqual(found, expected, metric)
      t.true(Math.abs(found!.difference - (after.metrics[metric]! - before.metrics[metric]!)) < 1e-6, metric)
    }
    t.false('items' in (await evaluator.evaluate(circle(0.37))), 'only on request')
  })
}

test('evaluators in a row have the items of all; metrics that are no means have none', async (t) => {
  const precision = new BinaryClassificationEvaluator({
    ...{ sentences1: numbers, sentences2: others!, labels: numbers.map((_, i) => i % 2), name: 'b' },
  })
  const all = new SequentialEvaluator([evaluators.similarity!, precision, evaluators.labels!])
  const before = await all.evaluate(circle(0.11), { items: true })
  const after = await all.evaluate(circle(0.37), { items: true })
  t.deepEqual(Object.keys(after.items!), [
    ...['a_pearson_cosine', 'a_spearman_cosine', 'a_pearson_euclidean', 'a_spearman_euclidean', 'accuracy'],
  ])
  t.is(await metricInterval('b_cosine_ap', before, after), undefined)
  t.truthy(await metricInterval('a_spearman_cosine', before, after, { resamples: 100 }))
})

test('there is no interval where nearly all scores are the same; results of other items are refused', async (t) => {
  const result = (scores: number[], gold: number[]): EvaluationResult => ({
    ...{ metrics: { spearman: 0 }, primaryMetric: 'spearman', items: { spearman: { scores, gold } } },
  })
  const gold = [1, 2, 3, 4, 5, 6]
  t.is(await metricInterval('spearman', result([1, 1, 1, 1, 1, 1], gold), result(gold, gold)), undefined)
  await t.throwsAsync(metricInterval('spearman', result([1, 2, 3], [1, 2, 3]), result(gold, gold)), {
    code: 'ERR_INVALID_DATA',
    message: /as many gold as before as after/,
  })
})
