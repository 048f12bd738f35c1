import { constants } from 'node:os'
import { SentenceTorchError } from '../../errors.js'
import { ProcessSignal } from './result.js'

export type EndSignal = 'SIGINT' | 'SIGTERM'
const SIGNALS: readonly EndSignal[] = ['SIGINT', 'SIGTERM']

/** Programs that pass signals on (npm) and the terminal may send the same one twice at once. */
const SAME_MILLISECONDS = 300

/** The trainings that a signal ends. */
const watches = new Set<SignalWatch>()
let received: { signal: EndSignal; at: number } | undefined

/**
 * Does `train` with a signal that fires when `given` does and when the process shall end, and ends the process then.
 * @returns what `train` returns @throws what it throws
 */
export async function untilSignal<T>(
  given: AbortSignal | undefined,
  train: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const watch = new SignalWatch()
  try {
    return await train(given === undefined ? watch.signal : AbortSignal.any([watch.signal, given]))
  } finally {
    watch.end()
  }
}

/** One training that ends with a checkpoint when the process shall end. */
class SignalWatch {
  readonly #controller = new AbortController()

  /** From now on SIGINT and SIGTERM are heard. */
  constructor() {
    if (watches.size === 0) for (const name of SIGNALS) process.on(name, onSignal)
    watches.add(this)
    if (received !== undefined) this.abort(received.signal)
  }

  /** Fires with a `ProcessSignal` as its reason. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  abort(signal: EndSignal): void {
    this.#controller.abort(new ProcessSignal(signal))
  }

  /**
   * The training has ended. With the last one signals are no longer heard; and if there was one, the process ends by it, after
   * whoever waits for the training has heard of it. Another error that nobody handles is shown before that, and ends it.
   */
  end(): void {
    watches.delete(this)
    if (watches.size > 0) return
    for (const name of SIGNALS) process.off(name, onSignal)
    if (received === undefined) return
    const { signal } = received
    received = undefined
    process.on('uncaughtExceptionMonitor', (error) => {
      if (error instanceof SentenceTorchError && error.code === 'ERR_ABORTED') endProcess(signal)
    })
    setImmediate(endProcess, signal)
  }
}

function onSignal(signal: NodeJS.Signals): void {
  const name = signal as EndSignal
  if (received === undefined) {
    received = { signal: name, at: performance.now() }
    process.emitWarning(
      `${name}: training ends after the running step, with a checkpoint. Another signal ends the process at once`,
      'SentenceTorchWarning',
    )
    for (const watch of watches) watch.abort(name)
  } else if (name !== received.signal || performance.now() - received.at > SAME_MILLISECONDS) {
    for (const each of SIGNALS) process.off(each, onSignal)
    endProcess(name)
  }
}

/** Ends the process as the signal would have: a shell sees 130 or 143. */
function endProcess(signal: EndSignal): void {
  // The first process of a container does not die by its own signals, and Windows has none.
  const dies = process.platform !== 'win32' && process.pid !== 1 && process.listenerCount(signal) === 0
  if (dies) process.kill(process.pid, signal)
  process.exit(128 + constants.signals[signal])
}
