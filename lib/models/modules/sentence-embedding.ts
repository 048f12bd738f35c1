// What the modules over the sentence embedding have in common.
import { describe } from '../../errors.js'
import type { ConfigObject } from '../../native/types.js'
import { notBuilt } from './module.js'

/** What they read and write, as 6.x says it. */
export const EMBEDDING_NAMES = { module_input_name: 'sentence_embedding', module_output_name: 'sentence_embedding' }

/** The other members of a config.json whose module reads and writes the sentence embedding. @throws ERR_NOT_IMPLEMENTED */
export function checkEmbeddingNames(config: ConfigObject, file: string): ConfigObject {
  const { module_input_name, module_output_name, ...rest } = config
  for (const [key, value] of Object.entries({ module_input_name, module_output_name })) {
    if (value === undefined || value === null || value === 'sentence_embedding') continue
    throw notBuilt(file, `${key}: ${describe(value)} (only "sentence_embedding" is built)`)
  }
  return rest
}
