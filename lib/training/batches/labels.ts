import { singleLabel } from '../../data/columns.js'
import { SentenceTorchError } from '../../errors.js'
import type { LossRequirements } from '../../losses/loss.js'
import type { PackedBatch } from '../../native/types.js'

/** Numbers, or arrays of numbers, or arrays of those. */
export type NestedLabel = number | readonly NestedLabel[]

/** The labels of a checked batch, in the form that its loss takes. */
export function batchLabels(
  labels: readonly NestedLabel[],
  { labels: kind }: LossRequirements,
): Pick<PackedBatch, 'labels' | 'labelShape'> {
  if (kind === 'floats') return packLabels(labels, 'float32')
  const singles = labels.map(singleLabel) as NestedLabel[]
  // Class numbers, or an array of class probabilities for each row.
  return packLabels(singles, kind === 'int' && typeof singles[0] === 'number' ? 'int32' : 'float32')
}

/** Labels of a batch as the engine takes them, with their shape: [rows], [rows, width] or [rows, columns, width]. */
export function packLabels(
  labels: readonly NestedLabel[],
  type: 'float32' | 'int32',
): Pick<PackedBatch, 'labels' | 'labelShape'> {
  const labelShape = [labels.length]
  for (let inner: NestedLabel | undefined = labels[0]; typeof inner === 'object'; inner = inner[0]) {
    labelShape.push(inner.length)
  }
  const size = labelShape.reduce((product, n) => product * n, 1)
  const values = type === 'int32' ? new Int32Array(size) : new Float32Array(size)
  let at = 0
  const put = (label: NestedLabel, depth: number, row: number): void => {
    if (typeof label === 'number') {
      if (depth !== labelShape.length) throw uneven(row)
      values[at++] = label
      return
    }
    if (depth >= labelShape.length || label.length !== labelShape[depth]) throw uneven(row)
    for (const entry of label) put(entry, depth + 1, row)
  }
  labels.forEach((label, row) => {
    put(label, 1, row)
  })
  return { labels: values, labelShape }
}

function uneven(row: number): SentenceTorchError {
  return new SentenceTorchError(
    'ERR_INVALID_DATA',
    `The label of row ${row} of a batch has another length than that of row 0: all must have one shape`,
  )
}
