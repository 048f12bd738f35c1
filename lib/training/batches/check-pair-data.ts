import type { Dataset } from '../../data/dataset.js'
import { describe, SentenceTorchError } from '../../errors.js'
import type { CrossEncoderLoss } from '../../losses/cross-encoder/loss.js'
import { checkData, checkInputs } from './check-data.js'

/**
 * Checks all rows of a dataset against what a loss of cross-encoders takes.
 *
 * @param numLabels of the model
 * @param which `trainDataset` or `evalDataset`, for the message
 * @returns a warning when there is a label column that the loss does not use
 * @throws ERR_INVALID_DATA with the row
 */
export function checkPairData(
  dataset: Dataset,
  loss: CrossEncoderLoss,
  which: string,
  numLabels: number,
): string | undefined {
  if (loss.pairing.kind === 'lists') {
    checkLists(dataset, loss, which)
    return undefined
  }
  const { type, requirements } = loss
  const classes = requirements.labels === 'int' ? { numLabels } : {}
  const spec = loss.spec.bind(loss)
  const warning = checkData(dataset, { type, spec, requirements: { ...requirements, ...classes } }, which)
  checkMargins(dataset, loss, which)
  for (const name of dataset.textColumns) dataset.texts(name)
  return warning
}

function checkLists(dataset: Dataset, loss: CrossEncoderLoss, which: string): void {
  const [query, documents, ...more] = dataset.textColumns
  if (dataset.length === 0) throw invalidData(`Expected at least one row in ${which}, found none`)
  checkInputs(dataset, which)
  const label = dataset.labelColumn
  if (query === undefined || documents === undefined || more.length > 0 || label === undefined) {
    const found = `${dataset.textColumns.join(', ') || 'none'}${label === undefined ? '' : ` and the labels ${label}`}`
    throw invalidData(
      `${loss.type} takes a column of queries, one of lists of documents, and labels: a list of numbers for each row; ` +
        `${which} has ${found}`,
    )
  }
  dataset.texts(query)
  const lists = dataset.textLists(documents)
  const labels = dataset.labels()!
  for (let row = 0; row < lists.length; row++) {
    const value = labels[row]!
    if (lists[row]!.length === 0) throw invalidData(`Row ${row}, column ${documents} of ${which} has no document`)
    if (!Array.isArray(value) || value.length !== lists[row]!.length) {
      throw invalidData(
        `Expected ${lists[row]!.length} labels in row ${row}, column ${label} of ${which}, one for each document, ` +
          `but found ${describe(value)} (for ${loss.type})`,
      )
    }
  }
}

/** There has to be a margin per negative, or a score for the positive and every negative. */
function checkMargins(dataset: Dataset, loss: CrossEncoderLoss, which: string): void {
  if (loss.requirements.labels !== 'floats') return
  const negatives = dataset.textColumns.length - 2
  const value = dataset.labels()![0]
  const width = Array.isArray(value) ? value.length : 1
  if (width === negatives || width === negatives + 1) return
  throw invalidData(
    `${loss.type} with ${negatives} negatives needs ${negatives} margins or ${negatives + 1} scores as labels; ` +
      `${which} has ${width}`,
  )
}

function invalidData(message: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_DATA', message)
}
