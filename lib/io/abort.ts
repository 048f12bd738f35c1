/** What a caller's AbortSignal does to work that only waits. */
import { SentenceTorchError } from '../errors.js'

/** @param what what was under way: `Loading org/model` */
export function abortError(signal: AbortSignal, what: string): SentenceTorchError {
  return new SentenceTorchError('ERR_ABORTED', `${what} was aborted`, { cause: signal.reason })
}

/** @throws ERR_ABORTED once the signal has fired */
export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw abortError(signal, what)
}

/**
 * What `work` gives; or ERR_ABORTED as soon as the signal fires, while the work goes on for others who wait for it.
 */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined, what: string): Promise<T> {
  if (signal === undefined) return work
  let stop = () => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(abortError(signal, what))
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
