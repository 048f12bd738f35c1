import type { Dataset } from '../../data/dataset.js'
import { TokenCache } from '../../data/token-cache.js'

/** The token caches on disk of one batch maker: one cache per column of a dataset. */
export class TokenCaches {
  readonly #opened = new Map<Dataset, Map<string, Promise<TokenCache>>>()

  /**
   * @param folder the argument `tokenCacheDir`
   * @param fingerprint of the tokenizer of a column
   */
  constructor(
    private readonly folder: string,
    private readonly fingerprint: (column: string) => Promise<string>,
  ) {}

  /** The cache of a column whose texts are read with this prompt and cut to this length. */
  of(dataset: Dataset, column: string, prompt: string, maxLength: number): Promise<TokenCache> {
    const columns = this.#opened.get(dataset) ?? new Map<string, Promise<TokenCache>>()
    this.#opened.set(dataset, columns)
    let cache = columns.get(column)
    if (cache === undefined) {
      cache = this.#open(dataset.texts(column), column, prompt, maxLength)
      columns.set(column, cache)
    }
    return cache
  }

  /** Writes new rows to the disk, for later runs. */
  async close(): Promise<void> {
    for (const columns of this.#opened.values()) {
      for (const opening of columns.values()) {
        const cache = await opening.catch(() => undefined)
        await cache?.finish()
        await cache?.close()
      }
    }
    this.#opened.clear()
  }

  async #open(columnTexts: readonly string[], column: string, prompt: string, maxLength: number): Promise<TokenCache> {
    const tokenizerKey = JSON.stringify([await this.fingerprint(column), prompt])
    return TokenCache.open(this.folder, { columnTexts, tokenizerKey, maxLength })
  }
}
