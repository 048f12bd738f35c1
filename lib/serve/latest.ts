/** The last durations, for people who look at a server now: a histogram of its whole life hides what is new. */
export class Latest {
  readonly #values: Float64Array
  #count = 0

  constructor(size: number) {
    this.#values = new Float64Array(size)
  }

  record(milliseconds: number): void {
    this.#values[this.#count++ % this.#values.length] = milliseconds
  }

  /** Null where nothing was recorded yet. */
  quantiles(): { requests: number; p50: number | null; p99: number | null } {
    const kept = this.#values.slice(0, this.#count).sort()
    const at = (share: number) => (kept.length === 0 ? null : kept[Math.ceil(share * kept.length) - 1]!)
    return { requests: this.#count, p50: at(0.5), p99: at(0.99) }
  }
}
