import type { Dataset, Label } from '../data/dataset.js'
import { SentenceTorchError } from '../errors.js'

/**
 * The labels of all rows, or undefined without a label column.
 * @throws ERR_INVALID_DATA that names the file of a row without a label, and what a config or the program does about it
 */
export function labelsOf(dataset: Dataset, source: string): readonly Label[] | undefined {
  const { labelColumn } = dataset
  if (labelColumn === undefined) return undefined
  const row = dataset.column(labelColumn).findIndex((label) => Number.isNaN(label))
  if (row === -1) return dataset.labels()
  const message =
    `Expected a label in column "${labelColumn}", row ${row} (from 0) of ${source}, found none; ` +
    'skipBadRows (--skip-bad-rows) leaves such rows out'
  throw new SentenceTorchError('ERR_INVALID_DATA', message)
}
