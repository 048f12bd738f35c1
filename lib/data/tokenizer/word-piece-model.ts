import type { IdBuffer } from '../id-buffer.js'
import { type ModelBlock, notInVocabulary, notUnderstood } from './blocks.js'
import { Pieces } from './pieces.js'

/** WordPiece: takes the longest piece of the vocabulary from the left, again and again. */
export class WordPieceModel {
  /** The id for an unknown word; undefined when the vocabulary lacks the unknown token as well. */
  readonly unknown: number | undefined
  private readonly vocab: Readonly<Record<string, number>>
  private readonly prefix: string
  private readonly mostCharacters: number
  private longest = 0

  /** @throws SentenceTorchError ERR_INVALID_MODEL */
  constructor(model: ModelBlock) {
    if (typeof model.vocab !== 'object' || model.vocab === null || model.vocab instanceof Pieces) {
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
    const first = ids.length
    // In a long word most ends are too far away for any piece.
    const most = length > 20 ? this.longestPiece() : length
    for (let start = 0; start < length; ) {
      let end = Math.min(length, start + most)
      let id: number | undefined
      for (; end > start; end--) {
        const piece = word.slice(start, end)
        id = this.find(start === 0 ? piece : this.prefix + piece)
        if (id !== undefined) break
      }
      if (id === undefined) {
        ids.cut(first)
        ids.push(this.unknownFor(word))
        return
      }
      ids.push(id)
      start = end
    }
  }

  private unknownFor(word: string): number {
    if (this.unknown === undefined) throw notInVocabulary(word)
    return this.unknown
  }

  private longestPiece(): number {
    if (this.longest === 0) for (const piece in this.vocab) this.longest = Math.max(this.longest, piece.length)
    return this.longest
  }
}
