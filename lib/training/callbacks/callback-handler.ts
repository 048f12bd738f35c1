import { describe, invalidArgument, SentenceTorchError } from '../../errors.js'
import { emitProcessWarning, type TrainingWarning } from '../health/warning.js'
import type { CallbackContext, CallbackEvent, CallbackState, LogRecord, TrainerCallback } from './callbacks.js'

/** What an event brings besides the context. */
type Values<E extends CallbackEvent> =
  Parameters<NonNullable<TrainerCallback[E]>> extends [...infer V, CallbackContext] ? V : never

/** Calls the callbacks of one run or evaluation, one after the other, in the order in which they were given. */
export class CallbackHandler {
  readonly callbacks: readonly TrainerCallback[]
  readonly context: CallbackContext

  constructor(callbacks: readonly TrainerCallback[], context: CallbackContext) {
    this.callbacks = callbacks
    this.context = context
  }

  /** Calls every callback that listens to `event`, and waits for it. */
  async emit<E extends CallbackEvent>(event: E, ...values: Values<E>): Promise<void> {
    for (const callback of this.callbacks) {
      const method = callback[event] as ((...values: unknown[]) => void | Promise<void>) | undefined
      if (method !== undefined) await method.call(callback, ...values, this.context)
    }
  }

  /** Adds a record to `state.logHistory` and passes it to the callbacks. */
  async log(record: LogRecord): Promise<void> {
    const { logHistory, globalStep } = this.context.state
    logHistory.push({ ...record, step: globalStep })
    await this.emit('onLog', record)
  }

  /** Emits a process warning and passes it to the callbacks. */
  async warn(warning: TrainingWarning): Promise<void> {
    emitProcessWarning(warning)
    await this.emit('onWarning', warning)
  }

  /**
   * `stateful_callbacks` of trainer_state.json: by class name, what every callback with `state` and `loadState` keeps. Several
   * callbacks of one class give a list.
   */
  states(): Record<string, CallbackState> {
    return Object.fromEntries(
      [...this.#statefulByName()].map(([name, same]) => {
        const states = same.map((callback) => callback.state!())
        return [name, states.length === 1 ? states[0]! : states]
      }),
    )
  }

  /**
   * Gives the callbacks what {@link states} returned. Callbacks that the checkpoint does not know start anew.
   *
   * @throws ERR_INVALID_FILE where the checkpoint has another number of states than there are callbacks of a class
   */
  restore(saved: Readonly<Record<string, CallbackState>>): void {
    for (const [name, same] of this.#statefulByName()) {
      if (!Object.hasOwn(saved, name)) continue
      const states = same.length === 1 ? [saved[name]!] : saved[name]!
      if (!Array.isArray(states) || states.length !== same.length) {
        throw new SentenceTorchError(
          'ERR_INVALID_FILE',
          `Expected the states of ${same.length} callbacks ${name} in stateful_callbacks but found ${describe(saved[name])}`,
        )
      }
      for (const [i, callback] of same.entries()) callback.loadState!(states[i]!)
    }
  }

  #statefulByName(): Map<string, TrainerCallback[]> {
    const byName = new Map<string, TrainerCallback[]>()
    for (const callback of this.callbacks) {
      if (callback.state === undefined) continue
      const { name } = callback.constructor
      byName.set(name, [...(byName.get(name) ?? []), callback])
    }
    return byName
  }
}

/** Calls `onInitEnd` of all callbacks. @throws ERR_INVALID_ARGUMENT when one returns a promise: a constructor cannot wait */
export function emitInitEnd(callbacks: readonly TrainerCallback[], context: CallbackContext): void {
  for (const [i, callback] of callbacks.entries()) {
    const answer: unknown = callback.onInitEnd?.(context)
    if (typeof (answer as PromiseLike<void> | undefined)?.then !== 'function') continue
    void Promise.resolve(answer).catch(() => {})
    throw invalidArgument(`callbacks[${i}].onInitEnd`, 'a synchronous method', answer)
  }
}
