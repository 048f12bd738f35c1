import { SentenceTorchError } from '../../errors.js'
import type { ConfigObject } from '../../native/types.js'
import { checkInteger } from '../../options.js'
import { positiveInteger } from '../folder-config.js'
import type { ModelModule, ModuleInput, ModuleOrigin, PlacedModule } from './module.js'

/** torch.nn.LayerNorm over the sentence embedding, with epsilon 1e-5. Source: sentence-transformers `LayerNorm`. */
export class LayerNorm implements ModelModule {
  static readonly hasWeights = true
  static readonly needsConfig = true
  readonly #dimension: number | undefined

  /**
   * @param dimension width of the embedding; default: that of the module before
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT
   */
  constructor(dimension?: number) {
    checkInteger('dimension', dimension, 1)
    this.#dimension = dimension
  }

  /** @internal */
  static read({ dimension, ...extra }: ConfigObject, file: string): { module: LayerNorm; extra: ConfigObject } {
    return { module: new LayerNorm(positiveInteger(dimension, 'dimension', file)), extra }
  }

  /** @internal */
  place({ width }: ModuleInput, { name, code }: ModuleOrigin): PlacedModule {
    if (this.#dimension !== undefined && this.#dimension !== width) {
      throw new SentenceTorchError(code, `${name} has dimension ${this.#dimension}, but its input is ${width} wide`)
    }
    const config = { dimension: width }
    return { spec: { type: 'LayerNorm', dimension: width }, outputDimension: width, config, shown: config }
  }
}
