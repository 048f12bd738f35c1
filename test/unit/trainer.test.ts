import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import { CoSENTLoss, type Loss, MultipleNegativesRankingLoss, SoftmaxLoss } from '../../lib/losses/index.js'
import { resolveArguments } from '../../lib/training/arguments/arguments.js'
import { BatchMaker } from '../../lib/training/batches/batch-maker.js'
import { checkData } from '../../lib/training/batches/check-data.js'
import { TrainingAbortedError, type TrainResult } from '../../lib/training/run/result.js'
import { FakeEngine, pairs, prepare, recorder, source, tokenize } from '../helpers/fake-trainer.js'
import { temporaryFolder } from '../helpers/model-folders.js'

test('every row is seen once per epoch, in column-major batches', async (t) => {
  const { engine, train } = prepare({ numTrainEpochs: 2 }, { rows: 5 })
  const result = await train()
  t.is(result.globalStep, 6)
  t.deepEqual(
    engine.calls.map(({ batch }) => (batch.offsets.length - 1) / batch.columns),
    [2, 2, 1, 2, 2, 1],
  )
  for (const epoch of [engine.calls.slice(0, 3), engine.calls.slice(3)]) {
    const anchors = epoch.flatMap(({ batch }) => [...batch.ids.slice(0, batch.ids.length / 2)])
    const positives = epoch.flatMap(({ batch }) => [...batch.ids.slice(batch.ids.length / 2)])
    t.deepEqual(anchors, positives)
    t.deepEqual([...anchors].sort(), [0, 1, 2, 3, 4])
  }
})

test('two steps are in flight, never more', async (t) => {
  const { engine, train } = prepare({ gradientAccumulationSteps: 2 }, { rows: 40 })
  await train()
  t.is(engine.mostInFlight, 2)
  t.is(engine.inFlight, 0)
})

test('the schedule, the log and the result', async (t) => {
  const callback = recorder()
  const { engine, train } = prepare(
    { learningRate: 5e-5, warmupSteps: 0.1, loggingSteps: 2 },
    { rows: 20, callbacks: [callback] },
  )
  const result = await train()
  t.is(engine.calls[0]!.lr, 0)
  t.is(engine.calls[1]!.lr, 5e-5)
  t.deepEqual(
    callback.records
      .slice(0, 5)
      .map(({ loss, learning_rate, epoch }) => [loss, Number(learning_rate!.toPrecision(4)), epoch]),
    [
      [1.5, 5e-5, 0.2],
      [3.5, 3.889e-5, 0.4],
      [5.5, 2.778e-5, 0.6],
      [7.5, 1.667e-5, 0.8],
      [9.5, 5.556e-6, 1],
    ],
  )
  t.deepEqual(Object.keys(callback.records[0]!), ['loss', 'grad_norm', 'learning_rate', 'epoch'])
  t.deepEqual(Object.keys(callback.records[5]!), [
    'train_runtime',
    'train_samples_per_second',
    'train_steps_per_second',
    'train_loss',
    'epoch',
  ])
  t.is(callback.records.length, 6)
  t.is(result.globalStep, 10)
  t.is(result.trainingLoss, 5.5)
  t.is(result.metrics.trainLoss, 5.5)
  t.is(result.metrics.epoch, 1)
  t.true(result.metrics.trainRuntime > 0 && result.metrics.trainSamplesPerSecond > result.metrics.trainStepsPerSecond)
})

test('the mean loss does not depend on how often the engine reports', async (t) => {
  const results: TrainResult[] = []
  for (const reportsAreFree of [true, false]) {
    const { engine, train } = prepare({}, { rows: 20, parts: { reportsAreFree } })
    results.push(await train())
    t.is(engine.calls.filter(({ report }) => report).length, reportsAreFree ? 10 : 1)
  }
  t.is(results[0]!.trainingLoss, 5.5)
  t.is(results[1]!.trainingLoss, 5.5)
})

test('gradient accumulation: one update per group, a short last group is scaled by its own size', async (t) => {
  const { engine, train } = prepare({ gradientAccumulationSteps: 3 }, { rows: 10 })
  const { globalStep } = await train()
  t.is(globalStep, 2)
  t.deepEqual(
    engine.calls.map(({ lossScale, update }) => [lossScale, update]),
    [
      [1 / 3, false],
      [1 / 3, false],
      [1 / 3, true],
      [1 / 2, false],
      [1 / 2, true],
    ],
  )
})

// transformers adds up the loss of every batch over the size of its group, and divides by the optimiser steps.
test('gradient accumulation: the loss is a mean over steps, each the mean of its batches, however often the engine reports', async (t) => {
  for (const reportsAreFree of [true, false]) {
    const callback = recorder()
    const { train } = prepare(
      { gradientAccumulationSteps: 4, numTrainEpochs: 2, loggingSteps: 3 },
      { rows: 12, callbacks: [callback], parts: { reportsAreFree } },
    )
    const { trainingLoss } = await train()
    // Batches 1–4, 5–6, 7–10, 11–12.
    t.is(callback.records[0]!.loss, (2.5 + 5.5 + 8.5) / 3)
    t.is(trainingLoss, (2.5 + 5.5 + 8.5 + 11.5) / 4)
  }
  const cut = prepare({ gradientAccumulationSteps: 4, numTrainEpochs: 2.5, dataloaderDropLast: true }, { rows: 11 })
  // Batches 1–4, 5, 6–9, 10, 11–14.
  t.is((await cut.train()).trainingLoss, (2.5 + 5 + 7.5 + 10 + 12.5) / 5)
})

test('lengths: maxSteps across epochs, fractional epochs, dataloaderDropLast', async (t) => {
  t.is((await prepare({ maxSteps: 7 }, { rows: 6 }).train()).globalStep, 7)
  const half = await prepare({ numTrainEpochs: 1.5 }, { rows: 8 }).train()
  t.deepEqual([half.globalStep, half.metrics.epoch], [6, 1.5])
  const dropped = prepare({ dataloaderDropLast: true }, { rows: 5 })
  t.is((await dropped.train()).globalStep, 2)
  const none = prepare({ dataloaderDropLast: true, maxSteps: 2 }, { rows: 1 })
  await t.throwsAsync(none.train, { code: 'ERR_INVALID_DATA' })
})

test('the same seed gives the same order, another seed another', async (t) => {
  const order = async (seed: number) => {
    const { engine, train } = prepare({ seed }, { rows: 30 })
    await train()
    return engine.calls.flatMap(({ batch }) => [...batch.ids]).join()
  }
  t.is(await order(1), await order(1))
  t.not(await order(1), await order(2))
})

test('events come in order', async (t) => {
  const callback = recorder()
  const outputDir = await temporaryFolder(t)
  const evaluate = async () => ({ metrics: { dev_spearman_cosine: 0.5 }, primaryMetric: 'dev_spearman_cosine' })
  const { train } = prepare(
    { outputDir, loggingSteps: 2, evalStrategy: 'steps', evalSteps: 2, saveStrategy: 'epoch' },
    { rows: 6, callbacks: [callback], parts: { evaluate } },
  )
  await train()
  t.deepEqual(callback.events, [
    'trainBegin',
    'epochBegin',
    'stepBegin',
    'stepBegin',
    'stepEnd 1',
    'stepEnd 2',
    'log 2',
    'log 2',
    'evaluate 2',
    'stepBegin',
    'stepEnd 3',
    'log 3',
    'evaluate 3',
    'epochEnd',
    'save 3',
    'log 3',
    'trainEnd',
  ])
})

test('evaluation: the loss is the mean over the rows, the metrics have eval_ in front', async (t) => {
  const contexts: unknown[] = []
  const callback = recorder()
  const args = resolveArguments({ perDeviceEvalBatchSize: 2 })
  const { train } = prepare(
    { evalStrategy: 'epoch', outputDir: 'runs/x' },
    {
      callbacks: [callback],
      parts: {
        evalData: [{ name: '', source: source(pairs(5), new MultipleNegativesRankingLoss(), args, 2) }],
        evaluate: async (context) => {
          contexts.push(context)
          return { metrics: { dev_spearman_cosine: 0.5 }, primaryMetric: 'dev_spearman_cosine' }
        },
      },
    },
  )
  await train()
  const record = callback.records[0]!
  t.deepEqual(Object.keys(record), [
    'eval_loss',
    'eval_dev_spearman_cosine',
    'eval_runtime',
    'eval_samples_per_second',
    'eval_steps_per_second',
    'epoch',
  ])
  // The engine answers with the rows of the batch: (2 * 2 + 2 * 2 + 1 * 1) / 5.
  t.is(record.eval_loss, 9 / 5)
  t.is(record.eval_dev_spearman_cosine, 0.5)
  t.deepEqual(contexts, [{ outputPath: join('runs/x', 'eval'), epoch: 1, steps: 5 }])
})

test('checkpoints: every saveSteps and at the end, with the log so far', async (t) => {
  const outputDir = await temporaryFolder(t)
  const { train } = prepare({ outputDir, saveStrategy: 'steps', saveSteps: 2, loggingSteps: 1 })
  await train()
  const state = (step: number) =>
    JSON.parse(readFileSync(join(outputDir, `checkpoint-${step}`, 'trainer_state.json'), 'utf8'))
  for (const step of [2, 4, 5]) t.is(state(step).global_step, step)
  t.is(state(4).log_history.length, 4)
  t.like(state(4).log_history[3], { loss: 4, epoch: 0.8, step: 4 })
  t.is(state(5).max_steps, 5)
})

test('callbacks can stop, save, evaluate and log', async (t) => {
  const outputDir = await temporaryFolder(t)
  const callback = recorder({
    onStepEnd({ state, control }) {
      if (state.globalStep === 2) control.shouldLog = control.shouldSave = true
      if (state.globalStep === 6) control.shouldTrainingStop = true
    },
  })
  const { engine, train } = prepare({ outputDir }, { rows: 40, callbacks: [callback] })
  const { globalStep } = await train()
  // Step n + 1 is on its way when step n ends; what is asked for comes when nothing is running.
  t.is(globalStep, 7)
  t.is(engine.calls.length, 7)
  t.true(callback.events.includes('save 3'))
  t.true(callback.events.includes('log 4'), 'step 3 was on its way without a report; step 4 brings it')
  t.is(callback.records[0]!.loss, 2.5)
})

test('a callback can end an epoch', async (t) => {
  const callback = recorder({
    onStepEnd({ state, control }) {
      if (state.globalStep === 1) control.shouldEpochStop = true
    },
  })
  const { train } = prepare({ numTrainEpochs: 2 }, { rows: 8, callbacks: [callback] })
  const { globalStep } = await train()
  t.is(globalStep, 2 + 4)
})

test('an evaluation can stop training exactly where it is', async (t) => {
  const callback = recorder({
    onEvaluate: (_, { control }) => {
      control.shouldTrainingStop = true
    },
  })
  const evaluate = async () => ({ metrics: { x: 1 }, primaryMetric: 'x' })
  const setup = { rows: 40, callbacks: [callback], parts: { evaluate } }
  const { globalStep } = await prepare({ evalStrategy: 'steps', evalSteps: 3 }, setup).train()
  t.is(globalStep, 3)
})

test('abort: the running steps end, the error carries what was done', async (t) => {
  const controller = new AbortController()
  const callback = recorder({
    onStepEnd({ state }) {
      if (state.globalStep === 3) controller.abort(new Error('enough'))
    },
  })
  const { engine, train } = prepare({}, { rows: 40, callbacks: [callback], signal: controller.signal })
  const error = await t.throwsAsync(train, {
    instanceOf: TrainingAbortedError,
    name: 'AbortError',
    code: 'ERR_ABORTED',
  })
  t.is((error as TrainingAbortedError).result.globalStep, 4)
  t.is((error!.cause as Error).message, 'enough')
  t.is(engine.inFlight, 0)
  t.false(callback.events.includes('trainEnd'))
})

test('abort before the first step', async (t) => {
  const { engine, train } = prepare({}, { signal: AbortSignal.abort() })
  const error = await t.throwsAsync(train, { code: 'ERR_ABORTED' })
  t.is((error as TrainingAbortedError).result.globalStep, 0)
  t.is(engine.calls.length, 0)
})

test('an error of the engine keeps its code, and nothing stays in flight', async (t) => {
  const engine = new FakeEngine()
  engine.failAt = 3
  const { run, train } = prepare({}, { rows: 40, engine })
  await t.throwsAsync(train, { code: 'ERR_OUT_OF_MEMORY', message: 'no memory' })
  await run.steps.abandon()
  t.is(engine.inFlight, 0)
})

test('an error of a callback ends training', async (t) => {
  const callbacks = [
    {
      onStepEnd() {
        throw new Error('mine')
      },
    },
  ]
  await t.throwsAsync(prepare({}, { callbacks }).train, { message: 'mine' })
})

test('steps with a gradient that is not finite are counted and logged', async (t) => {
  const engine = new FakeEngine()
  engine.nonFiniteAt = 2
  const callback = recorder()
  const result = await prepare({ loggingSteps: 5 }, { engine, callbacks: [callback] }).train()
  t.is(result.skippedSteps, 1)
  t.is(result.globalStep, 5)
  t.is(callback.records[0]!.skipped_steps, 1)
  t.is(callback.records[0]!.loss, (1 + 3 + 4 + 5) / 4)
})

test('the schedule waits for updates that a loss scaler has skipped', async (t) => {
  const engine = new FakeEngine()
  engine.nonFiniteAt = 2
  engine.lossScale = 1024
  const callback = recorder()
  const rates = { learningRate: 1, lrSchedulerType: 'linear' } as const
  const result = await prepare({ ...rates, loggingSteps: 1 }, { engine, callbacks: [callback] }).train()
  t.is(result.skippedSteps, 1)
  const records = callback.records.filter(({ loss }) => loss !== undefined)
  t.deepEqual(
    records.map(({ loss_scale }) => loss_scale),
    [1024, 512, 512, 512, 512],
  )
  // The engine delays the rates itself. The log says which it took.
  const round = (values: unknown[]) => values.map((value) => Math.round(Number(value) * 10) / 10)
  t.deepEqual(round(engine.calls.map(({ lr }) => lr)), [1, 0.8, 0.6, 0.4, 0.2])
  t.deepEqual(round(records.map(({ learning_rate }) => learning_rate)), [1, 0.8, 0.8, 0.6, 0.4])
  t.deepEqual(
    records.map(({ skipped_steps }) => skipped_steps),
    [undefined, 1, undefined, undefined, undefined],
  )
})

const start = { epoch: 0, index: 0 }

test('texts are tokenised once', async (t) => {
  const seen: string[] = []
  const maker = new BatchMaker({
    requirements: new CoSENTLoss().requirements,
    tokenize: (texts) => {
      seen.push(...texts)
      return tokenize(texts)
    },
  })
  const dataset = pairs(4, { score: [1, 2, 3, 4] })
  const first = await maker.make({ dataset, rows: Int32Array.of(2, 0) }, start)
  const second = await maker.make({ dataset, rows: Int32Array.of(0, 3, 2) }, start)
  t.deepEqual(seen, ['a2', 'a0', 'p2', 'p0', 'a3', 'p3'])
  t.deepEqual([...first.ids], [2, 0, 2, 0])
  t.deepEqual([...second.ids], [0, 3, 2, 0, 3, 2])
  t.deepEqual(second.labels, Float32Array.of(1, 4, 3))
})

test('class labels are integers, and labels that the loss does not use stay away', async (t) => {
  const dataset = pairs(3, { label: [0, 2, 1] })
  const rows = Int32Array.of(1, 2)
  const labelsFor = async ({ requirements }: Loss) =>
    (await new BatchMaker({ requirements, tokenize }).make({ dataset, rows }, start)).labels
  t.deepEqual(await labelsFor(new SoftmaxLoss({ numLabels: 3 })), Int32Array.of(2, 1))
  t.is(await labelsFor(new MultipleNegativesRankingLoss()), undefined)
})

test('data that the loss cannot take is refused', (t) => {
  const refused = (dataset: Dataset, loss: Loss, message: RegExp) =>
    t.throws(() => checkData(dataset, loss, 'trainDataset'), { code: 'ERR_INVALID_DATA', message })
  const softmax = new SoftmaxLoss({ numLabels: 3 })
  refused(pairs(0), new MultipleNegativesRankingLoss(), /at least one row/)
  refused(Dataset.fromColumns({ text: ['a'] }), new MultipleNegativesRankingLoss(), /at least 2 text columns.*has 1/)
  refused(Dataset.fromColumns({ a: ['a'], b: ['b'], c: ['c'], score: [1] }), new CoSENTLoss(), /takes 2 text.*has 3/)
  refused(pairs(2), new CoSENTLoss(), /needs a label column/)
  refused(pairs(3, { label: [0, 3, 1] }), softmax, /from 0 to 2 in row 1.*found 3/)
  refused(pairs(3, { label: [0, 1, -1] }), softmax, /row 2/)
  refused(pairs(2, { label: [0, 0.5] }), softmax, /row 1.*found 0\.5/)
  t.is(checkData(pairs(2, { score: [1, 2] }), new CoSENTLoss(), 'trainDataset'), undefined)
  t.regex(
    checkData(pairs(2, { score: [1, 2] }), new MultipleNegativesRankingLoss(), 'trainDataset')!,
    /score.*left aside/,
  )
})
