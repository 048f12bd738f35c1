import type { CallbackContext, LogRecord, TrainerCallback, TrainerControl } from '../callbacks/callbacks.js'
import type { TrainingWarning } from '../health/warning.js'
import type { TrainResult } from './result.js'

interface EventFields {
  /** Optimiser steps done by then. */
  step: number
  /** Passes over the data done by then. */
  epoch: number
  /** How many events before this one were dropped because the reader was too slow. */
  missed?: number
}

/** What `trainer.run()` yields: the events of the callbacks as objects, with the state at that time. */
export type TrainingEvent = EventFields &
  (
    | { type: 'trainBegin'; maxSteps: number; numTrainEpochs: number }
    | { type: 'epochBegin' }
    | { type: 'step'; loss: number | undefined; samplesSeen: number; skippedSteps: number }
    | { type: 'log'; record: Readonly<LogRecord> }
    | { type: 'evaluate'; metrics: Readonly<LogRecord> }
    | { type: 'save'; folder: string }
    | { type: 'warning'; warning: TrainingWarning }
    | { type: 'epochEnd' }
    | { type: 'trainEnd'; result: TrainResult }
  )

type EventBody = TrainingEvent extends infer E ? (E extends TrainingEvent ? Omit<E, keyof EventFields> : never) : never

export interface EventsOptions {
  /** Most events that wait for a slow reader. */
  capacity?: number
  /** How long (ms) training waits for a reader when that many events wait. */
  patience?: number
  /** Called when the reader leaves before the end. */
  onLeave?: () => void
}

const CAPACITY = 256
const PATIENCE_MS = 5000

/**
 * Runs a training and yields its events. Training does not wait for the reader while fewer than 256 events are unread. After
 * that the oldest `step` events are dropped, and `missed` of the next event counts them. If all unread events are of other types,
 * training waits for the reader, at most 5 s per event, and then drops the oldest one.
 *
 * Leaving the loop (`break`, `return`, an error in its body) stops training after the running step; the loop ends when training
 * has stopped. An error of the training is thrown in the loop after the events that came before it.
 *
 * @param train starts the training with one more callback, which hears all events and can stop it
 */
export async function* trainingEvents(
  train: (listener: TrainerCallback) => Promise<TrainResult>,
  { capacity = CAPACITY, patience = PATIENCE_MS, onLeave }: EventsOptions = {},
): AsyncGenerator<TrainingEvent, void, undefined> {
  const queue = new EventQueue(capacity, patience)
  const listener = new Listener(queue)
  const training = train(listener)
  const ended = training.then(
    (result) => queue.end({ ...listener.last, type: 'trainEnd', result }),
    (error: unknown) => queue.fail(error),
  )
  try {
    for (;;) {
      const event = await queue.take()
      if (event === undefined) return
      yield event
    }
  } finally {
    if (!queue.isOver) {
      queue.close()
      listener.stop()
      onLeave?.()
    }
    await ended
    // An error while training stops must not be lost.
    if (queue.isClosed) await training
  }
}

/** Turns callbacks into events. */
class Listener implements TrainerCallback {
  last: EventFields = { step: 0, epoch: 0 }
  #control: TrainerControl | undefined
  readonly #queue: EventQueue

  constructor(queue: EventQueue) {
    this.#queue = queue
  }

  onTrainBegin(context: CallbackContext): Promise<void> {
    const { maxSteps, numTrainEpochs } = context.state
    return this.#put(context, { type: 'trainBegin', maxSteps, numTrainEpochs })
  }

  onEpochBegin(context: CallbackContext): Promise<void> {
    return this.#put(context, { type: 'epochBegin' })
  }

  onStepEnd(context: CallbackContext): Promise<void> {
    const { lastLoss, samplesSeen, skippedSteps } = context.state
    return this.#put(context, { type: 'step', loss: lastLoss, samplesSeen, skippedSteps })
  }

  onLog(record: Readonly<LogRecord>, context: CallbackContext): Promise<void> {
    return this.#put(context, { type: 'log', record: { ...record } })
  }

  onEvaluate(metrics: Readonly<LogRecord>, context: CallbackContext): Promise<void> {
    return this.#put(context, { type: 'evaluate', metrics: { ...metrics } })
  }

  onSave(folder: string, context: CallbackContext): Promise<void> {
    return this.#put(context, { type: 'save', folder })
  }

  onWarning(warning: TrainingWarning, context: CallbackContext): Promise<void> {
    return this.#put(context, { type: 'warning', warning })
  }

  onEpochEnd(context: CallbackContext): Promise<void> {
    return this.#put(context, { type: 'epochEnd' })
  }

  /** Stops training after the running step, or before its first one. */
  stop(): void {
    if (this.#control !== undefined) this.#control.shouldTrainingStop = true
  }

  async #put({ state, control }: CallbackContext, body: EventBody): Promise<void> {
    this.last = { step: state.globalStep, epoch: state.epoch }
    this.#control = control
    if (this.#queue.isClosed) this.stop()
    await this.#queue.put({ ...this.last, ...body } as TrainingEvent)
  }
}

/** A bounded queue between one writer and one reader. */
class EventQueue {
  /** Whether the reader left early. */
  isClosed = false
  readonly #capacity: number
  readonly #patience: number
  readonly #events: TrainingEvent[] = []
  #missed = 0
  #end: { error?: unknown } | undefined
  #wakeReader: (() => void) | undefined
  #wakeWriter: (() => void) | undefined

  constructor(capacity: number, patience: number) {
    this.#capacity = capacity
    this.#patience = patience
  }

  /** Whether training has ended and no event is unread. */
  get isOver(): boolean {
    return this.#end !== undefined && this.#events.length === 0
  }

  async put(event: TrainingEvent): Promise<void> {
    if (this.isClosed) return
    if (this.#events.length >= this.#capacity && !this.#dropOldestStep()) {
      if (event.type === 'step') {
        this.#missed++
        return
      }
      await this.#waitForReader()
      if (this.isClosed) return
      if (this.#events.length >= this.#capacity) this.#drop(0)
    }
    this.#append(event)
  }

  /** The next event; undefined after the last. @throws the error of the training */
  async take(): Promise<TrainingEvent | undefined> {
    while (this.#events.length === 0 && this.#end === undefined) {
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve
      })
    }
    const event = this.#events.shift()
    this.#wakeWriter?.()
    if (event === undefined && this.#end && 'error' in this.#end) throw this.#end.error
    return event
  }

  end(last: TrainingEvent): void {
    this.#append(last)
    this.#finish({})
  }

  fail(error: unknown): void {
    this.#finish({ error })
  }

  /** The reader has left. */
  close(): void {
    this.isClosed = true
    this.#events.length = 0
    this.#wakeWriter?.()
  }

  #append(event: TrainingEvent): void {
    this.#events.push(this.#missed > 0 ? { ...event, missed: this.#missed } : event)
    this.#missed = 0
    this.#wakeReader?.()
  }

  #finish(end: { error?: unknown }): void {
    this.#end = end
    this.#wakeReader?.()
  }

  #dropOldestStep(): boolean {
    const at = this.#events.findIndex(({ type }) => type === 'step')
    if (at >= 0) this.#drop(at)
    return at >= 0
  }

  /** Drops an event and counts it in `missed` of the next one. */
  #drop(at: number): void {
    const [dropped] = this.#events.splice(at, 1)
    const missed = 1 + (dropped?.missed ?? 0)
    const next = this.#events[at]
    if (next === undefined) this.#missed += missed
    else this.#events[at] = { ...next, missed: missed + (next.missed ?? 0) }
  }

  async #waitForReader(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      this.#wakeWriter = resolve
      timer = setTimeout(resolve, this.#patience)
    })
    clearTimeout(timer)
    this.#wakeWriter = undefined
  }
}
