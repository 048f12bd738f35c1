/** Pairs of texts that belong together, as ranking losses take them. */
import { Dataset } from '../data/dataset.js'
import { SentenceTorchError } from '../errors.js'
import { type NliPairsOptions, nliPairs, nliRows } from './nli-rows.js'

export interface RankingPairs {
  /** Columns `anchor`, `positive` and perhaps `negative`; of given pairs their own columns. */
  dataset: Dataset
  /** Rows that were left out, by reason. */
  counts: Record<string, number>
}

/**
 * Pairs of data sets of one kind: NLI rows, which have labels, as {@link nliPairs} makes pairs of them, or rows of two texts or more
 * that belong together, as they are.
 * @throws ERR_INVALID_DATA for rows of neither kind
 */
export async function rankingPairs(datasets: readonly Dataset[], options: NliPairsOptions): Promise<RankingPairs> {
  if (datasets.some(({ labelColumn }) => labelColumn !== undefined)) {
    const { dataset: rows, dropped } = await nliRows(datasets)
    const { dataset, withoutNegative } = await nliPairs(rows, options)
    return { dataset, counts: { rowsWithoutLabel: dropped, pairsWithoutNegative: withoutNegative } }
  }
  const dataset = await Dataset.concatenate(datasets)
  const others = dataset.columnNames.filter((name) => dataset.columnKind(name) !== 'text')
  if (dataset.columnNames.length < 2 || others.length > 0) {
    const message = `Expected NLI rows (premise, hypothesis, label) or at least two columns of texts that belong together, found ${dataset.columnNames.join(', ')}`
    throw new SentenceTorchError('ERR_INVALID_DATA', message)
  }
  return { dataset, counts: {} }
}
