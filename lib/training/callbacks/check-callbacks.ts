import { invalidArgument, SentenceTorchError, suggestion } from '../../errors.js'
import { CALLBACK_EVENTS } from './callbacks.js'

/** Events of transformers that never happen here, and why. */
const ABSENT_EVENTS: Readonly<Record<string, { code: 'ERR_UNSUPPORTED' | 'ERR_NOT_IMPLEMENTED'; why: string }>> = {
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
 * Checks the callbacks of a trainer, so that no callback waits for an event that never comes.
 *
 * @throws ERR_INVALID_ARGUMENT for anything but an array of objects, and for an event that is not a function; ERR_UNSUPPORTED
 *   and ERR_NOT_IMPLEMENTED for events of transformers that never happen here; ERR_UNKNOWN_OPTION for misspelt ones
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
  if (Object.hasOwn(ABSENT_EVENTS, name)) {
    const { code, why } = ABSENT_EVENTS[name]!
    throw new SentenceTorchError(code, `${where} listens to ${name}, which never comes: ${why}`)
  }
  // Other methods that begin with "on" may be the callback's own.
  const close = suggestion(name, [...CALLBACK_EVENTS, ...Object.keys(ABSENT_EVENTS)])
  if (close === undefined) return
  throw new SentenceTorchError('ERR_UNKNOWN_OPTION', `${where}: there is no event ${name}; did you mean ${close}?`)
}

/** Names of own and inherited members, also of those that are not enumerable: the methods of a class. */
function memberNames(value: object): string[] {
  const names = new Set<string>()
  for (let at = value; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name)
  }
  return [...names]
}
