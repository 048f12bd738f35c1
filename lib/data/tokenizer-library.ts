import { createRequire } from 'node:module'
import { SentenceTorchError } from '../errors.js'
import { bertWords, lowerByCharacter } from './bert-text.js'

/** The part of tokenizer.json that is looked at by name. */
export interface TokenizerJson {
  added_tokens: { id: number; content?: string; special: boolean; normalized?: boolean }[]
  normalizer: ({ type: string } & Record<string, unknown>) | null
  pre_tokenizer: { type: string } | null
  post_processor: unknown
  model?: { type?: string; vocab?: Record<string, number>; continuing_subword_prefix?: string }
}

/** The part of @huggingface/tokenizers in use: its own declarations do not resolve under TypeScript's "nodenext". */
interface HubTokenizer {
  normalizer: ((text: string) => string) | null
  pre_tokenizer: ((text: string) => string[]) | null
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] }
  get_vocab(): Map<string, number>
}
interface HubModule {
  Tokenizer: new (tokenizerJson: object, tokenizerConfig: object) => HubTokenizer
}

const require = createRequire(import.meta.url)

/** @huggingface/tokenizers, which understands every tokenizer.json, with BERT's text clean-up replaced (see bert-text.ts). */
export class LibraryTokenizer {
  private readonly inner: HubTokenizer

  /**
   * @param normalize replaces the normaliser; undefined leaves the library's, behind lower-casing with `doLowerCase`
   * @throws SentenceTorchError ERR_INVALID_MODEL
   */
  constructor(
    json: TokenizerJson,
    config: object,
    normalize: ((text: string) => string) | undefined,
    doLowerCase: boolean,
  ) {
    // When it is needed: most models never do, and it takes its time to load.
    const { Tokenizer } = require('@huggingface/tokenizers') as HubModule
    try {
      this.inner = new Tokenizer(json, config)
    } catch (cause) {
      const message = `tokenizer.json cannot be understood: ${(cause as Error).message}`
      throw new SentenceTorchError('ERR_INVALID_MODEL', message, { cause })
    }
    if (json.pre_tokenizer?.type === 'BertPreTokenizer') this.inner.pre_tokenizer = bertWords
    const next = this.inner.normalizer
    if (normalize) this.inner.normalizer = normalize
    else if (doLowerCase) this.inner.normalizer = next ? (text) => next(lowerByCharacter(text)) : lowerByCharacter
  }

  /** Ids of a text without special tokens. */
  ids(text: string): readonly number[] {
    // Lone surrogates become U+FFFD: Python's strings are given to the tokenizer as UTF-8.
    const wellFormed = (text as string & { toWellFormed(): string }).toWellFormed()
    return this.inner.encode(wellFormed, { add_special_tokens: false }).ids
  }

  vocabulary(): Map<string, number> {
    return this.inner.get_vocab()
  }
}
