import type { Dataset, Label } from '../../data/dataset.js'
import type { TokenizedPairs } from '../../data/pairs.js'
import { Random } from '../../data/random.js'
import type { CrossEncoderLoss, Pairing } from '../../losses/cross-encoder/loss.js'
import type { PackedBatch } from '../../native/types.js'
import type { AnyBatchMaker, BatchPosition, Rows } from './batch.js'
import { batchLabels } from './labels.js'

export interface CrossEncoderBatchOptions {
  loss: Pick<CrossEncoderLoss, 'pairing' | 'requirements'>
  /** Turns pairs into token ids. */
  tokenize: (first: readonly string[], second: readonly string[]) => Promise<TokenizedPairs>
  /** Seed of the random negatives. */
  seed: number
}

/** Texts of pairs, column after column. */
interface PairTexts {
  first: string[]
  second: string[]
  columns: number
  /** For lists of different lengths: where the documents of each query begin, then the end. */
  lists?: Int32Array
}

/** Makes packed batches of pairs for one loss of cross-encoders. */
export class CrossEncoderBatchMaker implements AnyBatchMaker {
  readonly #options: CrossEncoderBatchOptions

  constructor(options: CrossEncoderBatchOptions) {
    this.#options = options
  }

  /** The batch of `rows` of a checked dataset. The same rows, seed and position give the same batch. */
  async make({ dataset, rows }: Rows, position: BatchPosition): Promise<PackedBatch> {
    const { loss, tokenize, seed } = this.#options
    const { pairing, requirements } = loss
    const { first, second, columns, lists } = pairTexts(pairing, dataset, rows, () => {
      return new Random(seed, position.epoch, position.index)
    })
    const { ids, offsets, tokenTypes } = await tokenize(first, second)
    const batch: PackedBatch = { ids, offsets, ...(tokenTypes && { tokenTypes }), columns, ...(lists && { lists }) }
    const labels = requirements.labels === 'none' ? undefined : dataset.labels()
    if (labels === undefined) return batch
    const chosen = Array.from(rows, (row) => labels[row]! as Label)
    return { ...batch, ...batchLabels(lists ? chosen.flat() : chosen, requirements) }
  }
}

function pairTexts(pairing: Pairing, dataset: Dataset, rows: Int32Array, random: () => Random): PairTexts {
  const [query, ...others] = dataset.textColumns as [string, ...string[]]
  const of = (name: string) => {
    const texts = dataset.texts(name)
    return Array.from(rows, (row) => texts[row]!)
  }
  const queries = of(query)
  if (pairing.kind === 'lists') {
    const all = dataset.textLists(others[0]!)
    const documents = Array.from(rows, (row) => all[row]!)
    const lists = new Int32Array(rows.length + 1)
    documents.forEach((list, i) => {
      lists[i + 1] = lists[i]! + list.length
    })
    const first = documents.flatMap((list, i) => list.map(() => queries[i]!))
    return { first, second: documents.flat(), columns: 1, lists }
  }
  const columns = others.map(of)
  const [positives, ...negatives] = columns as [string[], ...string[][]]
  const drawn = pairing.kind === 'ranking' ? inBatchNegatives(columns, pairing.numNegatives, random()) : []
  const second = [positives, ...drawn, ...negatives]
  return { first: second.flatMap(() => queries), second: second.flat(), columns: second.length }
}

/**
 * Columns of texts of other rows: `count` texts for each row, drawn without repetition from the positives and hard negatives of
 * the other rows. If there are not more than `count`, all of them in order.
 * Source: sentence-transformers `MultipleNegativesRankingLoss.get_in_batch_negatives` of cross-encoders.
 * @param columns positives, then hard negatives: texts by row
 */
export function inBatchNegatives(
  columns: readonly (readonly string[])[],
  count: number | null,
  random: Random,
): string[][] {
  const rows = columns[0]!.length
  const available = (rows - 1) * columns.length
  const chosen = count !== null && count < available ? count : available
  const byRow = Array.from({ length: rows }, (_, row) => {
    const numbers =
      chosen < available ? distinct(chosen, available, random) : Array.from({ length: chosen }, (_, i) => i)
    return numbers.map((number) => {
      const other = number % (rows - 1)
      return columns[Math.floor(number / (rows - 1))]![other < row ? other : other + 1]!
    })
  })
  return Array.from({ length: chosen }, (_, i) => byRow.map((texts) => texts[i]!))
}

/** `count` different numbers below `bound`: the first steps of a shuffle that stores only the entries that moved. */
function distinct(count: number, bound: number, random: Random): number[] {
  const moved = new Map<number, number>()
  return Array.from({ length: count }, (_, i) => {
    const j = i + random.below(bound - i)
    const found = moved.get(j) ?? j
    moved.set(j, moved.get(i) ?? i)
    return found
  })
}
