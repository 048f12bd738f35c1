import { createRequire } from 'node:module'

interface HubModule {
  Tokenizer: new (
    json: object,
    config: object,
  ) => {
    normalizer: ((text: string) => string) | null
    encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] }
  }
}

/** Ids by @huggingface/tokenizers, without special tokens, with another normaliser: a second opinion. */
export function hubIds(json: object, normalize: (text: string) => string): (text: string) => number[] {
  const { Tokenizer } = createRequire(import.meta.url)('@huggingface/tokenizers') as HubModule
  const tokenizer = new Tokenizer(json, {})
  tokenizer.normalizer = normalize
  return (text) => tokenizer.encode(text, { add_special_tokens: false }).ids
}
