import { SentenceTorchError } from '../errors.js'
import type { PackedBatch } from '../native/types.js'

/** Token ids of several texts without padding: text i is `ids[offsets[i]] … ids[offsets[i + 1] - 1]`. */
export interface Tokenized {
  ids: Int32Array
  /** Rising values from 0 to `ids.length`, one more than there are texts. */
  offsets: Int32Array
}

export interface PackOptions {
  /** One label (or one vector of equal length) per row. */
  labels?: readonly (number | readonly number[])[]
  /**
   * The type that the loss expects: scores (float32, the default) or class numbers (int32). It is never guessed from a
   * batch.
   */
  labelType?: 'float32' | 'int32'
  /** Per column and row: number of leading tokens that belong to the prompt. */
  promptLengths?: readonly ArrayLike<number>[]
}

/**
 * Joins the tokenised text columns of a batch into one stream, column by column: all anchors, then all positives, …
 * @throws SentenceTorchError ERR_INVALID_DATA when columns, labels or prompt lengths do not fit together.
 */
export function pack(columns: readonly Tokenized[], options: PackOptions = {}): PackedBatch {
  const first = columns[0]
  if (!first)
    throw new SentenceTorchError('ERR_INVALID_DATA', 'Expected at least one text column in a batch, found none')
  const rows = first.offsets.length - 1
  let tokens = 0
  columns.forEach((column, c) => {
    const found = column.offsets.length - 1
    if (found !== rows) throw misfit(`${rows} texts in column ${c} of the batch, as in column 0`, `${found}`)
    tokens += column.ids.length
  })

  const ids = new Int32Array(tokens)
  const offsets = new Int32Array(columns.length * rows + 1)
  let at = 0
  columns.forEach((column, c) => {
    ids.set(column.ids, at)
    for (let row = 0; row < rows; row++) offsets[c * rows + row + 1] = at + column.offsets[row + 1]!
    at += column.ids.length
  })
  const batch: PackedBatch = { ids, offsets, columns: columns.length }
  if (options.labels) Object.assign(batch, packLabels(options.labels, options.labelType ?? 'float32', rows))
  if (options.promptLengths) batch.promptLengths = packPromptLengths(options.promptLengths, columns.length, rows)
  return batch
}

/** The rows `rows` of `source`, in that order, with what it has for each token or row. */
export function selectRows<T extends Tokenized & { tokenTypes?: Int32Array; attended?: Int32Array }>(
  source: T,
  rows: ArrayLike<number>,
): Pick<T, 'ids' | 'offsets' | 'tokenTypes' | 'attended'> {
  const offsets = new Int32Array(rows.length + 1)
  for (let i = 0; i < rows.length; i++) {
    offsets[i + 1] = offsets[i]! + source.offsets[rows[i]! + 1]! - source.offsets[rows[i]!]!
  }
  const gather = (values: Int32Array): Int32Array => {
    const out = new Int32Array(offsets[rows.length]!)
    for (let i = 0; i < rows.length; i++) {
      out.set(values.subarray(source.offsets[rows[i]!]!, source.offsets[rows[i]! + 1]!), offsets[i]!)
    }
    return out
  }
  const { tokenTypes, attended } = source
  return {
    ...{ ids: gather(source.ids), offsets },
    ...(tokenTypes && { tokenTypes: gather(tokenTypes) }),
    ...(attended && { attended: Int32Array.from(rows, (row) => attended[row]!) }),
  }
}

/** The rows `start` … `end` - 1, without a copy of their tokens. */
export function sliceRows({ ids, offsets }: Tokenized, start: number, end: number): Tokenized {
  const from = offsets[start]!
  const own = offsets.subarray(start, end + 1)
  return { ids: ids.subarray(from, offsets[end]), offsets: from === 0 ? own : own.map((offset) => offset - from) }
}

/** Several tokenised lists as one, in order. */
export function concatTokenized(parts: readonly Tokenized[]): Tokenized {
  const offsets = new Int32Array(parts.reduce((sum, part) => sum + part.offsets.length - 1, 1))
  const ids = new Int32Array(parts.reduce((sum, part) => sum + part.ids.length, 0))
  let row = 0
  let at = 0
  for (const part of parts) {
    ids.set(part.ids, at)
    for (let i = 1; i < part.offsets.length; i++) offsets[++row] = at + part.offsets[i]!
    at += part.ids.length
  }
  return { ids, offsets }
}

function packLabels(
  labels: readonly (number | readonly number[])[],
  type: 'float32' | 'int32',
  rows: number,
): Pick<PackedBatch, 'labels' | 'labelShape'> {
  if (labels.length !== rows) throw misfit(`${rows} labels, one per row of the batch`, `${labels.length}`)
  const head = labels[0]
  const width = Array.isArray(head) ? head.length : undefined
  const values = type === 'int32' ? new Int32Array(rows * (width ?? 1)) : new Float32Array(rows * (width ?? 1))
  let at = 0
  labels.forEach((label, row) => {
    const entries: readonly number[] = typeof label === 'number' ? [label] : label
    if ((typeof label === 'number') !== (width === undefined) || entries.length !== (width ?? 1)) {
      throw misfit(
        width === undefined ? `a number as label of row ${row}` : `${width} values in the label of row ${row}`,
        typeof label === 'number' ? `the number ${label}` : `${label.length} values`,
      )
    }
    for (const value of entries) {
      if (type === 'int32' && value !== (value | 0)) throw misfit(`a whole number as label of row ${row}`, `${value}`)
      values[at++] = value
    }
  })
  return { labels: values, labelShape: width === undefined ? [rows] : [rows, width] }
}

function packPromptLengths(lengths: readonly ArrayLike<number>[], columns: number, rows: number): Int32Array {
  if (lengths.length !== columns) throw misfit(`prompt lengths of ${columns} columns`, `those of ${lengths.length}`)
  const packed = new Int32Array(columns * rows)
  lengths.forEach((column, c) => {
    if (column.length !== rows) throw misfit(`${rows} prompt lengths in column ${c}`, `${column.length}`)
    packed.set(column, c * rows)
  })
  return packed
}

function misfit(expected: string, found: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_DATA', `Expected ${expected}, found ${found}`)
}
