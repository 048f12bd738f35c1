import { describe, SentenceTorchError } from '../../errors.js'
import type { ConfigObject } from '../../native/types.js'
import { checkOneOf, checkOptions } from '../../options.js'
import type { ModelModule, ModuleInput, ModuleOrigin, PlacedModule } from './module.js'
import { notBuilt } from './module.js'

export interface SpladePoolingOptions {
  /** Over the tokens of a text: the highest weight of each word, or the sum. Default `max`. */
  poolingStrategy?: 'max' | 'sum'
  /** Of a logit x: log(1 + relu(x)), or of that once more log(1 + …). Default `relu`. */
  activationFunction?: 'relu' | 'log1p_relu'
}

const STRATEGIES = ['max', 'sum'] as const
const ACTIVATIONS = ['relu', 'log1p_relu'] as const

/**
 * How much each word of the vocabulary belongs to a text, by the logits of a masked language model: it stands right behind the
 * transformer. The logits of all tokens never stand whole, so there is no `chunkSize`.
 *
 * Papers: Formal et al. 2021, https://arxiv.org/abs/2107.05720 (`sum`) and https://arxiv.org/abs/2109.10086 (`max`); Geng et al. 2024,
 * https://arxiv.org/abs/2504.14839 (`log1p_relu`). Source: sentence-transformers `SpladePooling`.
 */
export class SpladePooling implements ModelModule {
  static readonly hasWeights = false
  static readonly needsConfig = true
  readonly poolingStrategy: 'max' | 'sum'
  readonly activationFunction: 'relu' | 'log1p_relu'
  /** What a config.json says of its width. */
  #width: unknown

  /** @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION */
  constructor(options: SpladePoolingOptions = {}) {
    checkOptions('SpladePooling', options, ['poolingStrategy', 'activationFunction'], {
      chunkSize: { harmless: [null], instead: 'the logits of all tokens never stand whole' },
    })
    checkOneOf('poolingStrategy', options.poolingStrategy, STRATEGIES)
    checkOneOf('activationFunction', options.activationFunction, ACTIVATIONS)
    this.poolingStrategy = options.poolingStrategy ?? 'max'
    this.activationFunction = options.activationFunction ?? 'relu'
  }

  /** @internal */
  static read(config: ConfigObject, file: string): { module: SpladePooling; extra: ConfigObject } {
    const { pooling_strategy, activation_function, embedding_dimension, word_embedding_dimension, ...extra } = config
    const oneOf = <T extends string>(key: string, value: unknown, known: readonly T[]): T => {
      const found = known.find((one) => one === (value ?? known[0]))
      if (found !== undefined) return found
      const message = `${file} has ${key} ${describe(value)}; expected one of ${known.join(', ')}`
      throw new SentenceTorchError('ERR_INVALID_MODEL', message)
    }
    const module = new SpladePooling({
      poolingStrategy: oneOf('pooling_strategy', pooling_strategy, STRATEGIES),
      activationFunction: oneOf('activation_function', activation_function, ACTIVATIONS),
    })
    module.#width = embedding_dimension ?? word_embedding_dimension
    return { module, extra }
  }

  /** @internal */
  place({ vocabulary }: ModuleInput, { name, code }: ModuleOrigin): PlacedModule {
    if (vocabulary === undefined) throw notBuilt(name, 'SpladePooling behind another module than a transformer')
    const said = this.#width ?? vocabulary
    if (said !== vocabulary) {
      const message = `${name} has embedding_dimension ${describe(said)}, but the transformer's vocab_size is ${vocabulary}`
      throw new SentenceTorchError(code, message)
    }
    const settings = { pooling_strategy: this.poolingStrategy, activation_function: this.activationFunction }
    return {
      spec: { type: 'SpladePooling', pooling: this.poolingStrategy, activation: this.activationFunction },
      outputDimension: vocabulary,
      config: { ...settings, word_embedding_dimension: vocabulary },
      shown: { ...settings, embedding_dimension: vocabulary },
    }
  }
}
