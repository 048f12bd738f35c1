// Every evaluator of sparse models against sentence-transformers' own (make_sparse_evaluators.py), on the same embeddings.
import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import * as evaluation from '../../lib/evaluation/index.js'
import { SparseEmbeddings } from '../../lib/models/sparse-embeddings.js'
import type { Metric } from '../../lib/native/types.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { sameResult, sameText } from './evaluator-results.js'

interface Case {
  evaluator: string
  similarity: Metric
  // biome-ignore lint/suspicious/noExplicitAny: the options of every evaluator
  options: any
  metrics: Record<string, number>
  primaryMetric: string
  files: Record<string, string>
}

const { rows, cases }: { rows: number[][]; cases: Record<string, Case> } = JSON.parse(
  readFileSync(new URL('../../../test/parity/golden/sparse-evaluators.json', import.meta.url), 'utf8'),
)

/** The model of make_sparse_evaluators.py. */
function fakeModel(similarityFnName: Metric): evaluation.EvaluatedSparseModel {
  const prompts: Record<string, string> = { query: 'q: ', document: 'd' }
  const encode: evaluation.EvaluatedSparseModel['encode'] = async (texts, options = {}) => {
    const prompt = options.prompt ?? prompts[options.promptName ?? ''] ?? ''
    const { maxActiveDims = Number.POSITIVE_INFINITY } = options
    const found = texts.map((text) => {
      const row = rows[(Number(/^r(\d+)/.exec(text)![1]) + prompt.length) % rows.length]!
      const least = row.toSorted((a, b) => b - a)[maxActiveDims - 1] ?? 0
      return Float32Array.from(row, (value) => (value >= least ? value : 0))
    })
    return SparseEmbeddings.fromDense(found)
  }
  return { similarityFnName, encode, encodeQuery: encode, encodeDocument: encode }
}

type Made = { evaluate(model: object, context: object): Promise<evaluation.EvaluationResult> }

for (const [name, golden] of Object.entries(cases)) {
  test(name, async (t) => {
    const { evaluator, similarity, options, files } = golden
    const classes = evaluation as unknown as Record<string, new (options: object) => Made>
    const teacherModel = evaluator === 'SparseMSEEvaluator' ? { teacherModel: fakeModel('dot') } : {}
    const made = new classes[evaluator]!({ ...options, ...teacherModel })
    const outputPath = join(await temporaryFolder(t), 'eval')
    const result = await made.evaluate(fakeModel(similarity), { outputPath })
    sameResult(t, 'sparseEvaluators', evaluator, result, golden)
    await made.evaluate(fakeModel(similarity), { outputPath, epoch: 0.5, steps: 12 })
    t.deepEqual((await readdir(outputPath)).sort(), Object.keys(files).sort())
    for (const [file, expected] of Object.entries(files))
      sameText(t, file, await readFile(join(outputPath, file), 'utf8'), expected)
  })
}

test('options of evaluators over embeddings, and other models, are refused', async (t) => {
  const triplets = { anchors: ['r1'], positives: ['r2'], negatives: ['r3'] }
  const made = (options: object) => () => new evaluation.SparseTripletEvaluator({ ...triplets, ...options })
  t.throws(made({ truncateDim: 3 }), { code: 'ERR_UNKNOWN_OPTION', message: /SparseTripletEvaluator.*maxActiveDims/ })
  t.throws(made({ maxActiveDims: 0 }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /SparseTripletEvaluator maxActiveDims/,
  })
  t.throws(made({ anchor: [] }), {
    code: 'ERR_UNKNOWN_OPTION',
    message: /SparseTripletEvaluator.*did you mean anchors/,
  })
  t.throws(() => new evaluation.SparseTripletEvaluator(undefined as never), { code: 'ERR_INVALID_ARGUMENT' })
  const dense = async () => ({ data: new Float32Array(2), shape: [1, 2] })
  const model = { similarityFnName: 'cosine', encode: dense, encodeQuery: dense, encodeDocument: dense }
  for (const other of [model, undefined, {}])
    await t.throwsAsync(made({})().evaluate(other as never), { code: 'ERR_INVALID_ARGUMENT', message: /SparseEncoder/ })
})
