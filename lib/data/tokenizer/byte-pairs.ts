import type { IdBuffer } from '../id-buffer.js'
import { KeptIds } from '../kept-ids.js'
import { hashOfPart } from '../unit-hash.js'
import { type ModelBlock, notBuilt, notInVocabulary, notUnderstood } from './blocks.js'
import { byteIds } from './byte-level.js'
import { Merges, MOST_MERGES } from './merges.js'
import { Pieces } from './pieces.js'

/** The members of a BPE `model` block that decide ids. */
export interface BytePairsBlock extends ModelBlock {
  /** Two tokens each, as two texts or as one with a space between them. */
  merges?: readonly (string | readonly string[])[] | null
  dropout?: number | null
  end_of_word_suffix?: string | null
  ignore_merges?: boolean
}

/** Limit of symbols in a word for which memory is reused. */
const USUAL = 1024

/**
 * Byte pair encoding: the characters of a word are its first symbols, and neighbours merge by their ids.
 * Source: `BPE` of Hugging Face's Rust tokenizers.
 */
export class BytePairs {
  private readonly vocab: Readonly<Record<string, number>>
  private readonly merges: Merges
  /** Prefix of all characters but the first, and suffix of the last one. */
  private readonly prefix: string
  private readonly suffix: string
  private readonly kept = new KeptIds()
  /** The symbols of the current word. */
  private symbols = new Int32Array(USUAL)
  private count = 0

  /** @throws SentenceTorchError ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED */
  constructor(private readonly block: BytePairsBlock) {
    const { vocab, merges, dropout } = block
    if (!vocab || vocab instanceof Pieces) throw notUnderstood('its BPE model has no vocabulary of tokens and ids')
    if (!Array.isArray(merges)) throw notUnderstood('its BPE model has no merges')
    if (typeof dropout === 'number' && dropout !== 0) {
      if (!(dropout > 0 && dropout <= 1))
        throw notUnderstood(`the dropout ${dropout} of its BPE model is not from 0 to 1`)
      throw notBuilt(`the dropout ${dropout} of its BPE model`)
    }
    this.vocab = vocab
    this.prefix = block.continuing_subword_prefix ?? ''
    this.suffix = block.end_of_word_suffix ?? ''
    this.merges = this.read(merges)
  }

  /** Whether a word that is a token stays whole. */
  get keepsTokens(): boolean {
    return this.block.ignore_merges === true
  }

  /** Whether a character has the same first symbol everywhere in a word. */
  get isPlain(): boolean {
    return this.prefix === '' && this.suffix === ''
  }

  find(token: string): number | undefined {
    const id = this.vocab[token] as unknown
    // An inherited member such as "constructor" is not an id.
    return typeof id === 'number' ? id : undefined
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
    const id = this.keepsTokens ? this.find(word) : undefined
    if (id !== undefined) {
      ids.push(id)
      return
    }
    this.takeApart(word)
    this.appendMerged(this.symbols, this.count, ids)
    if (this.symbols.length > USUAL) this.symbols = new Int32Array(USUAL)
  }

  /** Appends the ids of the first `count` symbols after merging. Changes the symbols. */
  appendMerged(symbols: Int32Array, count: number, ids: IdBuffer): void {
    const left = this.merges.merge(symbols, count)
    for (let i = 0; i < left; i++) ids.push(symbols[i]!)
  }

  private takeApart(word: string): void {
    const { unk_token, fuse_unk, byte_fallback } = this.block
    const vocabulary = { get: (token: string) => this.find(token) }
    this.count = 0
    /** An unknown token that is not appended yet. Bytes that follow come before it, as in Rust. */
    let pending: number | undefined
    for (const piece of this.pieces(word)) {
      const id = this.find(piece)
      const bytes = id === undefined && byte_fallback ? byteIds(piece, vocabulary) : undefined
      if (bytes) for (const byte of bytes) this.put(byte)
      else if (id !== undefined) {
        if (pending !== undefined) this.put(pending)
        pending = undefined
        this.put(id)
      } else if (unk_token != null) {
        const unknown = this.find(unk_token)
        if (unknown === undefined) throw notInVocabulary(piece)
        if (pending !== undefined && !fuse_unk) this.put(pending)
        pending = unknown
      }
    }
    if (pending !== undefined) this.put(pending)
  }

  /** The characters of a word in the vocabulary's spelling. */
  private *pieces(word: string): Generator<string> {
    let at = 0
    for (const character of word) {
      const isFirst = at === 0
      at += character.length
      yield `${isFirst ? '' : this.prefix}${character}${at === word.length ? this.suffix : ''}`
    }
  }

  private put(symbol: number): void {
    if (this.count === this.symbols.length) {
      const larger = new Int32Array(this.count * 2)
      larger.set(this.symbols)
      this.symbols = larger
    }
    this.symbols[this.count++] = symbol
  }

  private read(list: readonly (string | readonly string[])[]): Merges {
    if (list.length > MOST_MERGES)
      throw notUnderstood(`its BPE model has ${list.length} merges, more than ${MOST_MERGES}`)
    const { prefix } = this
    const merges = new Merges(list.length)
    const idOf = (token: string, merge: unknown) => {
      const id = this.find(token)
      if (id !== undefined) return id
      throw notUnderstood(
        `its merge ${shown(merge)} needs the token ${shown(token)}, which its vocabulary does not have`,
      )
    }
    for (const merge of list) {
      // The header line of a merges file.
      if (typeof merge === 'string' && merge.startsWith('#version')) continue
      const [left, right] = twoTokens(merge)
      if (!right.startsWith(prefix)) {
        throw notUnderstood(`the second token of its merge ${shown(merge)} does not begin with ${shown(prefix)}`)
      }
      const result = left + (prefix === '' ? right : right.slice(prefix.length))
      merges.add(idOf(left, merge), idOf(right, merge), idOf(result, merge))
    }
    return merges
  }
}

function twoTokens(merge: string | readonly string[]): readonly [string, string] {
  if (typeof merge !== 'string') return merge as readonly [string, string]
  const space = merge.indexOf(' ')
  if (space < 0 || merge.includes(' ', space + 1)) {
    throw notUnderstood(`its merge ${shown(merge)} is not two tokens with a space between them`)
  }
  return [merge.slice(0, space), merge.slice(space + 1)]
}

function shown(value: unknown): string {
  const text = JSON.stringify(value)
  return text.length > 100 ? `${text.slice(0, 97)}...` : text
}
