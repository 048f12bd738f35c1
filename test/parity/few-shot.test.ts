// Few-shot classification: the pairs are SetFit's, the classifier and its scores are scikit-learn's.
import { readFileSync } from 'node:fs'
import test from 'ava'
import { contrastivePairs, type PairSampling } from '../../lib/classification/index.js'
import { fitHead, probabilitiesOf } from '../../lib/classification/logistic-head.js'
import type { EvaluatedModel } from '../../lib/evaluation/evaluator.js'
import { type ClassLabel, TextClassificationEvaluator } from '../../lib/evaluation/index.js'
import { embeddings } from '../../lib/models/embeddings.js'
import { report } from './report.js'

interface PairsGolden {
  labels: ClassLabel[]
  options: { sampling_strategy?: PairSampling; num_iterations?: number; max_pairs?: number }
  pairs: [number, number, number][]
}
interface HeadGolden {
  c: number
  labels: ClassLabel[]
  x: number[][]
  classes: ClassLabel[]
  trained: number
  coef: number[][]
  intercept: number[]
  probabilities: number[][]
  predicted: ClassLabel[]
  accuracy: number
  f1: number
}
const golden: { pairs: PairsGolden[]; heads: HeadGolden[] } = JSON.parse(
  readFileSync(new URL('../../../test/parity/golden/few-shot.json', import.meta.url), 'utf8'),
)
const rowsOf = (rows: readonly number[][]) => embeddings(Float32Array.from(rows.flat()), rows.length, rows[0]!.length)
const furthest = (a: ArrayLike<number>, b: readonly number[]) =>
  b.reduce((most, value, i) => Math.max(most, Math.abs(value - a[i]!)), a.length === b.length ? 0 : Number.NaN)

test("pairs are SetFit's, one after the other", async (t) => {
  for (const { labels, options, pairs } of golden.pairs) {
    const texts = labels.map((_, i) => String(i))
    const { sampling_strategy: sampling, num_iterations: numIterations, max_pairs: maxPairs } = options
    const found = await contrastivePairs(
      { texts, labels },
      { ...(sampling && { sampling }), ...(numIterations && { numIterations }), ...(maxPairs && { maxPairs }) },
    )
    const rows = found
      .texts('sentence1')
      .map((text, i) => [Number(text), Number(found.texts('sentence2')[i]), found.labels()![i]])
    t.deepEqual(rows, pairs, JSON.stringify(options))
    report('few-shot', 'contrastivePairs', { deviation: 0, allowed: 0 })
  }
})

test("the head has scikit-learn's coefficients, probabilities and labels", async (t) => {
  for (const { c, labels, x, classes, trained, coef, intercept, probabilities } of golden.heads) {
    const head = await fitHead({ labels: labels.slice(0, trained) }, rowsOf(x.slice(0, trained)), {
      c,
      normalizeEmbeddings: false,
    })
    t.deepEqual(head.labels, classes)
    const parameters = coef.flatMap((row, k) => [...row, intercept[k]!])
    const deviation = furthest(head.parameters, parameters)
    t.true(deviation <= 1e-4, `${classes}: coefficients are off by ${deviation}`)
    report('few-shot', 'TextClassifier', { part: 'coefficients', deviation, allowed: 1e-4 })
    const off = furthest(probabilitiesOf(head, rowsOf(x.slice(trained))), probabilities.flat())
    t.true(off <= 1e-5, `${classes}: probabilities are off by ${off}`)
    report('few-shot', 'TextClassifier', { part: 'probabilities', deviation: off, allowed: 1e-5 })
  }
})

test("the evaluator's accuracy and F1 are scikit-learn's", async (t) => {
  for (const { c, labels, x, trained, accuracy, f1 } of golden.heads) {
    const encode = (async (texts: readonly string[]) =>
      rowsOf(texts.map((text) => x[Number(text)]!))) as EvaluatedModel['encode']
    const model: EvaluatedModel = { similarityFnName: 'cosine', encode, encodeQuery: encode, encodeDocument: encode }
    const part = (start: number, end?: number) => ({
      texts: labels.map((_, i) => String(i)).slice(start, end),
      labels: labels.slice(start, end),
    })
    const evaluator = new TextClassificationEvaluator({ train: part(0, trained), test: part(trained), c })
    const { metrics } = await evaluator.evaluate(model)
    const deviation = Math.max(Math.abs(metrics.accuracy! - accuracy), Math.abs(metrics.f1! - f1))
    t.true(deviation <= 1e-12, `${metrics.f1} for ${f1}`)
    report('few-shot', 'TextClassificationEvaluator', { deviation, allowed: 1e-12 })
  }
})
