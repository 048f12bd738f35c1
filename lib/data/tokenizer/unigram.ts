import type { IdBuffer } from '../id-buffer.js'
import { KeptIds } from '../kept-ids.js'
import { hashOfPart } from '../unit-hash.js'
import { type ModelBlock, notInVocabulary, notUnderstood } from './blocks.js'
import { byteIds } from './byte-level.js'
import { NONE, PieceTable } from './piece-table.js'
import { Pieces } from './pieces.js'
import { asRustReads } from './rust-numbers.js'

/** The cost of an unknown character, beyond the least likely piece. */
const UNKNOWN_PENALTY = 10
/** Limit of UTF-16 units in a word for which memory is reused. */
const USUAL = 256

/**
 * Unigram of SentencePiece: the most likely way to compose a word of pieces. Sums are taken from the left in float64, and
 * of equal sums the first wins, as in Rust. Adjacent unknown characters are one token.
 */
export class Unigram {
  private readonly pieces: PieceTable
  private readonly scores: Float64Array
  private readonly unknown: number
  private readonly unknownScore: number
  private readonly bytes: boolean
  private readonly usual = new Ways(USUAL)
  /** The pieces that begin at one position. */
  private readonly found: Int32Array
  private readonly kept = new KeptIds()

  /** @throws SentenceTorchError ERR_INVALID_MODEL */
  constructor(model: ModelBlock) {
    const { vocab, unk_id, byte_fallback, exact_scores } = model
    if (!(vocab instanceof Pieces)) throw notUnderstood('its Unigram model has no list of pieces')
    this.unknown = unk_id ?? NONE
    if (unk_id != null && unk_id >= vocab.length) {
      throw notUnderstood(`the unk_id ${unk_id} of its Unigram model is not in the vocabulary`)
    }
    this.bytes = byte_fallback ?? false
    this.pieces = new PieceTable(vocab)
    this.found = this.pieces.roomFor()
    this.scores = exact_scores ? vocab.scores : vocab.scores.map(asRustReads)
    let least = Number.POSITIVE_INFINITY
    for (const score of this.scores) if (score < least) least = score
    this.unknownScore = least - UNKNOWN_PENALTY
  }

  /** Adds the ids of a word. */
  append(word: string, ids: IdBuffer): void {
    const hash = hashOfPart(word, 0, word.length)
    if (this.kept.append(ids, word, 0, word.length, hash)) return
    const start = ids.length
    this.appendNew(word, ids)
    this.kept.keep(ids, start, word, 0, word.length, hash)
  }

  /** {@link append} for a word that is not worth keeping. */
  appendNew(word: string, ids: IdBuffer): void {
    const { starts, pieces } = this.bestWays(word)
    const found: number[] = []
    // From the right. Unknown characters are collected until a known piece or the beginning of the word.
    let unknownEnd = 0
    for (let end = word.length; end > 0; end = starts[end]!) {
      const id = pieces[end]!
      if (id === this.unknown) {
        if (unknownEnd === 0) unknownEnd = end
        continue
      }
      if (unknownEnd !== 0) this.fuse(word.slice(end, unknownEnd), found)
      unknownEnd = 0
      found.push(id)
    }
    if (unknownEnd !== 0) this.fuse(word.slice(0, unknownEnd), found)
    for (let i = found.length - 1; i >= 0; i--) ids.push(found[i]!)
  }

  /** For every position, the start of the last piece in the most likely way to it. */
  private bestWays(word: string): Ways {
    const { length } = word
    const ways = length <= USUAL ? this.usual : new Ways(length)
    const { starts, pieces, sums } = ways
    const { found, scores, unknown } = this
    starts.fill(NONE, 0, length + 1)
    for (let at = 0; at < length; ) {
      const first = word.charCodeAt(at)
      const isPair = (first & 0xfc00) === 0xd800 && (word.charCodeAt(at + 1) & 0xfc00) === 0xdc00
      const next = at + (isPair ? 2 : 1)
      const before = at === 0 ? 0 : sums[at]!
      const count = this.pieces.findAll(word, at, found)
      for (let i = 0; i < count; i += 2) {
        const end = found[i]!
        const piece = found[i + 1]!
        const sum = scores[piece]! + before
        if (starts[end] !== NONE && !(sum > sums[end]!)) continue
        starts[end] = at
        pieces[end] = piece
        sums[end] = sum
      }
      // A character without a piece of its own.
      if (count === 0 || found[0] !== next) {
        const sum = this.unknownScore + before
        if (starts[next] === NONE || sum > sums[next]!) {
          if (unknown === NONE) throw notInVocabulary(word.slice(at, next))
          starts[next] = at
          pieces[next] = unknown
          sums[next] = sum
        }
      }
      at = next
    }
    return ways
  }

  /** Appends, from the right, the ids of characters without a piece: of their bytes where all are in the vocabulary. */
  private fuse(text: string, found: number[]): void {
    // Its letters may still be a piece: that of the unknown token.
    const own = this.find(text)
    const bytes = own === undefined && this.bytes ? byteIds(text, { get: (token) => this.find(token) }) : undefined
    if (!bytes) found.push(own ?? this.unknown)
    else for (let i = bytes.length - 1; i >= 0; i--) found.push(bytes[i]!)
  }

  private find(piece: string): number | undefined {
    const id = this.pieces.find(piece)
    return id === NONE ? undefined : id
  }
}

/**
 * For each position in a word: the start of the last piece in the most likely way to it, that piece, and the sum of scores.
 */
class Ways {
  readonly starts: Int32Array
  readonly pieces: Int32Array
  readonly sums: Float64Array

  constructor(length: number) {
    this.starts = new Int32Array(length + 1)
    this.pieces = new Int32Array(length + 1)
    this.sums = new Float64Array(length + 1)
  }
}
