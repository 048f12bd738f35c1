import type { IdBuffer } from '../id-buffer.js'
import { type ModelBlock, notInVocabulary, notUnderstood } from './blocks.js'
import { byteIds } from './byte-level.js'
import { Prefixes } from './prefixes.js'

/** What an unknown character costs beyond the least likely piece. */
const UNKNOWN_PENALTY = 10
/** UTF-16 units of pieces that are looked up as they are; few are longer. */
const SHORT = 32
/** Words whose ids are kept, and the longest (in UTF-16 units) that is. */
const KEPT = 1 << 16
const KEPT_LENGTH = 32

/**
 * Unigram of SentencePiece: of all ways to put a word together of pieces the most likely one. Sums are taken from the left in
 * float64, and of equal ones the first stays, as in Rust; unknown characters side by side are one token.
 */
export class Unigram {
  readonly vocabulary = new Map<string, number>()
  private readonly scores: Float64Array
  private readonly unknown: number | undefined
  private readonly unknownScore: number
  private readonly bytes: boolean
  /** By first UTF-16 unit the length of the longest short piece. */
  private readonly longest = new Map<number, number>()
  private readonly long = new Prefixes<number>()
  private readonly hasLong: boolean
  private readonly kept = new Map<string, readonly number[]>()

  /** @throws SentenceTorchError ERR_INVALID_MODEL */
  constructor(model: ModelBlock) {
    const pieces = model.vocab as [string, number][]
    this.unknown = model.unk_id ?? undefined
    if (this.unknown !== undefined && pieces[this.unknown] === undefined) {
      throw notUnderstood(`the unk_id ${this.unknown} of its Unigram model is not in the vocabulary`)
    }
    this.bytes = model.byte_fallback ?? false
    this.scores = Float64Array.from(pieces, ([, score]) => score)
    this.unknownScore = this.scores.reduce((least, score) => Math.min(least, score), Infinity) - UNKNOWN_PENALTY
    pieces.forEach(([piece], id) => {
      if (piece === '') return
      this.vocabulary.set(piece, id)
      const first = piece.charCodeAt(0)
      const length = Math.min(SHORT, piece.length)
      this.longest.set(first, Math.max(this.longest.get(first) ?? 0, length))
    })
    const long = pieces.filter(([piece]) => piece.length > SHORT)
    // Of equal pieces the last one counts.
    for (const [piece] of long) this.long.add(piece, this.vocabulary.get(piece)!)
    this.hasLong = long.length > 0
  }

  append(word: string, ids: IdBuffer): void {
    const found = this.kept.get(word) ?? this.match(word)
    for (let i = 0; i < found.length; i++) ids.push(found[i]!)
  }

  private match(word: string): readonly number[] {
    const ends = this.bestEnds(word)
    const found: number[] = []
    // From the right; unknown characters are collected until a known piece or the beginning of the word.
    let unknownEnd: number | undefined
    for (let end = word.length; end > 0; end = ends.start[end]!) {
      const id = ends.id[end]!
      if (id === this.unknown) {
        unknownEnd ??= end
        continue
      }
      if (unknownEnd !== undefined) this.fuse(word.slice(end, unknownEnd), found)
      unknownEnd = undefined
      found.push(id)
    }
    if (unknownEnd !== undefined) this.fuse(word.slice(0, unknownEnd), found)
    found.reverse()
    if (word.length <= KEPT_LENGTH) {
      if (this.kept.size === KEPT) this.kept.clear()
      this.kept.set(word, found)
    }
    return found
  }

  /** For every position where a piece of the best way can end, where that piece begins and which it is. */
  private bestEnds(word: string): { start: Int32Array; id: Int32Array } {
    const { length } = word
    const start = new Int32Array(length + 1).fill(-1)
    const id = new Int32Array(length + 1)
    const score = new Float64Array(length + 1)
    const offer = (from: number, to: number, piece: number, own: number) => {
      const sum = own + score[from]!
      if (start[to] !== -1 && sum <= score[to]!) return
      score[to] = sum
      start[to] = from
      id[to] = piece
    }
    for (let at = 0; at < length; ) {
      const width = word.codePointAt(at)! > 0xffff ? 2 : 1
      const most = Math.min(length - at, this.longest.get(word.charCodeAt(at)) ?? 0)
      let single = false
      for (let size = width; size <= most; size++) {
        const piece = this.vocabulary.get(word.slice(at, at + size))
        if (piece === undefined) continue
        offer(at, at + size, piece, this.scores[piece]!)
        single ||= size === width
      }
      if (this.hasLong) {
        this.long.each(word, at, (size, piece) => offer(at, at + size, piece, this.scores[piece]!))
      }
      if (!single) {
        if (this.unknown === undefined) throw notInVocabulary(word.slice(at, at + width))
        offer(at, at + width, this.unknown, this.unknownScore)
      }
      at += width
    }
    return { start, id }
  }

  /** Adds, from the right, the ids of characters that no piece holds: of their bytes where all are in the vocabulary. */
  private fuse(text: string, found: number[]): void {
    // By its letters it can still be a piece: the unknown token's own.
    const own = this.vocabulary.get(text)
    const bytes = own === undefined && this.bytes ? byteIds(text, this.vocabulary) : undefined
    if (!bytes) found.push(own ?? this.unknown!)
    else for (const id of bytes.reverse()) found.push(id)
  }
}
