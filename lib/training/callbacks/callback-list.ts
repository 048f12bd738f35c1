import { describe, invalidArgument, SentenceTorchError, suggestion } from '../../errors.js'
import { CALLBACK_EVENTS, type CallbackContext, type CallbackState, type TrainerCallback } from './callbacks.js'

/** Events of transformers that cannot be heard here, and why. */
const UNHEARD: Readonly<Record<string, { code: 'ERR_UNSUPPORTED' | 'ERR_NOT_IMPLEMENTED'; why: string }>> = {
  onPreOptimizerStep: {
    code: 'ERR_UNSUPPORTED',
    why: 'clipping and update are one native job with the backward pass; grad_norm of the log is the norm before clipping',
  },
  onOptimizerStep: {
    code: 'ERR_UNSUPPORTED',
    why: 'the update and the zeroing of the gradients are one native job; listen to onStepEnd',
  },
  onPredict: {
    code: 'ERR_UNSUPPORTED',
    why: 'the trainer has no predict(); listen to onEvaluate, or use model.encode',
  },
  onPushBegin: { code: 'ERR_NOT_IMPLEMENTED', why: 'nothing is pushed to the hub while training; listen to onSave' },
  onPushEnd: { code: 'ERR_NOT_IMPLEMENTED', why: 'nothing is pushed to the hub while training; listen to onSave' },
}

/**
 * Checks the callbacks of a trainer, so that no listener waits for an event that never comes.
 *
 * @throws ERR_INVALID_ARGUMENT for what is no array of objects or has an event that is no function; ERR_UNSUPPORTED and
 *   ERR_NOT_IMPLEMENTED for events of transformers that cannot happen here; ERR_UNKNOWN_OPTION for misspelt ones
 */
export function checkCallbacks(callbacks: unknown): void {
  if (callbacks === undefined) return
  if (!Array.isArray(callbacks)) throw invalidArgument('callbacks', 'an array', callbacks)
  for (const [i, callback] of callbacks.entries()) {
    if (typeof callback !== 'object' || callback === null) {
      throw invalidArgument(`callbacks[${i}]`, 'an object with methods such as onStepEnd', callback)
    }
    for (const name of memberNames(callback)) checkMember(`callbacks[${i}]`, name, callback[name])
    if ((callback.state === undefined) !== (callback.loadState === undefined)) {
      throw invalidArgument(`callbacks[${i}]`, 'both state and loadState, or neither', callback)
    }
  }
}

function checkMember(where: string, name: string, value: unknown): void {
  const known = [...CALLBACK_EVENTS, 'state', 'loadState'] as readonly string[]
  if (known.includes(name)) {
    if (value !== undefined && typeof value !== 'function') throw invalidArgument(`${where}.${name}`, 'a method', value)
    return
  }
  if (!/^on(?:[A-Z]|_)/.test(name) || typeof value !== 'function') return
  if (Object.hasOwn(UNHEARD, name)) {
    const { code, why } = UNHEARD[name]!
    throw new SentenceTorchError(code, `${where} listens to ${name}, which never comes: ${why}`)
  }
  // Other methods that begin with "on" may be the callback's own.
  const close = suggestion(name, [...CALLBACK_EVENTS, ...Object.keys(UNHEARD)])
  if (close === undefined) return
  throw new SentenceTorchError('ERR_UNKNOWN_OPTION', `${where}: there is no event ${name}; did you mean ${close}?`)
}

/** Names of own and inherited members; those of a class are not enumerable. */
function memberNames(value: object): string[] {
  const names = new Set<string>()
  for (let at = value; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name)
  }
  return [...names]
}

/** Calls `onInitEnd` of all. @throws ERR_INVALID_ARGUMENT when one answers with a promise: a constructor cannot wait. */
export function emitInitEnd(callbacks: readonly TrainerCallback[], context: CallbackContext): void {
  for (const [i, callback] of callbacks.entries()) {
    const answer: unknown = callback.onInitEnd?.(context)
    if (typeof (answer as PromiseLike<void> | undefined)?.then !== 'function') continue
    void Promise.resolve(answer).catch(() => {})
    throw invalidArgument(`callbacks[${i}].onInitEnd`, 'a synchronous method', answer)
  }
}

/**
 * `stateful_callbacks` of trainer_state.json: what every callback with `state` and `loadState` keeps, by class name; a list
 * where several have the same name.
 */
export function callbackStates(callbacks: readonly TrainerCallback[]): Record<string, CallbackState> {
  return Object.fromEntries(
    [...statefulByName(callbacks)].map(([name, same]) => {
      const states = same.map((callback) => callback.state!())
      return [name, states.length === 1 ? states[0]! : states]
    }),
  )
}

/**
 * Gives the callbacks what {@link callbackStates} took from them. Callbacks that the checkpoint does not know start anew.
 *
 * @throws ERR_INVALID_FILE where a checkpoint holds another number of states than there are callbacks of a name
 */
export function restoreCallbackStates(
  callbacks: readonly TrainerCallback[],
  saved: Readonly<Record<string, CallbackState>>,
): void {
  for (const [name, same] of statefulByName(callbacks)) {
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

function statefulByName(callbacks: readonly TrainerCallback[]): Map<string, TrainerCallback[]> {
  const byName = new Map<string, TrainerCallback[]>()
  for (const callback of callbacks) {
    if (callback.state === undefined) continue
    const { name } = callback.constructor
    byName.set(name, [...(byName.get(name) ?? []), callback])
  }
  return byName
}
