import type { LossSpec } from '../../native/types.js'
import { checkType } from '../../options.js'
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

export interface ListMLELossOptions extends ListwiseOptions {
  /** Whether the documents of every list come best first; else they are sorted by their labels. Default true. */
  respectInputOrder?: boolean
}

const REQUIREMENTS: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'floats' }

/**
 * The right order of a query's documents shall be likely by their scores.
 *
 * - **Data**: (query, [document, …]) best first, and [label, …]; lists may differ in length.
 * - **Formula**: mean over queries of −Σ_i log(exp(s_i) / Σ_{j ≥ i} exp(s_j)).
 * - **Relations**: `PListMLELoss` counts the first ranks more, which usually ranks better.
 *
 * Paper: Xia et al. 2008, http://icml2008.cs.helsinki.fi/papers/167.pdf. Source: sentence-transformers
 * `cross_encoder/losses/ListMLELoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class ListMLELoss implements CrossEncoderLoss {
  readonly type = 'CrossEncoder.ListMLELoss'
  readonly requirements = REQUIREMENTS
  readonly pairing = { kind: 'lists' } as const
  readonly activationFn: LogitActivation
  readonly respectInputOrder: boolean
  readonly caching?: Caching

  constructor(...args: PairLossArguments<ListMLELossOptions>) {
    const options = pairLossOptions<ListMLELossOptions>(this, args, [...LISTWISE, 'respectInputOrder'])
    checkType(`${this.type} respectInputOrder`, options.respectInputOrder, 'boolean')
    this.activationFn = checkActivation(this.type, options.activationFn)
    this.respectInputOrder = options.respectInputOrder ?? true
    Object.assign(this, checkMiniBatch(this.type, options.miniBatchSize))
  }

  spec(numLabels: number): LossSpec {
    needOneLabel(this.type, numLabels)
    return { type: this.type, activationFn: this.activationFn, respectInputOrder: this.respectInputOrder }
  }
}
