import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Random } from '../../lib/data/random.js'
import { averageRanks, pearson, spearman, spearmanInSlices } from '../../lib/evaluation/correlation.js'
import { pythonFloat } from '../../lib/evaluation/csv.js'
import type { EvaluatedModel, EvaluationContext, EvaluationResult } from '../../lib/evaluation/evaluator.js'
import {
  BinaryClassificationEvaluator,
  EmbeddingSimilarityEvaluator,
  SentenceEvaluator,
  SequentialEvaluator,
  TripletEvaluator,
} from '../../lib/evaluation/index.js'
import { embeddings } from '../../lib/models/embeddings.js'
import { pairwiseSimilarity } from '../../lib/models/similarity.js'
import { temporaryFolder } from '../helpers/model-folders.js'

interface Case {
  name: string
  x: number[]
  y: number[]
  pearson: number
  spearman: number
  ranks: number[]
}
const golden: { cases: Case[] } = JSON.parse(
  readFileSync(new URL('../../../test/unit/golden/correlation.json', import.meta.url), 'utf8'),
)

for (const { name, x, y, ...expected } of golden.cases) {
  test(`correlations equal scipy's: ${name}`, async (t) => {
    t.true(Math.abs(pearson(x, y) - expected.pearson) < 1e-14, `${pearson(x, y)}, ${expected.pearson}`)
    t.true(Math.abs(spearman(x, y) - expected.spearman) < 1e-14, `${spearman(x, y)}, ${expected.spearman}`)
    t.is(await spearmanInSlices(x, y), spearman(x, y))
    t.deepEqual([...averageRanks(x)], expected.ranks)
  })
}

test('evaluators are functions of a model, and may be extended', async (t) => {
  class Half extends SentenceEvaluator<number> {
    override readonly name: string
    readonly #share: number
    constructor(name: string) {
      super()
      this.name = name
      this.#share = 0.5
    }

    async evaluate(model: number, { epoch = -1 }: EvaluationContext = {}): Promise<EvaluationResult> {
      return { metrics: { [`${this.name}_half`]: model * this.#share, epoch }, primaryMetric: `${this.name}_half` }
    }
  }
  const half = new Half('dev')
  t.true(half instanceof Half && half instanceof SentenceEvaluator)
  t.deepEqual([half.name, Object.keys(half)], ['dev', ['name']])
  t.deepEqual(await half(8, { epoch: 2 }), { dev_half: 4, epoch: 2 })
  t.deepEqual(await new SequentialEvaluator([half])(3), { dev_half: 1.5, epoch: -1, sequential_score: 1.5 })
})

test('a constant side has no correlation', (t) => {
  t.is(pearson([0.1, 0.1, 0.1], [1, 2, 3]), Number.NaN)
  t.is(spearman([1, 2, 3], [0.7, 0.7, 0.7]), Number.NaN)
})

test('numbers are written as Python writes them', (t) => {
  const expected: [number, string][] = [
    [1, '1.0'],
    [0.4, '0.4'],
    [-0.8486451363896759, '-0.8486451363896759'],
    [0.00001, '1e-05'],
    [0.000123, '0.000123'],
    [1.5e-7, '1.5e-07'],
    [1e16, '1e+16'],
    [123456789012345680, '1.2345678901234568e+17'],
    [Number.NaN, 'nan'],
    [-0, '-0.0'],
  ]
  for (const [value, text] of expected) t.is(pythonFloat(value), text)
})

/** Embeds a text as the numbers that are written in it. */
const encode: EvaluatedModel['encode'] = async (texts) => {
  const rows = texts.map((text) => text.split(' ').map(Number))
  return embeddings(Float32Array.from(rows.flat()), rows.length, rows[0]!.length)
}
const model: EvaluatedModel = { similarityFnName: 'cosine', encode, encodeQuery: encode, encodeDocument: encode }

const pairs = {
  sentences1: ['1 0', '1 0', '1 0', '2 0'],
  sentences2: ['1 0', '1 1', '0 1', '-1 0'],
  scores: [5, 4, 2, 1],
}

test('many pairs, compared in pieces, give what they give at once', async (t) => {
  const numbers = (rows: number, seed: number) => {
    const random = new Random(seed)
    return Array.from({ length: rows }, () => `${random.float() - 0.5} ${random.float() - 0.5} ${random.float()}`)
  }
  for (const rows of [2, 255, 256, 257, 1000]) {
    const [sentences1, sentences2] = [numbers(rows, 1), numbers(rows, 2)]
    const scores = sentences1.map((_, i) => (i * 7) % 11)
    const names = ['cosine', 'dot', 'euclidean', 'manhattan'] as const
    const evaluator = new EmbeddingSimilarityEvaluator({ sentences1, sentences2, scores, similarityFnNames: names })
    const { metrics } = await evaluator.evaluate(model)
    const [first, second] = [await model.encode(sentences1), await model.encode(sentences2)]
    for (const name of names) {
      const similarities = pairwiseSimilarity(name, first, second)
      t.is(metrics[`pearson_${name}`], pearson(scores, similarities))
      t.is(metrics[`spearman_${name}`], spearman(scores, similarities))
    }
  }
})

test('metrics and primary metric, with and without a name', async (t) => {
  const plain = await new EmbeddingSimilarityEvaluator(pairs).evaluate(model)
  t.deepEqual(Object.keys(plain.metrics), ['pearson_cosine', 'spearman_cosine'])
  t.is(plain.primaryMetric, 'spearman_cosine')
  t.true(Math.abs(plain.metrics.spearman_cosine! - 1) < 1e-12)
  t.true(Math.abs(plain.metrics.pearson_cosine! - pearson(pairs.scores, [1, Math.SQRT1_2, 0, -1])) < 1e-7)

  const named = await new EmbeddingSimilarityEvaluator({ ...pairs, name: 'dev' }).evaluate(model)
  t.deepEqual(Object.keys(named.metrics), ['dev_pearson_cosine', 'dev_spearman_cosine'])
  t.is(named.primaryMetric, 'dev_spearman_cosine')
})

test('several similarities: maxima, and which is the primary metric', async (t) => {
  const similarityFnNames = ['euclidean', 'manhattan', 'dot'] as const
  const { metrics, primaryMetric } = await new EmbeddingSimilarityEvaluator({ ...pairs, similarityFnNames }).evaluate(
    model,
  )
  t.deepEqual(Object.keys(metrics), [
    'pearson_euclidean',
    'spearman_euclidean',
    'pearson_manhattan',
    'spearman_manhattan',
    'pearson_dot',
    'spearman_dot',
    'pearson_max',
    'spearman_max',
  ])
  t.is(primaryMetric, 'spearman_max')
  // Distances 0, 1, sqrt 2, 3 and 0, 1, 2, 3; dot products 1, 1, 0, -2.
  t.true(Math.abs(metrics.pearson_euclidean! - pearson(pairs.scores, [0, -1, -Math.SQRT2, -3])) < 1e-7)
  t.true(Math.abs(metrics.pearson_manhattan! - pearson(pairs.scores, [0, -1, -2, -3])) < 1e-7)
  t.true(Math.abs(metrics.spearman_dot! - spearman(pairs.scores, [1, 1, 0, -2])) < 1e-12)
  t.is(metrics.spearman_max, Math.max(metrics.spearman_euclidean!, metrics.spearman_dot!))

  const main = new EmbeddingSimilarityEvaluator({ ...pairs, similarityFnNames, mainSimilarity: 'dot' })
  t.is((await main.evaluate(model)).primaryMetric, 'spearman_dot')
  const only = await new EmbeddingSimilarityEvaluator({ ...pairs, mainSimilarity: 'dot' }).evaluate(model)
  t.deepEqual(Object.keys(only.metrics), ['pearson_dot', 'spearman_dot'])
})

test('the CSV file: header once, one row per call, as Python writes it', async (t) => {
  const outputPath = join(await temporaryFolder(t), 'eval')
  const evaluator = new EmbeddingSimilarityEvaluator({ ...pairs, name: 'dev' })
  const { metrics } = await evaluator.evaluate(model, { outputPath })
  await evaluator.evaluate(model, { outputPath, epoch: 1, steps: 4 })
  const values = `${pythonFloat(metrics.dev_pearson_cosine!)},${pythonFloat(metrics.dev_spearman_cosine!)}`
  t.is(
    readFileSync(join(outputPath, 'similarity_evaluation_dev_results.csv'), 'utf8'),
    `epoch,steps,cosine_pearson,cosine_spearman\r\n-1,-1,${values}\r\n1.0,4,${values}\r\n`,
  )
})

test('no CSV file without writeCsv', async (t) => {
  const outputPath = await temporaryFolder(t)
  await new EmbeddingSimilarityEvaluator({ ...pairs, writeCsv: false }).evaluate(model, { outputPath })
  t.notThrows(() => writeFileSync(join(outputPath, 'similarity_evaluation_results.csv'), '', { flag: 'wx' }))
})

test('options and data are checked', (t) => {
  const build = (options: object) => () => new EmbeddingSimilarityEvaluator({ ...pairs, ...options })
  t.throws(build({ scores: [1, 2] }), { code: 'ERR_INVALID_DATA', message: /4, 4 and 2/ })
  t.throws(build({ scores: [1, 2, Number.NaN, 3] }), { code: 'ERR_INVALID_DATA', message: /row 2/ })
  t.throws(build({ sentences1: ['a'], sentences2: ['b'], scores: [1] }), { code: 'ERR_INVALID_DATA' })
  t.throws(build({ sentences1: 'a' }), { code: 'ERR_INVALID_ARGUMENT', message: /sentences1/ })
  t.throws(build({ batchSize: 0 }), { code: 'ERR_INVALID_ARGUMENT', message: /batchSize/ })
  t.throws(build({ similarityFnNames: ['cos'] }), { code: 'ERR_INVALID_ARGUMENT', message: /cosine/ })
  t.throws(build({ similarityFnNames: ['dot'], mainSimilarity: 'cosine' }), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(build({ name: '../up' }), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(build({ precision: 'int4' }), { code: 'ERR_INVALID_ARGUMENT', message: /int8/ })
  t.throws(build({ batchsize: 4 }), { code: 'ERR_UNKNOWN_OPTION', message: /batchSize/ })
})

test('binary compares the bits of ubinary', async (t) => {
  const results = await Promise.all(
    (['binary', 'ubinary'] as const).map(async (precision) =>
      new EmbeddingSimilarityEvaluator({ ...pairs, precision, similarityFnNames: ['manhattan', 'cosine'] }).evaluate(
        model,
      ),
    ),
  )
  t.deepEqual(results[0], results[1])
  // Bits 10 and 10, 10 and 11, 10 and 01, 10 and 00: 0, 1, 2 and 1 differ.
  t.true(Math.abs(results[0]!.metrics.pearson_manhattan! - pearson(pairs.scores, [0, -1, -2, -1])) < 1e-7)
})

test('from examples of texts and a label', async (t) => {
  const examples = pairs.sentences1.map((text, i) => ({ texts: [text, pairs.sentences2[i]!], label: pairs.scores[i]! }))
  const made = EmbeddingSimilarityEvaluator.fromInputExamples(examples, { name: 'dev' })
  const direct = new EmbeddingSimilarityEvaluator({ ...pairs, name: 'dev' })
  t.deepEqual(await made.evaluate(model), await direct.evaluate(model))

  const labelled = examples.map((example, i) => ({ ...example, label: i % 2 }))
  const binary = await BinaryClassificationEvaluator.fromInputExamples(labelled).evaluate(model)
  const labels = labelled.map(({ label }) => label)
  t.deepEqual(
    binary,
    await new BinaryClassificationEvaluator({
      sentences1: pairs.sentences1,
      sentences2: pairs.sentences2,
      labels,
    }).evaluate(model),
  )
  const triplet = TripletEvaluator.fromInputExamples([{ texts: ['1 0', '1 0', '0 1'] }])
  t.deepEqual((await triplet.evaluate(model)).metrics, { cosine_accuracy: 1 })

  t.throws(() => TripletEvaluator.fromInputExamples(examples), {
    code: 'ERR_INVALID_DATA',
    message: /text 2 in example 0/,
  })
  const unlabelled = [{ texts: ['a', 'b'] }]
  t.throws(() => BinaryClassificationEvaluator.fromInputExamples(unlabelled), {
    code: 'ERR_INVALID_DATA',
    message: /label/,
  })
})
