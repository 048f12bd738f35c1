import { Random } from '../../data/random.js'
import type { MiningPlan } from './options.js'
import type { Skipped } from './statistics-types.js'

/** Chooses the negatives of one query after another. Arithmetic in float32, like the reference's tensors. */
export class NegativeSelector {
  readonly #plan: MiningPlan
  readonly #rangeMax: number
  readonly #width: number
  readonly #random: Random
  readonly #skipped = { absoluteMargin: 0, relativeMargin: 0, maxScore: 0, minScore: 0, judge: 0 }
  #candidates = 0

  /**
   * @param width number of candidates for each query, also where the corpus has less: `rangeMax` + the highest number of
   * positives
   */
  constructor(plan: MiningPlan, rangeMax: number, width: number) {
    this.#plan = plan
    this.#rangeMax = rangeMax
    this.#width = width
    this.#random = new Random(plan.seed)
  }

  /**
   * Positions in `scores` of the negatives, the best first. Equal scores keep their order. With a judge these are all that it may
   * be asked about, in the order in which it is.
   * @param isPositive whether the candidate at a position answers the query
   * @param lowest score of the query's lowest positive
   */
  select(scores: ArrayLike<number>, isPositive: (position: number) => boolean, lowest: number): number[] {
    const { rangeMin, includePositives, samplingStrategy, minScore, judge } = this.#plan
    const count = judge === undefined ? this.#plan.numNegatives : scores.length
    const kept: number[] = []
    this.#candidates += this.#width
    for (let i = 0; i < scores.length; i++) {
      if (!includePositives && isPositive(i)) continue
      const score = scores[i]!
      if (score === Number.NEGATIVE_INFINITY || this.#isTooGood(score, lowest)) continue
      // The reference also counts earlier refusals here. This counts only those of this bound.
      if (minScore !== undefined && score < Math.fround(minScore)) this.#skipped.minScore++
      else kept.push(i)
    }
    kept.sort((a, b) => scores[b]! - scores[a]! || a - b)
    const range = kept.slice(rangeMin, this.#rangeMax)
    if (samplingStrategy === 'top') return range.slice(0, count)
    const sample = this.#sample(range.length, count)
    // A judge gets them as they were drawn: the first ones that it leaves are a random choice.
    if (judge === undefined) sample.sort((a, b) => a - b)
    return sample.map((position) => range[position]!)
  }

  /** Counts candidates that a judge took for answers. */
  judged(count: number): void {
    this.#skipped.judge += count
  }

  get skipped(): Skipped[] {
    const found: Skipped[] = []
    let candidates = this.#candidates
    for (const reason of ['absoluteMargin', 'relativeMargin', 'maxScore', 'minScore', 'judge'] as const) {
      const count = this.#skipped[reason]
      if (count === 0) continue
      found.push({ reason, count, ratio: count / candidates })
      if (reason.endsWith('Margin')) candidates -= count
    }
    return found
  }

  #isTooGood(score: number, lowest: number): boolean {
    const { absoluteMargin, relativeMargin, maxScore } = this.#plan
    if (absoluteMargin !== undefined && Math.fround(score + Math.fround(absoluteMargin)) > lowest) {
      this.#skipped.absoluteMargin++
      return true
    }
    if (relativeMargin !== undefined) {
      const margin = Math.fround(Math.abs(lowest) * Math.fround(relativeMargin))
      if (score > Math.fround(lowest - margin)) {
        this.#skipped.relativeMargin++
        return true
      }
    }
    if (maxScore === undefined || !(score > Math.fround(maxScore))) return false
    this.#skipped.maxScore++
    return true
  }

  /** `count` different numbers below `bound`, or all if there are fewer. */
  #sample(bound: number, count: number): number[] {
    const numbers = Array.from({ length: bound }, (_, i) => i)
    const taken = Math.min(count, bound)
    for (let i = 0; i < taken; i++) {
      const j = i + this.#random.below(bound - i)
      const chosen = numbers[j]!
      numbers[j] = numbers[i]!
      numbers[i] = chosen
    }
    return numbers.slice(0, taken)
  }
}
