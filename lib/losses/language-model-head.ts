import type { ConfigObject } from '../native/types.js'
import type { PretrainedFacts } from './loss.js'

/** For the spec of a head whose last layer is a matrix of its own. */
export function headSpec(config: ConfigObject, pretrained: PretrainedFacts | undefined): { tieWordEmbeddings?: false } {
  const tied = pretrained?.tieWordEmbeddings ?? config.tie_word_embeddings !== false
  return tied ? {} : { tieWordEmbeddings: false }
}
