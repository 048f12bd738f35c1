import { invalidArgument } from '../errors.js'

/**
 * The row number for `index`. A negative index counts from the end: −1 is the last row.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT for anything but a whole number within the rows
 */
export function rowNumber(index: number, rows: number): number {
  const number = index < 0 ? index + rows : index
  if (Number.isInteger(number) && number >= 0 && number < rows) return number
  const expected = rows === 0 ? 'no index, since there are no rows,' : `an integer from ${-rows} to ${rows - 1}`
  throw invalidArgument('index', expected, index)
}

/** The row numbers for `indices`. */
export function rowNumbers(indices: ArrayLike<number> | Iterable<number>, rows: number): Int32Array {
  const isList =
    typeof indices === 'object' && indices !== null && ('length' in indices || Symbol.iterator in Object(indices))
  if (!isList) throw invalidArgument('indices', 'an array of row numbers', indices)
  return Int32Array.from(Array.from(indices, (index) => rowNumber(index, rows)))
}
