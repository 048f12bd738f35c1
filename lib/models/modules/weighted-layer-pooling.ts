import { describe, SentenceTorchError } from '../../errors.js'
import type { ConfigObject } from '../../native/types.js'
import { checkInteger, checkOptions } from '../../options.js'
import type { ModelModule, ModuleInput, ModuleOrigin, PlacedModule } from './module.js'

export interface WeightedLayerPoolingOptions {
  /** The first layer that counts; 0 is what enters the first one. Default 4, or the last layer of a smaller model. */
  layerStart?: number
  /** Layers of the transformer. Default: as many as it has. */
  numHiddenLayers?: number
}

/**
 * Token embeddings that are a mean of several layers' with trained weights, all 1 at first. It stands before `Pooling`.
 * Python reads `layerStart` 4 as the default whatever the model; here a smaller model starts at its last layer.
 * Source: sentence-transformers `WeightedLayerPooling`.
 */
export class WeightedLayerPooling implements ModelModule {
  static readonly hasWeights = true
  static readonly needsConfig = true
  readonly #options: WeightedLayerPoolingOptions

  /** @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION */
  constructor(options: WeightedLayerPoolingOptions = {}) {
    checkOptions('WeightedLayerPooling', options, ['layerStart', 'numHiddenLayers'])
    checkInteger('layerStart', options.layerStart, 0)
    checkInteger('numHiddenLayers', options.numHiddenLayers, 1)
    this.#options = { ...options }
  }

  /** @internal */
  static read(config: ConfigObject, file: string): { module: WeightedLayerPooling; extra: ConfigObject } {
    const { word_embedding_dimension, embedding_dimension, layer_start = 4, num_hidden_layers = 12, ...extra } = config
    const whole = (key: string, value: unknown, least: number): number => {
      if (typeof value === 'number' && Number.isInteger(value) && value >= least) return value
      const message = `Expected a whole number of at least ${least} as ${key} in ${file}, found ${describe(value)}`
      throw new SentenceTorchError('ERR_INVALID_MODEL', message)
    }
    const module = new WeightedLayerPooling({
      layerStart: whole('layer_start', layer_start, 0),
      numHiddenLayers: whole('num_hidden_layers', num_hidden_layers, 1),
    })
    return { module, extra }
  }

  /** @internal */
  place({ width, layers }: ModuleInput, { name, code }: ModuleOrigin): PlacedModule {
    const { layerStart = Math.min(4, layers), numHiddenLayers = layers } = this.#options
    if (numHiddenLayers !== layers || layerStart > layers) {
      const [key, value] =
        numHiddenLayers === layers ? ['layer_start', layerStart] : ['num_hidden_layers', numHiddenLayers]
      throw new SentenceTorchError(code, `${name} has ${key} ${value}, but the transformer has ${layers} layers`)
    }
    const settings = { layer_start: layerStart, num_hidden_layers: numHiddenLayers }
    return {
      spec: { type: 'WeightedLayerPooling', layerStart, numHiddenLayers },
      outputDimension: width,
      config: { word_embedding_dimension: width, ...settings },
      shown: { embedding_dimension: width, ...settings },
    }
  }
}
