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
    const line = `${this.what}: ${done}/${this.total} ${this.unit}${rate}`
    this.output.write(`${this.output.isTTY === true ? '\r\x1b[2K' : ''}${line}${finished ? '\n' : ''}`)
  }
}
