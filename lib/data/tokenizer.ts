import type { Tokenized } from './pack.js'

export type { Tokenized } from './pack.js'

export interface TokenizerOptions {
  /** `do_lower_case` of sentence_bert_config.json: lower-case every text first. Default false. */
  doLowerCase?: boolean
  /** Tokens per text at most, special tokens included; longer texts are cut. */
  maxSeqLength: number
}

export interface EncodeAllOptions {
  /** Rejects with its reason when it fires. */
  signal?: AbortSignal
}
