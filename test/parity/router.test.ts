// Models with a Router as sentence-transformers saves and trains them: make_router.py.
import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import {
  Dataset,
  type Embeddings,
  losses,
  SentenceTransformer,
  SentenceTransformerTrainer,
  type TrainingArguments,
} from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { report } from './report.js'

const FOLDER = fileURLToPath(new URL('../../../test/parity/golden/router/', import.meta.url))
const TOLERANCE = 1e-6

interface Golden {
  texts: string[]
  dimension: number
  maxSeqLength: number | null
  /** By task; None: without one. */
  embeddings: Record<string, number[]>
  query: number[] | null
  document: number[] | null
  printed: string
}
interface Run {
  model: string
  args: Partial<TrainingArguments>
  data: Record<string, string[]> | Record<string, Record<string, string[]>>
  records: { loss: number; grad_norm: number; learning_rate: number }[]
  texts: string[]
  embeddings: Record<string, number[]>
}
const goldenOf = <T>(name: string): T => JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8')) as T

function deviation({ data }: Embeddings, expected: readonly number[]): number {
  if (data.length !== expected.length) return Number.POSITIVE_INFINITY
  return data.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0)
}

for (const name of ['towers', 'shared', 'behind', 'asym', 'mapped']) {
  test(`${name}: embeddings by task equal Python's, and stay so when the model is saved`, async (t) => {
    const golden = goldenOf<Golden>(name)
    const saved = await temporaryFolder(t)
    for (const folder of [join(FOLDER, name), saved]) {
      await using model = await SentenceTransformer.load(folder)
      for (const [task, expected] of Object.entries(golden.embeddings)) {
        const found = deviation(await model.encode(golden.texts, task === 'None' ? {} : { task }), expected)
        t.true(found <= TOLERANCE, `${task}: ${found}`)
        report('router', name, { part: 'embeddings', deviation: found, allowed: TOLERANCE })
      }
      if (golden.query) t.true(deviation(await model.encodeQuery(golden.texts), golden.query) <= TOLERANCE)
      if (golden.document) t.true(deviation(await model.encodeDocument(golden.texts), golden.document) <= TOLERANCE)
      if (golden.printed) {
        t.is(String(model), golden.printed)
        t.is(model.embeddingDimension, golden.dimension)
        if (golden.maxSeqLength !== null) t.is(model.maxSeqLength, golden.maxSeqLength)
      }
      if (folder !== saved) await model.save(saved)
    }
    if (name === 'asym') return
    // The same files, each module once, and the same routes.
    // Normalize has no settings that a file would need.
    const filesOf = async (of: string) =>
      (await readdir(of, { recursive: true })).filter((file) => !/README|Normalize.config/.test(file)).sort()
    t.deepEqual(await filesOf(saved), await filesOf(join(FOLDER, name)))
    const file = name === 'behind' ? '2_Router/router_config.json' : 'router_config.json'
    const [ours, theirs] = await Promise.all(
      [saved, join(FOLDER, name)].map(async (folder) => JSON.parse(await readFile(join(folder, file), 'utf8'))),
    )
    t.deepEqual({ ...ours, types: Object.keys(ours.types) }, { ...theirs, types: Object.keys(theirs.types) })
  })
}

for (const [i, run] of goldenOf<{ runs: Run[] }>('training').runs.entries()) {
  test(`training ${i}, ${run.model}: 20 steps equal Python's`, async (t) => {
    const { args, data, records: expected, texts } = run
    const folder = await temporaryFolder(t)
    await using model = await SentenceTransformer.load(join(FOLDER, run.model))
    const records: Readonly<Record<string, number>>[] = []
    const isNested = !Array.isArray(Object.values(data)[0])
    const datasets = Object.entries(isNested ? data : {}).map(([name, columns]) => [name, Dataset.fromColumns(columns)])
    const trainer = new SentenceTransformerTrainer({
      model,
      trainDataset: isNested ? Object.fromEntries(datasets) : Dataset.fromColumns(data as Record<string, string[]>),
      loss: new losses.MultipleNegativesRankingLoss(),
      progress: false,
      callbacks: [{ onLog: (record) => void records.push(record) }],
      args: { ...args, outputDir: folder, batchSampler: 'sequential' },
    })
    await trainer.train()
    for (const [step, wanted] of expected.entries()) {
      for (const key of ['loss', 'grad_norm', 'learning_rate'] as const) {
        const found = Math.abs(records[step]![key]! - wanted[key]) / Math.max(1, Math.abs(wanted[key]))
        t.true(found <= 1e-5, `step ${step + 1}, ${key}: ${records[step]![key]}, expected ${wanted[key]}`)
        report('router', run.model, { part: key, deviation: found, allowed: 1e-5 })
      }
    }
    for (const [task, wanted] of Object.entries(run.embeddings)) {
      const found = deviation(await model.encode(texts, { task }), wanted)
      t.true(found <= 1e-5, `${task}: ${found}`)
      report('router', run.model, { part: 'embeddings after 20 steps', deviation: found, allowed: 1e-5 })
    }
  })
}
