// Every evaluator of multi-vector models against sentence-transformers' own (make_sparse_evaluators.py), on the same embeddings.
import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import * as evaluation from '../../lib/evaluation/index.js'
import { embeddings } from '../../lib/models/embeddings.js'
import type { MaxSimName } from '../../lib/models/multi-vector/folder.js'
import { maxSimPairs } from '../../lib/models/multi-vector/scores.js'
import { TokenEmbeddings } from '../../lib/models/token-embeddings.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { sameResult, sameText } from './evaluator-results.js'

interface Case {
  evaluator: string
  similarity: MaxSimName
  // biome-ignore lint/suspicious/noExplicitAny: the options of every evaluator
  options: any
  metrics: Record<string, number>
  primaryMetric: string
  files: Record<string, string>
}

const { rows, cases }: { rows: number[][][]; cases: Record<string, Case> } = JSON.parse(
  readFileSync(new URL('../../../test/parity/golden/multi-vector-evaluators.json', import.meta.url), 'utf8'),
)

/** The model of make_sparse_evaluators.py. */
function fakeModel(similarityFnName: MaxSimName): evaluation.EvaluatedMultiVectorModel {
  const prompts: Record<string, string> = { query: 'q: ', document: 'd' }
  const encode: evaluation.EvaluatedMultiVectorModel['encodeQuery'] = async (texts, options = {}) => {
    const prompt = options.prompt ?? prompts[options.promptName ?? ''] ?? ''
    const found = texts.map((text) => rows[(Number(/^r(\d+)/.exec(text)![1]) + prompt.length) % rows.length]!)
    return TokenEmbeddings.fromRows(found.map((row) => embeddings(Float32Array.from(row.flat()), row.length, 5)))
  }
  return { similarityFnName, encodeQuery: encode, encodeDocument: encode }
}

type Made = { evaluate(model: object, context: object): Promise<evaluation.EvaluationResult> }

for (const [name, golden] of Object.entries(cases)) {
  test(name, async (t) => {
    const { evaluator, similarity, options, files } = golden
    const classes = evaluation as unknown as Record<string, new (options: object) => Made>
    const made = new classes[evaluator]!(options)
    const outputPath = join(await temporaryFolder(t), 'eval')
    const result = await made.evaluate(fakeModel(similarity), { outputPath })
    sameResult(t, 'multiVectorEvaluators', evaluator, result, golden)
    await made.evaluate(fakeModel(similarity), { outputPath, epoch: 0.5, steps: 12 })
    t.deepEqual((await readdir(outputPath)).sort(), Object.keys(files).sort())
    for (const [file, expected] of Object.entries(files))
      sameText(t, file, await readFile(join(outputPath, file), 'utf8'), expected)
  })
}

test('a function in place of the similarity', async (t) => {
  const { metrics, options } = cases.distillation!
  const similarityFct = (queries: TokenEmbeddings, documents: TokenEmbeddings) =>
    maxSimPairs('maxsim', queries, documents)
  const made = new evaluation.MultiVectorDistillationEvaluator({ ...options, similarityFct })
  t.deepEqual(
    Object.entries((await made.evaluate(fakeModel('meanmaxsim'))).metrics).map(([key, value]) => [
      key,
      value.toFixed(6),
    ]),
    Object.entries(metrics).map(([key, value]) => [key, value.toFixed(6)]),
  )
})

test('options of evaluators over embeddings, and other models, are refused', async (t) => {
  const triplets = { anchors: ['r1'], positives: ['r2'], negatives: ['r3'] }
  const made = (options: object) => () => new evaluation.MultiVectorTripletEvaluator({ ...triplets, ...options })
  t.throws(made({ truncateDim: 3 }), {
    code: 'ERR_UNKNOWN_OPTION',
    message: /MultiVectorTripletEvaluator.*truncateDim/,
  })
  t.throws(made({ mainSimilarity: 'cosine' }), { code: 'ERR_INVALID_ARGUMENT', message: /maxsim/ })
  t.throws(made({ margin: { cosine: 1 } }), { code: 'ERR_INVALID_ARGUMENT', message: /maxsim, meanmaxsim/ })
  const dense = async () => ({ data: new Float32Array(2), shape: [1, 2] })
  const model = { similarityFnName: 'maxsim', encodeQuery: dense, encodeDocument: dense }
  const refused = { code: 'ERR_INVALID_ARGUMENT', message: /MultiVectorEncoder/ }
  await t.throwsAsync(made({})().evaluate(model as never), refused)
  const given = { queries: ['r1'], documents: [['r1', 'r2']], scores: [[1, 2]] }
  const distilled = (options: object) => () => new evaluation.MultiVectorDistillationEvaluator({ ...given, ...options })
  t.throws(distilled({ scores: [[1]] }), { code: 'ERR_INVALID_DATA', message: /expected 2 scores for query 0/ })
  t.throws(distilled({ scores: [1] }), { code: 'ERR_INVALID_DATA', message: /expected 2 scores for query 0/ })
  t.throws(distilled({ documents: ['r1'] }), { code: 'ERR_INVALID_DATA', message: /finite number/ })
  t.throws(distilled({ temperature: 0 }), { code: 'ERR_INVALID_ARGUMENT', message: /temperature/ })
  t.throws(distilled({ queries: ['r1', 'r2'] }), { code: 'ERR_INVALID_DATA', message: /as many/ })
})
