// Losses, gradients and optimiser steps at dropout 0, against PyTorch.
import test from 'ava'
import type { DType, PackedBatch } from '../../lib/native/types.js'
import { report } from './report.js'
import {
  distance,
  encode,
  floats,
  globalNorm,
  golden,
  goldenTensors,
  gradients,
  ints,
  makeEncoder,
  makeTrainer,
  maxDifference,
  norm,
  parameters,
  pick,
  section,
  type TrainingCase,
  trainerSpec,
} from './support.js'

async function open(name: string, dtype: DType = 'float32', options: Parameters<typeof trainerSpec>[1] = {}) {
  const spec: TrainingCase = golden.training[name]!
  const tensors = goldenTensors(`training-${name}`)
  const weights = new Map([...goldenTensors(spec.weights), ...section(tensors, 'weights/')])
  const labels = tensors.get('labels')
  const batch: PackedBatch = { ids: ints(tensors, 'ids'), offsets: ints(tensors, 'offsets'), columns: spec.columns }
  if (labels) batch.labels = labels
  const encoder = await makeEncoder(spec.config, spec.modules, weights, dtype)
  const trainer = await makeTrainer(
    encoder,
    trainerSpec(spec.loss, { weightDecay: spec.weightDecay, ...options }),
    weights,
  )
  const close = async () => {
    await trainer.dispose()
    await encoder.dispose()
  }
  return { spec, tensors, weights, batch, encoder, trainer, close, grads: section(tensors, 'grad/') }
}

const lr = golden.lr

for (const name of Object.keys(golden.training)) {
  test(`${name}: loss and every gradient equal PyTorch's`, async (t) => {
    const { spec, batch, trainer, grads, close } = await open(name)
    const { loss } = (await trainer.step(batch, { lr, update: false, report: true }))!
    const expected = spec.losses[0]!
    t.true(Math.abs(loss - expected) <= 1e-5 * Math.max(1, expected), `loss ${loss}, expected ${expected}`)
    t.true(Math.abs((await trainer.evaluate(batch)).loss - expected) <= 1e-5 * Math.max(1, expected))

    const found = await gradients(trainer)
    t.deepEqual([...found.keys()].sort(), [...grads.keys()].sort(), 'the tensors that are trained')
    const total = globalNorm(grads.values())
    for (const [tensor, gradient] of grads) {
      const difference = distance(found.get(tensor)!, gradient)
      // Where the true gradient of everything is zero there is no norm to measure by.
      const allowed = 1e-4 * norm(gradient) + 1e-7 * (total || 1)
      t.true(difference <= allowed, `${tensor} is off by ${difference}, allowed ${allowed}`)
      report('training', 'step', { part: 'gradient', deviation: (1e-4 * difference) / allowed, allowed: 1e-4 })
    }
    await close()
  })

  if (golden.training[name]!.steps === 0) continue

  test(`${name}: parameters after 1, 2 and 10 steps equal PyTorch's`, async (t) => {
    const { spec, batch, encoder, trainer, tensors, grads, close } = await open(name)
    const total = globalNorm(grads.values())
    for (let step = 1; step <= spec.steps; step++) {
      const result = (await trainer.step(batch, { lr, report: true }))!
      t.is(result.updates, 1)
      t.is(result.skipped, 0)
      const [loss, gradNorm] = [spec.losses[step - 1]!, spec.gradNorms[step - 1]!]
      t.true(
        Math.abs(result.loss - loss) <= 1e-5 * Math.max(1, loss),
        `step ${step}: loss ${result.loss}, expected ${loss}`,
      )
      t.true(
        Math.abs(result.gradNorm - gradNorm) <= 1e-4 * gradNorm,
        `step ${step}: norm ${result.gradNorm}, not ${gradNorm}`,
      )
      const deviation = Math.abs(result.gradNorm - gradNorm) / gradNorm
      report('training', 'step', { part: 'gradient norm', deviation, allowed: 1e-4 })

      const after = section(tensors, `after${step}/`)
      if (after.size === 0) continue
      const found = await parameters(encoder, trainer)
      t.deepEqual([...found.keys()].sort(), [...after.keys()].sort())
      for (const [tensor, values] of after) {
        // Adam divides a gradient by its own size: an entry whose true gradient is zero (a key bias) moves by rounding noise
        // alone, up to lr a step, in PyTorch too. There, that is the bound.
        const gradient = grads.get(tensor)!
        let [real, noise] = [0, 0]
        for (let i = 0; i < values.length; i++) {
          const difference = Math.abs(found.get(tensor)![i]! - values[i]!)
          if (Math.abs(gradient[i]!) > golden.noise * total) real = Math.max(real, difference)
          else noise = Math.max(noise, difference)
        }
        t.true(real <= 1e-5, `${tensor} is off by ${real} after ${step} steps`)
        report('training', 'step', { part: 'parameters after up to 10 steps', deviation: real, allowed: 1e-5 })
        t.true(
          noise <= 1.01 * lr * step,
          `${tensor} is off by ${noise} after ${step} steps, where its gradient is zero`,
        )
      }
    }
    await close()
  })

  test(`${name}: in float64 every parameter follows PyTorch's`, async (t) => {
    const { spec, batch, encoder, trainer, tensors, close } = await open(name, 'float64')
    for (let step = 1; step <= spec.steps; step++) await trainer.step(batch, { lr })
    const found = await parameters(encoder, trainer)
    for (const [tensor, values] of section(tensors, `after${spec.steps}/`)) {
      const difference = maxDifference(found.get(tensor)!, values)
      t.true(difference <= 5e-7, `${tensor} is off by ${difference}`)
      report('training', 'step', { part: 'the same in float64', deviation: difference, allowed: 5e-7 })
    }
    await close()
  })
}

test('gradients add up over batches, scaled by lossScale', async (t) => {
  const once = await open('mnr-3')
  await once.trainer.step(once.batch, { lr, update: false })
  const twice = await open('mnr-3')
  await twice.trainer.step(twice.batch, { lr, update: false, lossScale: 0.25 })
  await twice.trainer.step(twice.batch, { lr, update: false, lossScale: 0.75 })
  const [expected, found] = [await gradients(once.trainer), await gradients(twice.trainer)]
  for (const [tensor, gradient] of expected) {
    t.true(distance(found.get(tensor)!, gradient) <= 1e-6 * globalNorm(expected.values()), tensor)
  }
  const report = (await twice.trainer.step(twice.batch, { lr, lossScale: 0, report: true }))!
  t.is(report.batches, 3)
  t.is(report.updates, 1)
  t.true(Math.abs(report.loss - once.spec.losses[0]!) <= 1e-4, 'the loss that is reported is not scaled')
  t.true(globalNorm((await gradients(twice.trainer)).values()) === 0, 'an update leaves the gradients at zero')
  await Promise.all([once.close(), twice.close()])
})

test('gradients are clipped before the update, and gradNorm is the norm before that', async (t) => {
  for (const maxGradNorm of [0, 0.5, 1e6]) {
    const { spec, batch, trainer, grads, close } = await open('softmax', 'float32', { maxGradNorm })
    const total = spec.gradNorms[0]!
    const factor = maxGradNorm === 0 ? 1 : Math.min(1, maxGradNorm / (total + 1e-6))
    const report = (await trainer.step(batch, { lr, report: true }))!
    t.true(Math.abs(report.gradNorm - total) <= 1e-4 * total)
    const moments = new Map<string, Float64Array>()
    for (const { name, shape } of trainer.tensors()) {
      if (name.startsWith('exp_avg.'))
        moments.set(name.slice('exp_avg.'.length), new Float64Array(shape.reduce((a, b) => a * b, 1)))
    }
    await trainer.dump(
      [...moments].map(([name, data]) => ({
        name: `exp_avg.${name}`,
        start: 0,
        dtype: 'F64',
        data: new Uint8Array(data.buffer),
      })),
    )
    for (const [tensor, gradient] of grads) {
      const expected = gradient.map((g) => 0.1 * factor * g)
      t.true(
        distance(moments.get(tensor)!, expected) <= 1e-4 * 0.1 * factor * total,
        `${tensor} at maxGradNorm ${maxGradNorm}`,
      )
    }
    await close()
  }
})

test('weight decay and the rate of each group reach the right tensors', async (t) => {
  // One pair has no negatives: its gradient is zero, so that decay is all that moves.
  const rates = Float64Array.of(0.25, 0.125)
  const { batch, encoder, trainer, weights, close } = await open('mnr-one-pair', 'float64', { weightDecay: 0.5 })
  await trainer.step(batch, { lr: rates })
  const found = await parameters(encoder, trainer)
  const groups = new Map(encoder.tensors().map((tensor) => [tensor.name, tensor.group]))
  for (const [tensor, values] of found) {
    const noDecay = /bias|LayerNorm/.test(tensor)
    t.is(groups.get(tensor), noDecay ? 'no_decay' : 'decay', tensor)
    const before = floats(weights, tensor)
    const factor = noDecay ? 1 : 1 - 0.25 * 0.5
    t.true(
      maxDifference(
        values,
        before.map((value) => value * factor),
      ) <= 1e-6,
      tensor,
    )
  }
  await close()
})

test('the pooler takes no part in training', async (t) => {
  const { batch, encoder, trainer, weights, close } = await open('mnr-2', 'float32', { weightDecay: 0.5 })
  await trainer.step(batch, { lr: 0.1 })
  const pooler = encoder.tensors().filter((tensor) => tensor.group === 'frozen')
  t.deepEqual(pooler.map((tensor) => tensor.name).sort(), ['0.pooler.dense.bias', '0.pooler.dense.weight'])
  for (const { name } of pooler) {
    const after = new Float32Array(floats(weights, name).length)
    await encoder.dump([{ name, start: 0, dtype: 'F32', data: new Uint8Array(after.buffer) }])
    t.deepEqual(after, floats(weights, name))
  }
  await close()
})

test('a step that is not finite is skipped and counted, and nothing of it stays', async (t) => {
  const { batch, encoder, trainer, spec, close } = await open('cosine')
  const before = await parameters(encoder, trainer)
  const broken = { ...batch, labels: new Float32Array(spec.batch).fill(3e38) }
  const report = (await trainer.step(broken, { lr, report: true }))!
  t.is(report.skipped, 1)
  t.is(report.updates, 0)
  t.deepEqual(await parameters(encoder, trainer), before)
  const next = (await trainer.step(batch, { lr, report: true }))!
  t.true(Math.abs(next.loss - spec.losses[0]!) <= 1e-5)
  t.is(next.updates, 1)
  t.true(Math.abs(next.gradNorm - spec.gradNorms[0]!) <= 1e-4 * spec.gradNorms[0]!)
  await close()
})

test('ten steps give the same bits each time', async (t) => {
  const runs: Map<string, Float64Array>[] = []
  for (let run = 0; run < 2; run++) {
    const { batch, encoder, trainer, close } = await open('softmax-decay')
    for (let step = 0; step < 10; step++) await trainer.step(batch, { lr })
    runs.push(await parameters(encoder, trainer))
    await close()
  }
  t.deepEqual(runs[1], runs[0])
})

test('bfloat16 training goes where float32 goes', async (t) => {
  const results: { loss: number; embeddings: Float32Array }[] = []
  for (const dtype of ['float32', 'bfloat16'] as const) {
    const { batch, encoder, trainer, close } = await open('mnr-2', dtype)
    for (let step = 0; step < 10; step++) await trainer.step(batch, { lr: 1e-3 })
    const embeddings = await encode(encoder, pick(batch, [0, 1, 2, 3]))
    results.push({ loss: (await trainer.evaluate(batch)).loss, embeddings })
    await close()
  }
  const [single, half] = results as [(typeof results)[0], (typeof results)[0]]
  t.true(single.loss < 0.8 * golden.training['mnr-2']!.losses[0]!, 'float32 learns')
  t.true(Math.abs(half.loss - single.loss) <= 0.1 * Math.max(1, single.loss), `${half.loss} against ${single.loss}`)
})
