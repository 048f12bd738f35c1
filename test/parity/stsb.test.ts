// The STS benchmark's dev split through the real all-MiniLM-L6-v2, from text to Spearman, as Python has it.
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { EmbeddingSimilarityEvaluator } from '../../lib/evaluation/index.js'
import { SentenceTransformer } from '../../lib/models/sentence-transformer.js'
import { loadAddon } from '../../lib/native/load.js'
import { report } from './report.js'
import { floats, golden, goldenTensors, hasMiniLM, maxDifference } from './support.js'

const SHARED = new URL('../../../../shared/', import.meta.url)
const DEV = new URL('data/stsb/dev.tsv', SHARED)
const MODEL = fileURLToPath(new URL('models/all-MiniLM-L6-v2', SHARED))

const present = hasMiniLM && existsSync(DEV)
const onlyWithData = present ? test.serial : test.skip
if (!present) console.warn('No model or no STS benchmark in ../shared: its parity tests are skipped')

async function devSpearman(dtype: 'float32' | 'bfloat16' | 'int8'): Promise<number> {
  const rows = readFileSync(DEV, 'utf8')
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))
  const evaluator = new EmbeddingSimilarityEvaluator({
    sentences1: rows.map((row) => row[0]!),
    sentences2: rows.map((row) => row[1]!),
    scores: rows.map((row) => Number(row[2])),
  })
  const model = await SentenceTransformer.load(MODEL, { dtype })
  const { metrics } = await evaluator.evaluate(model)
  await model.dispose()
  return metrics.spearman_cosine!
}

onlyWithData('from text to embedding: equal to Python’s within 2e-6', async (t) => {
  const model = await SentenceTransformer.load(MODEL)
  const { data } = await model.encode(golden.minilm.sentences)
  const difference = maxDifference(data, floats(goldenTensors('minilm'), 'sentence_embedding'))
  t.true(difference <= 2e-6, `off by ${difference}`)
  report('stsb', 'encode', { deviation: difference, allowed: 2e-6 })
  await model.dispose()
})

onlyWithData('dev Spearman equals Python’s', async (t) => {
  const spearman = await devSpearman('float32')
  const deviation = Math.abs(spearman - golden.minilm.devSpearman)
  t.true(deviation <= 1e-5, String(spearman))
  report('stsb', 'spearman', { deviation, allowed: 1e-5 })
})

onlyWithData('dev Spearman in bfloat16 is within 0.001', async (t) => {
  const spearman = await devSpearman('bfloat16')
  const deviation = Math.abs(spearman - golden.minilm.devSpearman)
  t.true(deviation <= 0.001, String(spearman))
  report('stsb', 'spearman', { part: 'bfloat16', deviation, allowed: 0.001 })
})

onlyWithData('dev Spearman in int8 is within 0.003, where the processor has it', async (t) => {
  if (!loadAddon().runtime().fastDTypes.includes('int8')) {
    t.pass()
    return t.log('skipped: this processor has no AVX512-VNNI')
  }
  const spearman = await devSpearman('int8')
  const deviation = Math.abs(spearman - golden.minilm.devSpearman)
  t.true(deviation > 0 && deviation <= 0.003, String(spearman))
  report('stsb', 'spearman', { part: 'int8', deviation, allowed: 0.003 })
})
