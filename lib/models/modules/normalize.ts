import type { ConfigObject } from '../../native/types.js'
import { checkOneOf, checkOptions } from '../../options.js'
import type { ModelModule, ModuleInput, PlacedModule } from './module.js'
import { EMBEDDING_INPUTS, type EmbeddingName, embeddingNames, readEmbeddingNames } from './sentence-embedding.js'

export interface NormalizeOptions {
  /** `token_embeddings` for models with a vector for each token. Default `sentence_embedding`. */
  moduleInputName?: EmbeddingName
}

/** Embeddings of length 1. Source: sentence-transformers `Normalize`. */
export class Normalize implements ModelModule {
  static readonly hasWeights = false
  /** 6.x writes one; older folders have none. */
  static readonly needsConfig = false
  readonly #input: EmbeddingName

  /** @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION */
  constructor(options: NormalizeOptions = {}) {
    checkOptions('Normalize', options, ['moduleInputName'])
    checkOneOf('moduleInputName', options.moduleInputName, EMBEDDING_INPUTS)
    this.#input = options.moduleInputName ?? 'sentence_embedding'
  }

  /** @internal */
  static read(config: ConfigObject, file: string): { module: Normalize; extra: ConfigObject } {
    const { input, rest } = readEmbeddingNames(config, file)
    return { module: new Normalize({ moduleInputName: input }), extra: rest }
  }

  /** @internal */
  place({ width }: ModuleInput): PlacedModule {
    const shown = embeddingNames(this.#input)
    const isOfTokens = this.#input === 'token_embeddings'
    return {
      spec: { type: 'Normalize', ...(isOfTokens && { input: this.#input }) },
      outputDimension: width,
      config: isOfTokens ? shown : undefined,
      shown,
    }
  }
}
