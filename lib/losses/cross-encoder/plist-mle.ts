import { flag, type OptionTable } from '../../options/kinds.js'
import { OPTIONS as LIST_MLE, type ListMLELossOptions } from './list-mle.js'
import { ListwiseLoss } from './listwise.js'
import type { PairLossArguments } from './loss.js'

export interface PListMLELossOptions extends ListMLELossOptions {
  /** Weight the first ranks more, by 2^(documents − rank) − 1. Without it this is `ListMLELoss`. Default `true`. */
  lambdaWeight?: boolean
}

export const OPTIONS = { lambdaWeight: flag(true), ...LIST_MLE } satisfies OptionTable<PListMLELossOptions>

/**
 * The right order of a query's documents becomes likely by their scores. The first ranks count most.
 *
 * - **Data**: (query, [document, …]) best first, and [label, …]. Lists may differ in length.
 * - **Formula**: that of {@link ListMLELoss} with the terms weighted by 2^(documents − rank) − 1, ranks from 1, divided by their
 *   sum: the last document weighs nothing.
 * - **Relations**: {@link LambdaLoss} compares pairs of documents instead.
 *
 * Paper: Lan et al. 2014, https://auai.org/uai2014/proceedings/individuals/164.pdf. Source: sentence-transformers
 * `cross_encoder/losses/PListMLELoss`, its `rank_discount_fn` at the default.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { query: 'capital of France', documents: ['Paris is the capital.', 'Lyon is a city.'], labels: [1, 0] },
 * ])
 * const loss = new crossEncoderLosses.PListMLELoss({ lambdaWeight: false })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class PListMLELoss extends ListwiseLoss<typeof OPTIONS> {
  readonly type = 'CrossEncoder.PListMLELoss'
  readonly respectInputOrder: boolean = this.option('respectInputOrder')
  readonly lambdaWeight: boolean = this.option('lambdaWeight')

  constructor(...args: PairLossArguments<PListMLELossOptions>) {
    super(args, OPTIONS)
  }
}
