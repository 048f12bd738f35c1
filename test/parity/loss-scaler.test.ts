// The loss scaler and the schedule beside it, on the CPU, against torch.amp.GradScaler and accelerate.
import { readFileSync } from 'node:fs'
import test from 'ava'
import { makeSchedule } from '../../lib/training/arguments/schedule.js'
import { tinyBatch, tinyEncoder, tinyTrainerSpec } from '../helpers/tiny-model.js'
import { report } from './report.js'
import { addon } from './support.js'

interface Golden {
  defaults: Record<string, number>
  first: number[]
  spoilt: Record<string, 'inf' | '-inf' | 'nan'>
  /** By step: where the tracker is set after it. */
  forward: Record<string, number>
  state: { scale: number; _growth_tracker: number }
  settings: { steps: number; warmupSteps: number; rate: number; weightDecay: number; maxNorm: number }
  steps: { rate: number; norm: number | null; skipped: boolean; scale: number; tracker: number; w: number[] }[]
}
const golden = JSON.parse(
  readFileSync(new URL('../../../test/parity/golden/loss-scaler.json', import.meta.url), 'utf8'),
) as Golden
const { settings } = golden
const SPOILT = { inf: Number.POSITIVE_INFINITY, '-inf': Number.NEGATIVE_INFINITY, nan: Number.NaN }

function gradientOf(step: number): Float32Array {
  const gradient = Float32Array.from(golden.first, (_, i) => 0.4 * Math.sin(0.7 * step + 1.3 * i))
  const spoilt = golden.spoilt[step]
  if (spoilt) gradient[3] = SPOILT[spoilt]
  return gradient
}

const bytesOf = (values: Float32Array) => new Uint8Array(values.buffer)

/** A trainer of one parameter beside a model, which gets no gradient. */
async function open() {
  const encoder = await tinyEncoder(addon)
  const spec = tinyTrainerSpec({ type: 'Custom', parameters: { w: { shape: [golden.first.length], decay: true } } })
  const trainer = new addon.Trainer(encoder, {
    ...spec,
    ...{ maxGradNorm: settings.maxNorm, weightDecay: settings.weightDecay, lossScaler: true },
  })
  const batch = tinyBatch([2])
  const embeddings = new Float32Array(encoder.embeddingDimension)
  const zeros = new Float32Array(embeddings.length)
  const step = async (gradient: Float32Array, lr: number) => {
    await trainer.embed(batch, embeddings, { lr })
    const external = { loss: 0, embeddings: zeros, parameters: { 'loss.w': gradient } }
    return (await trainer.apply(external, { lr, report: true }))!
  }
  const values = async () => {
    const w = new Float32Array(golden.first.length)
    await trainer.dump([{ name: 'loss.w', start: 0, dtype: 'F32', data: bytesOf(w) }])
    return w
  }
  const load = (name: string, data: Float32Array) =>
    trainer.load([{ name, start: 0, dtype: 'F32', data: bytesOf(data) }])
  return { encoder, trainer, step, values, load }
}

test('a new scaler has the defaults of torch.amp.GradScaler', async (t) => {
  const { trainer } = await open()
  t.deepEqual(await trainer.lossScaler(), { scale: golden.defaults.scale, growthTracker: 0 })
  await trainer.dispose()
})

test('scale, skipped updates, norms, rates and values are those of GradScaler and accelerate', async (t) => {
  const { trainer, step, values, load } = await open()
  await load('loss.w', Float32Array.from(golden.first))
  await trainer.setLossScaler({ scale: golden.state.scale, growthTracker: golden.state._growth_tracker })
  const schedule = makeSchedule({
    ...{ type: 'linear', learningRate: settings.rate },
    ...{ warmupSteps: settings.warmupSteps, totalSteps: settings.steps },
  })
  let largest = 0
  for (const [i, expected] of golden.steps.entries()) {
    const number = i + 1
    // The engine itself delays the rate for the updates that it skips.
    const found = await step(gradientOf(number), settings.rate * schedule(number))
    t.is(found.skipped, expected.skipped ? 1 : 0, `step ${number}`)
    t.is(found.updates, expected.skipped ? 0 : 1, `step ${number}`)
    t.is(found.lossScale, expected.scale, `step ${number}`)
    const tracker = golden.forward[number]
    if (tracker !== undefined) await trainer.setLossScaler({ scale: found.lossScale!, growthTracker: tracker })
    t.deepEqual(await trainer.lossScaler(), { scale: expected.scale, growthTracker: expected.tracker })
    if (expected.norm === null) t.false(Number.isFinite(found.gradNorm))
    else t.true(Math.abs(found.gradNorm / expected.norm - 1) < 1e-6, `${found.gradNorm}, ${expected.norm}`)
    const w = await values()
    w.forEach((value, k) => {
      largest = Math.max(largest, Math.abs(value - expected.w[k]!))
    })
  }
  t.true(largest < 1e-6, `values differ by ${largest}`)
  report('loss-scaler', 'GradScaler', { part: 'values', deviation: largest, allowed: 1e-6 })
  // Both growing and falling were in it.
  t.true(new Set(golden.steps.map(({ scale }) => scale)).size >= 4)
  await trainer.dispose()
})

test('wrong states of a scaler are refused', async (t) => {
  const { trainer, encoder } = await open()
  const wrong = (state: unknown) => trainer.setLossScaler(state as { scale: number; growthTracker: number })
  const code = 'ERR_INVALID_ARGUMENT'
  await t.throwsAsync(wrong({ scale: -1, growthTracker: 0 }), { code, message: /at least 0 for the scale/ })
  await t.throwsAsync(wrong({ scale: 1, growthTracker: 0.5 }), { code, message: /state\.growthTracker/ })
  await t.throwsAsync(wrong({ scale: '1', growthTracker: 0 }), { code, message: /state\.scale/ })
  await t.throwsAsync(wrong({ scale: 1 }), { code, message: /state\.growthTracker/ })
  await trainer.dispose()
  const plain = new addon.Trainer(encoder, tinyTrainerSpec())
  t.is(await plain.lossScaler(), undefined)
  await t.throwsAsync(plain.setLossScaler({ scale: 1, growthTracker: 0 }), { code, message: /scales no losses/ })
  await plain.dispose()
})
