import { Turns } from '../data/turns.js'

/** Positions sorted at once: about a millisecond. */
const RUN = 4096

/**
 * The positions of `scores` from the largest to the smallest, equal ones in their order: what Python's `sorted(…,
 * reverse=True)` gives. A merge sort that gives turns, so that many scores do not keep the event loop.
 */
export async function descendingOrder(scores: ArrayLike<number>): Promise<Uint32Array> {
  const turns = new Turns()
  const count = scores.length
  let order = new Uint32Array(count)
  for (let i = 0; i < count; i++) order[i] = i
  for (let start = 0; start < count; start += RUN) {
    order.subarray(start, start + RUN).sort((a, b) => scores[b]! - scores[a]!)
    await turns.give()
  }
  let spare = new Uint32Array(count)
  for (let run = RUN; run < count; run *= 2) {
    for (let start = 0; start < count; start += 2 * run) {
      const [middle, end] = [Math.min(start + run, count), Math.min(start + 2 * run, count)]
      for (let to = start, left = start, right = middle; to < end; to++) {
        const takeLeft = left < middle && (right >= end || !(scores[order[right]!]! > scores[order[left]!]!))
        spare[to] = order[takeLeft ? left++ : right++]!
        if (to % RUN === 0) await turns.give()
      }
    }
    ;[order, spare] = [spare, order]
  }
  return order
}
