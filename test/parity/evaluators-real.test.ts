// Evaluators on real data through the real all-MiniLM-L6-v2, from text to metric, against Python's.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import {
  BinaryClassificationEvaluator,
  type Evaluator,
  InformationRetrievalEvaluator,
  loadBeir,
} from '../../lib/evaluation/index.js'
import { SentenceTransformer } from '../../lib/models/sentence-transformer.js'
import { report } from './report.js'

const golden: Record<string, Record<string, number>> = JSON.parse(
  readFileSync(new URL('../../../test/parity/golden/evaluators/real.json', import.meta.url), 'utf8'),
)
const SHARED = fileURLToPath(new URL('../../../../shared/', import.meta.url))
const MODEL = join(SHARED, 'models', 'all-MiniLM-L6-v2')
const CRANFIELD = join(SHARED, 'data', 'cranfield')
const STS = join(SHARED, 'data', 'stsb', 'dev.tsv')
const present = [join(MODEL, 'model.safetensors'), join(CRANFIELD, 'corpus.jsonl'), STS].every(existsSync)
const onlyWithData = present ? test.serial : test.skip
if (!present) console.warn('No model, Cranfield or STS benchmark in ../shared: the evaluators see no real data')

async function compare(t: ExecutionContext, evaluator: Evaluator, expected: Record<string, number>) {
  t.timeout(300_000)
  const model = await SentenceTransformer.load(MODEL)
  const { metrics } = await evaluator.evaluate(model)
  await model.dispose()
  t.deepEqual(Object.keys(metrics), Object.keys(expected))
  for (const [key, value] of Object.entries(expected)) {
    // The embeddings themselves differ by some 1e-7; a Manhattan distance sums 384 of these.
    const difference = Math.abs(metrics[key]! - value) / Math.max(1, Math.abs(value))
    report('evaluators-real', evaluator.constructor.name, { deviation: difference, allowed: 2e-6 })
    t.true(difference <= 2e-6, `${key}: ${metrics[key]}, Python ${value}`)
  }
}

onlyWithData('retrieval on Cranfield', async (t) => {
  const set = await loadBeir(CRANFIELD)
  const corpus = new Map([...set.corpus].slice(0, 500))
  const relevantDocs = new Map(
    [...set.relevantDocs].map(([id, documents]) => [id, [...documents].filter((document) => corpus.has(document))]),
  )
  const scoreFunctions = { cosine: 'cosine', manhattan: 'manhattan' } as const
  const options = {
    queries: set.queries,
    corpus,
    relevantDocs,
    scoreFunctions,
    name: 'cranfield',
    corpusChunkSize: 150,
  }
  await compare(t, new InformationRetrievalEvaluator(options), golden.InformationRetrievalEvaluator!)
})

onlyWithData('binary classification of the STS benchmark', async (t) => {
  const rows = readFileSync(STS, 'utf8')
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))
  const evaluator = new BinaryClassificationEvaluator({
    sentences1: rows.map((row) => row[0]!),
    sentences2: rows.map((row) => row[1]!),
    labels: rows.map((row) => (Number(row[2]) >= 3 ? 1 : 0)),
    similarityFnNames: ['cosine', 'dot', 'euclidean', 'manhattan'],
    name: 'sts',
  })
  await compare(t, evaluator, golden.BinaryClassificationEvaluator!)
})
