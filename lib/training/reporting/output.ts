import { warnUnwritten } from '../../io/unwritten.js'
import type { ProgressOutput } from './progress.js'

/** A stream, which tells of most errors later. */
interface Emitter {
  on(event: 'error', listener: (error: unknown) => void): unknown
  off(event: 'error', listener: (error: unknown) => void): unknown
}

/**
 * An output that training outlives: that its disk is full, or nobody reads it any more, is said once.
 * @param name for the message
 */
export class SafeOutput implements ProgressOutput {
  readonly #output: ProgressOutput
  readonly #name: string
  #warned = false

  constructor(output: ProgressOutput, name: string) {
    this.#output = output
    this.#name = name
    if (isEmitter(output)) output.on('error', this.#warn)
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
    const output = this.#output
    // What was written last is refused a little later.
    if (isEmitter(output)) setImmediate(() => output.off('error', this.#warn))
  }

  readonly #warn = (error: unknown): void => {
    if (!this.#warned) warnUnwritten(this.#name, error)
    this.#warned = true
  }
}

function isEmitter(output: object): output is Emitter {
  return 'on' in output && typeof output.on === 'function' && 'off' in output && typeof output.off === 'function'
}
