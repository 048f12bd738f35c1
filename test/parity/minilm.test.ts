// The real all-MiniLM-L6-v2, from ../shared: embeddings, loss, gradients and ten optimiser steps against PyTorch.
import test from 'ava'
import {
  encode,
  floats,
  globalNorm,
  golden,
  goldenTensors,
  gradients,
  hasMiniLM,
  ints,
  makeEncoder,
  makeTrainer,
  maxDifference,
  miniLM,
  norm,
  parameters,
  trainerSpec,
  worstCosine,
} from './support.js'

const onlyWithModel = hasMiniLM ? test.serial : test.skip
if (!hasMiniLM) console.warn('No ../shared/models/all-MiniLM-L6-v2 beside the repository: its parity tests are skipped')

const tensors = goldenTensors('minilm')
const { modules, training } = golden.minilm
const sentences = { ids: ints(tensors, 'ids'), offsets: ints(tensors, 'offsets'), columns: 1 }
const pairs = { ids: ints(tensors, 'train/ids'), offsets: ints(tensors, 'train/offsets'), columns: 2 }

onlyWithModel('embeddings equal PyTorch’s within 2e-6', async (t) => {
  const { config, weights } = miniLM()
  const encoder = await makeEncoder(config, modules, weights)
  const difference = maxDifference(await encode(encoder, sentences), floats(tensors, 'sentence_embedding'))
  t.true(difference <= 2e-6, `off by ${difference}`)
  await encoder.dispose()
})

onlyWithModel('bfloat16 embeddings have a cosine of at least 0.999 to PyTorch’s float32', async (t) => {
  const { config, weights } = miniLM()
  const encoder = await makeEncoder(config, modules, weights, 'bfloat16')
  const cosine = worstCosine(
    await encode(encoder, sentences),
    floats(tensors, 'sentence_embedding'),
    encoder.embeddingDimension,
  )
  t.true(cosine >= 0.999, `cosine ${cosine}`)
  await encoder.dispose()
})

onlyWithModel('loss, gradients and ten steps equal PyTorch’s', async (t) => {
  const { config, weights } = miniLM()
  const encoder = await makeEncoder(config, modules, weights)
  const trainer = await makeTrainer(encoder, trainerSpec(training.loss))

  const report = (await trainer.step(pairs, { lr: golden.lr, update: false, report: true }))!
  t.true(Math.abs(report.loss - training.losses[0]!) <= 1e-5 * training.losses[0]!, `loss ${report.loss}`)
  const found = await gradients(trainer)
  t.deepEqual([...found.keys()].sort(), Object.keys(training.grads).sort(), 'the tensors that are trained')
  const total = globalNorm(Object.values(training.grads).map((digest) => [digest.norm]))
  for (const [tensor, digest] of Object.entries(training.grads)) {
    const allowed = 1e-4 * digest.norm + 1e-7 * total
    const gradient = found.get(tensor)!
    t.true(
      Math.abs(norm(gradient) - digest.norm) <= allowed,
      `${tensor}: norm ${norm(gradient)}, expected ${digest.norm}`,
    )
    const difference = maxDifference(
      digest.places.map((place) => gradient[place]!),
      digest.values,
    )
    t.true(difference <= allowed, `${tensor} is off by ${difference}, allowed ${allowed}`)
  }
  await trainer.dispose()

  const second = await makeTrainer(encoder, trainerSpec(training.loss))
  for (let step = 0; step < training.steps; step++) {
    const { loss } = (await second.step(pairs, { lr: golden.lr, report: true }))!
    t.true(Math.abs(loss - training.losses[step]!) <= 1e-4 * training.losses[step]!, `step ${step}: loss ${loss}`)
  }
  const after = await parameters(encoder, second)
  for (const [tensor, digest] of Object.entries(training.after10)) {
    // A key bias has true gradient zero: Adam moves it by rounding noise, up to lr a step, in PyTorch too.
    const allowed = tensor.endsWith('key.bias') ? 1.01 * golden.lr * training.steps : 1e-5
    const difference = maxDifference(
      digest.places.map((place) => after.get(tensor)![place]!),
      digest.values,
    )
    t.true(difference <= allowed, `${tensor} is off by ${difference} after ten steps`)
    if (!tensor.endsWith('key.bias')) t.true(Math.abs(norm(after.get(tensor)!) / digest.norm - 1) <= 1e-5, tensor)
  }
  await second.dispose()
  await encoder.dispose()
})
