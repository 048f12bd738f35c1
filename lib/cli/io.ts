/** What a command reads from, writes to and is stopped by. */
import { constants } from 'node:os'

export interface Io {
  /** Results. */
  out(text: string): void
  /** Progress and faults. */
  err(text: string): void
  /** What `-` stands for. */
  readonly stdin: AsyncIterable<Uint8Array>
  /**
   * Fires at the first Ctrl-C or SIGTERM. A command that never asks for it is ended by them at once, and every command by the
   * second one.
   */
  readonly signal: AbortSignal
}

/** The signal that ended a command. */
export class Interruption extends Error {
  constructor(readonly signal: 'SIGINT' | 'SIGTERM') {
    super(`interrupted by ${signal}`)
    this.name = 'Interruption'
  }

  /** As shells show it: 130 for Ctrl-C. */
  get exitCode(): number {
    return 128 + constants.signals[this.signal]
  }
}

/** A terminal sends a signal to npx and to this program, and npx passes it on: within this time both are one. */
const SAME_MILLISECONDS = 300

/** The streams and signals of the process. */
export function processIo(): Io & { dispose(): void } {
  const controller = new AbortController()
  let first: number | undefined
  let isWatching = false
  let isReading = false
  const stop = (name: NodeJS.Signals) => {
    const reason = new Interruption(name as Interruption['signal'])
    if (first !== undefined && performance.now() - first > SAME_MILLISECONDS) process.exit(reason.exitCode)
    first ??= performance.now()
    controller.abort(reason)
    // Who waits for the next bytes would else wait on.
    if (isReading) process.stdin.destroy(reason)
  }
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    get stdin() {
      // Its reader gets the error; without one it would end the process.
      if (!isReading) process.stdin.on('error', () => {})
      isReading = true
      return process.stdin as AsyncIterable<Uint8Array>
    },
    get signal() {
      if (!isWatching) for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, stop)
      isWatching = true
      return controller.signal
    },
    dispose() {
      for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, stop)
    },
  }
}
