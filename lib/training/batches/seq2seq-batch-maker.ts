import { concatTokenized, pack, type Tokenized } from '../../data/pack.js'
import type { PackedBatch } from '../../native/types.js'
import type { AnyBatchMaker, Rows } from './batch.js'
import type { ColumnOptions, Tokenize } from './batch-maker.js'

export interface Seq2SeqBatchOptions {
  tokenize: Tokenize
  /** Options of a column by its name. */
  column: (name: string, isTarget: boolean) => ColumnOptions
  /** The model's limit, for columns without one of their own. */
  maxSeqLength: number
  /** Called at the end with the number of target texts that were cut, if any were, and that of all. */
  onCut: (cut: number, all: number, most: number) => void
}

/** Makes packed batches of sources, the first column, with targets, the second one. */
export class Seq2SeqBatchMaker implements AnyBatchMaker {
  readonly #options: Seq2SeqBatchOptions
  #cut = 0
  #all = 0
  #most = 0

  constructor(options: Seq2SeqBatchOptions) {
    this.#options = options
  }

  /** The batch of `rows` of a checked dataset. */
  async make({ dataset, rows }: Rows): Promise<PackedBatch> {
    const { column, tokenize, maxSeqLength } = this.#options
    const [source, target] = dataset.textColumns as [string, string]
    const read = (name: string, isTarget: boolean) => {
      const texts = dataset.texts(name)
      const { prompt, maxSeqLength: limit = maxSeqLength } = column(name, isTarget)
      return [Array.from(rows, (row) => prompt + texts[row]!), limit] as const
    }
    const batch: PackedBatch = pack([await tokenize(...read(source, false))])
    batch.targets = await this.#targets(...read(target, true))
    return batch
  }

  async close(): Promise<void> {
    if (this.#cut > 0) this.#options.onCut(this.#cut, this.#all, this.#most)
  }

  /** Tokens of target texts. Those that are too long are cut, and counted. */
  async #targets(texts: readonly string[], most: number): Promise<Tokenized> {
    // One token past the limit reveals truncation.
    const { ids, offsets } = await this.#options.tokenize(texts, most + 1)
    this.#all += texts.length
    this.#most = most
    const rows = texts.map((_, i) => ids.subarray(offsets[i]!, offsets[i + 1]!))
    const long = rows.flatMap((row, i) => (row.length > most ? [i] : []))
    if (long.length === 0) return { ids, offsets }
    this.#cut += long.length
    const cut = await this.#options.tokenize(
      long.map((i) => texts[i]!),
      most,
    )
    for (const [n, i] of long.entries()) rows[i] = cut.ids.subarray(cut.offsets[n]!, cut.offsets[n + 1]!)
    return concatTokenized(rows.map((row) => ({ ids: row, offsets: Int32Array.of(0, row.length) })))
  }
}
