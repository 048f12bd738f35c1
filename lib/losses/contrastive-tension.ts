import type { LossSpec } from '../native/types.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

/**
 * Whether two texts are the same has to be told from their embeddings by two encoders that part ways: the model, which
 * embeds the second text and is kept, and a copy of it, which embeds the first, is trained along and then thrown away.
 * Needs texts alone.
 *
 * - **Data**: (text_a, text_b), some pairs of equal texts and more of different ones (1 to 7 in the paper). A label column of
 *   1 (same) and 0 is taken where there is one; else texts with the same tokens count as same.
 * - **Formula**: Σ over the batch of BCE(σ(copy(text_a) · model(text_b)), y): a sum, not a mean.
 * - **Parameters**: the copy, `loss.model1.*`: as much memory and time as a second model.
 * - **Relations**: {@link ContrastiveTensionLossInBatchNegatives} takes single texts and gives a stronger signal.
 *
 * Paper: Carlsson et al. 2021, https://openreview.net/pdf?id=Ov_sMNau-PF. Source: sentence-transformers
 * `losses/ContrastiveTensionLoss`.
 *
 * @throws ERR_UNKNOWN_OPTION
 */
export class ContrastiveTensionLoss implements Loss {
  readonly type = 'ContrastiveTensionLoss'
  readonly requirements: LossRequirements = {
    minColumns: 2,
    maxColumns: 2,
    labels: 'float',
    labelsOptionalFrom: 2,
    textIds: true,
  }

  constructor(...args: LossArguments<Partial<Record<never, never>>>) {
    lossOptions(this, args, [])
  }

  spec(): LossSpec {
    return { type: this.type }
  }
}
