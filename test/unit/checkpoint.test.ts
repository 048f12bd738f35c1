import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { newId } from '../../lib/io/temporary.js'
import { resolveArguments, type TrainingArguments } from '../../lib/training/arguments/arguments.js'
import type { LogRecord, TrainerCallback } from '../../lib/training/callbacks/callbacks.js'
import { EarlyStoppingCallback } from '../../lib/training/callbacks/early-stopping.js'
import { checkpointFolder, readCheckpoint } from '../../lib/training/checkpoint/resume.js'
import { newestCheckpoint, recoverCheckpoints, rotateCheckpoints } from '../../lib/training/checkpoint/rotation.js'
import { FakeEngine, pairs, prepare, recorder, type Setup } from '../helpers/fake-trainer.js'
import { temporaryFolder } from '../helpers/model-folders.js'

function checkpointsIn(folder: string, names: string[]): void {
  for (const name of names) {
    mkdirSync(join(folder, name), { recursive: true })
    writeFileSync(join(folder, name, 'trainer_state.json'), '{}')
  }
}

test('rotation keeps the newest and what is named', async (t) => {
  const folder = await temporaryFolder(t)
  const names = ['checkpoint-2', 'checkpoint-10', 'checkpoint-4', 'checkpoint-6']
  checkpointsIn(folder, names)
  mkdirSync(join(folder, 'checkpoint-x'))
  await rotateCheckpoints(folder, 3, ['checkpoint-10', 'checkpoint-2'])
  t.deepEqual(readdirSync(folder).sort(), ['checkpoint-10', 'checkpoint-2', 'checkpoint-6', 'checkpoint-x'])
  await rotateCheckpoints(folder, 1, ['checkpoint-10', 'checkpoint-2'])
  t.deepEqual(readdirSync(folder).sort(), ['checkpoint-10', 'checkpoint-2', 'checkpoint-x'])
  await rotateCheckpoints(folder, 1, ['checkpoint-10', undefined])
  t.deepEqual(readdirSync(folder).sort(), ['checkpoint-10', 'checkpoint-x'])
})

test('what a process left that ended while saving is tidied up', async (t) => {
  const folder = await temporaryFolder(t)
  const own = newId()
  const gone = own.replace(/-\d+-/, `-${2 ** 22 + 1}-`)
  const nested = [`..checkpoint-16.tmp-${gone}.tmp-${gone}`, `..checkpoint-16.tmp-${gone}.old-${gone}`]
  const left = [`.checkpoint-3.tmp-${gone}`, `.checkpoint-2.old-${gone}`, `.checkpoint-1.old-${gone}`, ...nested]
  // Of a living process, and of none that is known.
  const stay = [`.checkpoint-4.tmp-${own}`, `.checkpoint-5.old-${own}`, '.checkpoint-6.tmp-0123456789ab']
  checkpointsIn(folder, ['checkpoint-1', ...left, ...stay])
  mkdirSync(join(folder, 'checkpoint-9'))
  t.is(await newestCheckpoint(folder), join(folder, 'checkpoint-1'), 'one without its state does not count')
  await recoverCheckpoints(folder)
  t.deepEqual(readdirSync(folder).sort(), [...stay, 'checkpoint-1', 'checkpoint-2', 'checkpoint-9'])
  t.is(await checkpointFolder(true, folder), join(folder, 'checkpoint-2'))
  t.is(await checkpointFolder('elsewhere', folder), 'elsewhere')
  t.is(await checkpointFolder(null, folder), undefined)
  await t.throwsAsync(checkpointFolder(true, join(folder, 'nothing')), { code: 'ERR_NOT_FOUND' })
})

/** A run with one evaluation per value, whose metric is that value. */
async function scored(
  outputDir: string,
  values: number[],
  args: Partial<TrainingArguments>,
  callbacks: TrainerCallback[] = [],
) {
  let evaluations = 0
  const loaded: string[] = []
  const notes = recorder()
  const { train, run } = prepare(
    {
      ...{ outputDir, evalStrategy: 'steps', evalSteps: 1, saveStrategy: 'steps', saveSteps: 1 },
      ...{ metricForBestModel: 'x', ...args },
    },
    {
      rows: values.length * 2,
      callbacks: [...callbacks, notes],
      parts: {
        evaluate: async () => ({ metrics: { x: values[evaluations++]! }, primaryMetric: 'x' }),
        loadBest: async (folder) => void loaded.push(folder),
      },
    },
  )
  const result = await train()
  return { result, run, loaded, notes, folders: readdirSync(outputDir).sort() }
}

test('the best checkpoint is kept beside the newest, and loaded in the end', async (t) => {
  const outputDir = await temporaryFolder(t)
  const { run, loaded, folders } = await scored(outputDir, [1, 3, 2, 2.5, 0], {
    saveTotalLimit: 2,
    loadBestModelAtEnd: true,
  })
  t.deepEqual(folders, ['checkpoint-2', 'checkpoint-5'])
  t.deepEqual(loaded, [join(outputDir, 'checkpoint-2')])
  t.like(run.state, { bestMetric: 3, bestGlobalStep: 2, bestModelCheckpoint: join(outputDir, 'checkpoint-2') })
  const state = JSON.parse(readFileSync(join(outputDir, 'checkpoint-5', 'trainer_state.json'), 'utf8'))
  t.like(state, { best_metric: 3, best_global_step: 2, best_model_checkpoint: join(outputDir, 'checkpoint-2') })
})

test('with a limit of 1 only the best is left in the end', async (t) => {
  const outputDir = await temporaryFolder(t)
  const { folders } = await scored(outputDir, [1, 3, 2], { saveTotalLimit: 1, loadBestModelAtEnd: true })
  t.deepEqual(folders, ['checkpoint-2'])
})

test('smaller is better for losses, or as greaterIsBetter says', async (t) => {
  t.is(resolveArguments({ metricForBestModel: 'dev_loss' }).greaterIsBetter, false)
  t.is(resolveArguments({ metricForBestModel: 'dev' }).greaterIsBetter, true)
  const { run } = await scored(await temporaryFolder(t), [1, 3, 0.5, 2], { greaterIsBetter: false })
  t.like(run.state, { bestMetric: 0.5, bestGlobalStep: 3 })
})

test("saveStrategy 'best' saves after every better evaluation alone", async (t) => {
  const { folders } = await scored(await temporaryFolder(t), [1, 3, 2, 4], { saveStrategy: 'best' })
  t.deepEqual(folders, ['checkpoint-1', 'checkpoint-2', 'checkpoint-4'])
})

test('a metric that no evaluation has is refused', async (t) => {
  await t.throwsAsync(scored(await temporaryFolder(t), [1], { metricForBestModel: 'y' }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /eval_y.*eval_x/,
  })
})

test('early stopping: patience and threshold', async (t) => {
  const stop = async (values: number[], options: ConstructorParameters<typeof EarlyStoppingCallback>[0]) => {
    const callback = new EarlyStoppingCallback(options)
    const { result } = await scored(await temporaryFolder(t), values, { loadBestModelAtEnd: true }, [callback])
    return result.globalStep
  }
  t.is(await stop([1, 2, 1.5, 3, 4], {}), 3)
  t.is(await stop([1, 2, 1.5, 3, 2, 2, 2], { earlyStoppingPatience: 2 }), 6)
  t.is(await stop([1, 1.05, 1.1, 5], { earlyStoppingThreshold: 0.2 }), 2)
  const outputDir = await temporaryFolder(t)
  await t.throwsAsync(scored(outputDir, [1], {}, [new EarlyStoppingCallback()]), { message: /loadBestModelAtEnd/ })
  t.throws(() => new EarlyStoppingCallback({ earlyStoppingPatience: 0 }), { code: 'ERR_INVALID_ARGUMENT' })
})

test('best model: strategies must fit', (t) => {
  const refused = (given: Partial<TrainingArguments>, message: RegExp) =>
    t.throws(() => resolveArguments(given), { code: 'ERR_INVALID_ARGUMENT', message })
  refused({ loadBestModelAtEnd: true }, /same saveStrategy/)
  refused({ loadBestModelAtEnd: true, evalStrategy: 'epoch' }, /same saveStrategy/)
  refused({ loadBestModelAtEnd: true, evalStrategy: 'steps', evalSteps: 200, saveSteps: 500 }, /multiple/)
  refused({ loadBestModelAtEnd: true, evalStrategy: 'steps', evalSteps: 0.1, saveSteps: 500 }, /multiple/)
  refused({ saveStrategy: 'best', evalStrategy: 'epoch' }, /metricForBestModel/)
  refused({ saveStrategy: 'best', metricForBestModel: 'x' }, /evalStrategy/)
  const steps = { loadBestModelAtEnd: true, evalStrategy: 'steps' } as const
  t.is(resolveArguments({ ...steps, evalSteps: 0.1, saveSteps: 0.3 }).metricForBestModel, 'loss')
  t.notThrows(() => resolveArguments({ loadBestModelAtEnd: true, evalStrategy: 'epoch', saveStrategy: 'best' }))
})

/** Runs with a stop after `stop` steps, then resumes from the checkpoint in a new run; and once without a stop. */
async function resumed(folder: string, given: Partial<TrainingArguments>, setup: Setup, stop: number) {
  const args = { saveSteps: 1, saveStrategy: 'steps', loggingSteps: 3, outputDir: folder, ...given } as const
  const notes: LogRecord[][] = [[], [], []]
  const noting = (i: number, more: TrainerCallback = {}): TrainerCallback => ({
    onLog: (record) => {
      const { train_runtime, train_samples_per_second, train_steps_per_second, ...rest } = record
      notes[i]!.push(rest)
    },
    ...more,
  })
  const order = ({ calls }: FakeEngine) => calls.map(({ batch, lr }) => `${batch.ids.join()} ${lr}`)

  const whole = prepare(args, { ...setup, callbacks: [noting(0), ...(setup.callbacks ?? [])] })
  const all = await whole.train()
  const stopping: TrainerCallback = {
    onSave: (_, { state, control }) => {
      if (state.globalStep === stop) control.shouldTrainingStop = true
    },
  }
  const first = prepare(args, { ...setup, callbacks: [noting(1, stopping), ...(setup.callbacks ?? [])] })
  await first.train()
  const { own } = await readCheckpoint(join(folder, `checkpoint-${stop}`), resolveArguments(args))
  const engine = new FakeEngine()
  const rest = prepare(args, { ...setup, engine, resume: own, callbacks: [noting(2), ...(setup.callbacks ?? [])] })
  // The fake numbers its batches; the losses go on where they were.
  engine.startAt(own.counters![0]!)
  const result = await rest.train()
  return {
    orders: [order(whole.engine), [...order(first.engine), ...order(engine)]],
    records: [notes[0]!, [...notes[1]!.filter((record) => record.loss !== undefined), ...notes[2]!]],
    results: [all, result].map(({ globalStep, trainingLoss, metrics }) => [globalStep, trainingLoss, metrics.epoch]),
    histories: [whole.run.state, rest.run.state].map(({ logHistory }) =>
      logHistory.filter((record) => record.loss !== undefined),
    ),
  }
}

const resumes: [string, Partial<TrainingArguments>, Setup, number][] = [
  ['in the middle of an epoch', { numTrainEpochs: 2 }, { rows: 10 }, 3],
  ['at the end of an epoch', { numTrainEpochs: 2 }, { rows: 10 }, 5],
  ['with accumulation', { numTrainEpochs: 3, gradientAccumulationSteps: 2 }, { rows: 18 }, 4],
  ['after a short last group', { numTrainEpochs: 2, gradientAccumulationSteps: 2 }, { rows: 10 }, 3],
  ['saved by epoch', { numTrainEpochs: 3, saveStrategy: 'epoch' }, { rows: 8 }, 8],
  ['two datasets', { numTrainEpochs: 2 }, { data: { one: pairs(7), two: pairs(4) } }, 4],
  [
    'round robin',
    { numTrainEpochs: 2, multiDatasetBatchSampler: 'round_robin' },
    { data: { a: pairs(7), b: pairs(9) } },
    5,
  ],
]
for (const [name, args, setup, stop] of resumes) {
  test(`a resumed run does just what is left: ${name}`, async (t) => {
    const { orders, records, results, histories } = await resumed(await temporaryFolder(t), args, setup, stop)
    t.deepEqual(orders[1], orders[0])
    t.deepEqual(records[1], records[0])
    t.deepEqual(results[1], results[0])
    t.deepEqual(histories[1], histories[0])
  })
}

test("a loss scaler's state goes through checkpoints, and the schedule goes on waiting", async (t) => {
  const outputDir = await temporaryFolder(t)
  const args = { outputDir, saveStrategy: 'steps', saveSteps: 1, loggingSteps: 1, learningRate: 1 } as const
  const engine = new FakeEngine()
  engine.nonFiniteAt = 2
  engine.lossScale = 1024
  await prepare(args, { rows: 10, engine }).train()
  const { own } = await readCheckpoint(join(outputDir, 'checkpoint-3'), resolveArguments(args))
  t.deepEqual(own.lossScaler, { scale: 512, growthTracker: 7 })
  t.is(own.skippedByScaler, 1)
  const rest = new FakeEngine()
  rest.lossScale = 512
  const callback = recorder()
  await prepare(args, { rows: 10, resume: own, engine: rest, callbacks: [callback] }).train()
  const round = (values: unknown[]) => values.map((value) => Math.round(Number(value) * 10) / 10)
  // Steps 4 and 5 have the rates of 3 and 4.
  t.deepEqual(round(rest.calls.map(({ lr }) => lr)), [0.6, 0.4])
  const records = callback.records.filter(({ loss }) => loss !== undefined)
  t.deepEqual(round(records.map(({ learning_rate }) => learning_rate)), [0.6, 0.4])
})

test('the state of a scaler is for trainers that have one', async (t) => {
  const outputDir = await temporaryFolder(t)
  const args = { outputDir, saveStrategy: 'steps', saveSteps: 5 } as const
  await prepare(args, { rows: 10 }).train()
  const { own } = await readCheckpoint(join(outputDir, 'checkpoint-5'), resolveArguments(args))
  t.false('lossScaler' in own)
  t.false('skippedByScaler' in own)
})

test('what callbacks keep goes through checkpoints', async (t) => {
  class Counter implements TrainerCallback {
    count = 0
    onStepEnd() {
      this.count++
    }
    state() {
      return this.count
    }
    loadState(state: unknown) {
      this.count = state as number
    }
  }
  const counters: Counter[] = []
  const outputDir = await temporaryFolder(t)
  const args = { outputDir, saveStrategy: 'steps', saveSteps: 2 } as const
  counters.push(new Counter())
  await prepare(args, { rows: 10, callbacks: [counters[0]!] }).train()
  const { own } = await readCheckpoint(join(outputDir, 'checkpoint-2'), resolveArguments(args))
  counters.push(new Counter())
  await prepare(args, { rows: 10, resume: own, callbacks: [counters[1]!] }).train()
  t.deepEqual(
    counters.map(({ count }) => count),
    [5, 5],
  )
})

test('checkpoints that cannot be gone on from are refused, changed arguments are told', async (t) => {
  const outputDir = await temporaryFolder(t)
  const saving = { outputDir, saveStrategy: 'epoch', perDeviceTrainBatchSize: 2 } as const
  await prepare(saving).train()
  const folder = join(outputDir, 'checkpoint-5')
  t.true(existsSync(join(folder, 'optimizer.safetensors')))
  const other = resolveArguments({ ...saving, seed: 7, learningRate: 1, numTrainEpochs: 9, loggingSteps: 2 })
  t.deepEqual((await readCheckpoint(folder, other)).changed.sort(), ['learningRate', 'seed'])
  t.deepEqual((await readCheckpoint(folder, resolveArguments(saving), 5)).changed, [])
  t.regex(
    (await readCheckpoint(folder, resolveArguments(saving), 6)).changed[0]!,
    /batches of trainDataset \(6, before 5\)/,
  )
  await t.throwsAsync(readCheckpoint(join(outputDir, 'checkpoint-6'), other), { code: 'ERR_NOT_FOUND' })

  checkpointsIn(outputDir, ['checkpoint-7'])
  await t.throwsAsync(readCheckpoint(join(outputDir, 'checkpoint-7'), other), { code: 'ERR_INVALID_FILE' })
  writeFileSync(join(outputDir, 'checkpoint-7', 'trainer_state.json'), '{')
  await t.throwsAsync(readCheckpoint(join(outputDir, 'checkpoint-7'), other), { code: 'ERR_INVALID_FILE' })

  await prepare({ ...saving, saveOnlyModel: true }).train()
  t.false(existsSync(join(folder, 'optimizer.safetensors')))
  await t.throwsAsync(readCheckpoint(folder, other), { code: 'ERR_INVALID_ARGUMENT', message: /saveOnlyModel/ })
})

test('evalOnStart and evalDelay', async (t) => {
  const steps = async (args: Partial<TrainingArguments>) => {
    const notes = recorder()
    const evaluate = async () => ({ metrics: { x: 1 }, primaryMetric: 'x' })
    await prepare({ evalStrategy: 'steps', evalSteps: 2, ...args }, { callbacks: [notes], parts: { evaluate } }).train()
    return notes.events.filter((event) => event.startsWith('evaluate'))
  }
  t.deepEqual(await steps({ evalOnStart: true }), ['evaluate 0', 'evaluate 2', 'evaluate 4', 'evaluate 5'])
  t.deepEqual(await steps({ evalDelay: 3 }), ['evaluate 4', 'evaluate 5'])
  t.deepEqual(await steps({ evalDelay: 6 }), [])
  t.deepEqual(await steps({ evalStrategy: 'epoch', evalDelay: 2, numTrainEpochs: 3 }), ['evaluate 10', 'evaluate 15'])
})

test('several evaluation datasets: one record each, the metrics of the evaluator in the first', async (t) => {
  const { source } = await import('../helpers/fake-trainer.js')
  const { MultipleNegativesRankingLoss } = await import('../../lib/losses/index.js')
  const data = (rows: number) => source(pairs(rows), new MultipleNegativesRankingLoss(), resolveArguments(), 2)
  const engine = new FakeEngine()
  engine.components = { part: 0.123456 }
  const notes = recorder()
  const evaluate = async () => ({ metrics: { dev_spearman: 0.5 }, primaryMetric: 'dev_spearman' })
  const args = { evalStrategy: 'epoch', loggingStrategy: 'epoch' } as const
  const several = [
    { name: 'one', source: data(4) },
    { name: 'two', source: data(3) },
  ]
  await prepare(args, { engine, callbacks: [notes], parts: { evaluate, evalData: several } }).train()
  const rest = ['runtime', 'samples_per_second', 'steps_per_second']
  t.deepEqual(Object.keys(notes.records[0]!), ['loss', 'grad_norm', 'learning_rate', 'part', 'epoch'])
  t.is(notes.records[0]!.part, 0.1235)
  t.deepEqual(Object.keys(notes.records[1]!), [
    ...['eval_one_loss', 'eval_dev_spearman'],
    ...[...rest.map((name) => `eval_one_${name}`), 'epoch'],
  ])
  t.deepEqual(Object.keys(notes.records[2]!), ['eval_two_loss', ...rest.map((name) => `eval_two_${name}`), 'epoch'])

  const single = recorder()
  const metrics: string[] = []
  const hearing = { onEvaluate: (record: Readonly<LogRecord>) => void metrics.push(...Object.keys(record)) }
  const evalData = [{ name: '', source: data(4) }]
  const { train } = prepare(args, { engine: new FakeEngine(), callbacks: [single, hearing], parts: { evalData } })
  await train()
  const withParts = new FakeEngine()
  withParts.components = { part: 0.123456 }
  await prepare(args, { engine: withParts, callbacks: [single, hearing], parts: { evalData } }).train()
  const last = single.records.filter((record) => record.eval_loss !== undefined)
  t.deepEqual(Object.keys(last[0]!), ['eval_loss', ...rest.map((name) => `eval_${name}`), 'epoch'])
  t.deepEqual(Object.keys(last[1]!), ['eval_loss', ...rest.map((name) => `eval_${name}`), 'eval_part', 'epoch'])
  t.is(last[1]!.eval_part, 0.1235)
  t.false(metrics.includes('eval_part'), 'only in the log, as in sentence-transformers')
})
