import {
  arrayOf,
  boolean,
  inside,
  integer,
  isShallow,
  MAX_DEPTH,
  misfit,
  number,
  object,
  optional,
  type Place,
  recordOf,
  type Schema,
  text,
} from '../../io/schema.js'
import type { AddedToken } from './blocks.js'
import { MAX_TOKEN, MAX_TOKENS } from './limits.js'
import { Pieces } from './pieces.js'

/** The parsed tokenizer files of a folder, without absent ones. */
export interface TokenizerFiles {
  /** tokenizer.json */
  json: object
  /** tokenizer_config.json */
  config?: object
  /** added_tokens.json: ids by token */
  addedTokens?: object
  /** special_tokens_map.json */
  specialTokensMap?: object
  /** `model_type` of config.json, which decides the class where no file names one */
  modelType?: string
}

/** A token is a text, or an object with its settings. */
export type TokenValue = string | (Partial<AddedToken> & { content: string })

export const tokenId = integer(0, MAX_TOKENS - 1)
export const tokenText = text(MAX_TOKEN)
const flag = optional(boolean)
const name = optional(text(MAX_TOKEN))

const flags = { special: flag, normalized: flag, single_word: flag, lstrip: flag, rstrip: flag }
const addedTokens = arrayOf(object({ id: tokenId, content: tokenText, ...flags }))
const tokenObject = object({ content: tokenText, ...flags })

const token: Schema<unknown> = (value, place) => (typeof value === 'string' ? tokenText : tokenObject)(value, place)

const model = object({
  type: name,
  unk_token: name,
  unk_id: optional(tokenId),
  continuing_subword_prefix: name,
  end_of_word_suffix: name,
  max_input_chars_per_word: optional(integer(0, 10_000)),
  dropout: optional(number()),
  fuse_unk: flag,
  byte_fallback: flag,
  ignore_merges: flag,
})

const truncation = optional(object({ direction: name }))

const config = object({
  tokenizer_class: name,
  truncation_side: name,
  added_tokens_decoder: optional(recordOf(token)),
})

/**
 * Checks everything that decides ids outside the blocks of tokenizer.json. Blocks are checked where they are used, because
 * some classes replace them.
 * @returns number of tokens in the model's vocabulary
 * @throws SentenceTorchError ERR_INVALID_MODEL that names file and key
 */
export function checkTokenizerFiles({ json, config: settings = {}, ...more }: TokenizerFiles): number {
  const place: Place = { file: 'tokenizer.json', key: '', code: 'ERR_INVALID_MODEL' }
  const { added_tokens, model: block, truncation: cut, ...rest } = object({})(json, place)
  if (!isShallow(rest, MAX_DEPTH)) throw misfit(place, `values nested at most ${MAX_DEPTH} deep`, json)
  addedTokens(added_tokens ?? [], inside(place, 'added_tokens'))
  truncation(cut, inside(place, 'truncation'))
  const size = block === undefined ? 0 : checkModel(block, inside(place, 'model'))

  const configPlace = { ...place, file: 'tokenizer_config.json' }
  const { added_tokens_decoder: decoder, ...named } = config(settings, configPlace)
  for (const id of Object.keys(decoder ?? {})) {
    if (!/^\d{1,7}$/.test(id)) throw misfit(inside(configPlace, 'added_tokens_decoder'), 'ids as keys', id)
  }
  checkNamed(named, configPlace)
  if (more.specialTokensMap) checkNamed(more.specialTokensMap, { ...place, file: 'special_tokens_map.json' })
  recordOf(tokenId)(more.addedTokens ?? {}, { ...place, file: 'added_tokens.json' })
  for (const content in more.addedTokens) tokenText(content, { ...place, file: 'added_tokens.json' })
  return size
}

/** Tokens that have a part of their own in a class. Python too refuses other values for them. */
const NAMED = /^(bos|eos|unk|sep|pad|cls|mask)_token$/

/** Named tokens. Other keys of this form, such as `add_bos_token`, are not tokens. */
function checkNamed(values: object, place: Place): void {
  for (const [key, value] of Object.entries(values)) {
    if (/^(extra|additional)_special_tokens$/.test(key) && value !== null) {
      if (typeof value !== 'object') throw misfit(inside(place, key), 'an array or an object of tokens', value)
      for (const [i, entry] of Object.entries(value)) if (isToken(entry)) token(entry, inside(inside(place, key), i))
    }
    const isOne = NAMED.test(key) ? value !== null : key.endsWith('_token') && isToken(value)
    if (isOne) token(value, inside(place, key))
  }
}

export function isToken(value: unknown): value is TokenValue {
  return typeof value === 'string' || typeof (value as { content?: unknown } | null)?.content === 'string'
}

/** A vocabulary has too many entries for a schema of each. */
function checkModel(block: unknown, place: Place): number {
  const { vocab, merges, ...rest } = model(block, place)
  if (!isShallow(rest, MAX_DEPTH)) throw misfit(place, `values nested at most ${MAX_DEPTH} deep`, block)
  if (merges !== undefined && merges !== null) checkMerges(merges, inside(place, 'merges'))
  const here = inside(place, 'vocab')
  if (vocab === undefined || vocab === null) return 0
  // They were checked when they were read.
  if (vocab instanceof Pieces) return vocab.length
  if (Array.isArray(vocab)) return checkPieces(vocab, here)
  if (typeof vocab !== 'object') throw misfit(here, 'an object or an array', vocab)
  let size = 0
  const ids = vocab as Record<string, unknown>
  for (const piece in ids) {
    const id = ids[piece] as number
    size++
    // The same as `tokenId` and `tokenText`, without an object for each entry.
    const fits = Number.isInteger(id) && id >= 0 && id < MAX_TOKENS && piece.length <= MAX_TOKEN
    if (fits) continue
    tokenText(piece, here)
    tokenId(id, inside(here, piece))
  }
  return size
}

function checkPieces(pieces: unknown[], place: Place): number {
  const entry = (value: unknown, i: number) => {
    const here = inside(place, i)
    const [piece, score] = arrayOf<unknown>((member) => member, { min: 2, max: 2 })(value, here)
    tokenText(piece, inside(here, 0))
    number()(score, inside(here, 1))
  }
  if (pieces.length > MAX_TOKENS) throw misfit(place, `an array of at most ${MAX_TOKENS} values`, pieces)
  for (let i = 0; i < pieces.length; i++) {
    const value = pieces[i]
    const isPair = Array.isArray(value) && value.length === 2
    const fits = isPair && typeof value[0] === 'string' && value[0].length <= MAX_TOKEN && Number.isFinite(value[1])
    if (!fits) entry(value, i)
  }
  return pieces.length
}

function checkMerges(merges: unknown, place: Place): void {
  if (!Array.isArray(merges)) throw misfit(place, 'an array', merges)
  for (const [i, merge] of merges.entries()) {
    const isPair = Array.isArray(merge) && merge.length === 2 && merge.every((part) => typeof part === 'string')
    if (!isPair && typeof merge !== 'string') throw misfit(inside(place, i), 'a text or two of them', merge)
  }
}
