import { invalidArgument } from '../errors.js'
import type { ConfigObject, LossSpec } from '../native/types.js'
import { integer, number, type OptionTable, option } from '../options/kinds.js'
import { checkOneOf } from '../options.js'
import { lossOptions, type WrapperArguments } from './arguments.js'
import type { Caching, Loss, LossRequirements } from './loss.js'
import { checkWrapped, innerLoss, WRAPPING } from './wrapped.js'

export interface AdaptiveLayerLossOptions {
  /** The loss that is computed on every layer that takes part. A `Cached…` loss keeps its mini-batches. */
  loss: Loss
  /** How many of the layers before the last, chosen at random, each batch takes. Below 1: all. Default 1. */
  nLayersPerStep?: number
  /** Factor of the last layer's loss. Default 1. */
  lastLayerWeight?: number
  /** Factor of the mean loss of the other layers. Default 1. */
  priorLayersWeight?: number
  /** Factor of the divergence of the other layers from the last. Default 1. */
  klDivWeight?: number
  /** Temperature of the divergence. 0: no divergence. Default 0.3. */
  klTemperature?: number
  /**
   * Factor of each layer i before the last: 1, 1 / (1 + ln(1 + i)), 1 / (1 + i), or a function of i. Layer 0 is the input of
   * the first layer. Default `uniform`.
   */
  layerWeighting?: LayerWeighting
}

type LayerWeighting = 'uniform' | 'log' | 'linear' | ((layer: number) => number)

export const OPTIONS = {
  loss: innerLoss,
  nLayersPerStep: integer(1, { least: -1 }),
  lastLayerWeight: number(1),
  priorLayersWeight: number(1),
  klDivWeight: number(1),
  klTemperature: number(0.3),
  layerWeighting: option<LayerWeighting>({
    type: "'uniform' | 'log' | 'linear' | ((layer: number) => number)",
    default: 'uniform',
    expected: '`uniform`, `log`, `linear`, or a function',
    check: (name, value) => {
      if (typeof value !== 'function') checkOneOf(name, value, ['uniform', 'log', 'linear'])
    },
  }),
} satisfies OptionTable<AdaptiveLayerLossOptions>

/** Layers for which a `layerWeighting` function is asked: more than any encoder has. */
const LAYERS = 256

/**
 * Trains a model whose last layers can be left out. The inner loss is computed on the last layer and, in each batch, on some
 * of those before it, which also learn to give what the last one gives.
 *
 * - **Data**: That of the inner loss.
 * - **Formula**: lastLayerWeight · loss(last) + Σ_l [priorLayersWeight · w_l / n · loss(l) + klDivWeight · T · KL(softmax(last / T)
 *   ‖ softmax(l / T))] over the n chosen layers l, counted from 0 (the input of the first layer); T: `klTemperature`. The
 *   divergence is the mean over all texts. The last layer learns nothing from it.
 * - **Logged**: The inner loss's components; those of earlier layers end in `_layer_<l>`.
 * - **Relations**: {@link Matryoshka2dLoss} cuts the embeddings too. A `Cached…` inner loss keeps its mini-batches, which
 *   sentence-transformers cannot do.
 *
 * Paper: Li et al. 2024, https://arxiv.org/abs/2402.14776. Source: sentence-transformers `losses/AdaptiveLayerLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([{ anchor: 'capital of France', positive: 'Paris is the capital.' }])
 * const loss = new losses.AdaptiveLayerLoss({ loss: new losses.MultipleNegativesRankingLoss(), nLayersPerStep: 2 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class AdaptiveLayerLoss implements Loss {
  readonly type: string = 'AdaptiveLayerLoss'
  readonly requirements: LossRequirements
  readonly loss: Loss
  readonly caching: Caching | undefined
  readonly nLayersPerStep: number
  readonly lastLayerWeight: number
  readonly priorLayersWeight: number
  readonly klDivWeight: number
  readonly klTemperature: number
  readonly layerWeighting: LayerWeighting

  constructor(...args: WrapperArguments<AdaptiveLayerLossOptions, 'loss'>) {
    const options = lossOptions(this, args, OPTIONS, { signature: WRAPPING })
    checkWrapped(new.target.name, options.loss)
    this.loss = options.loss
    this.requirements = options.loss.requirements
    this.caching = options.loss.caching
    this.nLayersPerStep = options.nLayersPerStep
    this.lastLayerWeight = options.lastLayerWeight
    this.priorLayersWeight = options.priorLayersWeight
    this.klDivWeight = options.klDivWeight
    this.klTemperature = options.klTemperature
    this.layerWeighting = options.layerWeighting
  }

  spec(embeddingDimension: number, config: ConfigObject): LossSpec {
    const { layerWeighting } = this
    return {
      type: 'AdaptiveLayerLoss',
      loss: this.loss.spec(embeddingDimension, config),
      nLayersPerStep: this.nLayersPerStep,
      lastLayerWeight: this.lastLayerWeight,
      priorLayersWeight: this.priorLayersWeight,
      klDivWeight: this.klDivWeight,
      klTemperature: this.klTemperature,
      ...(typeof layerWeighting === 'string' ? { layerWeighting } : { layerWeights: weightsOf(layerWeighting) }),
    }
  }
}

function weightsOf(weighting: (layer: number) => number): number[] {
  return Array.from({ length: LAYERS }, (_, layer) => {
    const weight = weighting(layer)
    if (!Number.isFinite(weight)) throw invalidArgument(`layerWeighting(${layer})`, 'a finite number', weight)
    return weight
  })
}
