import type { Dataset, Label } from '../data/dataset.js'
import { concatTokenized, pack, type Tokenized } from '../data/pack.js'
import type { BatchSampler } from '../data/samplers/index.js'
import type { Loss } from '../losses/loss.js'
import type { PackedBatch } from '../native/types.js'

/** A dataset as batches of token ids. */
export interface BatchSource {
  sampler: BatchSampler
  maker: Pick<BatchMaker, 'make'>
}

/** Turns texts into token ids; the model's tokenizer. */
export type Tokenize = (texts: readonly string[]) => Promise<Tokenized>

/** Token ids kept for later epochs: 256 MiB of them at most. */
const CACHE_TOKENS = 64 * 1024 * 1024

/** Makes packed batches of a dataset's rows. A text is tokenised when it is first needed and kept for later epochs. */
export class BatchMaker {
  readonly #columns: readonly (readonly string[])[]
  readonly #labels: readonly Label[] | undefined
  readonly #labelType: 'float32' | 'int32'
  readonly #tokenize: Tokenize
  readonly #cache: (Int32Array | undefined)[][]
  #room = CACHE_TOKENS

  /** @param dataset checked by `checkData` */
  constructor(dataset: Dataset, loss: Loss, tokenize: Tokenize) {
    this.#columns = dataset.textColumns.map((name) => dataset.texts(name))
    this.#labels = loss.requirements.labels === 'none' ? undefined : dataset.labels()
    this.#labelType = loss.requirements.labels === 'int' ? 'int32' : 'float32'
    this.#tokenize = tokenize
    this.#cache = this.#columns.map(() => new Array<Int32Array | undefined>(dataset.length))
  }

  /** The batch of `rows`: one call of the tokenizer for all its texts that are not kept yet. */
  async make(rows: Int32Array): Promise<PackedBatch> {
    const tokens = this.#columns.map((_, column) => Array.from(rows, (row) => this.#cache[column]![row]))
    const missing = tokens.flatMap((kept, column) =>
      kept.flatMap((ids, i) => (ids === undefined ? [{ column, i, row: rows[i]! }] : [])),
    )
    if (missing.length > 0) {
      const { ids, offsets } = await this.#tokenize(missing.map(({ column, row }) => this.#columns[column]![row]!))
      missing.forEach(({ column, i, row }, k) => {
        const found = ids.slice(offsets[k]!, offsets[k + 1]!)
        tokens[column]![i] = found
        this.#keep(column, row, found)
      })
    }
    const columns = tokens.map((column) => join(column as Int32Array[]))
    const labels = this.#labels
    if (labels === undefined) return pack(columns)
    return pack(columns, { labels: Array.from(rows, (row) => labels[row]!), labelType: this.#labelType })
  }

  #keep(column: number, row: number, ids: Int32Array): void {
    if (ids.length > this.#room) return
    this.#cache[column]![row] = ids
    this.#room -= ids.length
  }
}

function join(rows: readonly Int32Array[]): Tokenized {
  return concatTokenized(rows.map((ids) => ({ ids, offsets: Int32Array.of(0, ids.length) })))
}

/**
 * The batches of one epoch in groups of `size`, one group per optimiser step; the last may be smaller.
 *
 * @param most groups at most: a sampler that puts rows off may come to more batches than it announced, and the schedule
 *   counts the announced ones (as transformers does)
 */
export async function* batchGroups(
  { sampler, maker }: BatchSource,
  epoch: number,
  size: number,
  most = Number.POSITIVE_INFINITY,
): AsyncGenerator<PackedBatch[], void, undefined> {
  let group: PackedBatch[] = []
  let groups = 0
  for await (const rows of sampler.batches(epoch)) {
    group.push(await maker.make(rows))
    if (group.length < size) continue
    yield group
    if (++groups === most) return
    group = []
  }
  if (group.length > 0) yield group
}

/** Rows of the dataset in a batch. */
export function rowsOf(batch: PackedBatch): number {
  return (batch.offsets.length - 1) / batch.columns
}
