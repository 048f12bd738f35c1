/** Query expansion of ColBERT: short queries are filled up with a token whose vectors are compared, too. */
import type { Tokenized } from '../../data/pack.js'
import type { Tokenizer } from '../../data/tokenizer.js'
import { describe, type ErrorCode, SentenceTorchError } from '../../errors.js'
import type { ConfigObject } from '../../native/types.js'
import { isPlainObject } from '../../options.js'

export interface QueryExpansion {
  /** `fixed`: every query has `length` tokens, longer ones are cut; `min`: shorter ones are filled up, longer ones stay. */
  strategy: 'fixed' | 'min'
  /** Whether the text's own tokens attend to the new ones. Default false. */
  attend?: boolean
  /** What is put behind the text. Default null: the tokenizer's mask token, else its end of a text. */
  token?: string | null
  /** Tokens of an expanded query, special tokens included. */
  length: number
}

const NAMES = ['strategy', 'attend', 'token', 'length']

/**
 * A query expansion of a file or an option, with its defaults; null for none.
 * @param name for messages: `query_expansion of sentence_bert_config.json`
 * @throws SentenceTorchError `code`
 */
export function readQueryExpansion(value: unknown, name: string, code: ErrorCode): Required<QueryExpansion> | null {
  if (value === null || value === undefined) return null
  const wrong = (expected: string, found: unknown) =>
    new SentenceTorchError(code, `Expected ${expected} for ${name}, found ${describe(found)}`)
  if (!isPlainObject(value)) throw wrong('an object with strategy and length', value)
  const unknown = Object.keys(value).find((key) => !NAMES.includes(key))
  if (unknown !== undefined) throw wrong(`members ${NAMES.join(', ')}`, unknown)
  const { strategy, attend = false, token = null, length } = value as ConfigObject
  if (strategy !== 'fixed' && strategy !== 'min') throw wrong('the strategy fixed or min', strategy)
  if (typeof attend !== 'boolean') throw wrong('true or false as attend', attend)
  if (token !== null && typeof token !== 'string') throw wrong('a text or null as token', token)
  if (typeof length !== 'number' || !Number.isInteger(length) || length < 1)
    throw wrong('a positive integer as length', length)
  return { strategy, attend, token, length }
}

/**
 * The id of the token that expands queries.
 * @throws SentenceTorchError ERR_INVALID_MODEL where the vocabulary does not have it
 */
export function expansionId({ token }: Required<QueryExpansion>, tokenizer: Tokenizer): number {
  if (token !== null) {
    const id = tokenizer.tokenId(token)
    if (id !== undefined) return id
    const message = `Expected a token of the vocabulary as token of query_expansion, found ${describe(token)}`
    throw new SentenceTorchError('ERR_INVALID_MODEL', message)
  }
  const end = tokenizer.namedTokens.eos_token
  const id = tokenizer.maskTokenId ?? (end === undefined ? undefined : tokenizer.tokenId(end))
  if (id !== undefined) return id
  const message =
    'query_expansion without a token needs a mask token or an end of a text, and the tokenizer has neither'
  throw new SentenceTorchError('ERR_INVALID_MODEL', message)
}

/**
 * Fills up rows of fewer than `length` tokens with token `id`.
 * @returns the rows, and how many tokens of each were there before: unless the model attends to all, those that it attends to
 */
export function expandQueries(
  { ids, offsets }: Tokenized,
  { length, attend }: Pick<Required<QueryExpansion>, 'length' | 'attend'>,
  id: number,
): Tokenized & { attended?: Int32Array } {
  const rows = offsets.length - 1
  const expanded = new Int32Array(rows + 1)
  const attended = new Int32Array(rows)
  for (let row = 0; row < rows; row++) {
    attended[row] = offsets[row + 1]! - offsets[row]!
    expanded[row + 1] = expanded[row]! + Math.max(length, attended[row]!)
  }
  const filled = new Int32Array(expanded[rows]!).fill(id)
  for (let row = 0; row < rows; row++) filled.set(ids.subarray(offsets[row]!, offsets[row + 1]!), expanded[row]!)
  return { ids: filled, offsets: expanded, ...(!attend && { attended }) }
}
