import type { ConfigObject } from '../../native/types.js'
import type { ModelModule, ModuleInput, PlacedModule } from './module.js'
import { checkEmbeddingNames, EMBEDDING_NAMES } from './sentence-embedding.js'

/** Sentence embeddings of length 1. Source: sentence-transformers `Normalize`. */
export class Normalize implements ModelModule {
  static readonly hasWeights = false
  /** 6.x writes one; older folders have none. */
  static readonly needsConfig = false

  /** @internal */
  static read(config: ConfigObject, file: string): { module: Normalize; extra: ConfigObject } {
    return { module: new Normalize(), extra: checkEmbeddingNames(config, file) }
  }

  /** @internal */
  place({ width }: ModuleInput): PlacedModule {
    return { spec: { type: 'Normalize' }, outputDimension: width, config: undefined, shown: EMBEDDING_NAMES }
  }
}
