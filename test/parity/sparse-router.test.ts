// Sparse encoders with inference-free queries as sentence-transformers saves them: make_sparse_router.py.
import { readFileSync } from 'node:fs'
import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { Dataset, losses, SentenceTransformer, SparseEncoder, SparseEncoderTrainer } from '../../lib/index.js'
import { openSafetensors } from '../../lib/io/safetensors.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { report } from './report.js'

const FOLDER = fileURLToPath(new URL('../../../test/parity/golden/sparse-router/', import.meta.url))
const QUERY = 'query_0_SparseStaticEmbedding'
const TOLERANCE = 1e-5

interface Golden {
  dimension: number
  /** By task; None: without one. Dense. */
  embeddings: Record<string, number[]>
  /** With the prompt of queries. */
  query: number[]
  similarity: number[]
  printed: string
}
interface Training {
  data: Record<string, string[]>
  records: { loss: number; grad_norm: number }[]
  embeddings: Record<string, number[]>
}
const golden: { texts: string[]; models: Record<string, Golden>; training: Record<string, Training> } = JSON.parse(
  readFileSync(join(FOLDER, 'golden.json'), 'utf8'),
)

function deviation(data: Float32Array, expected: readonly number[]): number {
  if (data.length !== expected.length) return Number.POSITIVE_INFINITY
  return data.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0)
}

for (const [name, expected] of Object.entries(golden.models)) {
  test(`${name}: embeddings by task equal Python's, and stay so when the model is saved`, async (t) => {
    const { texts } = golden
    const saved = await temporaryFolder(t)
    for (const folder of [join(FOLDER, name), saved]) {
      await using model = await SparseEncoder.load(folder)
      t.is(model.embeddingDimension, expected.dimension)
      t.is(String(model), expected.printed)
      for (const [task, wanted] of Object.entries(expected.embeddings)) {
        const { data } = (await model.encode(texts, task === 'None' ? {} : { task })).toDense()
        const found = deviation(data, wanted)
        t.true(found <= TOLERANCE, `${task}: ${found}`)
        report('sparse-router', name, { part: 'embeddings', deviation: found, allowed: TOLERANCE })
      }
      const [queries, documents] = [await model.encodeQuery(texts), await model.encodeDocument(texts)]
      t.true(deviation(queries.toDense().data, expected.query) <= TOLERANCE)
      t.true(deviation(model.similarity(queries, documents).data, expected.similarity) <= 1e-4)
      // No token, no weight.
      t.is((await model.encode([''], { task: 'query' })).indices.length, 0)
      if (folder !== saved) await model.save(saved)
    }
    const filesOf = async (of: string) =>
      (await readdir(of, { recursive: true })).filter((file) => !file.includes('README')).sort()
    t.deepEqual(await filesOf(saved), await filesOf(join(FOLDER, name)))
    for (const file of ['router_config.json', `${QUERY}/config.json`]) {
      const [ours, theirs] = await Promise.all(
        [saved, join(FOLDER, name)].map(async (folder) => JSON.parse(await readFile(join(folder, file), 'utf8'))),
      )
      if (ours.types) t.deepEqual({ ...ours, types: 0 }, { ...theirs, types: 0 })
      else t.deepEqual(ours, theirs)
    }
    // One number for each token, as Python reads it.
    const weights = await openSafetensors(join(saved, QUERY, 'model.safetensors'))
    t.deepEqual(weights.tensors.get('weight')!.shape, [expected.dimension])
    await weights.close()
  })
}

for (const [name, { data, records: expected, embeddings }] of Object.entries(golden.training)) {
  test(`${name}: 20 steps of training equal Python's`, async (t) => {
    await using model = await SparseEncoder.load(join(FOLDER, name))
    const records: Readonly<Record<string, number>>[] = []
    const trainer = new SparseEncoderTrainer({
      model,
      trainDataset: Dataset.fromColumns(data),
      loss: new losses.SpladeLoss({
        loss: new losses.SparseMultipleNegativesRankingLoss(),
        documentRegularizerWeight: 3e-3,
      }),
      progress: false,
      callbacks: [{ onLog: (record) => void records.push(record) }],
      args: {
        ...{ outputDir: await temporaryFolder(t), batchSampler: 'sequential', saveStrategy: 'no', loggingSteps: 1 },
        ...{ maxSteps: 20, perDeviceTrainBatchSize: 4, learningRate: 1e-3, weightDecay: 0.1, maxGradNorm: 0.5 },
        routerMapping: { question: 'query', answer: 'document' },
      },
    })
    await trainer.train()
    for (const [step, wanted] of expected.entries()) {
      for (const key of ['loss', 'grad_norm'] as const) {
        const found = Math.abs(records[step]![key]! - wanted[key]) / Math.max(1, Math.abs(wanted[key]))
        t.true(found <= 1e-4, `step ${step + 1}, ${key}: ${records[step]![key]}, expected ${wanted[key]}`)
        report('sparse-router', name, { part: key, deviation: found, allowed: 1e-4 })
      }
    }
    for (const [task, wanted] of Object.entries(embeddings)) {
      const found = deviation((await model.encode(golden.texts, { task })).toDense().data, wanted)
      t.true(found <= 1e-4, `${task}: ${found}`)
      report('sparse-router', name, { part: 'embeddings after 20 steps', deviation: found, allowed: 1e-4 })
    }
  })
}

test('a SparseStaticEmbedding alone is a sparse encoder', async (t) => {
  const folder = join(await temporaryFolder(t), 'model')
  await cp(join(FOLDER, 'learned', QUERY), folder, { recursive: true })
  const type = 'sentence_transformers.sparse_encoder.models.SparseStaticEmbedding'
  await writeFile(join(folder, 'modules.json'), JSON.stringify([{ idx: 0, name: '0', path: '', type }]))
  const again = await temporaryFolder(t)
  for (const path of [folder, again]) {
    await using model = await SparseEncoder.load(path)
    const { data } = (await model.encode(golden.texts)).toDense()
    t.true(deviation(data, golden.models.learned!.embeddings.query!) <= TOLERANCE)
    if (path === folder) await model.save(again)
  }
})

test('folders that do not fit are refused, naming the class or the file', async (t) => {
  const own = join(FOLDER, 'learned')
  await t.throwsAsync(SentenceTransformer.load(own), { code: 'ERR_INVALID_MODEL', message: /SparseEncoder\.load/ })
  const broken = async (config: object, message: RegExp) => {
    const folder = join(await temporaryFolder(t), 'model')
    await cp(own, folder, { recursive: true })
    await writeFile(join(folder, QUERY, 'config.json'), JSON.stringify(config))
    await t.throwsAsync(SparseEncoder.load(folder), { code: 'ERR_INVALID_MODEL', message })
  }
  await broken({ frozen: 1 }, /frozen/)
  await broken({ path: 'idf.json' }, /no idf\.json/)
  const folder = join(await temporaryFolder(t), 'model')
  await cp(own, folder, { recursive: true })
  await cp(join(folder, 'document_0_Transformer/model.safetensors'), join(folder, QUERY, 'model.safetensors'))
  await t.throwsAsync(SparseEncoder.load(folder), { code: 'ERR_INVALID_MODEL', message: /weight of shape \[tokens\]/ })
  await using model = await SparseEncoder.load(own)
  await t.throwsAsync(model.encode(['a'], { task: 'other' }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /query, document/,
  })
})
