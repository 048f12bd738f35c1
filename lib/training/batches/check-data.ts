import { singleLabel } from '../../data/columns.js'
import type { Dataset } from '../../data/dataset.js'
import { labelNames } from '../../data/readers/table.js'
import { describe, SentenceTorchError } from '../../errors.js'
import type { Loss } from '../../losses/loss.js'

/**
 * Checks all rows of a dataset against what the loss takes, so that nothing fails in the middle of a run.
 *
 * @param which `trainDataset` or `evalDataset`, for the message
 * @returns a warning when there is a label column that the loss does not use
 * @throws ERR_INVALID_DATA for an empty dataset, a wrong number of text columns, missing labels, or labels out of range, with
 *   their row
 */
export function checkData(dataset: Dataset, loss: Loss, which: string): string | undefined {
  const { minColumns, maxColumns, labels } = loss.requirements
  const texts = dataset.textColumns
  if (dataset.length === 0) throw invalidData(`Expected at least one row in ${which}, found none`)
  checkInputs(dataset, which)
  if (texts.length < minColumns || texts.length > maxColumns) {
    const expected =
      minColumns === maxColumns
        ? `${minColumns}`
        : maxColumns === Infinity
          ? `at least ${minColumns}`
          : `${minColumns} to ${maxColumns}`
    throw invalidData(
      `${loss.type} takes ${expected} text columns; ${which} has ${texts.length} (${texts.join(', ') || 'none'})` +
        (dataset.labelColumn === undefined ? '' : ` and the label column ${dataset.labelColumn}`),
    )
  }
  // Throws for columns of lists, which these losses do not take.
  for (const name of texts) dataset.texts(name)
  if (labels === 'none') {
    return dataset.labelColumn === undefined
      ? undefined
      : `${loss.type} uses no labels: the column ${dataset.labelColumn} of ${which} is left aside`
  }
  if (dataset.labelColumn === undefined) {
    if (texts.length >= (loss.requirements.labelsOptionalFrom ?? Infinity)) return undefined
    throw invalidData(
      `${loss.type} needs a label column named label, labels, score or scores; ${which} has only ${texts.join(', ')}` +
        (texts.length < 2
          ? ''
          : '. For texts that belong together, without labels, take MultipleNegativesRankingLoss as loss'),
    )
  }
  checkLabels(dataset, loss, which)
  return undefined
}

/**
 * Refuses columns that hold neither texts nor lists of texts, but numbers (such as the index of pandas) or structures.
 *
 * @param which `trainDataset` or `evalDataset`, for the message
 * @throws ERR_INVALID_DATA with the column and a remedy
 */
export function checkInputs(dataset: Dataset, which: string): void {
  const name = dataset.textColumns.find((name) => dataset.columnKind(name) === 'other')
  if (name === undefined) return
  const quoted = name.includes("'") ? JSON.stringify(name) : `'${name}'`
  const label = labelNames.find((label) => label === name.trim().toLowerCase())
  const remedy =
    label !== undefined && dataset.labelColumn === undefined
      ? `if it is the label column, renameColumns({ ${quoted}: '${label}' })`
      : `removeColumns([${quoted}]) leaves it out` +
        (dataset.labelColumn === undefined ? '' : ` (labels are taken from ${JSON.stringify(dataset.labelColumn)})`)
  const row = dataset.column(name).findIndex((value) => value !== null)
  throw invalidData(
    `Expected texts in column "${name}" of ${which}, found ${describe(dataset.column(name)[Math.max(row, 0)])} in row ` +
      `${Math.max(row, 0)}: every column but the labels is an input; ${remedy}`,
  )
}

function checkLabels(dataset: Dataset, loss: Loss, which: string): void {
  const { labels, numLabels, probabilities } = loss.requirements
  const name = dataset.labelColumn!
  const column = dataset.column(name)
  if (probabilities && Array.isArray(singleLabel(column[0]))) {
    checkProbabilities(column, numLabels!, loss, which, name)
    return
  }
  const shape = labels === 'floats' ? shapeOf(column[0]) : []
  const [least, most] = numLabels === undefined ? [-(2 ** 31), 2 ** 31 - 1] : [0, numLabels - 1]
  const isClass = (value: unknown) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most
  for (let row = 0; row < column.length; row++) {
    const value: unknown = labels === 'floats' ? column[row] : singleLabel(column[row])
    if (labels === 'int' ? !isClass(value) : !hasShape(value, shape)) {
      const expected =
        labels === 'int'
          ? numLabels === undefined
            ? 'a whole number'
            : `a whole number from 0 to ${most}`
          : shape.length === 0
            ? 'a finite number'
            : `an array of finite numbers of shape [${shape}], as in row 0,`
      throw invalidData(
        `Expected ${expected} in row ${row}, column ${name} of ${which} but found ${describe(value)} (for ${loss.type})` +
          (Number.isNaN(value) || value === -1 ? '; dropUnlabelled() leaves rows without a label out' : ''),
      )
    }
  }
}

/** The sum of probabilities that were written with two digits may differ from 1 by this much. */
const SUM_TOLERANCE = 0.02

function checkProbabilities(column: readonly unknown[], count: number, loss: Loss, which: string, name: string): void {
  for (const [row, value] of column.entries()) {
    const sum = hasShape(value, [count]) ? (value as number[]).reduce((total, p) => (p < 0 ? NaN : total + p), 0) : NaN
    if (Math.abs(sum - 1) <= SUM_TOLERANCE) continue
    const found = Array.isArray(value) && value.length === count ? `[${value.join(', ')}]` : describe(value)
    throw invalidData(
      `Expected ${count} probabilities that sum to 1, as in row 0, in row ${row}, column ${name} of ${which} ` +
        `but found ${found} (for ${loss.type})`,
    )
  }
}

function shapeOf(value: unknown): number[] {
  return Array.isArray(value) ? [value.length, ...shapeOf(value[0])] : []
}

function hasShape(value: unknown, [size, ...rest]: readonly number[]): boolean {
  if (size === undefined) return typeof value === 'number' && Number.isFinite(value)
  return Array.isArray(value) && value.length === size && value.every((entry) => hasShape(entry, rest))
}

function invalidData(message: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_DATA', message)
}
