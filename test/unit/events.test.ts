import { setImmediate, setTimeout } from 'node:timers/promises'
import test from 'ava'
import type { TrainingArguments } from '../../lib/training/arguments/arguments.js'
import type { TrainerCallback } from '../../lib/training/callbacks/callbacks.js'
import { type EventsOptions, type TrainingEvent, trainingEvents } from '../../lib/training/run/events.js'
import { FakeEngine, prepare, type Setup } from '../helpers/fake-trainer.js'
import { temporaryFolder } from '../helpers/model-folders.js'

function runEvents(args: Partial<TrainingArguments>, setup: Setup = {}, options?: EventsOptions) {
  const engine = setup.engine ?? new FakeEngine()
  const { callbacks = [] } = setup
  let ended = false
  const events = trainingEvents(async (listener) => {
    const { run, train } = prepare(args, { ...setup, engine, callbacks: [...callbacks, listener] })
    try {
      return await train()
    } finally {
      await run.steps.abandon()
      ended = true
    }
  }, options)
  return { engine, events, hasEnded: () => ended }
}

async function all(events: AsyncIterable<TrainingEvent>): Promise<TrainingEvent[]> {
  const list: TrainingEvent[] = []
  for await (const event of events) list.push(event)
  return list
}

test('a run gives its events in order, the result last', async (t) => {
  const outputDir = await temporaryFolder(t)
  const evaluate = async () => ({ metrics: { x: 1 }, primaryMetric: 'x' })
  const { events } = runEvents(
    { outputDir, loggingSteps: 1, evalStrategy: 'steps', evalSteps: 2, saveStrategy: 'epoch' },
    { rows: 4, parts: { evaluate } },
  )
  const list = await all(events)
  t.deepEqual(
    list.map(({ type, step }) => `${type} ${step}`),
    [
      ...['trainBegin 0', 'epochBegin 0', 'step 1', 'log 1', 'step 2', 'log 2', 'log 2', 'evaluate 2'],
      ...['epochEnd 2', 'save 2', 'log 2', 'trainEnd 2'],
    ],
  )
  t.like(list[0], { type: 'trainBegin', maxSteps: 2, numTrainEpochs: 1, epoch: 0 })
  t.like(list[2], { loss: 1, samplesSeen: 2, skippedSteps: 0, epoch: 0.5 })
  t.is(list[3]!.type === 'log' ? list[3]!.record.loss : undefined, 1)
  const last = list.at(-1)!
  t.is(last.type === 'trainEnd' ? last.result.globalStep : undefined, 2)
  t.true(list.every((event) => !('missed' in event)))
})

test('warnings are events', async (t) => {
  const warning = { code: 'WARN_COLLAPSE', message: 'm', remedy: 'r' } as const
  const events = trainingEvents(async (listener) => {
    const { run, train } = prepare({}, { callbacks: [listener] })
    await run.handler.warn(warning)
    return train()
  })
  t.deepEqual((await all(events))[0], { type: 'warning', step: 0, epoch: 0, warning })
})

test('break stops after the running step', async (t) => {
  const { engine, events, hasEnded } = runEvents({ loggingSteps: 1 }, { rows: 100 })
  for await (const event of events) if (event.type === 'step' && event.step === 3) break
  t.true(hasEnded())
  t.is(engine.inFlight, 0)
  // A log is due at every step: none runs when step 3 ends, but the reader may hear of it one step late.
  t.true(engine.calls.length <= 5, `${engine.calls.length}`)
})

test('an error in the loop stops training too, and an error of training after a break is not lost', async (t) => {
  const first = runEvents({}, { rows: 100 })
  await t.throwsAsync(
    async () => {
      for await (const event of first.events) if (event.step === 2) throw new Error('mine')
    },
    { message: 'mine' },
  )
  t.true(first.hasEnded())
  t.true(first.engine.calls.length < 10)

  const engine = new FakeEngine()
  engine.failAt = 2
  const second = runEvents({}, { rows: 100, engine })
  await t.throwsAsync(
    async () => {
      for await (const event of second.events) if (event.step === 1) break
    },
    { code: 'ERR_OUT_OF_MEMORY' },
  )
})

test('an error of training is thrown after the events before it', async (t) => {
  const engine = new FakeEngine()
  engine.failAt = 4
  const { events } = runEvents({}, { rows: 100, engine })
  const steps: number[] = []
  await t.throwsAsync(
    async () => {
      for await (const event of events) {
        if (event.type === 'step') steps.push(event.step)
        await setTimeout(5)
      }
    },
    { code: 'ERR_OUT_OF_MEMORY' },
  )
  t.deepEqual(steps, [1, 2, 3])
})

test('an abort is thrown in the loop', async (t) => {
  const controller = new AbortController()
  const { events } = runEvents({}, { rows: 100, signal: controller.signal })
  const reading = async () => {
    for await (const event of events) if (event.step === 2) controller.abort()
  }
  await t.throwsAsync(reading, { name: 'AbortError', code: 'ERR_ABORTED' })
})

test('a slow reader misses steps, nothing else, and training goes on', async (t) => {
  const { engine, events, hasEnded } = runEvents({ loggingSteps: 10 }, { rows: 100 }, { capacity: 10 })
  const list: TrainingEvent[] = []
  for await (const event of events) {
    if (list.length === 0) while (!hasEnded()) await setImmediate()
    list.push(event)
  }
  t.is(engine.calls.length, 50)
  t.is(list.filter(({ type }) => type === 'log').length, 6)
  t.deepEqual([list[0]!.type, list.at(-1)!.type], ['trainBegin', 'trainEnd'])
  const steps = list.filter(({ type }) => type === 'step').length
  const missed = list.reduce((sum, event) => sum + (event.missed ?? 0), 0)
  t.true(steps < 10)
  t.is(steps + missed, 50)
})

test('training waits for the reader where nothing may be dropped, but not for ever', async (t) => {
  const seen: number[] = []
  const callbacks: TrainerCallback[] = [{ onStepEnd: ({ state }) => void seen.push(state.globalStep) }]
  const { events } = runEvents({ loggingSteps: 1 }, { rows: 40, callbacks }, { capacity: 4, patience: 20_000 })
  const reader = events[Symbol.asyncIterator]()
  t.teardown(() => reader.return!())
  await reader.next()
  for (let i = 0; i < 1000 && seen.length < 4; i++) await setTimeout(5)
  await setTimeout(50)
  // epochBegin, log 1, log 2, log 3 wait, and log 4 wants to.
  t.is(seen.at(-1), 4)
  await reader.return!()

  const impatient = runEvents({ loggingSteps: 1 }, { rows: 20 }, { capacity: 4, patience: 5 })
  const list: TrainingEvent[] = []
  for await (const event of impatient.events) {
    if (list.length === 0) while (!impatient.hasEnded()) await setTimeout(5)
    list.push(event)
  }
  t.is(list.at(-1)!.type, 'trainEnd')
  t.is(list.length + list.reduce((sum, event) => sum + (event.missed ?? 0), 0), 2 + 10 + 11 + 2)
})

test('leaving the loop is told, for a run that is paused', async (t) => {
  let left = 0
  const { events } = runEvents({}, { rows: 10 }, { onLeave: () => left++ })
  await all(events)
  t.is(left, 0)
  const other = runEvents({}, { rows: 10 }, { onLeave: () => left++ })
  for await (const _ of other.events) break
  t.is(left, 1)
})
