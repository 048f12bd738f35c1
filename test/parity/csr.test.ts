// SparseEncoders with a SparseAutoEncoder against sentence-transformers: make_csr.py.
import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { Dataset, losses, SparseEncoder, SparseEncoderTrainer } from '../../lib/index.js'
import { openSafetensors } from '../../lib/io/safetensors.js'
import type { DType, NativeEncoder, NativeTrainer, TensorRange } from '../../lib/native/types.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { report } from './report.js'
import { addon, distance, gradients, norm, trainerSpec } from './support.js'

const ROOT = fileURLToPath(new URL('../../../test/parity/golden/csr/', import.meta.url))
const ALLOWED = 1e-4
/** What float64 loses where both sides store values as float32. */
const EXACT = 1e-6

interface Step {
  columns: string[][]
  parts: Record<string, number>
  /** After a step, and after another one. */
  counts: number[][]
  evaluated: Record<string, number>
}
interface Golden {
  dimension: number
  maxActiveDims: number
  embeddings: number[]
  most: Record<string, number[]>
  printed: string
  loss: losses.CSRLossOptions
  steps: Record<string, Step>
}
interface Training {
  data: Record<string, string[]>
  records: Record<string, number>[]
  counts: number[]
  embeddings: number[]
}
const golden: { texts: string[]; models: Record<string, Golden>; training: Record<string, Training> } = JSON.parse(
  readFileSync(join(ROOT, 'golden.json'), 'utf8'),
)

const stats = (encoder: Pick<NativeEncoder, 'tensors'>) =>
  encoder.tensors().find(({ name }) => name.endsWith('.stats_last_nonzero'))!

/** The counts of resting latents. */
async function countsOf(encoder: NativeEncoder): Promise<number[]> {
  const { name, shape } = stats(encoder)
  const data = new BigInt64Array(shape[0]!)
  await encoder.dump([{ name, start: 0, dtype: 'I64', data: new Uint8Array(data.buffer) }])
  return Array.from(data, Number)
}

const deviation = (found: Float32Array, expected: readonly number[]) =>
  found.length === expected.length
    ? found.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0)
    : Number.POSITIVE_INFINITY

for (const [name, expected] of Object.entries(golden.models)) {
  test(`${name}: embeddings equal Python's, and stay so when the model is saved`, async (t) => {
    const saved = await temporaryFolder(t)
    for (const folder of [join(ROOT, name), saved]) {
      await using model = await SparseEncoder.load(folder)
      t.is(model.embeddingDimension, expected.dimension)
      t.is(model.maxActiveDims, expected.maxActiveDims)
      t.is(String(model), expected.printed)
      for (const [most, wanted] of [['', expected.embeddings] as const, ...Object.entries(expected.most)]) {
        const options = most === '' ? {} : { maxActiveDims: Number(most) }
        const found = deviation((await model.encode(golden.texts, options)).toDense().data, wanted)
        t.true(found <= ALLOWED, `${most}: ${found}`)
        report('csr', name, { part: 'embeddings', deviation: found, allowed: ALLOWED })
      }
      const { sentenceEmbedding } = await model.forward(await model.tokenize(golden.texts))
      t.true(deviation(sentenceEmbedding.data, expected.embeddings) <= ALLOWED)
      if (folder !== saved) await model.save(saved)
    }
    const filesOf = async (of: string) =>
      (await readdir(of, { recursive: true })).filter((file) => !/README|2_Normalize.config/.test(file)).sort()
    t.deepEqual(await filesOf(saved), await filesOf(join(ROOT, name)))
    const module = (await readdir(saved)).find((file) => file.endsWith('_SparseAutoEncoder'))!
    const [own, theirs] = await Promise.all(
      [saved, join(ROOT, name)].map((folder) => openSafetensors(join(folder, module, 'model.safetensors'))),
    )
    t.deepEqual(new Set(own!.tensors.keys()), new Set(theirs!.tensors.keys()))
    for (const [tensor, { dtype }] of theirs!.tensors) {
      t.is(own!.tensors.get(tensor)!.dtype, dtype, tensor)
      t.deepEqual(await own!.read(tensor), await theirs!.read(tensor), tensor)
    }
    await Promise.all([own!.close(), theirs!.close()])
    const config = (folder: string) => readFile(join(folder, module, 'config.json'), 'utf8')
    t.deepEqual(JSON.parse(await config(saved)), JSON.parse(await config(join(ROOT, name))))
  })

  for (const [rows, step] of Object.entries(expected.steps)) {
    test(`${name}, ${rows} rows: value, all gradients and counts of CSRLoss equal Python's`, async (t) => {
      await using model = await SparseEncoder.load(join(ROOT, name))
      const batch = model.packFeatures(await Promise.all(step.columns.map((column) => model.tokenize(column))))
      const { type, loss, beta, gamma } = new losses.CSRLoss(expected.loss).spec(expected.dimension, {})
      const spec = trainerSpec({ type, loss: loss!, beta: beta!, gamma: gamma! })
      const python = await openSafetensors(join(ROOT, `${name}-${rows}.safetensors`))
      for (const dtype of ['float32', 'float64'] as const) {
        const encoder = await twin(model, dtype)
        const trainer: NativeTrainer = new addon.Trainer(encoder, spec)
        const tolerance = dtype === 'float32' ? 1e-5 : EXACT / 10
        const near = (found: number, wanted: number, what: string) => {
          const off = Math.abs(found - wanted) / Math.max(1, Math.abs(wanted))
          t.true(off <= tolerance, `${dtype}, ${what}: ${found}, in Python ${wanted}`)
          report('csr', name, { part: `value, ${dtype}`, deviation: off, allowed: tolerance })
        }
        const first = (await trainer.step(batch, { lr: 0, update: false, report: true }))!
        for (const [part, wanted] of Object.entries(step.parts)) near(first.components[part]!, wanted, part)
        near(first.loss, sum(step.parts), 'loss')
        t.deepEqual(await countsOf(encoder), step.counts[0], 'counts after a step')
        await compareGradients(dtype, trainer)
        await trainer.step(batch, { lr: 0, update: false, report: true })
        t.deepEqual(await countsOf(encoder), step.counts[1], 'counts after another step')
        const { components } = await trainer.evaluate(batch)
        for (const [part, wanted] of Object.entries(step.evaluated))
          near(components[part]!, wanted, `evaluated ${part}`)
        t.deepEqual(await countsOf(encoder), step.counts[1], 'an evaluation counts nothing')
        await trainer.dispose()
        await encoder.dispose()
      }
      await python.close()

      async function compareGradients(dtype: DType, trainer: NativeTrainer): Promise<void> {
        const found = await gradients(trainer)
        const total = norm([...found.values()].map((one) => norm([...one])))
        const allowed = dtype === 'float32' ? ALLOWED : EXACT
        const seen = new Set<string>()
        for (const [engine, gradient] of found) {
          const path = model.parameterPath(engine)
          seen.add(path)
          const values = new Float32Array((await python.read(path)).buffer)
          const off = distance(gradient, Float64Array.from(values)) / (norm([...values]) + 1e-2 * total)
          t.true(off <= allowed, `${dtype} ${path}: off by ${off}`)
          report('csr', name, { part: `gradient, ${dtype}`, deviation: off, allowed })
        }
        t.deepEqual([...seen].sort(), [...python.tensors.keys()].sort(), 'the tensors that are trained')
      }
    })
  }
}

const sum = (parts: Record<string, number>) => Object.values(parts).reduce((total, part) => total + part, 0)

/** An encoder of its own with the model's weights. */
async function twin(model: SparseEncoder, dtype: DType): Promise<NativeEncoder> {
  const modules = model.modules.slice(1).map((module) => ({ ...module }))
  const pooler = model.encoder.tensors().some(({ name }) => name.startsWith('0.pooler.'))
  const spec = { architecture: 'bert', config: model.config, modules: modules as never, pooler, device: 'cpu', dtype }
  const encoder: NativeEncoder = new addon.Encoder(spec)
  const ranges: TensorRange[] = model.encoder.tensors().map(({ name, shape }) => {
    const counts = name.endsWith('.stats_last_nonzero')
    const elements = shape.reduce((product, n) => product * n, 1)
    return { name, start: 0, dtype: counts ? 'I64' : 'F32', data: new Uint8Array(elements * (counts ? 8 : 4)) }
  })
  await model.encoder.dump(ranges)
  await encoder.load(ranges)
  return encoder
}

for (const [name, { data, records: expected, counts, embeddings }] of Object.entries(golden.training)) {
  test(`${name}: 20 steps of training equal Python's`, async (t) => {
    await using model = await SparseEncoder.load(join(ROOT, name))
    const records: Readonly<Record<string, number>>[] = []
    const trainer = new SparseEncoderTrainer({
      model,
      trainDataset: Dataset.fromColumns(data),
      loss: new losses.CSRLoss(golden.models[name]!.loss),
      progress: false,
      callbacks: [{ onLog: (record) => void records.push(record) }],
      args: {
        ...{ outputDir: await temporaryFolder(t), batchSampler: 'sequential', saveStrategy: 'no', loggingSteps: 1 },
        ...{ maxSteps: 20, perDeviceTrainBatchSize: 4, learningRate: 1e-3, weightDecay: 0.1, maxGradNorm: 0.5 },
      },
    })
    await trainer.train()
    for (const [step, wanted] of expected.entries()) {
      for (const [key, value] of Object.entries(wanted)) {
        const found = Math.abs(records[step]![key]! - value) / Math.max(1, Math.abs(value))
        t.true(found <= 1e-3, `step ${step + 1}, ${key}: ${records[step]![key]}, expected ${value}`)
        const part = key === 'loss' || key === 'grad_norm' ? key : 'components'
        report('csr', name, { part: `${part} of 20 steps`, deviation: found, allowed: 1e-3 })
      }
    }
    t.deepEqual(await countsOf(model.encoder), counts)
    const found = deviation((await model.encode(golden.texts)).toDense().data, embeddings)
    t.true(found <= 1e-3, `embeddings: ${found}`)
    report('csr', name, { part: 'embeddings after 20 steps', deviation: found, allowed: 1e-3 })
  })
}
