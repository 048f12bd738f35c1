import { constants } from 'node:os'
import { SentenceTorchError } from '../../errors.js'
import { ProcessSignal } from './result.js'

export type EndSignal = 'SIGINT' | 'SIGTERM'
const SIGNALS: readonly EndSignal[] = ['SIGINT', 'SIGTERM']

/** A program that passes signals on (npm) and the terminal may both send the same signal at once. It counts as one. */
const SAME_MILLISECONDS = 300

/** The trainings that a signal to the process ends. */
const watches = new Set<SignalWatch>()
let received: { signal: EndSignal; at: number } | undefined

/**
 * Runs `train` with an abort signal that fires when `given` does, and when the process gets SIGINT or SIGTERM. In the second case
 * the process ends afterwards.
 * @returns what `train` returns @throws what `train` throws
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

/** One training that ends with a checkpoint when the process gets SIGINT or SIGTERM. */
class SignalWatch {
  readonly #controller = new AbortController()

  /** From now on the signals do not end the process at once. */
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
   * The training has ended. After the last training, signals end the process at once again. If there was a signal, the process now
   * ends by it, after the code that waits for the training has run. Another error that nobody handles is shown before that.
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

/** Ends the process as the signal would have done: a shell sees 130 or 143. */
function endProcess(signal: EndSignal): void {
  // The first process of a container does not die by its own signals, and Windows has no signals.
  const dies = process.platform !== 'win32' && process.pid !== 1 && process.listenerCount(signal) === 0
  if (dies) process.kill(process.pid, signal)
  process.exit(128 + constants.signals[signal])
}
