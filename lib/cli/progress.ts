/** What commands tell on stderr while they work. */
import type { SentenceTorchError } from '../errors.js'
import type { Values } from './command.js'

const REDRAW_MS = 200

/** Counts what is done: a line that redraws itself on a terminal, and a last line everywhere. */
export class Counter {
  count = 0
  readonly #started = performance.now()
  #drawn = Number.NEGATIVE_INFINITY

  constructor(
    private readonly err: (text: string) => void,
    private readonly unit: string,
  ) {}

  get seconds(): number {
    return (performance.now() - this.#started) / 1000
  }

  add(more: number): void {
    this.count += more
    const now = performance.now()
    if (!process.stderr.isTTY || now - this.#drawn < REDRAW_MS) return
    this.#drawn = now
    this.err(`\r\x1b[2K${this.#line()}`)
  }

  end(what: string): void {
    this.err(`${process.stderr.isTTY ? '\r\x1b[2K' : ''}${this.#line()}, ${what}\n`)
  }

  #line(): string {
    const rate = Math.round(this.count / Math.max(this.seconds, 1e-3))
    return `${this.count.toLocaleString('en')} ${this.unit}, ${rate.toLocaleString('en')} ${this.unit}/s`
  }
}

/** Errors that are kept. */
const KEPT = 5

/** Rows that were left out, with `--skip-bad-rows`. */
export class BadRows {
  count = 0
  readonly #first: string[] = []
  readonly onBadRow: ((error: SentenceTorchError) => void) | undefined

  constructor({ options }: Values) {
    if (!options['skip-bad-rows']) return
    this.onBadRow = ({ message }) => {
      this.count++
      if (this.#first.length < KEPT) this.#first.push(message)
    }
  }

  /** For the message that no row is left. */
  get hint(): string {
    return this.count === 0 ? '' : `; ${this.count} were left out, the first: ${this.#first[0]}`
  }

  tell(err: (text: string) => void): void {
    tellBadRows({ count: this.count, first: this.#first }, err)
  }
}

/** Tells how many rows were left out, and why the first ones. */
export function tellBadRows(
  { count, first }: { count: number; first: readonly string[] },
  err: (text: string) => void,
): void {
  if (count === 0) return
  err(`left out ${count} bad row${count === 1 ? '' : 's'}:\n${first.map((message) => `  ${message}\n`).join('')}`)
  if (count > first.length) err(`  and ${count - first.length} more\n`)
}
