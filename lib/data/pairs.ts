import { SentenceTorchError } from '../errors.js'
import { checkInteger } from '../options.js'
import type { Tokenized } from './pack.js'
import { type PairPiece, pairTemplate } from './pair-template.js'
import { TimeSlice } from './time-slice.js'
import type { EncodeAllOptions, Tokenizer } from './tokenizer.js'

/** Pairs of texts as one row each, with the segment number of every token. */
export interface TokenizedPairs extends Tokenized {
  /** Absent where the model uses no token types. */
  tokenTypes?: Int32Array
}

/** More tokens than any text has, because rows are cut after pairing. */
const UNCUT = 2 ** 31

/** Limit of the token ids that are kept for later calls: 256 MiB. */
export class TokenCache {
  readonly #kept = new Map<string, Int32Array>()
  #room = 64 * 1024 * 1024

  get(text: string): Int32Array | undefined {
    return this.#kept.get(text)
  }

  put(text: string, ids: Int32Array): void {
    if (ids.length > this.#room || this.#kept.has(text)) return
    this.#kept.set(text, ids.slice())
    this.#room -= ids.length
  }
}

export interface PairOptions extends EncodeAllOptions {
  /** Texts in it are not tokenised again. */
  cache?: TokenCache | undefined
  /** What is put to every pair. Default none. */
  prompt?: string
}

/** Makes rows of token ids of pairs. */
export interface PairEncoder {
  /** Fewest tokens of a row. */
  readonly specialTokens: number
  /**
   * Row i is the pair (`first[i]`, `second[i]`). Works in short slices (TimeSlice).
   * @param maxSeqLength tokens to which rows are cut; default: the tokenizer's
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT for unequal lengths or a text that is no string, ERR_ABORTED
   */
  encode(
    first: readonly string[],
    second: readonly string[],
    maxSeqLength?: number,
    options?: PairOptions,
  ): Promise<TokenizedPairs>
}

/**
 * Makes rows of pairs: both texts between the tokenizer's special tokens. Rows are cut to `maxSeqLength` by taking tokens
 * from the longer text first, as Python's tokenizers do with `truncation="longest_first"`. A prompt stands before the first text.
 */
export class PairTokenizer implements PairEncoder {
  readonly #tokenizer: Tokenizer
  readonly #pieces: readonly PairPiece[]
  readonly #added: number
  readonly #types: boolean

  /**
   * @param options.types whether the model uses the types of tokens. Default true.
   * @throws SentenceTorchError ERR_INVALID_MODEL when the tokenizer's pair template cannot be understood, ERR_INVALID_ARGUMENT
   * when its `maxSeqLength` has no room for the special tokens
   */
  constructor(tokenizer: Tokenizer, { types = true } = {}) {
    this.#tokenizer = tokenizer
    this.#types = types
    const pieces = pairTemplate(tokenizer.postProcessor)
    this.#pieces = tokenizer.hasTokenTypes ? pieces : pieces.map((piece) => ({ ...piece, type: 0 }))
    this.#added = this.#pieces.reduce((sum, piece) => sum + ('ids' in piece ? piece.ids.length : 0), 0)
    checkInteger('maxSeqLength', tokenizer.maxSeqLength, this.#added)
  }

  /** Fewest tokens of a row: the special ones. */
  get specialTokens(): number {
    return this.#added
  }

  /** A repeated text, such as a query over its documents, is tokenised once. */
  async encode(
    given: readonly string[],
    second: readonly string[],
    maxSeqLength: number = this.#tokenizer.maxSeqLength,
    { cache, prompt = '', ...options }: PairOptions = {},
  ): Promise<TokenizedPairs> {
    checkEqualLengths(given, second)
    checkInteger('maxSeqLength', maxSeqLength, this.#added)
    const first = prompt === '' ? given : given.map((text) => prompt + text)
    const nameOf = (text: string) => nameInPairs(text, first, second)
    const contents = await ownTokens(this.#tokenizer, new Set([...first, ...second]), nameOf, cache, options)
    const slice = new TimeSlice()
    const rows: (readonly [Int32Array, Int32Array])[] = []
    const offsets = new Int32Array(first.length + 1)
    for (let row = 0; row < first.length; row++) {
      const [a, b] = [contents.get(first[row]!)!, contents.get(second[row]!)!]
      const kept = longestFirst(a.length, b.length, maxSeqLength - this.#added)
      rows.push([this.#cut(a, kept[0]), this.#cut(b, kept[1])])
      offsets[row + 1] = offsets[row]! + kept[0] + kept[1] + this.#added
      if (row % 256 === 0) await slice.yield()
    }
    const ids = new Int32Array(offsets[first.length]!)
    const tokenTypes = new Int32Array(ids.length)
    for (const [row, texts] of rows.entries()) {
      let at = offsets[row]!
      for (const piece of this.#pieces) {
        const part = 'ids' in piece ? piece.ids : texts[piece.text]
        ids.set(part, at)
        tokenTypes.fill(piece.type, at, at + part.length)
        at += part.length
      }
      if (row % 256 === 0) await slice.yield()
    }
    return { ids, offsets, ...(this.#types && { tokenTypes }) }
  }

  #cut(ids: Int32Array, length: number): Int32Array {
    return this.#tokenizer.truncatesLeft ? ids.subarray(ids.length - length) : ids.subarray(0, length)
  }
}

/** @throws SentenceTorchError ERR_INVALID_ARGUMENT */
export function checkEqualLengths(first: readonly string[], second: readonly string[]): void {
  if (first.length === second.length) return
  const message = `Expected as many first as second texts but received ${first.length} and ${second.length}`
  throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}

/**
 * Each text's own tokens, without special ones.
 * @param nameOf what errors call a text
 */
export async function ownTokens(
  tokenizer: Tokenizer,
  texts: ReadonlySet<string>,
  nameOf: (text: string) => string,
  cache: TokenCache | undefined,
  options: EncodeAllOptions,
): Promise<Map<string, Int32Array>> {
  const found = new Map<string, Int32Array>()
  const missing: string[] = []
  for (const text of texts) {
    const kept = cache?.get(text)
    if (kept) found.set(text, kept)
    else missing.push(text)
  }
  const { ids, offsets } = await tokenizer.encodeAll(missing, UNCUT, {
    ...options,
    nameOf: (index) => nameOf(missing[index]!),
    allowEmpty: true,
  })
  const { before, after } = tokenizer.specialCounts
  missing.forEach((text, i) => {
    const own = ids.subarray(offsets[i]! + before, offsets[i + 1]! - after)
    found.set(text, own)
    cache?.put(text, own)
  })
  return found
}

/** The position of a text, for errors. */
function nameInPairs(text: string, first: readonly string[], second: readonly string[]): string {
  const row = first.indexOf(text)
  return row === -1 ? `the second text of pair ${second.indexOf(text)}` : `the first text of pair ${row}`
}

/**
 * The numbers of tokens that two texts keep within `room`. The longer text is cut until both are equal, then both are cut.
 * The first keeps one more where `room` is odd.
 * Source: `truncate_encodings` of Hugging Face's tokenizers.
 */
function longestFirst(first: number, second: number, room: number): [number, number] {
  if (first + second <= room) return [first, second]
  const swapped = first > second
  const shorter = Math.min(first, second)
  let a = shorter
  let b = shorter > room ? shorter : Math.max(shorter, room - shorter)
  if (a + b > room) {
    a = Math.floor(room / 2)
    b = a + (room % 2)
  }
  return swapped ? [b, a] : [a, b]
}
