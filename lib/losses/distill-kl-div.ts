import type { LossSpec } from '../native/types.js'
import { checkPositive } from '../options.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'
import { checkPairwiseSimilarity, nativeSimilarity, type PairwiseSimilarity } from './similarities.js'

export interface DistillKLDivLossOptions {
  /** Similarity of query and candidate. Default `pairwise_dot_score`. */
  similarityFct?: PairwiseSimilarity
  /** What scores of student and teacher are divided by before the softmax. Default 1. */
  temperature?: number
  /** Of the student alone. Default `temperature`. */
  studentTemperature?: number | null
  /** Of the teacher alone. Default `temperature`. */
  teacherTemperature?: number | null
}

/**
 * The distribution over the candidates of a query shall be a teacher's, mostly a cross-encoder's.
 *
 * - **Data**: (query, candidate_1, … candidate_n) with n ≥ 2, mostly a positive and negatives, and an array of n float labels:
 *   the teacher's scores.
 * - **Formula**: Ts² · mean over the rows of KL(softmax(y / Tt) ‖ softmax(s / Ts)), Ts and Tt: temperatures of student and teacher.
 * - **Relations**: {@link MarginMSELoss} compares margins instead.
 *
 * Paper: Lin et al. 2020, https://arxiv.org/abs/2010.11386. Source: sentence-transformers `losses/DistillKLDivLoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class DistillKLDivLoss implements Loss {
  readonly type = 'DistillKLDivLoss'
  readonly requirements: LossRequirements = { minColumns: 3, maxColumns: Number.POSITIVE_INFINITY, labels: 'floats' }
  readonly similarityFct: PairwiseSimilarity
  readonly studentTemperature: number
  readonly teacherTemperature: number

  constructor(...args: LossArguments<DistillKLDivLossOptions>) {
    const options = lossOptions<DistillKLDivLossOptions>(this, args, [
      'similarityFct',
      'temperature',
      'studentTemperature',
      'teacherTemperature',
    ])
    checkPairwiseSimilarity(this.type, options.similarityFct)
    const { temperature = 1 } = options
    checkPositive(`${this.type} temperature`, temperature)
    checkPositive(`${this.type} studentTemperature`, options.studentTemperature ?? undefined)
    checkPositive(`${this.type} teacherTemperature`, options.teacherTemperature ?? undefined)
    this.similarityFct = options.similarityFct ?? 'pairwise_dot_score'
    this.studentTemperature = options.studentTemperature ?? temperature
    this.teacherTemperature = options.teacherTemperature ?? temperature
  }

  spec(): LossSpec {
    const { type, studentTemperature, teacherTemperature } = this
    return { type, similarity: nativeSimilarity(this.similarityFct), studentTemperature, teacherTemperature }
  }
}
