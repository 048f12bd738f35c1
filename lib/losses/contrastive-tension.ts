import type { LossSpec } from '../native/types.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

export const OPTIONS = {}

/**
 * Two encoders that diverge have to find out from their embeddings whether two texts are the same. The model embeds the second
 * text and is kept. A copy of it embeds the first, is trained too and then discarded. Texts alone are enough.
 *
 * - **Data**: (text_a, text_b): some pairs of equal texts and more of different ones (1 to 7 in the paper). A label column, 1
 *   for same and 0, is read where there is one; else texts with the same tokens are the same.
 * - **Formula**: Σ over the batch of BCE(σ(copy(text_a) · model(text_b)), y). It is a sum, not a mean.
 * - **Parameters**: The copy, `loss.model1.*`. It takes as much memory and time as a second model.
 * - **Relations**: {@link ContrastiveTensionLossInBatchNegatives} takes single texts and gives a stronger signal.
 *
 * Paper: Carlsson et al. 2021, https://openreview.net/pdf?id=Ov_sMNau-PF. Source: sentence-transformers
 * `losses/ContrastiveTensionLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { text_a: 'A cat sits outside.', text_b: 'A cat sits outside.', label: 1 },
 *   { text_a: 'A cat sits outside.', text_b: 'A man plays guitar.', label: 0 },
 * ])
 * const loss = new losses.ContrastiveTensionLoss()
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
    lossOptions(this, args, OPTIONS)
  }

  spec(): LossSpec {
    return { type: this.type }
  }
}
