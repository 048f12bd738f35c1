// Training in bfloat16, in parts, with rates and decays of their own, several datasets, frozen tensors, the best checkpoint.
import { losses } from 'sentence-torch'
import { assertFinite, datasets, loadTiny, texts, train } from '../support.mjs'

const cases = [
  { bf16: true },
  { bf16: true, gradientCheckpointing: true, miniBatchSize: 3 },
  { gradientAccumulationSteps: 3, maxGradNorm: 0 },
  { miniBatchSize: 'auto' },
  { learningRateMapping: { 'layer\\.0': 1e-4, LayerNorm: 2e-3 }, weightDecay: 0.1 },
  { freeze: ['embeddings', 'layer\\.0'], optim: 'rmsprop' },
  { optim: 'sgd', lrSchedulerType: 'cosine', warmupRatio: 0.3 },
  { compat: 'st-6.0.1' },
]
for (const args of cases) {
  const model = await loadTiny()
  await train(model, new losses.SoftmaxLoss({ numLabels: 3 }), datasets.classes, { maxSteps: 4, ...args })
  assertFinite((await model.encode(texts(5))).data, JSON.stringify(args))
}

const model = await loadTiny()
const loss = { a: new losses.MultipleNegativesRankingLoss(), b: new losses.SoftmaxLoss({ numLabels: 3 }) }
const data = { a: datasets.pairs, b: datasets.classes }
const args = {
  ...{ maxSteps: 9, saveStrategy: 'steps', saveSteps: 3, evalStrategy: 'steps', evalSteps: 3, saveTotalLimit: 1 },
  ...{ loadBestModelAtEnd: true, metricForBestModel: 'a_loss', logTimings: true, prompts: { anchor: 'the ' } },
}
await train(model, loss, data, args, { trainer: { evalDataset: data } })
