import { invalidArgument } from '../../errors.js'
import type { LossSpec } from '../../native/types.js'
import { checkInteger, checkOneOf, checkPositive } from '../../options.js'
import type { Caching, LossRequirements } from '../loss.js'
import {
  type CrossEncoderLoss,
  checkActivation,
  checkMiniBatch,
  LISTWISE,
  type ListwiseOptions,
  type LogitActivation,
  needOneLabel,
  type PairLossArguments,
  pairLossOptions,
} from './loss.js'

const SCHEMES = ['NoWeighting', 'NDCGLoss1', 'NDCGLoss2', 'LambdaRank', 'NDCGLoss2PP'] as const
export type WeightingScheme = (typeof SCHEMES)[number]

/** What {@link LambdaLoss} and {@link RankNetLoss} share. */
export interface PairwiseRankingOptions extends ListwiseOptions {
  /** Only pairs of which at least one document scores among the first k count. Default null: all. */
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

export const PAIRWISE = [...LISTWISE, 'k', 'sigma', 'eps', 'reductionLog'] as const

/** @throws ERR_INVALID_ARGUMENT */
export function checkPairwise(where: string, options: PairwiseRankingOptions) {
  checkInteger(`${where} k`, options.k ?? undefined, 1)
  checkPositive(`${where} sigma`, options.sigma)
  checkPositive(`${where} eps`, options.eps)
  checkOneOf(`${where} reductionLog`, options.reductionLog, ['binary', 'natural'])
  return {
    activationFn: checkActivation(where, options.activationFn),
    k: options.k ?? null,
    sigma: options.sigma ?? 1,
    eps: options.eps ?? 1e-10,
    reductionLog: options.reductionLog ?? 'binary',
  }
}

const REQUIREMENTS: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'floats' }

/**
 * Documents with a higher label shall score higher, the more so the more exchanging two of them would change the NDCG: the
 * LambdaLoss framework. The loss to start with when queries come with lists of graded documents.
 *
 * - **Data**: (query, [document, …]) and [label, …], a number of at least 0 for each document; lists may differ in length.
 * - **Formula**: −mean over pairs y_i > y_j of w_ij · log2 σ(sigma · (s_i − s_j)); w by `weightingScheme`: `NoWeighting` 1 (see
 *   {@link RankNetLoss}), `NDCGLoss1`, `NDCGLoss2`, `LambdaRank`, or `NDCGLoss2PP`, their sum, mu · NDCGLoss2 + LambdaRank. A
 *   batch without any such pair has loss 0.
 * - **Relations**: {@link ListNetLoss} and {@link PListMLELoss} compare whole lists.
 *
 * Paper: Wang et al. 2018, https://marc.najork.org/papers/cikm2018.pdf. Source: sentence-transformers
 * `cross_encoder/losses/LambdaLoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class LambdaLoss implements CrossEncoderLoss {
  readonly type = 'CrossEncoder.LambdaLoss'
  readonly requirements = REQUIREMENTS
  readonly pairing = { kind: 'lists' } as const
  readonly weightingScheme: WeightingScheme
  readonly mu: number
  readonly caching?: Caching
  readonly #options: ReturnType<typeof checkPairwise>

  constructor(...args: PairLossArguments<LambdaLossOptions>) {
    const options = pairLossOptions<LambdaLossOptions>(this, args, [...PAIRWISE, 'weightingScheme', 'mu'])
    this.#options = checkPairwise(this.type, options)
    checkOneOf(`${this.type} weightingScheme`, options.weightingScheme, SCHEMES)
    this.weightingScheme = options.weightingScheme ?? 'NDCGLoss2PP'
    this.mu = options.mu ?? 10
    if (!Number.isFinite(this.mu)) throw invalidArgument(`${this.type} mu`, 'a finite number', this.mu)
    Object.assign(this, checkMiniBatch(this.type, options.miniBatchSize))
  }

  get activationFn(): LogitActivation {
    return this.#options.activationFn
  }

  spec(numLabels: number): LossSpec {
    needOneLabel(this.type, numLabels)
    return { type: this.type, ...this.#options, weightingScheme: this.weightingScheme, mu: this.mu }
  }
}
