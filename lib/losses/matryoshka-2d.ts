import { checkOptions } from '../options.js'
import { ADAPTIVE_OPTIONS, AdaptiveLayerLoss, type AdaptiveLayerLossOptions } from './adaptive-layer.js'
import { joinArguments, splitArguments, type WrapperArguments } from './arguments.js'
import { MatryoshkaLoss, type MatryoshkaLossOptions } from './matryoshka.js'
import { WRAPPING } from './wrapped.js'

export interface Matryoshka2dLossOptions
  extends AdaptiveLayerLossOptions,
    Pick<MatryoshkaLossOptions, 'matryoshkaDims' | 'matryoshkaWeights'> {
  /** How many widths, chosen at random for each layer, each batch takes; below 1: all. Default 1. */
  nDimsPerStep?: number
}

/**
 * Trains a model whose last layers can be left out and whose embeddings can be cut: {@link AdaptiveLayerLoss} around
 * {@link MatryoshkaLoss}.
 *
 * - **Data**: what the loss inside takes.
 * - **Formula**: that of {@link AdaptiveLayerLoss} with {@link MatryoshkaLoss} as its loss; the divergence is that of the whole
 *   embeddings.
 *
 * Paper: Li et al. 2024, https://arxiv.org/abs/2402.14776. Source: sentence-transformers `losses/Matryoshka2dLoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class Matryoshka2dLoss extends AdaptiveLayerLoss {
  override readonly type: string = 'Matryoshka2dLoss'

  constructor(...args: WrapperArguments<Matryoshka2dLossOptions, 'loss'>) {
    const { model, options } = splitArguments<Matryoshka2dLossOptions>(new.target.name, args, WRAPPING)
    const own = ['matryoshkaDims', 'matryoshkaWeights', 'nDimsPerStep']
    checkOptions(new.target.name, options, [...ADAPTIVE_OPTIONS, ...own])
    const { loss, matryoshkaDims, matryoshkaWeights, nDimsPerStep = 1, ...adaptive } = options
    const cut = { loss, matryoshkaDims, nDimsPerStep, ...(matryoshkaWeights !== undefined && { matryoshkaWeights }) }
    super(...joinArguments(model, { ...adaptive, loss: new MatryoshkaLoss(cut) }))
  }
}
