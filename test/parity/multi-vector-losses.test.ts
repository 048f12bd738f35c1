// The losses of multi-vector encoders against sentence-transformers: make_multi_vector_losses.py.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { MultiVectorEncoder, multiVectorLosses } from '../../lib/index.js'
import type { MultiVectorLoss } from '../../lib/losses/multi-vector/index.js'
import type { PackedBatch, StepOptions } from '../../lib/native/types.js'
import { packVectors } from '../../lib/training/batches/multi-vector-batch.js'
import { digest, floatsOf } from './loss-golden.js'
import { report } from './report.js'
import { addon, distance, gradients, norm, trainerSpec } from './support.js'

const FOLDER = fileURLToPath(new URL('../../../test/parity/golden/multi-vector-losses/', import.meta.url))

interface Case {
  folder: string
  loss: string
  options: Record<string, unknown>
  texts: string[][]
  labels: number[] | number[][] | null
  value: number
  gradients: string
  full?: string
}

const { tensors, cases } = JSON.parse(readFileSync(`${FOLDER}cases.json`, 'utf8')) as {
  tensors: string[]
  cases: Case[]
}

const lossOf = (name: string, options: Record<string, unknown>): MultiVectorLoss => {
  const make = multiVectorLosses as unknown as Record<string, new (options: unknown) => MultiVectorLoss>
  return new make[name]!(options)
}

async function batchOf(model: MultiVectorEncoder, { texts, labels }: Case): Promise<PackedBatch> {
  const plan = model.tokenPlan()
  const columns = await Promise.all(
    texts.map((column, c) => model.tokenizer.encodeAll(column, plan.most(c === 0 ? 'query' : 'document'))),
  )
  const batch = packVectors(columns, (queries) => plan.expand(queries))
  if (labels === null) return batch
  const shape = Array.isArray(labels[0]) ? [labels.length, labels[0].length] : [labels.length]
  return { ...batch, labels: Float32Array.from(labels.flat()), labelShape: shape }
}

const gradientOnly: StepOptions = { lr: 0, update: false, report: true }

/** Value and gradients of a step that updates nothing. */
async function run(entry: Case, options: Partial<StepOptions> = {}) {
  const model = await MultiVectorEncoder.load(`${FOLDER}${entry.folder}`)
  const spec = lossOf(entry.loss, entry.options).spec(model.embeddingDimension, model.config)
  const trainer = new addon.Trainer(model.encoder, trainerSpec(spec))
  const step = (await trainer.step(await batchOf(model, entry), { ...gradientOnly, ...options }))!
  const { loss: evaluated } = await trainer.evaluate(await batchOf(model, entry))
  const found = await gradients(trainer)
  await trainer.dispose()
  await model.dispose()
  return { step, evaluated, found }
}

const name = ({ loss, options, texts, folder }: Case) =>
  `${folder}: ${loss} ${JSON.stringify(options)}, ${texts.length} x ${texts[0]!.length}`

for (const loss of [...new Set(cases.map((entry) => entry.loss))]) {
  test(`${loss}: values and gradients are those of sentence-transformers, and chunked is plain`, async (t) => {
    const own = cases.filter((entry) => entry.loss === loss)
    t.deepEqual(
      [...new Set(own.map(({ texts }) => texts[0]!.length))].sort((a, b) => a - b),
      [1, 2, 7, 32],
    )
    for (const entry of own) {
      const { step, evaluated, found } = await run(entry)
      const off = Math.abs(step.loss - entry.value) / Math.max(1, Math.abs(entry.value))
      t.true(off <= 1e-5, `${name(entry)}: ${step.loss}, expected ${entry.value}`)
      t.true(Math.abs(evaluated - step.loss) <= 1e-6 * Math.max(1, Math.abs(step.loss)), `${name(entry)}: ${evaluated}`)
      report('multi-vector-losses', loss, { part: 'value', deviation: off, allowed: 1e-5 })
      const digests = floatsOf(entry.gradients)
      t.is(digests.length, 4 * tensors.length)
      t.deepEqual([...found.keys()].sort(), [...tensors].sort())
      const total = norm(tensors.map((_, i) => digests[4 * i]!)) || 1
      const full = entry.full === undefined ? undefined : floatsOf(entry.full)
      let start = 0
      for (const [i, tensor] of tensors.entries()) {
        const gradient = found.get(tensor)!
        const [size, ...projections] = digest(gradient)
        let error = Math.abs(size! - digests[4 * i]!)
        for (const [p, value] of projections.entries()) {
          error = Math.max(error, Math.abs(value - digests[4 * i + 1 + p]!) / 5)
        }
        if (full) error = Math.max(error, distance(gradient, full.subarray(start, start + gradient.length)))
        start += gradient.length
        const allowed = 1e-4 * digests[4 * i]! + 1e-6 * total
        t.true(error <= allowed, `${name(entry)}: ${tensor} is off by ${error}, allowed ${allowed}`)
        report('multi-vector-losses', loss, { part: 'gradient', deviation: (1e-4 * error) / allowed, allowed: 1e-4 })
      }
      if (entry.texts[0]!.length !== 7) continue
      for (const options of [{ miniBatchRows: 3 }, { miniBatchTokens: 40 }]) {
        const chunked = await run(entry, options)
        t.true(Math.abs(chunked.step.loss - step.loss) <= 1e-6 * Math.max(1, Math.abs(step.loss)))
        for (const [tensor, gradient] of found) {
          const error = distance(chunked.found.get(tensor)!, gradient)
          t.true(error <= 1e-5 * total, `${name(entry)} ${JSON.stringify(options)}: ${tensor} is off by ${error}`)
        }
      }
    }
  })
}

test('losses and models of the other kind are refused', async (t) => {
  const model = await MultiVectorEncoder.load(`${FOLDER}model`)
  t.throws(() => new addon.Trainer(model.encoder, trainerSpec({ type: 'CoSENTLoss' })), {
    message: /CoSENTLoss compares one embedding.*vector for each token/,
  })
  const batch = await batchOf(model, cases[0]!)
  const out = new Float32Array(batch.ids.length * 4)
  await t.throwsAsync(() => model.encoder.encode(batch, out), { message: /no sentence embedding/ })
  await model.dispose()
})
