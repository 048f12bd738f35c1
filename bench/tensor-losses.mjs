// A whole training step with a loss of examples/tensor-losses.ts, in a loop by hand and as losses.Custom.fromTensors, beside the
// engine's loss of the same name:
//
//   node bench/tensor-losses.mjs [--model ../shared/models/all-MiniLM-L6-v2] [--rows 32] [--tokens 24] [--steps 6] [--only CoSENTLoss]
//
// The three take turns step by step, after a step that does not count. One line of JSON for each loss: medians of a step in
// milliseconds, by the clock and by the processor's time (on a busy machine that says more), and their ratios to the engine's.
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { losses, SentenceTransformer } from 'sentence-torch'
import { forward, optim, parameter, scope, tensor } from 'sentence-torch/tensor'
import * as written from '../dist/examples/tensor-losses.js'
import { loadAddon } from '../dist/lib/native/load.js'
import { ComputedStep } from '../dist/lib/training/run/computed-loss.js'
import { median } from './common/statistics.mjs'

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: fileURLToPath(new URL('../../shared/models/all-MiniLM-L6-v2', import.meta.url)) },
    rows: { type: 'string', default: '32' },
    tokens: { type: 'string', default: '24' },
    steps: { type: 'string', default: '6' },
    only: { type: 'string' },
  },
})
const [rows, tokens, steps] = [values.rows, values.tokens, values.steps].map(Number)
const CLASSES = 3
const LR = 2e-5

const scores = Float32Array.from({ length: rows }, (_, i) => ((i * 7) % 5) / 4)
const binary = Float32Array.from({ length: rows }, (_, i) => (i % 3 === 0 ? 1 : 0))
const classes = Int32Array.from({ length: rows }, (_, i) => i % CLASSES)
const { Custom } = losses
const cases = [
  ['CosineSimilarityLoss', written.cosineSimilarityLoss, 2, scores],
  ['CoSENTLoss', written.cosentLoss, 2, scores],
  ['AnglELoss', written.angleLoss, 2, scores],
  ['MultipleNegativesRankingLoss', written.multipleNegativesRankingLoss, 2],
  ['MultipleNegativesSymmetricRankingLoss', written.multipleNegativesSymmetricRankingLoss, 2],
  ['ContrastiveLoss', written.contrastiveLoss, 2, binary],
  ['OnlineContrastiveLoss', written.onlineContrastiveLoss, 2, binary],
  ['TripletLoss', written.tripletLoss, 3],
  ['MarginMSELoss', written.marginMSELoss, 3, scores],
  ['BatchHardTripletLoss', written.batchHardTripletLoss, 1, classes],
  ['SoftmaxLoss', written.softmaxLoss, 2, classes],
].filter(([name]) => values.only === undefined || name === values.only)

const word = (i) => ['time', 'people', 'water', 'house', 'music', 'river', 'light', 'paper'][i % 8]
const text = (seed) => Array.from({ length: tokens - 2 }, (_, i) => word(seed * 31 + i * (seed % 7) + i)).join(' ')

for (const [name, compute, columns, labels] of cases) {
  const models = await Promise.all(Array.from({ length: 3 }, () => SentenceTransformer.load(values.model)))
  const texts = Array.from({ length: columns }, (_, c) =>
    Array.from({ length: rows }, (_, r) => text(c * rows + r + 1)),
  )
  const features = await Promise.all(texts.map((column) => models[0].tokenize(column)))
  const batch = { ...models[0].packFeatures(features), ...(labels && { labels }) }
  const dim = models[0].embeddingDimension
  const loss = new losses[name](name === 'SoftmaxLoss' ? { numLabels: CLASSES } : {})
  const shapes =
    name === 'SoftmaxLoss'
      ? { 'classifier.weight': { shape: [CLASSES, 3 * dim] }, 'classifier.bias': { shape: [CLASSES] } }
      : {}
  const custom = Custom.fromTensors(compute, { parameters: shapes })
  const trainerOf = (model, own) =>
    new (loadAddon().Trainer)(model.encoder, {
      losses: [{ name: '', spec: own.spec(dim, model.config) }],
      optimizer: { type: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
      ...{ weightDecay: 0, maxGradNorm: 1, seed: 42 },
    })
  const engine = trainerOf(models[0], loss)
  const native = trainerOf(models[1], custom)
  const computed = new ComputedStep(native, models[1].encoder, custom.computed, 'loss.')
  const parameters = Object.fromEntries(
    Object.entries(shapes).map(([key, { shape }]) => [
      key,
      scope(() => parameter(tensor(new Float32Array(shape.reduce((a, b) => a * b)), { shape }))),
    ]),
  )
  const optimizer = new optim.AdamW(models[2], { lr: LR, weightDecay: 0, maxGradNorm: 1, parameters })
  const sides = {
    engine: () => engine.step(batch, { lr: LR, report: true }),
    custom: () => computed.step(batch, { lr: LR, report: true }),
    byHand: () =>
      scope(async () => {
        const value = compute(forward(models[2], features), tensor(labels ?? []), { parameters })
        await value.backward()
        await optimizer.step()
        return value.item()
      }),
  }
  const times = Object.fromEntries(Object.keys(sides).map((side) => [side, { wall: [], cpu: [] }]))
  for (let i = 0; i <= steps; i++) {
    for (const [side, step] of Object.entries(sides)) {
      const [cpu, wall] = [process.cpuUsage(), performance.now()]
      await step()
      const [{ user, system }, end] = [process.cpuUsage(cpu), performance.now()]
      if (i === 0) continue
      times[side].wall.push(end - wall)
      times[side].cpu.push((user + system) / 1000)
    }
  }
  const figures = Object.entries(times).map(([side, { wall, cpu }]) => [side, { ms: median(wall), cpuMs: median(cpu) }])
  const { engine: own, ...others } = Object.fromEntries(figures)
  const ratios = Object.entries(others).map(([side, { ms, cpuMs }]) => [
    side,
    { wall: ms / own.ms, cpu: cpuMs / own.cpuMs },
  ])
  console.log(
    JSON.stringify(
      { loss: name, rows, columns, tokens, steps, ...Object.fromEntries(figures), ratios: Object.fromEntries(ratios) },
      (_, value) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value),
    ),
  )
  await Promise.all([engine.dispose(), native.dispose(), optimizer.dispose()])
  await Promise.all(models.map((model) => model.dispose()))
  for (const each of Object.values(parameters)) each.dispose()
}
