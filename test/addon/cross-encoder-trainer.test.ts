// Training of cross-encoders through the engine: what it learns, what it keeps, the old fit.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import { DataLoader, InputExample, NoDuplicatesDataLoader } from '../../lib/data/legacy/index.js'
import { CrossEncoderClassificationEvaluator } from '../../lib/evaluation/cross-encoder/index.js'
import * as losses from '../../lib/losses/cross-encoder/index.js'
import { CrossEncoder, type Pair } from '../../lib/models/cross-encoder.js'
import type { TrainingArguments } from '../../lib/training/arguments/arguments.js'
import { CrossEncoderTrainer } from '../../lib/training/cross-encoder-trainer.js'
import { fitCrossEncoder } from '../../lib/training/legacy/cross-encoder-fit.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const ONE = fileURLToPath(new URL('../../../test/parity/golden/cross-encoder/one/', import.meta.url))
const words = ['dog', 'cat', 'man', 'woman', 'house', 'field', 'guitar', 'flute']
/** Whether both texts hold the same word. */
const data = Array.from({ length: 64 }, (_, i) => {
  const [first, second] = [words[i % 8]!, words[(i % 8) + (i % 3 === 0 ? 0 : 1 + (i % 5))] ?? 'red']
  return { pair: [`the ${first}`, `a ${second}`] as Pair, label: first === second ? 1 : 0 }
})
const trainDataset = Dataset.fromColumns({
  a: data.map(({ pair }) => pair[0]),
  b: data.map(({ pair }) => pair[1]),
  label: data.map(({ label }) => label),
})
const evaluator = new CrossEncoderClassificationEvaluator({
  sentencePairs: data.map(({ pair }) => pair),
  labels: data.map(({ label }) => label),
})

test('a few steps learn a task; dropout is on while training alone; a checkpoint goes on', async (t) => {
  const outputDir = await temporaryFolder(t)
  const args = { outputDir, perDeviceTrainBatchSize: 16, learningRate: 3e-3, saveSteps: 20, loggingSteps: 10 }
  const train = async (maxSteps: number, resumeFromCheckpoint: string | boolean) => {
    await using model = await CrossEncoder.load(ONE)
    const before = (await evaluator.evaluate(model)).metrics.average_precision!
    const trainer = new CrossEncoderTrainer({ model, trainDataset, args: { ...args, maxSteps }, progress: false })
    await trainer.train({ resumeFromCheckpoint })
    const after = (await evaluator.evaluate(model)).metrics.average_precision!
    const scores = await model.predict([data[0]!.pair])
    return { before, after, score: scores.data[0]! }
  }
  const whole = await train(40, false)
  t.true(whole.after > whole.before + 0.2, `average precision ${whole.before} before, ${whole.after} after`)
  t.true(existsSync(join(outputDir, 'checkpoint-20', 'config_sentence_transformers.json')))
  const resumed = await train(40, join(outputDir, 'checkpoint-20'))
  t.is(resumed.score, whole.score)
})

test("a loss that was given a model is the trainer's; columns become pairs, so that they have no names", async (t) => {
  await using model = await CrossEncoder.load(ONE)
  await using other = await CrossEncoder.load(ONE)
  const make = (loss: losses.CrossEncoderLoss, args = {}) =>
    new CrossEncoderTrainer({ model, trainDataset, loss, args, progress: false })
  const loss = new losses.BinaryCrossEntropyLoss(model, { posWeight: 3 })
  t.is(loss.posWeight, 3)
  t.notThrows(() => make(loss))
  const code = 'ERR_INVALID_ARGUMENT'
  t.throws(() => make(new losses.BinaryCrossEntropyLoss(other)), { code, message: /made with another model/ })
  t.throws(() => make(loss, { prompts: { query: 'q: ' } }), { code, message: /since columns become pairs/ })
  t.throws(() => make(loss, { maxSeqLength: { query: 4 } }), { code, message: /since columns become pairs/ })
})

test('dropout of the classifier: it depends on the seed, and chunks draw the same', async (t) => {
  const run = async (options: object) => {
    await using model = await CrossEncoder.load(ONE)
    const found: number[] = []
    const trainer = new CrossEncoderTrainer({
      model,
      trainDataset,
      loss: new losses.MSELoss(),
      args: {
        outputDir: await temporaryFolder(t),
        ...{ maxSteps: 3, loggingSteps: 1, perDeviceTrainBatchSize: 8, saveStrategy: 'no', learningRate: 1e-3 },
        ...options,
      },
      progress: false,
      callbacks: [{ onLog: ({ loss }) => void (typeof loss === 'number' && found.push(loss)) }],
    })
    await trainer.train()
    return found
  }
  const plain = await run({})
  t.deepEqual(await run({}), plain)
  const chunked = await run({ miniBatchSize: 3 })
  for (const [i, value] of plain.entries()) t.true(Math.abs(chunked[i]! / value - 1) < 1e-4, `${chunked}, ${plain}`)
  t.notDeepEqual(await run({ seed: 7, dataSeed: 42 }), plain)
})

test('the old fit: evaluates, saves the best, calls back', async (t) => {
  const outputPath = join(await temporaryFolder(t), 'best')
  await using model = await CrossEncoder.load(ONE)
  const calls: [number, number, number][] = []
  const result = await model.fit({
    ...{ trainDataset, batchSize: 16, epochs: 2, warmupSteps: 0, learningRate: 1e-3, evaluationSteps: 3, outputPath },
    evaluator,
    callback: (score, epoch, steps) => void calls.push([score, epoch, steps]),
    progress: false,
  })
  t.is(result.globalStep, 8)
  t.deepEqual(
    calls.map(([, epoch, steps]) => [epoch, steps]).sort((a, b) => a[1]! - b[1]! || a[0]! - b[0]!),
    [[0.75, 3], [1, 4], [1.5, 6], ...calls.filter(([, , steps]) => steps === 8).map(([, epoch]) => [epoch, 8])],
  )
  await using best = await CrossEncoder.load(outputPath)
  const { metrics } = await evaluator.evaluate(best)
  t.true(Math.abs(metrics.average_precision! - Math.max(...calls.map(([score]) => score))) < 1e-9)
  t.true(existsSync(join(outputPath, 'eval', 'CrossEncoderClassificationEvaluator_results.csv')))
  await t.throwsAsync(fitCrossEncoder(model, { trainDataset, lossFct: 1 } as never), { code: 'ERR_NOT_IMPLEMENTED' })
})

test('the old fit with a loader: its rows, their order and its batches', async (t) => {
  const examples = data.map(({ pair, label }) => new InputExample({ texts: pair, label }))
  const outputDir = await temporaryFolder(t)
  const scoreAfter = async (train: (model: CrossEncoder) => Promise<{ globalStep: number }>) => {
    await using model = await CrossEncoder.load(ONE)
    const { globalStep } = await train(model)
    return [globalStep, (await model.predict([data[0]!.pair])).data[0]!]
  }
  const fit = { warmupSteps: 0, learningRate: 1e-3, showProgressBar: false }
  const args: Partial<TrainingArguments> = { outputDir, saveStrategy: 'no', learningRate: 1e-3, weightDecay: 0.01 }
  const short = { numTrainEpochs: 1, perDeviceTrainBatchSize: 12 }
  const viaTrainer = (more: object) =>
    scoreAfter((model) =>
      new CrossEncoderTrainer({ model, trainDataset, args: { ...args, ...short, ...more }, progress: false }).train(),
    )
  const viaFit = (options: object, shuffle: boolean) =>
    scoreAfter((model) =>
      model.fit({ ...fit, trainDataloader: new DataLoader(examples, { shuffle, batchSize: 12 }), ...options }),
    )
  const inOrder = await viaFit({}, false)
  t.deepEqual(inOrder, await viaTrainer({ batchSampler: 'sequential' }))
  t.is(inOrder[0], 6)
  const shuffled = await viaFit({}, true)
  t.deepEqual(shuffled, await viaTrainer({}))
  t.not(shuffled[1], inOrder[1])
  t.deepEqual(await viaFit({ useAmp: true }, true), await viaTrainer({ bf16: true }))
  const unique = await scoreAfter((model) =>
    model.fit({ ...fit, trainDataloader: new NoDuplicatesDataLoader(examples, 4) }),
  )
  t.is(unique[0], 16)

  await using model = await CrossEncoder.load(ONE)
  const refused = (options: object, message: RegExp) =>
    t.throwsAsync(fitCrossEncoder(model, options as never), { code: 'ERR_INVALID_ARGUMENT', message })
  await refused({}, /trainDataloader/)
  await refused({ trainDataloader: examples }, /a DataLoader/)
  await refused(
    { trainDataloader: new DataLoader(examples), batchSize: 4 },
    /nothing beside trainDataloader.*batchSize/,
  )
  await refused({ trainDataloader: new DataLoader(examples), trainDataset }, /trainDataset/)
  await refused({ trainDataset, useAmp: 1 }, /useAmp/)
})
