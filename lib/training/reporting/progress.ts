import type { CallbackContext, LogRecord, TrainerCallback, TrainerState } from '../callbacks/callbacks.js'
import { fourDigits, pythonLine } from './format.js'
import { jsonLine } from './json-lines.js'

/** Where progress is written: `process.stdout`, or anything like it. */
export interface ProgressOutput {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number | undefined
}

const REDRAW_MS = 100
const BAR_WIDTH = 20

/**
 * Shows a run. On a terminal: a bar with loss, pairs/s and time left, and above it the log records as transformers prints them
 * (with `disableTqdm` only the records). Elsewhere: one line of JSON per log record, with its `step`.
 */
export class Progress implements TrainerCallback {
  readonly #output: ProgressOutput
  readonly #now: () => number
  #started = 0
  #drawn = Number.NEGATIVE_INFINITY
  #barIsOn = false
  #state: Readonly<TrainerState> | undefined

  constructor(output: ProgressOutput, now: () => number = () => performance.now()) {
    this.#output = output
    this.#now = now
  }

  get isTerminal(): boolean {
    return this.#output.isTTY === true
  }

  onTrainBegin({ args, state }: CallbackContext): void {
    this.#state = state
    this.#started = this.#now()
    this.#barIsOn = this.isTerminal && !args.disableTqdm
    this.#draw(state)
  }

  onStepEnd({ state }: CallbackContext): void {
    if (this.#now() - this.#drawn >= REDRAW_MS) this.#draw(state)
  }

  onLog(record: Readonly<LogRecord>, { state }: CallbackContext): void {
    if (this.isTerminal) this.print(pythonLine(record))
    else this.#output.write(jsonLine(record, state.globalStep))
  }

  /** Prints a line above the bar. */
  print(line: string): void {
    this.#clear()
    this.#output.write(`${line}\n`)
    if (this.#state !== undefined) this.#draw(this.#state)
  }

  onTrainEnd({ state }: CallbackContext): void {
    this.#draw(state)
    this.close()
  }

  /** Leaves the bar where it is and goes to the next line, also after an error. */
  close(): void {
    if (this.#barIsOn) this.#output.write('\n')
    this.#barIsOn = false
  }

  #draw(state: Readonly<TrainerState>): void {
    if (!this.#barIsOn) return
    this.#drawn = this.#now()
    this.#clear()
    const line = barLine(state, (this.#drawn - this.#started) / 1000)
    // A line that wraps could not be cleared.
    this.#output.write(line.slice(0, Math.max(1, (this.#output.columns ?? 80) - 1)))
  }

  #clear(): void {
    if (this.#barIsOn) this.#output.write('\r\x1b[2K')
  }
}

/** ` 45%|█████████           | 45/100 [00:12<00:15] loss 0.4213, 118 pairs/s` */
export function barLine(state: Readonly<TrainerState>, seconds: number): string {
  const { globalStep, maxSteps, samplesSeen, lastLoss } = state
  const share = Math.min(1, globalStep / maxSteps)
  const bar = '█'.repeat(Math.round(share * BAR_WIDTH)).padEnd(BAR_WIDTH)
  const left = globalStep === 0 ? '?' : clock((seconds / globalStep) * (maxSteps - globalStep))
  const parts = []
  if (lastLoss !== undefined) parts.push(`loss ${fourDigits(lastLoss)}`)
  if (globalStep > 0 && seconds > 0) parts.push(`${fourDigits(samplesSeen / seconds)} pairs/s`)
  const percent = `${Math.floor(share * 100)}`.padStart(3)
  return `${percent}%|${bar}| ${globalStep}/${maxSteps} [${clock(seconds)}<${left}] ${parts.join(', ')}`.trimEnd()
}

function clock(seconds: number): string {
  const total = Math.max(0, Math.round(seconds))
  const two = (value: number) => String(value).padStart(2, '0')
  const minutes = `${two(Math.floor(total / 60) % 60)}:${two(total % 60)}`
  return total >= 3600 ? `${Math.floor(total / 3600)}:${minutes}` : minutes
}
