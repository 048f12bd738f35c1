// What the modules over the sentence embedding, or over those of tokens, have in common.
import { describe } from '../../errors.js'
import type { ConfigObject } from '../../native/types.js'
import { notBuilt } from './module.js'

/** What a module reads and writes: the embedding of a text, or those of its tokens, for models with a vector for each token. */
export type EmbeddingName = (typeof EMBEDDING_INPUTS)[number]

export const EMBEDDING_INPUTS = ['sentence_embedding', 'token_embeddings'] as const

/** The members of a config.json that say what its module reads and writes, as 6.x writes them. */
export function embeddingNames(name: EmbeddingName): ConfigObject {
  return { module_input_name: name, module_output_name: name }
}

/**
 * What a module reads and writes, and the other members of its config.json. Only the same is built for both.
 * @throws ERR_NOT_IMPLEMENTED
 */
export function readEmbeddingNames(config: ConfigObject, file: string): { input: EmbeddingName; rest: ConfigObject } {
  const { module_input_name, module_output_name, ...rest } = config
  const input = EMBEDDING_INPUTS.find((name) => name === (module_input_name ?? 'sentence_embedding'))
  const known = EMBEDDING_INPUTS.map((name) => `"${name}"`).join(' and ')
  if (input === undefined) {
    throw notBuilt(file, `module_input_name: ${describe(module_input_name)} (only ${known} are built)`)
  }
  if ((module_output_name ?? input) !== input) {
    throw notBuilt(file, `module_output_name: ${describe(module_output_name)} (only ${describe(input)} is built here)`)
  }
  return { input, rest }
}
