/**
 * Passes what one side puts in to a loop on the other side. Nothing is lost, and the side that puts in never waits.
 */
export class TextQueue<T> {
  readonly #items: T[] = []
  #ended = false
  #error: unknown
  #wake: (() => void) | undefined

  put(item: T): void {
    this.#items.push(item)
    this.#wake?.()
  }

  /** @param error thrown in the loop after all items */
  end(error?: unknown): void {
    this.#ended = true
    this.#error = error
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      while (this.#items.length > 0) yield this.#items.shift()!
      if (this.#ended) break
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    if (this.#error !== undefined) throw this.#error
  }
}
