import { SentenceTorchError } from '../errors.js'
import type { Tokenized } from './pack.js'
import { type PairPiece, pairTemplate } from './pair-template.js'
import type { Tokenizer } from './tokenizer.js'
import { Turns } from './turns.js'

/** Pairs of texts as one row each, with the number of the segment of every token. */
export interface TokenizedPairs extends Tokenized {
  tokenTypes: Int32Array
}

/** More tokens than any text has: cutting comes after pairing. */
const UNCUT = 2 ** 31

/**
 * Makes rows of pairs: both texts between the tokenizer's special tokens, cut to `maxSeqLength` by taking tokens from the
 * longer text first, as Python's tokenizers do with `truncation="longest_first"`.
 */
export class PairTokenizer {
  readonly #tokenizer: Tokenizer
  readonly #pieces: readonly PairPiece[]
  readonly #added: number

  /** @throws SentenceTorchError ERR_INVALID_MODEL when the tokenizer's pair template cannot be understood. */
  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer
    this.#pieces = pairTemplate(tokenizer.postProcessor)
    this.#added = this.#pieces.reduce((sum, piece) => sum + ('ids' in piece ? piece.ids.length : 0), 0)
  }

  /** Fewest tokens of a row: the special ones. */
  get specialTokens(): number {
    return this.#added
  }

  /**
   * Row i is the pair (`first[i]`, `second[i]`). A text that comes several times, as a query over its documents does, is
   * tokenised once. Gives turns.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT for unequal lengths or a text that is no string, ERR_ABORTED
   */
  async encode(
    first: readonly string[],
    second: readonly string[],
    maxSeqLength: number = this.#tokenizer.maxSeqLength,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<TokenizedPairs> {
    if (first.length !== second.length) {
      const message = `Expected as many first as second texts but received ${first.length} and ${second.length}`
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    const places = new Map<string, number>()
    for (const texts of [first, second]) {
      for (const text of texts) if (!places.has(text)) places.set(text, places.size)
    }
    const contents = await this.#tokenizer.encodeAll([...places.keys()], UNCUT, signal ? { signal } : {})
    const turns = new Turns()
    const rows: { from: [number, number]; length: [number, number] }[] = []
    const offsets = new Int32Array(first.length + 1)
    for (let row = 0; row < first.length; row++) {
      const texts = [places.get(first[row]!)!, places.get(second[row]!)!] as const
      const uncut = texts.map((text) => this.#content(contents, text)) as [Content, Content]
      const kept = longestFirst(uncut[0].length, uncut[1].length, maxSeqLength - this.#added)
      const left = this.#tokenizer.truncatesLeft
      const from = uncut.map(({ start, length }, i) => (left ? start + length - kept[i]! : start)) as [number, number]
      rows.push({ from, length: kept })
      offsets[row + 1] = offsets[row]! + kept[0] + kept[1] + this.#added
      if (row % 256 === 0) await turns.give()
    }
    const ids = new Int32Array(offsets[first.length]!)
    const tokenTypes = new Int32Array(ids.length)
    for (const [row, { from, length }] of rows.entries()) {
      let at = offsets[row]!
      for (const piece of this.#pieces) {
        const part =
          'ids' in piece ? piece.ids : contents.ids.subarray(from[piece.text], from[piece.text] + length[piece.text])
        ids.set(part, at)
        tokenTypes.fill(piece.type, at, at + part.length)
        at += part.length
      }
      if (row % 256 === 0) await turns.give()
    }
    return { ids, offsets, tokenTypes }
  }

  /** Where a text's own tokens lie among those that were tokenised with special tokens around each. */
  #content({ offsets }: Tokenized, text: number): Content {
    const { before, after } = this.#tokenizer.specialCounts
    const start = offsets[text]! + before
    return { start, length: offsets[text + 1]! - after - start }
  }
}

interface Content {
  start: number
  length: number
}

/**
 * How many tokens two texts keep where `room` are allowed: the longer one gives way until both are equal, then both do, the
 * first one more where `room` is odd. Source: `truncate_encodings` of Hugging Face's tokenizers.
 */
export function longestFirst(first: number, second: number, room: number): [number, number] {
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
