import type { Embeddings } from '../models/embeddings.js'
import type { EncodeOptions } from '../models/types.js'
import type { Metric } from '../native/types.js'

/** When and where an evaluation happens; all absent outside training. */
export interface EvaluationContext {
  /** Folder for the CSV file; none is written without it. */
  outputPath?: string
  /** Passes over the training data so far. Default −1. */
  epoch?: number
  /** Optimiser steps so far. Default −1. */
  steps?: number
  signal?: AbortSignal
  /** Whether the result has the scores of each item (`EvaluationResult.items`) and the rows themselves (`rows`). Default false. */
  items?: boolean
}

/**
 * What a metric is made of, item by item, for the interval of a difference: the mean of `scores`; with `gold`, their correlation
 * with it; with `classes`, too, the mean F1 of these classes, of which `gold` and `scores` hold the number for each item.
 */
export interface MetricItems {
  scores: ArrayLike<number>
  gold?: ArrayLike<number>
  /** With `gold`. */
  correlation?: 'spearman' | 'pearson'
  /** With `gold`. */
  classes?: number
}

/**
 * What was measured, row by row, for people to look at. Scores are similarities: of the pairs; of each anchor with its positive
 * minus that with its negative; or NDCG of each query, with its best relevant document and the best one that is not (empty where
 * none was found).
 */
export type EvaluatedRows =
  | {
      kind: 'pairs'
      texts1: readonly string[]
      texts2: readonly string[]
      gold: ArrayLike<number>
      scores: ArrayLike<number>
    }
  | {
      kind: 'triplets'
      anchors: readonly string[]
      positives: readonly string[]
      negatives: readonly string[]
      scores: ArrayLike<number>
    }
  | {
      kind: 'queries'
      queries: readonly string[]
      relevant: readonly string[]
      wrong: readonly string[]
      scores: ArrayLike<number>
    }

export interface EvaluationResult {
  /** Every name starts with the evaluator's `name` and `_`, if it has one. */
  metrics: Record<string, number>
  /** The name in `metrics` by which models are compared. */
  primaryMetric: string
  /**
   * By the name in `metrics`, if the context asks for it; not of metrics that are neither means nor correlations of items, such as
   * an average precision or the best of several similarities.
   */
  items?: Readonly<Record<string, MetricItems>>
  /** What was measured, if the context asks for items; not of all evaluators. */
  rows?: EvaluatedRows
  /** The results of the evaluators inside of this one, in their order; `SequentialEvaluator` gives them. */
  parts?: readonly { evaluator: object; result: EvaluationResult }[]
}

type Encode = (
  texts: readonly string[],
  options?: EncodeOptions & { outputValue?: 'sentence_embedding' },
) => Promise<Embeddings>

/** The part of a model that evaluators use; a `SentenceTransformer` is one. */
export interface EvaluatedModel {
  encode: Encode
  /** `encode` with the prompt for queries. */
  encodeQuery: Encode
  /** `encode` with the prompt for documents. */
  encodeDocument: Encode
  readonly similarityFnName: Metric
}

export interface Evaluator {
  evaluate(model: EvaluatedModel, context?: EvaluationContext): Promise<EvaluationResult>
}
