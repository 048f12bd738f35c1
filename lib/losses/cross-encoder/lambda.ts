import { choice, integer, nullable, number, type OptionTable, positive } from '../../options/kinds.js'
import { LISTWISE_OPTIONS, ListwiseLoss, type ListwiseOptions } from './listwise.js'
import type { PairLossArguments } from './loss.js'

const SCHEMES = ['NoWeighting', 'NDCGLoss1', 'NDCGLoss2', 'LambdaRank', 'NDCGLoss2PP'] as const
export type WeightingScheme = (typeof SCHEMES)[number]

/** What {@link LambdaLoss} and {@link RankNetLoss} share. */
export interface PairwiseRankingOptions extends ListwiseOptions {
  /** Count only pairs of which at least one document scores among the first k. Default `null`: all. */
  k?: number | null
  /** Factor of the differences of scores. Default 1. */
  sigma?: number
  /** Least value of the ideal DCG, by which gains are divided. Default 1e-10. */
  eps?: number
  /** Base of the logarithm: 2 or e. Default `binary`. */
  reductionLog?: 'binary' | 'natural'
}

export interface LambdaLossOptions extends PairwiseRankingOptions {
  /** How pairs of documents are weighted. Default `NDCGLoss2PP`. */
  weightingScheme?: WeightingScheme
  /** Weight of NDCGLoss2 in `NDCGLoss2PP`. Default 10. */
  mu?: number
}

export const PAIRWISE_OPTIONS = {
  k: nullable(integer(undefined, { least: 1 })),
  sigma: positive(1),
  eps: positive(1e-10),
  reductionLog: choice(['binary', 'natural'], 'binary'),
  ...LISTWISE_OPTIONS,
} satisfies OptionTable<PairwiseRankingOptions>

export const OPTIONS = {
  weightingScheme: choice(SCHEMES, 'NDCGLoss2PP'),
  mu: number(10),
  ...PAIRWISE_OPTIONS,
} satisfies OptionTable<LambdaLossOptions>

/**
 * Documents with a higher label get higher scores, the more so the more exchanging two of them would change the NDCG: the
 * LambdaLoss framework. It is the loss to start with when queries come with lists of graded documents.
 *
 * - **Data**: (query, [document, …]) and [label, …], a number of at least 0 for each document. Lists may differ in length.
 * - **Formula**: −mean over pairs y_i > y_j of w_ij · log2 σ(sigma · (s_i − s_j)). A batch without any such pair has the loss 0. w
 *   by `weightingScheme`: `NoWeighting` 1 (see {@link RankNetLoss}), `NDCGLoss1`, `NDCGLoss2`, `LambdaRank`, or `NDCGLoss2PP`,
 *   which is mu · NDCGLoss2 + LambdaRank.
 * - **Relations**: {@link ListNetLoss} and {@link PListMLELoss} compare whole lists.
 *
 * Paper: Wang et al. 2018, https://marc.najork.org/papers/cikm2018.pdf. Source: sentence-transformers
 * `cross_encoder/losses/LambdaLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { query: 'capital of France', documents: ['Paris is the capital.', 'Lyon is a city.'], labels: [1, 0] },
 * ])
 * const loss = new crossEncoderLosses.LambdaLoss({ weightingScheme: 'LambdaRank', k: 10 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class LambdaLoss extends ListwiseLoss<typeof OPTIONS> {
  readonly type = 'CrossEncoder.LambdaLoss'
  readonly weightingScheme: WeightingScheme = this.option('weightingScheme')
  readonly mu: number = this.option('mu')

  constructor(...args: PairLossArguments<LambdaLossOptions>) {
    super(args, OPTIONS)
  }
}
