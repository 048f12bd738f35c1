import type { LossSpec } from '../../native/types.js'
import { checkType } from '../../options.js'
import type { Caching, LossRequirements } from '../loss.js'
import type { ListMLELossOptions } from './list-mle.js'
import {
  type CrossEncoderLoss,
  checkActivation,
  checkMiniBatch,
  LISTWISE,
  type LogitActivation,
  needOneLabel,
  type PairLossArguments,
  pairLossOptions,
} from './loss.js'

export interface PListMLELossOptions extends ListMLELossOptions {
  /** Weight the first ranks more, by 2^(documents − rank) − 1; without it this is `ListMLELoss`. Default true. */
  lambdaWeight?: boolean
}

/**
 * The right order of a query's documents shall be likely by their scores, the first ranks above all.
 *
 * - **Data**: (query, [document, …]) best first, and [label, …]; lists may differ in length.
 * - **Formula**: `ListMLELoss` with the terms weighted by 2^(documents − rank) − 1, ranks from 1, which are divided by
 *   their sum: the last document weighs nothing.
 * - **Relations**: {@link LambdaLoss} compares pairs of documents instead.
 *
 * Paper: Lan et al. 2014, https://auai.org/uai2014/proceedings/individuals/164.pdf. Source: sentence-transformers
 * `cross_encoder/losses/PListMLELoss`, its `rank_discount_fn` at the default.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class PListMLELoss implements CrossEncoderLoss {
  readonly type = 'CrossEncoder.PListMLELoss'
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'floats' }
  readonly pairing = { kind: 'lists' } as const
  readonly activationFn: LogitActivation
  readonly respectInputOrder: boolean
  readonly lambdaWeight: boolean
  readonly caching?: Caching

  constructor(...args: PairLossArguments<PListMLELossOptions>) {
    const options = pairLossOptions<PListMLELossOptions>(this, args, [...LISTWISE, 'respectInputOrder', 'lambdaWeight'])
    checkType(`${this.type} respectInputOrder`, options.respectInputOrder, 'boolean')
    checkType(`${this.type} lambdaWeight`, options.lambdaWeight, 'boolean')
    this.activationFn = checkActivation(this.type, options.activationFn)
    this.respectInputOrder = options.respectInputOrder ?? true
    this.lambdaWeight = options.lambdaWeight ?? true
    Object.assign(this, checkMiniBatch(this.type, options.miniBatchSize))
  }

  spec(numLabels: number): LossSpec {
    needOneLabel(this.type, numLabels)
    return {
      type: this.type,
      activationFn: this.activationFn,
      respectInputOrder: this.respectInputOrder,
      lambdaWeight: this.lambdaWeight,
    }
  }
}
