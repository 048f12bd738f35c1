/** What a mining tells of itself. */

/** Candidates that were refused for a reason, and their share of the remaining candidates. */
export interface Skipped {
  reason: 'absoluteMargin' | 'relativeMargin' | 'maxScore' | 'minScore' | 'judge'
  count: number
  ratio: number
}

/** A negative with its positive. */
export interface NegativeSample {
  query: string
  positive: string
  negative: string
  positiveScore: number
  negativeScore: number
}

/** What a mining found. */
export interface MiningStatistics {
  /** Different queries. */
  queries: number
  /** Texts among which negatives were searched for. */
  corpus: number
  /** Rows of the result. */
  rows: number
  /** Rows that were wanted but for which too few negatives were left. */
  missingRows: number
  /** A score for each different pair. */
  positiveScores: readonly number[]
  /** A score for each negative of each positive in the result. */
  negativeScores: readonly number[]
  /** Candidates that were refused: why, how many, and which share of those that were left until then. */
  refused: readonly Skipped[]
  /** Negatives with the highest scores, the highest first: those that may be answers. */
  closest: readonly NegativeSample[]
  /** Negatives at equal distances in the result. */
  samples: readonly NegativeSample[]
}
