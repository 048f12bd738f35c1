import { invalidArgument } from '../errors.js'

/** Two texts that are scored together. */
export type Pair = readonly [string, string]

/** Scores of pairs. */
export interface Scores {
  /** All pairs, one after the other. */
  data: Float32Array
  /** `[n]` for one label, else `[n, numLabels]`. */
  shape: [number] | [number, number]
  /** The scores of pair `i`, a view of `data`. Throws ERR_INVALID_ARGUMENT unless 0 ≤ i < n. */
  row(i: number): Float32Array
}

export function isPair(input: Pair | readonly Pair[]): input is Pair {
  return Array.isArray(input) && input.length === 2 && typeof input[0] === 'string' && typeof input[1] === 'string'
}

/** A copy that nobody else changes. @throws SentenceTorchError ERR_INVALID_ARGUMENT naming what is no pair of strings. */
export function copyPairs(pairs: readonly Pair[]): Pair[] {
  if (!Array.isArray(pairs)) throw invalidArgument('pairs', 'a pair of strings or an array of pairs', pairs)
  return pairs.map((pair: Pair, i): Pair => {
    if (!isPair(pair)) throw invalidArgument(`pairs[${i}]`, 'two strings', pair)
    return [pair[0], pair[1]]
  })
}

/** Wraps `data` ([count, width]) without copying. */
export function scores(data: Float32Array, count: number, width: number): Scores {
  return {
    data,
    shape: width === 1 ? [count] : [count, width],
    row(i) {
      if (!Number.isInteger(i) || i < 0 || i >= count)
        throw invalidArgument('row', `an integer from 0 to ${count - 1}`, i)
      return data.subarray(i * width, (i + 1) * width)
    },
  }
}
