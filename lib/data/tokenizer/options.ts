export interface TokenizerOptions {
  /** `do_lower_case` of sentence_bert_config.json: lower-case every text first. Default false. */
  doLowerCase?: boolean
  /** Limit of tokens in a text, special tokens included. Longer texts are cut. */
  maxSeqLength: number
}
