import { integer, type OptionTable, optionValues } from '../options/kinds.js'
import { OPTIONS as ADAPTIVE, AdaptiveLayerLoss, type AdaptiveLayerLossOptions } from './adaptive-layer.js'
import { joinArguments, splitArguments, type WrapperArguments } from './arguments.js'
import { MATRYOSHKA_DIMS, type MatryoshkaDimsOptions, MatryoshkaLoss } from './matryoshka.js'
import { WRAPPING } from './wrapped.js'

export interface Matryoshka2dLossOptions extends AdaptiveLayerLossOptions, MatryoshkaDimsOptions {
  /** How many widths, chosen at random for each layer, each batch takes. Below 1: all. Default 1. */
  nDimsPerStep?: number
}

export const OPTIONS = {
  ...ADAPTIVE,
  ...MATRYOSHKA_DIMS,
  nDimsPerStep: integer(1, { least: -1 }),
} satisfies OptionTable<Matryoshka2dLossOptions>

/**
 * Trains a model whose last layers can be left out and whose embeddings can be cut: {@link AdaptiveLayerLoss} around
 * {@link MatryoshkaLoss}.
 *
 * - **Data**: That of the inner loss.
 * - **Formula**: That of {@link AdaptiveLayerLoss} with {@link MatryoshkaLoss} as its loss. The divergence is that of the whole
 *   embeddings.
 *
 * Paper: Li et al. 2024, https://arxiv.org/abs/2402.14776. Source: sentence-transformers `losses/Matryoshka2dLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([{ anchor: 'capital of France', positive: 'Paris is the capital.' }])
 * const loss = new losses.Matryoshka2dLoss({
 *   loss: new losses.MultipleNegativesRankingLoss(),
 *   matryoshkaDims: [384, 128, 32],
 * })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class Matryoshka2dLoss extends AdaptiveLayerLoss {
  override readonly type: string = 'Matryoshka2dLoss'

  constructor(...args: WrapperArguments<Matryoshka2dLossOptions, 'loss'>) {
    const { model, options } = splitArguments<Matryoshka2dLossOptions>(new.target.name, args, WRAPPING)
    const { loss, matryoshkaDims, matryoshkaWeights, nDimsPerStep, ...adaptive } = optionValues(
      new.target.name,
      options,
      OPTIONS,
    )
    const cut = new MatryoshkaLoss({ loss, matryoshkaDims, matryoshkaWeights, nDimsPerStep })
    super(...joinArguments(model, { ...adaptive, loss: cut }))
  }
}
