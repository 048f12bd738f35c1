import { TimeSlice } from '../data/time-slice.js'

/** Positions that are sorted at once: about a millisecond. */
const RUN = 2048

/**
 * The positions of `scores` from the largest to the smallest. Equal scores keep their order, as in Python's `sorted(…,
 * reverse=True)`.
 */
export function descendingOrder(scores: ArrayLike<number>): Promise<Uint32Array> {
  return orderOf(scores.length, (a, b) => scores[b]! - scores[a]!)
}

/**
 * The positions 0 … count − 1 in the order of `compare`. Equal ones keep their order. A merge sort in slices, so that many
 * entries do not block the event loop.
 */
export async function orderOf(count: number, compare: (a: number, b: number) => number): Promise<Uint32Array> {
  const slice = new TimeSlice()
  let order = new Uint32Array(count)
  for (let i = 0; i < count; i++) order[i] = i
  for (let start = 0; start < count; start += RUN) {
    order.subarray(start, start + RUN).sort(compare)
    await slice.yield()
  }
  let spare = new Uint32Array(count)
  for (let run = RUN; run < count; run *= 2) {
    for (let start = 0; start < count; start += 2 * run) {
      const [middle, end] = [Math.min(start + run, count), Math.min(start + 2 * run, count)]
      for (let to = start, left = start, right = middle; to < end; to++) {
        const takeLeft = left < middle && (right >= end || !(compare(order[left]!, order[right]!) > 0))
        spare[to] = order[takeLeft ? left++ : right++]!
        if (to % RUN === 0) await slice.yield()
      }
    }
    ;[order, spare] = [spare, order]
  }
  return order
}
