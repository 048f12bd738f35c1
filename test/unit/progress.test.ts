import test from 'ava'
import { resolveArguments } from '../../lib/training/arguments/arguments.js'
import type { CallbackContext, TrainerState } from '../../lib/training/callbacks/callbacks.js'
import { barLine, Progress } from '../../lib/training/reporting/progress.js'

const state: TrainerState = {
  globalStep: 45,
  maxSteps: 100,
  epoch: 0.45,
  numTrainEpochs: 1,
  samplesSeen: 1440,
  skippedSteps: 0,
  lastLoss: 0.42134,
  bestMetric: null,
  bestGlobalStep: null,
  bestModelCheckpoint: null,
  logHistory: [],
}
const control = {
  shouldTrainingStop: false,
  shouldEpochStop: false,
  shouldSave: false,
  shouldEvaluate: false,
  shouldLog: false,
}
const record = { loss: 0.123456, learning_rate: 5e-5, epoch: 0.45 }

function context(disableTqdm = false): CallbackContext {
  return { args: resolveArguments({ disableTqdm }), state, control }
}

function output(isTTY: boolean, columns = 120) {
  const written: string[] = []
  return { isTTY, columns, written, write: (text: string) => written.push(text) }
}

test('the bar shows share, steps, time, loss and pairs per second', (t) => {
  t.is(barLine(state, 9), ' 45%|█████████           | 45/100 [00:09<00:11] loss 0.4213, 160 pairs/s')
  t.is(barLine({ ...state, globalStep: 0, lastLoss: undefined }, 0), '  0%|                    | 0/100 [00:00<?]')
  t.regex(barLine({ ...state, globalStep: 1 }, 3700), /\[1:01:40<101:45:00\]/)
})

test('on a terminal log lines stand above the bar', (t) => {
  const out = output(true)
  const progress = new Progress(out)
  progress.onTrainBegin(context())
  progress.onLog(record, context())
  progress.onTrainEnd(context())
  const text = out.written.join('')
  t.true(text.includes("{'loss': '0.1235', 'learning_rate': '5e-05', 'epoch': '0.45'}\n"))
  t.true(text.endsWith('\n'))
  t.true(text.indexOf("'loss'") < text.lastIndexOf('45/100'))
})

test('the bar is drawn at most every 100 ms', (t) => {
  const out = output(true)
  let now = 0
  const progress = new Progress(out, () => now)
  progress.onTrainBegin(context())
  const drawn = () => out.written.filter((text) => text.includes('45/100')).length
  t.is(drawn(), 1)
  now = 50
  progress.onStepEnd(context())
  t.is(drawn(), 1)
  now = 100
  progress.onStepEnd(context())
  t.is(drawn(), 2)
})

test('the bar never wraps', (t) => {
  const out = output(true, 30)
  new Progress(out).onTrainBegin(context())
  t.true(out.written.every((text) => text.length < 30))
})

test('disableTqdm leaves the lines', (t) => {
  const out = output(true)
  const progress = new Progress(out)
  progress.onTrainBegin(context(true))
  progress.onStepEnd(context(true))
  progress.onLog(record, context(true))
  progress.close()
  t.deepEqual(out.written, ["{'loss': '0.1235', 'learning_rate': '5e-05', 'epoch': '0.45'}\n"])
})

test('elsewhere every record is a line of JSON', (t) => {
  const out = output(false)
  const progress = new Progress(out)
  progress.onTrainBegin(context())
  progress.onStepEnd(context())
  progress.onLog(record, context())
  progress.onTrainEnd(context())
  t.is(out.written.length, 1)
  t.true(out.written[0]!.endsWith('\n'))
  t.deepEqual(JSON.parse(out.written[0]!), { ...record, step: 45 })
})

test('close is idempotent', (t) => {
  const out = output(true)
  const progress = new Progress(out)
  progress.onTrainBegin(context())
  progress.close()
  const before = out.written.length
  progress.close()
  t.is(out.written.length, before)
})
