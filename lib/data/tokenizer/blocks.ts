import { SentenceTorchError } from '../../errors.js'
import { arrayOf, inside, misfit, object, type Place, type Schema, text } from '../../io/schema.js'
import type { Pieces } from './pieces.js'

/** Limit of steps; no tokenizer has as many. */
const MAX_BLOCKS = 1000

/** A part of tokenizer.json, identified by its type. */
export type Block = { type: string } & Record<string, unknown>

/** A token that is searched for before the tokenizer's model runs. */
export interface AddedToken {
  id: number
  content: string
  /** Not a part of the text: [CLS], [PAD], … */
  special: boolean
  /** Searched for in the normalised text instead of the original text. */
  normalized: boolean
  /** Only without an adjacent letter, digit or mark. */
  single_word: boolean
  /** Includes the white space before it, or after it. */
  lstrip: boolean
  rstrip: boolean
}

export interface ModelBlock {
  type?: string
  /** For WordPiece, WordLevel and BPE ids by token, for Unigram pieces and their scores. */
  vocab?: Record<string, number> | Pieces
  unk_token?: string | null
  unk_id?: number | null
  continuing_subword_prefix?: string | null
  max_input_chars_per_word?: number
  fuse_unk?: boolean
  byte_fallback?: boolean
  /** Not in the file: whether Python read Unigram's scores, which rounds as JavaScript does. Otherwise Rust read them. */
  exact_scores?: boolean
}

/** The parts of tokenizer.json that decide ids. */
export interface TokenizerJson {
  added_tokens: readonly (Partial<AddedToken> & { id: number })[]
  normalizer: Block | null
  pre_tokenizer: Block | null
  post_processor: unknown
  truncation?: { direction?: string } | null
  decoder?: Block | null
  /** Not in the file, but in tokenizer_config.json: special tokens in a text are ordinary words. */
  split_special_tokens?: boolean
  model?: ModelBlock
}

const typed = object({ type: text(100) })

/**
 * Checks a part of tokenizer.json that consists of blocks. Types without a schema are checked where they are used.
 * @param key of the part
 * @param children key of the blocks of a Sequence
 * @param schemas by type
 * @throws SentenceTorchError ERR_INVALID_MODEL that names the key
 */
export function checkBlocks(
  value: unknown,
  key: string,
  children: string,
  schemas: Readonly<Record<string, Schema<unknown>>>,
): void {
  let count = 0
  const check = (block: unknown, here: Place): void => {
    if (++count > MAX_BLOCKS) throw misfit(here, `at most ${MAX_BLOCKS} blocks`, block)
    const { type, [children]: parts } = typed(block, here)
    if (type === 'Sequence') arrayOf(check)(parts, inside(here, children))
    else if (Object.hasOwn(schemas, type)) schemas[type]!(block, here)
  }
  if (value !== null && value !== undefined) check(value, { file: 'tokenizer.json', key, code: 'ERR_INVALID_MODEL' })
}

/** The error for a part of tokenizer.json that would give other ids than Python's. */
export function notBuilt(what: string): SentenceTorchError {
  return new SentenceTorchError('ERR_NOT_IMPLEMENTED', `tokenizer.json has ${what}, which is not built yet`)
}

/** The error for a tokenizer.json without a meaning. */
export function notUnderstood(what: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_MODEL', `tokenizer.json cannot be understood: ${what}`)
}

/** The error for a word outside a vocabulary that has no unknown token. */
export function notInVocabulary(word: string): SentenceTorchError {
  const shown = JSON.stringify(word.length > 40 ? `${word.slice(0, 37)}...` : word)
  const message = `${shown} is not in the vocabulary, and neither is an unknown token that would stand for it`
  return new SentenceTorchError('ERR_INVALID_DATA', message)
}
