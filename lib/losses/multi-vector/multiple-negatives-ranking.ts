import type { LossSpec } from '../../native/types.js'
import { choice, flag, type OptionTable, positive } from '../../options/kinds.js'
import type { LossRequirements } from '../loss.js'
import {
  type MultiVectorLoss,
  nativeType,
  SCORE_OPTIONS,
  type ScoreOptions,
  scoresOf,
  type VectorLossArguments,
  vectorLossOptions,
} from './loss.js'

const SCORES = ['colbert_scores', 'mean_colbert_scores', 'xtr_scores'] as const

export interface MultiVectorMultipleNegativesRankingLossOptions extends ScoreOptions {
  /** Factor of the scores before the softmax. Default 1. */
  scale?: number
  /** How queries and documents are compared: MaxSim, MaxSim divided by the number of the query's vectors, or XTR. Default
   * `colbert_scores`. */
  similarityFct?: (typeof SCORES)[number]
  /** With several processes: the documents of all of them are candidates, as if one process had the whole batch. Default false. */
  gatherAcrossDevices?: boolean
}

export const OPTIONS = {
  scale: positive(1),
  similarityFct: choice(SCORES, 'colbert_scores'),
  gatherAcrossDevices: flag(false),
  ...SCORE_OPTIONS,
} satisfies OptionTable<MultiVectorMultipleNegativesRankingLossOptions>

/** The engine scores in blocks of its own, and computes no padding. */
export const NOT_BUILT = {
  miniBatchSize: { harmless: [null], instead: 'CachedMultiVectorMultipleNegativesRankingLoss has it' },
  scoreMiniBatchSize: { harmless: [null] },
}

/**
 * Each query finds its own document among all documents of the batch, by late interaction.
 *
 * - **Data**: (query, positive), or (query, positive, negative_1, … negative_n); no labels.
 * - **Formula**: mean over the rows of −log softmax(scale · s(q, ·)) at the row's positive, over all positives and negatives.
 *
 * Paper: Khattab and Zaharia 2020, https://arxiv.org/abs/2004.12832. Source: sentence-transformers
 * `multi_vector_encoder/losses/MultiVectorMultipleNegativesRankingLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { query: 'capital of France', positive: 'Paris is the capital.' },
 *   { query: 'largest planet', positive: 'Jupiter is the largest.' },
 * ])
 * const loss = new multiVectorLosses.MultiVectorMultipleNegativesRankingLoss({ similarityFct: 'xtr_scores', topK: 64 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED
 */
export class MultiVectorMultipleNegativesRankingLoss implements MultiVectorLoss {
  readonly type: string = 'MultiVectorMultipleNegativesRankingLoss'
  readonly requirements: LossRequirements
  readonly scale: number
  readonly similarityFct: (typeof SCORES)[number]
  readonly gatherAcrossDevices: boolean
  readonly #topK: number

  constructor(...args: VectorLossArguments<MultiVectorMultipleNegativesRankingLossOptions>) {
    const options = vectorLossOptions(this, args, OPTIONS, NOT_BUILT)
    this.scale = options.scale
    this.similarityFct = options.similarityFct
    this.gatherAcrossDevices = options.gatherAcrossDevices
    this.#topK = options.topK
    this.requirements = {
      minColumns: 2,
      maxColumns: Number.POSITIVE_INFINITY,
      labels: 'none',
      inBatchNegatives: true,
      ...(this.gatherAcrossDevices && { gathers: true }),
    }
  }

  get readsVectors(): true {
    return true
  }

  spec(): LossSpec {
    const type = nativeType('MultiVectorMultipleNegativesRankingLoss')
    return { type, scale: this.scale, ...scoresOf(this.similarityFct, this.#topK) }
  }
}
