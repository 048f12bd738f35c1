/** Texts that arrive in pieces of any size, taken in other sizes. */
export class TextCursor {
  readonly #pieces: AsyncIterator<readonly string[]>
  #piece: readonly string[] = []
  #at = 0
  #ended = false

  constructor(pieces: AsyncIterable<readonly string[]>) {
    this.#pieces = pieces[Symbol.asyncIterator]()
  }

  /** The next texts, `most` of them or, at the end, fewer. */
  async take(most: number): Promise<string[]> {
    const taken: string[] = []
    while (taken.length < most && (await this.#fill())) {
      const end = Math.min(this.#piece.length, this.#at + most - taken.length)
      while (this.#at < end) taken.push(this.#piece[this.#at++]!)
    }
    return taken
  }

  /** Whether there are more. */
  hasMore(): Promise<boolean> {
    return this.#fill()
  }

  /** Closes the source. */
  async close(): Promise<void> {
    if (!this.#ended) await this.#pieces.return?.()
  }

  async #fill(): Promise<boolean> {
    while (this.#at === this.#piece.length && !this.#ended) {
      const { done, value } = await this.#pieces.next()
      if (done) this.#ended = true
      else this.#piece = value
      this.#at = 0
      if (done) this.#piece = []
    }
    return !this.#ended
  }
}
