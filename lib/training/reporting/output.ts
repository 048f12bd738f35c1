import { sharedListener } from '../../io/shared-listener.js'
import { warnUnwritten } from '../../io/unwritten.js'
import type { ProgressOutput } from './progress.js'

/** A stream: most of its errors come as an event, after the call of `write`. */
interface Emitter {
  on(event: 'error', listener: (error: unknown) => void): unknown
  off(event: 'error', listener: (error: unknown) => void): unknown
}

const onError = sharedListener<Emitter, unknown>((output, tell) => {
  output.on('error', tell)
  return () => output.off('error', tell)
})

/** An output whose errors do not end a training: a full disk, or a reader that is gone, is one warning. */
export class SafeOutput implements ProgressOutput {
  readonly #output: ProgressOutput
  readonly #name: string
  readonly #stopListening: (() => void) | undefined
  #warned = false

  /** @param name for the warning */
  constructor(output: ProgressOutput, name: string) {
    this.#output = output
    this.#name = name
    if (isEmitter(output)) this.#stopListening = onError(output, this.#warn)
  }

  get isTTY(): boolean {
    return this.#output.isTTY === true
  }

  get columns(): number | undefined {
    return this.#output.columns
  }

  write(text: string): void {
    try {
      this.#output.write(text)
    } catch (error) {
      this.#warn(error)
    }
  }

  /** Idempotent. */
  close(): void {
    const stopListening = this.#stopListening
    // The error of the last `write` comes a little later.
    if (stopListening !== undefined) setImmediate(stopListening)
  }

  readonly #warn = (error: unknown): void => {
    if (!this.#warned) warnUnwritten(this.#name, error)
    this.#warned = true
  }
}

function isEmitter(output: object): output is Emitter {
  return 'on' in output && typeof output.on === 'function' && 'off' in output && typeof output.off === 'function'
}
