// A cross-encoder's trial of ours: milliseconds of a training step (binary cross-entropy), then pairs a second of predict. One JSON
// line on stdout.
import { CrossEncoder, CrossEncoderTrainer, crossEncoderLosses, Dataset } from 'sentence-torch'
import { engineFacts, say, trialOptions } from './trial.mjs'

const { model: source, columns, batchSize, steps, warmUp, dtype, threads } = trialOptions()
const model = await CrossEncoder.load(source, { numLabels: 1, seed: 1, ...(threads > 0 && { threads }) })
const ends = []
await new CrossEncoderTrainer({
  model,
  trainDataset: Dataset.fromColumns(columns),
  loss: new crossEncoderLosses.BinaryCrossEntropyLoss(),
  args: {
    ...{ maxSteps: warmUp + steps, perDeviceTrainBatchSize: batchSize, learningRate: 2e-5, saveStrategy: 'no' },
    ...{ batchSampler: 'sequential', bf16: dtype === 'bfloat16' },
  },
  callbacks: [{ onStepEnd: ({ state }) => state.globalStep >= warmUp && ends.push(performance.now()) }],
  progress: false,
}).train()
await model.dispose()

const predicting = await CrossEncoder.load(source, { numLabels: 1, seed: 1, dtype, ...(threads > 0 && { threads }) })
const pairs = columns.query.map((query, i) => [query, columns.passage[i]])
await predicting.predict(pairs.slice(0, batchSize), { batchSize })
const start = performance.now()
await predicting.predict(pairs, { batchSize })
const seconds = (performance.now() - start) / 1000
await predicting.dispose()
say({
  stepMs: (ends.at(-1) - ends[0]) / steps,
  perSecond: pairs.length / seconds,
  steps,
  batchSize,
  ...(await engineFacts()),
})
