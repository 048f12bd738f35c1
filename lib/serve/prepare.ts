/** Texts on their way to a model: prompts, lengths, truncation. */
import type { Tokenizer } from '../data/tokenizer.js'
import type { Call } from './call.js'
import { empty, invalid, ServeError } from './errors.js'
import type { Inputs } from './inputs.js'

/** More tokens than any text has. */
const UNCUT = 2 ** 31 - 1
/** Characters of a token at most, for the limit of a text's length. Source: text-embeddings-inference `MAX_CHAR_MULTIPLIER`. */
const CHARACTERS_A_TOKEN = 250

/** What a request says of texts that are too long. */
export interface Cutting {
  /** Default: the server's `autoTruncate`. */
  readonly truncate?: boolean | undefined
  /** Default: the tokenizer's. */
  readonly direction?: 'left' | 'right' | undefined
}

/** @throws ServeError for no input, an empty one, or more than a request may have */
export function checkBatch<T extends { readonly length: number }>(
  { items, isSingle }: Inputs<T>,
  name: string,
  { service, facts }: Call,
): void {
  const method = isSingle ? 'single' : 'batch'
  facts.method = method
  service.metrics.requests.add({ method })
  checkBatchSize(items.length, service.settings.maxClientBatchSize)
  if (items.length === 0 || items.some((item) => item.length === 0)) throw empty(name)
}

export function checkBatchSize(size: number, most: number): void {
  if (size <= most) return
  throw new ServeError('Validation', `batch size ${size} > maximum allowed batch size ${most}`, { code: 'batch_size' })
}

export function countCharacters(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + text.length, 0)
}

/**
 * A text that is at most as long as the model could read, so that nobody tokenises megabytes for nothing.
 * @param most tokens that the model reads
 * @throws ServeError where it would have to be cut, and must not be
 */
export function withinCharacters(text: string, most: number, { truncate, direction }: Cutting, name: string): string {
  const limit = most * CHARACTERS_A_TOKEN
  if (text.length <= limit) return text
  if (!truncate) throw invalid(`\`${name}\` must have less than ${limit} characters. Given: ${text.length}`, name)
  const cut = direction === 'left' ? text.slice(-limit) : text.slice(0, limit)
  // Half of a surrogate pair is no character.
  return cut.replace(/^[\uDC00-\uDFFF]|[\uD800-\uDBFF]$/, '')
}

/** @throws ServeError for a text that is too long and must not be cut */
export function checkLength(tokens: number, most: number, { truncate }: Cutting, name: string): void {
  if (tokens <= most || truncate) return
  throw invalid(`\`${name}\` must have less than ${most} tokens. Given: ${tokens}`, name)
}

export interface Measured {
  /** Texts without the prompt, short enough to be tokenised. */
  readonly texts: readonly string[]
  /** The token ids that the model reads of each, with prompt and special tokens. */
  readonly rows: readonly Int32Array[]
  /** Whether one was cut on the side that the tokenizer itself does not cut. */
  readonly isCutThere: boolean
}

export interface MeasureOptions {
  prompt: string
  cutting: Cutting
  name: string
  call: Call
  /** Tokens to which the model cuts such texts. Default: the tokenizer's limit. */
  most?: number
}

/** Counts the tokens of texts, and cuts those that are too long on the side that the tokenizer does not cut. */
export async function measure(
  tokenizer: Tokenizer,
  given: readonly string[],
  { prompt, cutting, name, call, most = tokenizer.maxSeqLength }: MeasureOptions,
): Promise<Measured> {
  const own = tokenizer.truncatesLeft ? 'left' : 'right'
  const direction = cutting.direction ?? own
  const cutsOwnWay = cutting.truncate === true && direction === own
  const texts = given.map((text) => withinCharacters(text, most, { ...cutting, direction }, name))
  const prompted = prompt === '' ? texts : texts.map((text) => prompt + text)
  const start = performance.now()
  const options = { signal: call.signal, allowEmpty: true }
  const { ids, offsets } = await tokenizer.encodeAll(prompted, cutsOwnWay ? most : UNCUT, options)
  call.facts.tokenization += performance.now() - start
  let isCutThere = false
  const rows = texts.map((_, i) => {
    const row = ids.subarray(offsets[i], offsets[i + 1])
    checkLength(row.length, most, cutting, name)
    if (row.length <= most) return row
    isCutThere = true
    return cutRow(tokenizer, row, direction)
  })
  for (const { length } of rows) {
    call.facts.tokens += length
    call.service.metrics.inputLength.record(length)
  }
  return { texts, rows, isCutThere }
}

/** The row without tokens of one side, between its special tokens. */
function cutRow({ specialCounts, maxSeqLength }: Tokenizer, row: Int32Array, direction: 'left' | 'right'): Int32Array {
  const { before, after } = specialCounts
  const room = maxSeqLength - before - after
  const content = row.subarray(before, row.length - after)
  const kept = direction === 'left' ? content.subarray(content.length - room) : content.subarray(0, room)
  return Int32Array.from([...row.subarray(0, before), ...kept, ...row.subarray(row.length - after)])
}
