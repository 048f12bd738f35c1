import type { LossSpec } from '../../native/types.js'
import { choice, nullable, type OptionTable, positive } from '../../options/kinds.js'
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

const SCORES = ['colbert_kd_scores', 'mean_colbert_kd_scores', 'xtr_kd_scores'] as const

export interface MultiVectorDistillKLDivLossOptions extends ScoreOptions {
  /** How a query and its documents are compared. Default `colbert_kd_scores`. */
  similarityFct?: (typeof SCORES)[number]
  /** Divisor of the scores of student and teacher before the softmax. Default 1. */
  temperature?: number
  /** That of the student alone. Default `null`: `temperature`. */
  studentTemperature?: number | null
  /** That of the teacher alone. Default `null`: `temperature`. */
  teacherTemperature?: number | null
}

export const OPTIONS = {
  similarityFct: choice(SCORES, 'colbert_kd_scores'),
  temperature: positive(1),
  studentTemperature: nullable(positive(undefined)),
  teacherTemperature: nullable(positive(undefined)),
  ...SCORE_OPTIONS,
} satisfies OptionTable<MultiVectorDistillKLDivLossOptions>

export const NOT_BUILT = { miniBatchSize: { harmless: [null], instead: "the trainer's miniBatchSize caches any loss" } }

/**
 * The distribution over the documents of a query becomes that of a teacher, mostly a cross-encoder.
 *
 * - **Data**: (query, document_1, … document_n) with n ≥ 2, and an array of n numbers: the teacher's scores.
 * - **Formula**: Ts² · mean over the rows of KL(softmax(y / Tt) ‖ softmax(s / Ts)), Ts and Tt: temperatures of student and teacher.
 *
 * Paper: Santhanam et al. 2022, https://arxiv.org/abs/2112.01488. Source: sentence-transformers
 * `multi_vector_encoder/losses/MultiVectorDistillKLDivLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { query: 'capital of France', positive: 'Paris is the capital.', negative: 'Lyon is a city.', label: [7.1, -2.5] },
 * ])
 * const loss = new multiVectorLosses.MultiVectorDistillKLDivLoss({ temperature: 2 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED
 */
export class MultiVectorDistillKLDivLoss implements MultiVectorLoss {
  readonly type = 'MultiVectorDistillKLDivLoss'
  readonly requirements: LossRequirements = { minColumns: 3, maxColumns: Number.POSITIVE_INFINITY, labels: 'floats' }
  readonly similarityFct: (typeof SCORES)[number]
  readonly temperature: number
  readonly studentTemperature: number
  readonly teacherTemperature: number
  readonly #topK: number

  constructor(...args: VectorLossArguments<MultiVectorDistillKLDivLossOptions>) {
    const options = vectorLossOptions(this, args, OPTIONS, NOT_BUILT)
    this.similarityFct = options.similarityFct
    this.temperature = options.temperature
    this.studentTemperature = options.studentTemperature ?? options.temperature
    this.teacherTemperature = options.teacherTemperature ?? options.temperature
    this.#topK = options.topK
  }

  get readsVectors(): true {
    return true
  }

  spec(): LossSpec {
    const { studentTemperature, teacherTemperature } = this
    const scores = scoresOf(this.similarityFct, this.#topK)
    return { type: nativeType(this.type), studentTemperature, teacherTemperature, ...scores }
  }
}
