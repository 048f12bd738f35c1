import type { IdBuffer } from '../id-buffer.js'
import { type ModelBlock, notInVocabulary, notUnderstood } from './blocks.js'
import { PieceTable } from './piece-table.js'

/** WordPiece: takes the longest piece of the vocabulary from the left, again and again. */
export class WordPieceModel {
  /** The id for an unknown word; undefined when the vocabulary lacks the unknown token as well. */
  readonly unknown: number | undefined
  private readonly vocab: Readonly<Record<string, number>>
  private readonly prefix: string
  private readonly mostCharacters: number
  /** Made for the first word. */
  private pieces: { first: Pieces; others: Pieces } | undefined

  /** @throws SentenceTorchError ERR_INVALID_MODEL */
  constructor(model: ModelBlock) {
    if (typeof model.vocab !== 'object' || model.vocab === null || Array.isArray(model.vocab)) {
      throw notUnderstood('its WordPiece model has no vocabulary of tokens and ids')
    }
    this.vocab = model.vocab
    this.unknown = this.find(model.unk_token ?? '[UNK]')
    this.prefix = model.continuing_subword_prefix ?? '##'
    this.mostCharacters = model.max_input_chars_per_word ?? 100
  }

  find(piece: string): number | undefined {
    const id = this.vocab[piece] as unknown
    // The word "constructor" must not find an inherited member.
    return typeof id === 'number' ? id : undefined
  }

  /** Appends the ids of a word; one unknown token when no piece begins its rest. */
  append(word: string, ids: IdBuffer): void {
    const { length } = word
    if (length > this.mostCharacters && [...word].length > this.mostCharacters) {
      ids.push(this.unknownFor(word))
      return
    }
    this.pieces ??= this.makePieces()
    const { first, others } = this.pieces
    const before = ids.length
    for (let start = 0; start < length; ) {
      const end = (start === 0 ? first : others).append(word, start, ids)
      if (end === start) {
        ids.cut(before)
        ids.push(this.unknownFor(word))
        return
      }
      start = end
    }
  }

  private unknownFor(word: string): number {
    if (this.unknown === undefined) throw notInVocabulary(word)
    return this.unknown
  }

  private makePieces(): { first: Pieces; others: Pieces } {
    const { prefix } = this
    const all = Object.entries(this.vocab).filter(([, id]) => typeof id === 'number')
    const others = all.filter(([piece]) => piece.startsWith(prefix))
    const bare = others.map(([piece, id]) => [piece.slice(prefix.length), id] as [string, number])
    return { first: new Pieces(all), others: new Pieces(bare) }
  }
}

/** Finds the longest piece. */
class Pieces {
  private readonly table: PieceTable
  private readonly ids: Int32Array
  private readonly found: Int32Array

  constructor(pieces: readonly (readonly [piece: string, id: number])[]) {
    this.table = new PieceTable(pieces)
    this.ids = Int32Array.from(pieces, ([, id]) => id)
    this.found = this.table.roomFor()
  }

  /**
   * Appends the id of the longest piece that begins at `start` in `word`.
   * @returns its end; `start` where there is none
   */
  append(word: string, start: number, ids: IdBuffer): number {
    const count = this.table.findAll(word, start, this.found)
    if (count === 0) return start
    ids.push(this.ids[this.found[count - 1]!]!)
    return this.found[count - 2]!
  }
}
