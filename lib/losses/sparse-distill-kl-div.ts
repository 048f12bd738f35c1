import { choice, nullable, type OptionTable, positive } from '../options/kinds.js'
import { type LossArguments, withDefaults } from './arguments.js'
import { DistillKLDivLoss, type DistillKLDivLossOptions } from './distill-kl-div.js'
import { PAIRWISE_SIMILARITIES, type PairwiseSimilarity } from './similarities.js'
import { OF_SPARSE } from './wrapped.js'

export interface SparseDistillKLDivLossOptions {
  /** Similarity of query and candidate. Default `pairwise_dot_score`. */
  similarityFct?: PairwiseSimilarity
  /** Divisor of the scores of student and teacher before the softmax. Default 2. */
  temperature?: number
  /** That of the student alone. Default `null`: `temperature`. */
  studentTemperature?: number | null
  /** That of the teacher alone. Default `null`: `temperature`. */
  teacherTemperature?: number | null
}

export const OPTIONS = {
  similarityFct: choice(PAIRWISE_SIMILARITIES, 'pairwise_dot_score'),
  temperature: positive(2),
  studentTemperature: nullable(positive(undefined)),
  teacherTemperature: nullable(positive(undefined)),
} satisfies OptionTable<SparseDistillKLDivLossOptions>

/**
 * {@link DistillKLDivLoss} for sparse embeddings, with the temperature 2.
 *
 * - **Data**: (query, candidate_1, … candidate_n) with n ≥ 2 and an array of n numbers: the teacher's scores.
 * - **Formula**: That of {@link DistillKLDivLoss}.
 * - **Use**: Within {@link SpladeLoss} or {@link CSRLoss}.
 *
 * Source: sentence-transformers `sparse_encoder/losses/SparseDistillKLDivLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { query: 'capital of France', positive: 'Paris is the capital.', negative: 'Lyon is a city.', label: [7.1, -2.5] },
 * ])
 * const loss = new losses.SparseDistillKLDivLoss({ temperature: 4 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class SparseDistillKLDivLoss extends DistillKLDivLoss {
  override readonly type = 'SparseDistillKLDivLoss'
  readonly within = OF_SPARSE

  constructor(...args: LossArguments<SparseDistillKLDivLossOptions>) {
    super(...withDefaults<DistillKLDivLossOptions>(new.target.name, args, OPTIONS))
  }
}
