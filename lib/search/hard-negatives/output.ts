import type { TimeSlice } from '../../data/time-slice.js'
import type { MiningPlan } from './options.js'
import type { Pairs } from './pairs.js'

/** The mined negatives: for each query its negatives (rows of the corpus) and their scores, for each positive its score. */
export interface Mined {
  negatives: number[][]
  negativeScores: number[][]
  /** In the order of `pairs.positives`. */
  positiveScores: number[][]
}

export interface MinedColumns {
  columns: Record<string, unknown[]>
  /** The columns in order. The keys of an object do not always show that order. */
  names: string[]
  /** Scores of the negatives in the result, once for every positive of their query, and the positive's lead. */
  negativeScores: number[]
  differences: number[]
  /** Limit of rows. */
  possible: number
}

/** The columns of the result in the plan's format. */
export async function toColumns(pairs: Pairs, mined: Mined, plan: MiningPlan, slice: TimeSlice): Promise<MinedColumns> {
  const { queries, positives, anchorColumn, positiveColumn } = pairs
  const table = new FORMATS[plan.outputFormat](pairs, plan)
  const result: MinedColumns = { columns: {}, names: [], negativeScores: [], differences: [], possible: 0 }
  for (let query = 0; query < queries.length; query++) {
    const [negatives, scores] = [mined.negatives[query]!, mined.negativeScores[query]!]
    positives[query]!.forEach((text, i) => {
      const score = mined.positiveScores[query]![i]!
      result.possible += table.possible
      if (!table.add(queries[query]!, text, score, negatives, scores)) return
      for (const negative of scores) {
        result.negativeScores.push(negative)
        result.differences.push(score - negative)
      }
    })
    table.close(queries[query]!, negatives, scores)
    if (slice.isOver) await slice.yield()
  }
  if (plan.outputFormat === 'labeled-pair') result.possible = queries.length * plan.numNegatives + pairs.rows
  result.names = [anchorColumn, positiveColumn, ...Object.keys(table.others)]
  result.columns = { [anchorColumn]: table.anchors, [positiveColumn]: table.texts, ...table.others }
  return result
}

/** Collects the rows of one format. */
abstract class Rows {
  readonly anchors: string[] = []
  readonly texts: unknown[] = []
  readonly others: Record<string, unknown[]> = {}
  /** Limit of rows for one positive. */
  readonly possible: number = 1
  protected readonly corpus: string[]
  protected readonly scored: boolean
  protected readonly count: number

  constructor(pairs: Pairs, plan: MiningPlan) {
    this.corpus = pairs.corpus
    this.scored = plan.outputScores
    this.count = plan.numNegatives
  }

  /** Appends the rows of one positive. @returns whether its negatives are in the result */
  abstract add(anchor: string, text: number, score: number, negatives: number[], scores: number[]): boolean
  /** Rows after the last positive of a query. */
  close(_anchor: string, _negatives: number[], _scores: number[]): void {}
}

class Triplets extends Rows {
  override readonly possible = this.count
  readonly #negatives: string[] = []
  readonly #scores: number[][] = []
  override readonly others = { negative: this.#negatives, ...(this.scored ? { scores: this.#scores } : {}) }

  add(anchor: string, text: number, score: number, negatives: number[], scores: number[]): boolean {
    negatives.forEach((negative, i) => {
      this.anchors.push(anchor)
      this.texts.push(this.corpus[text]!)
      this.#negatives.push(this.corpus[negative]!)
      this.#scores.push([score, scores[i]!])
    })
    return true
  }
}

class Tuples extends Rows {
  readonly #negatives: string[][] = Array.from({ length: this.count }, () => [])
  readonly #scores: number[][] = []
  override readonly others = {
    ...Object.fromEntries(this.#negatives.map((texts, i) => [`negative_${i + 1}`, texts])),
    ...(this.scored ? { scores: this.#scores } : {}),
  }

  add(anchor: string, text: number, score: number, negatives: number[], scores: number[]): boolean {
    if (negatives.length < this.count) return false
    this.anchors.push(anchor)
    this.texts.push(this.corpus[text]!)
    negatives.forEach((negative, i) => {
      this.#negatives[i]!.push(this.corpus[negative]!)
    })
    this.#scores.push([score, ...scores])
    return true
  }
}

class LabeledPairs extends Rows {
  readonly #values: number[] = []
  override readonly others = { [this.scored ? 'score' : 'label']: this.#values }

  add(anchor: string, text: number, score: number): boolean {
    this.#push(anchor, text, this.scored ? score : 1)
    return true
  }

  override close(anchor: string, negatives: number[], scores: number[]): void {
    negatives.forEach((negative, i) => {
      this.#push(anchor, negative, this.scored ? scores[i]! : 0)
    })
  }

  #push(anchor: string, text: number, value: number): void {
    this.anchors.push(anchor)
    this.texts.push(this.corpus[text]!)
    this.#values.push(value)
  }
}

class LabeledLists extends Rows {
  readonly #values: number[][] = []
  override readonly others = { [this.scored ? 'scores' : 'labels']: this.#values }

  add(anchor: string, text: number, score: number, negatives: number[], scores: number[]): boolean {
    if (negatives.length === 0) return false
    this.anchors.push(anchor)
    this.texts.push([text, ...negatives].map((row) => this.corpus[row]!))
    this.#values.push(this.scored ? [score, ...scores] : [1, ...negatives.map(() => 0)])
    return true
  }
}

const FORMATS = { triplet: Triplets, 'n-tuple': Tuples, 'labeled-pair': LabeledPairs, 'labeled-list': LabeledLists }
