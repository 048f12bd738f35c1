export interface TokenizerOptions {
  /** `do_lower_case` of sentence_bert_config.json: lower-case every text first. Default false. */
  doLowerCase?: boolean
  /** Tokens per text at most, special tokens included; longer texts are cut. */
  maxSeqLength: number
}
