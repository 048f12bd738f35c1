/** What a caller's AbortSignal does to work that only waits. */
import { SentenceTorchError } from '../errors.js'
import { sharedListener } from './shared-listener.js'

/** Calls a listener when the signal fires; not if it has fired already. @returns how to remove the listener */
export const onAbort = sharedListener<AbortSignal, void>((signal, tell) => {
  const listener = () => tell()
  signal.addEventListener('abort', listener, { once: true })
  return () => signal.removeEventListener('abort', listener)
})

/** @param what what was under way: `Loading org/model` */
export function abortError(signal: AbortSignal, what: string): SentenceTorchError {
  return new SentenceTorchError('ERR_ABORTED', `${what} was aborted`, { cause: signal.reason })
}

/** @throws ERR_ABORTED once the signal has fired */
export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw abortError(signal, what)
}

/** What `work` returns, or ERR_ABORTED as soon as the signal fires. The work goes on then for others that wait for it. */
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
