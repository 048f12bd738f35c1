import type { LossSpec } from '../native/types.js'
import { choice, nullable, type OptionTable, positive } from '../options/kinds.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'
import { nativeSimilarity, PAIRWISE_SIMILARITIES, type PairwiseSimilarity } from './similarities.js'

export interface DistillKLDivLossOptions {
  /** Similarity of query and candidate. Default `pairwise_dot_score`. */
  similarityFct?: PairwiseSimilarity
  /** Divisor of the scores of student and teacher before the softmax. Default 1. */
  temperature?: number
  /** That of the student alone. Default `null`: `temperature`. */
  studentTemperature?: number | null
  /** That of the teacher alone. Default `null`: `temperature`. */
  teacherTemperature?: number | null
}

export const OPTIONS = {
  similarityFct: choice(PAIRWISE_SIMILARITIES, 'pairwise_dot_score'),
  temperature: positive(1),
  studentTemperature: nullable(positive(undefined)),
  teacherTemperature: nullable(positive(undefined)),
} satisfies OptionTable<DistillKLDivLossOptions>

/**
 * The distribution over the candidates of a query becomes that of a teacher, mostly a cross-encoder.
 *
 * - **Data**: (query, candidate_1, … candidate_n) with n ≥ 2, mostly a positive and negatives, and an array of n numbers: the
 *   teacher's scores.
 * - **Formula**: Ts² · mean over the rows of KL(softmax(y / Tt) ‖ softmax(s / Ts)), Ts and Tt: temperatures of student and teacher.
 * - **Relations**: {@link MarginMSELoss} compares margins instead.
 *
 * Paper: Lin et al. 2020, https://arxiv.org/abs/2010.11386. Source: sentence-transformers `losses/DistillKLDivLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { query: 'capital of France', positive: 'Paris is the capital.', negative: 'Lyon is a city.', label: [7.1, -2.5] },
 * ])
 * const loss = new losses.DistillKLDivLoss({ temperature: 2 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class DistillKLDivLoss implements Loss {
  readonly type: string = 'DistillKLDivLoss'
  readonly requirements: LossRequirements = { minColumns: 3, maxColumns: Number.POSITIVE_INFINITY, labels: 'floats' }
  readonly similarityFct: PairwiseSimilarity
  readonly studentTemperature: number
  readonly teacherTemperature: number

  constructor(...args: LossArguments<DistillKLDivLossOptions>) {
    const options = lossOptions(this, args, OPTIONS)
    this.similarityFct = options.similarityFct
    this.studentTemperature = options.studentTemperature ?? options.temperature
    this.teacherTemperature = options.teacherTemperature ?? options.temperature
  }

  spec(): LossSpec {
    const { studentTemperature, teacherTemperature } = this
    return {
      type: 'DistillKLDivLoss',
      similarity: nativeSimilarity(this.similarityFct),
      studentTemperature,
      teacherTemperature,
    }
  }
}
