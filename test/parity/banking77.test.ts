// MTEB's Banking77Classification against scikit-learn: samples, classifier, scores; and the published number of all-MiniLM-L6-v2.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import type { EvaluatedModel } from '../../lib/evaluation/evaluator.js'
import { Banking77Classification, type ClassificationData, MTEB } from '../../lib/evaluation/index.js'
import { fitLogistic } from '../../lib/evaluation/mteb/logistic-regression.js'
import { undersample } from '../../lib/evaluation/mteb/undersample.js'
import { embeddings } from '../../lib/models/embeddings.js'
import { SentenceTransformer } from '../../lib/models/sentence-transformer.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { report } from './report.js'

interface Experiment extends Record<string, unknown> {
  first: number[]
  iterations: number
}

const golden: {
  small: {
    train: number[][]
    trainLabels: string[]
    test: number[][]
    testLabels: string[]
    experiments: Experiment[]
    parameters: number[][]
  }
  minilm: Experiment[]
} = JSON.parse(readFileSync(new URL('../../../test/parity/golden/evaluators/banking77.json', import.meta.url), 'utf8'))
const METRICS = ['accuracy', 'f1', 'f1_weighted', 'precision', 'precision_weighted', 'recall', 'recall_weighted']
const meanOf = (experiments: Experiment[], key: string) =>
  experiments.reduce((sum, experiment) => sum + (experiment[key] as number), 0) / experiments.length

const { small } = golden
const samples = undersample(small.trainLabels, 10, 8, 42)

test('the samples are those of numpy', (t) => {
  t.deepEqual(
    samples.map((rows) => rows.slice(0, 5)),
    golden.small.experiments.map(({ first }) => first),
  )
})

test('the classifier is that of scikit-learn, step by step', (t) => {
  const labels = [...new Set(small.trainLabels)].sort()
  for (const [i, rows] of samples.entries()) {
    const x = Float32Array.from(rows.flatMap((row) => small.train[row]!))
    const model = fitLogistic(
      x,
      rows.map((row) => labels.indexOf(small.trainLabels[row]!)),
      6,
    )
    t.is(model.iterations, small.experiments[i]!.iterations)
    if (i > 0) continue
    const difference = small.parameters
      .flat()
      .reduce((most, value, j) => Math.max(most, Math.abs(value - model.parameters[j]!)), 0)
    t.true(difference < 1e-4, `parameters are off by ${difference}`)
  }
})

test('scores of every experiment, their means and the result file', async (t) => {
  const rows = [...small.train, ...small.test]
  const encode: EvaluatedModel['encode'] = async (texts) =>
    embeddings(Float32Array.from(texts.flatMap((text) => rows[Number(text)]!)), texts.length, 10)
  const model: EvaluatedModel = { similarityFnName: 'cosine', encode, encodeQuery: encode, encodeDocument: encode }
  const numbers = (from: number, labels: string[]) => ({ texts: labels.map((_, i) => String(from + i)), labels })
  const task = new Banking77Classification({
    train: numbers(0, small.trainLabels),
    test: numbers(small.train.length, small.testLabels),
    name: 'small',
  })
  const outputPath = join(await temporaryFolder(t), 'eval')
  const { metrics, primaryMetric } = await task.evaluate(model, { outputPath })
  t.is(primaryMetric, 'small_accuracy')
  t.deepEqual(
    Object.keys(metrics),
    METRICS.map((key) => `small_${key}`),
  )
  for (const key of METRICS) {
    const deviation = Math.abs(metrics[`small_${key}`]! - meanOf(small.experiments, key))
    t.true(deviation < 1e-6, key)
    report('banking77', 'Banking77Classification', { deviation, allowed: 1e-6 })
  }
  const file = JSON.parse(readFileSync(join(outputPath, 'Banking77Classification.json'), 'utf8'))
  const [scores] = file.scores.test
  t.is(scores.main_score, Number(metrics.small_accuracy!.toFixed(6)))
  t.is(scores.scores_per_experiment.length, 10)
  for (const [i, experiment] of small.experiments.entries()) {
    for (const key of METRICS) {
      t.true(Math.abs(scores.scores_per_experiment[i][key] - (experiment[key] as number)) < 1e-6, `${i} ${key}`)
    }
  }
})

test('MTEB runs the task on datasets and gives the scores to the program', async (t) => {
  const rows = [...small.train, ...small.test]
  const encode: EvaluatedModel['encode'] = async (texts) =>
    embeddings(Float32Array.from(texts.flatMap((text) => rows[Number(text)]!)), texts.length, 10)
  const model: EvaluatedModel = { similarityFnName: 'cosine', encode, encodeQuery: encode, encodeDocument: encode }
  const split = (from: number, category: string[]) =>
    Dataset.fromColumns({ category, text: category.map((_, i) => String(from + i)) })
  const data = { train: split(0, small.trainLabels), test: split(small.train.length, small.testLabels) }
  const outputFolder = join(await temporaryFolder(t), 'results')
  const [result, ...more] = await new MTEB({ tasks: ['Banking77Classification'] }).run(model, { data, outputFolder })
  t.deepEqual(more, [])
  const [scores] = result!.scores.test
  for (const key of METRICS) {
    t.true(Math.abs(scores[key as 'accuracy'] - meanOf(small.experiments, key)) < 1e-6, key)
  }
  t.is(scores.main_score, scores.accuracy)
  t.is(scores.scores_per_experiment.length, 10)
  t.deepEqual(JSON.parse(readFileSync(join(outputFolder, 'Banking77Classification.json'), 'utf8')), result)
  const [named] = await new MTEB({ tasks: ['Banking77Classification'] }).run(model, {
    data: { Banking77Classification: data },
  })
  t.deepEqual(named!.scores, result!.scores)
})

test('MTEB names tasks and data that are not there', async (t) => {
  t.throws(() => new MTEB({ tasks: ['Banking77'] as never }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /Banking77Classification.*received "Banking77"/,
  })
  const run = (data: unknown) =>
    new MTEB({ tasks: ['Banking77Classification'] }).run({} as EvaluatedModel, { data: data as never })
  await t.throwsAsync(run(undefined), { code: 'ERR_INVALID_ARGUMENT', message: /train, test/ })
  const texts = Dataset.fromColumns({ text: ['a', 'b'] })
  await t.throwsAsync(run({ train: texts, test: texts }), { code: 'ERR_INVALID_DATA', message: /labels in train/ })
})

const SHARED = new URL('../../../../shared/', import.meta.url)
const MODEL = fileURLToPath(new URL('models/all-MiniLM-L6-v2', SHARED))
const DATA = fileURLToPath(new URL('data/banking77', SHARED))
const present = existsSync(join(MODEL, 'model.safetensors')) && existsSync(join(DATA, 'test.jsonl'))
const onlyWithData = present ? test.serial : test.skip
if (!present) console.warn('No model or no Banking77 in ../shared: the published number is not checked')

onlyWithData('all-MiniLM-L6-v2 reaches the published accuracy', async (t) => {
  t.timeout(600_000)
  const read = (split: string): ClassificationData => {
    const lines = readFileSync(join(DATA, `${split}.jsonl`), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { text: string; category: string })
    return { texts: lines.map(({ text }) => text), labels: lines.map(({ category }) => category) }
  }
  const task = new Banking77Classification({ train: read('train'), test: read('test') })
  const model = await SentenceTransformer.load(MODEL)
  const started = performance.now()
  const { metrics } = await task.evaluate(model)
  await model.dispose()
  t.log(`${JSON.stringify(metrics)} in ${((performance.now() - started) / 1000).toFixed(1)} s`)
  t.true(Math.abs(metrics.accuracy! - 0.8004) <= 0.0005, String(metrics.accuracy))
  t.true(Math.abs(metrics.f1! - 0.7938) <= 0.0005, String(metrics.f1))
  for (const key of METRICS) {
    const deviation = Math.abs(metrics[key]! - meanOf(golden.minilm, key))
    t.true(deviation <= 2e-4, `${key} ${metrics[key]}`)
    report('banking77', 'Banking77Classification', { part: 'all-MiniLM-L6-v2', deviation, allowed: 2e-4 })
  }
})
