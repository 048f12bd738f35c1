import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import { MultipleNegativesRankingLoss } from '../../lib/losses/index.js'
import { resolveArguments } from '../../lib/training/arguments/arguments.js'
import { CallbackHandler, emitInitEnd } from '../../lib/training/callbacks/callback-handler.js'
import {
  type CallbackState,
  newControl,
  newState,
  type TrainerCallback,
} from '../../lib/training/callbacks/callbacks.js'
import { checkCallbacks } from '../../lib/training/callbacks/check-callbacks.js'
import { Gate } from '../../lib/training/run/gate.js'
import { TrainingAbortedError } from '../../lib/training/run/result.js'
import { pairs, prepare, recorder, source } from '../helpers/fake-trainer.js'
import { temporaryFolder } from '../helpers/model-folders.js'

class Counter implements TrainerCallback {
  count = 0
  onStepEnd(): void {
    this.count++
  }
  state(): CallbackState {
    return { count: this.count }
  }
  loadState(state: CallbackState): void {
    this.count = (state as { count: number }).count
  }
}

test('the order of events with accumulation and evaluation', async (t) => {
  const callback = recorder()
  const args = resolveArguments({ perDeviceEvalBatchSize: 2 })
  const evalData = source(pairs(3), new MultipleNegativesRankingLoss(), args, 2)
  await prepare(
    { gradientAccumulationSteps: 2, evalStrategy: 'epoch', loggingStrategy: 'epoch' },
    { rows: 8, callbacks: [callback], parts: { evalData: [{ name: '', source: evalData }] } },
  ).train()
  t.deepEqual(callback.events, [
    ...['trainBegin', 'epochBegin', 'stepBegin', 'substepEnd', 'stepBegin', 'stepEnd 1', 'substepEnd', 'stepEnd 2'],
    ...['epochEnd', 'log 2', 'predictionStep', 'predictionStep', 'log 2', 'evaluate 2', 'log 2', 'trainEnd'],
  ])
})

test('events that never come and misspelt ones are refused by name', (t) => {
  const refused = (callback: object, code: string, message: RegExp) =>
    t.throws(() => checkCallbacks([{}, callback]), { code, message })
  refused({ onPreOptimizerStep() {} }, 'ERR_UNSUPPORTED', /callbacks\[1\].*onPreOptimizerStep, which never comes/)
  refused({ onOptimizerStep() {} }, 'ERR_UNSUPPORTED', /onStepEnd/)
  refused({ onPredict() {} }, 'ERR_UNSUPPORTED', /onEvaluate/)
  refused({ onPushBegin() {} }, 'ERR_NOT_IMPLEMENTED', /hub/)
  refused({ onPushEnd() {} }, 'ERR_NOT_IMPLEMENTED', /hub/)
  refused({ onStepend() {} }, 'ERR_UNKNOWN_OPTION', /did you mean onStepEnd\?/)
  refused({ on_epoch_end() {} }, 'ERR_UNKNOWN_OPTION', /did you mean onEpochEnd\?/)
  refused({ onLog: 3 }, 'ERR_INVALID_ARGUMENT', /callbacks\[1\]\.onLog/)
  refused({ state: () => 1 }, 'ERR_INVALID_ARGUMENT', /both state and loadState/)
  class Base {
    onTrainEnds() {}
  }
  refused(new (class extends Base {})(), 'ERR_UNKNOWN_OPTION', /did you mean onTrainEnd\?/)
  t.throws(() => checkCallbacks([3]), { message: /callbacks\[0\]/ })
  t.throws(() => checkCallbacks({}), { message: /an array/ })
})

test('methods of its own do not get a callback refused', (t) => {
  t.notThrows(() => checkCallbacks([{ online() {}, onIncomingRequest() {}, onPush: 1 }, new Counter(), recorder()]))
  t.notThrows(() => checkCallbacks(undefined))
})

test('onInitEnd comes at once, and a promise is refused', (t) => {
  const context = { args: resolveArguments(), state: newState(), control: newControl() }
  const heard: unknown[] = []
  emitInitEnd([{ onInitEnd: (given) => void heard.push(given) }, {}], context)
  t.deepEqual(heard, [context])
  const slow = { onInitEnd: (async () => {}) as () => void }
  t.throws(() => emitInitEnd([slow], context), { code: 'ERR_INVALID_ARGUMENT', message: /synchronous/ })
})

test('what callbacks keep goes to where it came from', (t) => {
  const [a, b, c, d] = [new Counter(), new Counter(), new Counter(), new Counter()]
  a.count = 3
  b.count = 5
  const context = { args: resolveArguments(), state: newState(), control: newControl() }
  const handler = (...callbacks: TrainerCallback[]) => new CallbackHandler(callbacks, context)
  t.deepEqual(handler(a, recorder()).states(), { Counter: { count: 3 } })
  const saved = handler(a, b).states()
  t.deepEqual(saved, { Counter: [{ count: 3 }, { count: 5 }] })
  handler(c, d).restore(saved)
  t.deepEqual([c.count, d.count], [3, 5])
  handler(c).restore({})
  t.is(c.count, 3)
  t.throws(() => handler(a, b, c).restore(saved), { code: 'ERR_INVALID_FILE', message: /3 callbacks Counter/ })
  t.throws(() => handler(a, b).restore({ Counter: { count: 1 } }), { code: 'ERR_INVALID_FILE' })
})

test('paused: no step runs and none begins until it goes on', async (t) => {
  const gate = new Gate()
  const callback = recorder({
    onStepEnd: ({ state }) => {
      if (state.globalStep === 2) gate.close()
    },
  })
  const { engine, train } = prepare({}, { rows: 20, callbacks: [callback], parts: { gate } })
  const training = train()
  for (let i = 0; i < 1000 && callback.events.at(-1) !== 'stepEnd 3'; i++) await setTimeout(5)
  await setTimeout(50)
  // Step 3 was on its way when step 2 ended.
  t.is(engine.calls.length, 3)
  t.is(engine.inFlight, 0)
  t.is(callback.events.at(-1), 'stepEnd 3')
  gate.open()
  t.is((await training).globalStep, 10)
})

test('an abort ends a pause', async (t) => {
  const gate = new Gate()
  gate.close()
  const controller = new AbortController()
  const { engine, train } = prepare({}, { parts: { gate }, signal: controller.signal })
  const training = train()
  setImmediate(() => controller.abort())
  await t.throwsAsync(training, { code: 'ERR_ABORTED' })
  t.is(engine.calls.length, 0)
})

test('an abort leaves a checkpoint of the last step, once', async (t) => {
  const outputDir = await temporaryFolder(t)
  for (const saveSteps of [100, 3]) {
    const controller = new AbortController()
    const callback = recorder({ onStepEnd: ({ state }) => void (state.globalStep === 2 && controller.abort()) })
    const setup = { rows: 40, callbacks: [callback], signal: controller.signal }
    const { train } = prepare({ outputDir, saveStrategy: 'steps', saveSteps }, setup)
    const error = await t.throwsAsync<TrainingAbortedError>(train, { instanceOf: TrainingAbortedError })
    t.is(error!.result.globalStep, 3)
    t.is(error!.checkpoint, join(outputDir, 'checkpoint-3'))
    t.is(JSON.parse(readFileSync(join(error!.checkpoint!, 'trainer_state.json'), 'utf8')).global_step, 3)
    t.deepEqual(
      callback.events.filter((event) => event.startsWith('save')),
      ['save 3'],
    )
  }
})

test('a checkpoint holds what callbacks keep', async (t) => {
  const outputDir = await temporaryFolder(t)
  const callbacks = [new Counter(), recorder()]
  await prepare({ outputDir, saveStrategy: 'steps' }, { callbacks }).train()
  const saved = JSON.parse(readFileSync(join(outputDir, 'checkpoint-5', 'trainer_state.json'), 'utf8'))
  t.deepEqual(saved.stateful_callbacks.Counter, { count: 5 })
})
