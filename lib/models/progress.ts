/** Where progress is written: `process.stderr`, or anything like it. */
export interface ProgressOutput {
  write(text: string): unknown
  isTTY?: boolean
}

const REDRAW_MS = 100

/** Shows how many of `total` texts are encoded (or rows searched, …): a line that redraws itself on a terminal, one final line elsewhere. */
export class EncodeProgress {
  private readonly started = performance.now()
  private drawn = Number.NEGATIVE_INFINITY
  /** Texts that are equal to an earlier one, and were not computed again. */
  repeats = 0

  constructor(
    private readonly total: number,
    private readonly output: ProgressOutput = process.stderr,
    private readonly what = 'Encoding',
    private readonly unit = 'texts',
  ) {}

  update(done: number): void {
    const now = performance.now()
    const finished = done === this.total
    if (!finished && (this.output.isTTY !== true || now - this.drawn < REDRAW_MS)) return
    this.drawn = now
    const seconds = (now - this.started) / 1000
    const rate = seconds > 0 ? `, ${Math.round(done / seconds)} ${this.unit}/s` : ''
    const share = finished && this.repeats > 0 ? `, ${Math.round((100 * this.repeats) / this.total)} % repeated` : ''
    const line = `${this.what}: ${done}/${this.total} ${this.unit}${rate}${share}`
    this.output.write(`${this.output.isTTY === true ? '\r\x1b[2K' : ''}${line}${finished ? '\n' : ''}`)
  }
}

/** What tells a progress how far `encodeTexts` is. */
export function progressOf(progress: EncodeProgress) {
  return {
    onDone: (done: number) => progress.update(done),
    onRepeats: (count: number) => {
      progress.repeats = count
    },
  }
}
