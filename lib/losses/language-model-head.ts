/** What the losses share that have a language-model head. */
import type { ConfigObject } from '../native/types.js'
import { option } from '../options/kinds.js'
import type { PretrainedFacts } from './loss.js'

/** The checkpoint that a head or a decoder starts from. */
export const decoderNameOrPath = option<string, undefined>({
  type: 'string',
  default: undefined,
  expected: 'a string',
  fits: (value) => typeof value === 'string',
})

/** For the spec of a head whose last layer is a matrix of its own. */
export function headSpec(config: ConfigObject, pretrained: PretrainedFacts | undefined): { tieWordEmbeddings?: false } {
  const tied = pretrained?.tieWordEmbeddings ?? config.tie_word_embeddings !== false
  return tied ? {} : { tieWordEmbeddings: false }
}
