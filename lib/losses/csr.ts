import { SentenceTorchError } from '../errors.js'
import type { ConfigObject, LossSpec } from '../native/types.js'
import { number, type OptionTable } from '../options/kinds.js'
import { lossOptions, type WrapperArguments } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'
import { SparseMultipleNegativesRankingLoss } from './sparse-multiple-negatives-ranking.js'
import { checkWrapped, optionalLoss, WRAPPING } from './wrapped.js'

export interface CSRLossOptions {
  /** The loss over the latents. Default `null`: a SparseMultipleNegativesRankingLoss. */
  loss?: Loss | null
  /** Weight of what latents at rest make of the remainder. Default 0.1. */
  beta?: number
  /** Weight of the loss over the latents. Default 1. */
  gamma?: number
}

export const OPTIONS = {
  loss: optionalLoss,
  beta: number(0.1),
  gamma: number(1),
} satisfies OptionTable<CSRLossOptions>

/**
 * The loss of models that end in a SparseAutoEncoder: its latents make the dense embedding again, and another loss makes them good.
 *
 * - **Data**: That of the inner loss.
 * - **Formula**: MSE(x, x̂_k) + MSE(x, x̂_4k) / 8 + beta · NMSE(ê, x − x̂_k + b) + gamma · loss. x is the dense embedding; x̂_k and x̂_4k are what
 *   its k and 4 k highest latents make again; ê is what the `kAux` highest of the latents make that have had no value for more than
 *   `deadThreshold` passes, and b the bias. NMSE is the MSE by that of the target's mean. Means over the columns.
 * - **Use**: `SparseEncoderTrainer`. A step counts two passes a column, as in Python. k is at most a quarter of `hiddenDim`, `kAux` at most
 *   all of it.
 * - **Logged**: the parts, as `base_loss`, `reconstruction_loss_k`, `reconstruction_loss_4k` and `reconstruction_loss_aux`.
 * - **Differs**: no class of its own for the first three parts (CSRReconstructionLoss); no mini-batches.
 * - **Relations**: {@link SpladeLoss} is that of models whose values are those of words.
 *
 * Paper: Wen et al. 2025, https://arxiv.org/abs/2503.01776. Source: sentence-transformers `sparse_encoder/losses/CSRLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([{ anchor: 'capital of France', positive: 'Paris is the capital.' }])
 * const loss = new losses.CSRLoss({ loss: new losses.SparseMultipleNegativesRankingLoss(), beta: 0.2 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class CSRLoss implements Loss {
  readonly type = 'CSRLoss'
  readonly requirements: LossRequirements
  readonly loss: Loss
  readonly similarityFnName?: 'cosine'
  readonly beta: number
  readonly gamma: number

  constructor(...args: WrapperArguments<CSRLossOptions, 'loss'>) {
    const { loss, beta, gamma } = lossOptions(this, args, OPTIONS, { signature: WRAPPING })
    this.loss = loss ?? new SparseMultipleNegativesRankingLoss()
    checkWrapped('CSRLoss', this.loss)
    if (this.loss.caching) {
      const message = `CSRLoss cannot hold ${this.loss.type}: mini-batches of a model with SparseAutoEncoder are not built`
      throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
    }
    if (this.loss.similarityFnName) this.similarityFnName = this.loss.similarityFnName
    this.beta = beta
    this.gamma = gamma
    this.requirements = { ...this.loss.requirements, reconstruction: true }
  }

  spec(embeddingDimension: number, config: ConfigObject): LossSpec {
    const { beta, gamma } = this
    return { type: 'CSRLoss', loss: this.loss.spec(embeddingDimension, config), beta, gamma }
  }
}
