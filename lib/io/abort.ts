/** Aborts of work that only waits, through a caller's AbortSignal. */
import { SentenceTorchError } from '../errors.js'
import { sharedListener } from './shared-listener.js'

/** Calls a listener when the signal fires, unless it has fired already. @returns a function that removes the listener */
export const onAbort = sharedListener<AbortSignal, void>((signal, tell) => {
  const listener = () => tell()
  signal.addEventListener('abort', listener, { once: true })
  return () => signal.removeEventListener('abort', listener)
})

/** @param what the running work: `Loading org/model` */
export function abortError(signal: AbortSignal, what: string): SentenceTorchError {
  return new SentenceTorchError('ERR_ABORTED', `${what} was aborted`, { cause: signal.reason })
}

/** @throws ERR_ABORTED once the signal has fired */
export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw abortError(signal, what)
}

/** The result of `work`, or ERR_ABORTED as soon as the signal fires. The work continues for others that wait for it. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined, what: string): Promise<T> {
  if (signal === undefined) return work
  let stopListening: (() => void) | undefined
  const aborted = new Promise<never>((_, reject) => {
    const stop = () => reject(abortError(signal, what))
    if (signal.aborted) stop()
    else stopListening = onAbort(signal, stop)
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    stopListening?.()
  }
}

/** The signal as a member of options, which have none where there is none. */
export function signalOf({ signal }: { readonly signal?: AbortSignal | undefined }): { signal?: AbortSignal } {
  return signal ? { signal } : {}
}
