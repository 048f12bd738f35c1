import { bertWords } from './bert-text.js'
import type { IdBuffer } from './id-buffer.js'

/** The blocks of tokenizer.json that decide whether {@link WordPieceEncoder} can do the work. */
export interface WordPieceSource {
  added_tokens: readonly AddedToken[]
  normalizer: { type: string } | null
  pre_tokenizer: { type: string } | null
  model?: {
    type?: string
    vocab?: Record<string, number>
    unk_token?: string
    continuing_subword_prefix?: string
    max_input_chars_per_word?: number
    fuse_unk?: boolean
  }
}

interface AddedToken {
  id: number
  content?: string
  special?: boolean
  normalized?: boolean
}

/** Stretches of text whose ids are kept, and the longest (in UTF-16 units) that is: some 10 MB together. */
const KEPT = 1 << 16
const KEPT_LENGTH = 32

const plainWord = /^[0-9A-Za-z]+$/

const SPACE = 1
const PUNCTUATION = 2

/** Only the white space that clean_text does not remove; everything that is not listed here is part of a stretch. */
const kinds = new Uint8Array(128)
for (const code of [0x09, 0x0a, 0x0d, 0x20]) kinds[code] = SPACE
for (let code = 0x21; code < 0x7f; code++) {
  if (!/[0-9A-Za-z]/.test(String.fromCharCode(code))) kinds[code] = PUNCTUATION
}

/**
 * BERT's tokenizer, ten times as fast as the library's general one: texts are cut at ASCII spaces and punctuation, which no
 * clean-up changes and across which none looks, and the ids of every stretch between them are kept. So a word is cleaned and
 * matched once, in whatever script, by the same functions that the library is given.
 *
 * It leaves the rest to the library: other kinds of tokenizers, and texts that may hold added tokens such as [SEP].
 */
export class WordPieceEncoder {
  private readonly vocab: Readonly<Record<string, number>>
  private readonly unknown: number
  private readonly prefix: string
  private readonly mostCharacters: number
  private readonly punctuation = new Int32Array(128)
  private readonly kept = new Map<string, number | readonly number[]>()
  private longest = 0

  private constructor(
    model: NonNullable<WordPieceSource['model']>,
    private readonly clean: (text: string) => string,
    private readonly mayHoldAdded: (text: string) => boolean,
  ) {
    this.vocab = model.vocab!
    this.unknown = model.vocab![model.unk_token!]!
    this.prefix = model.continuing_subword_prefix ?? '##'
    this.mostCharacters = model.max_input_chars_per_word ?? 100
    kinds.forEach((kind, code) => {
      if (kind === PUNCTUATION) this.punctuation[code] = this.find(String.fromCharCode(code)) ?? this.unknown
    })
  }

  /**
   * @param clean the normaliser of the texts: it looks at no more than the stretch between two ASCII spaces or punctuation
   * characters
   * @returns undefined when the tokenizer is of another kind
   */
  static for(json: WordPieceSource, clean: (text: string) => string): WordPieceEncoder | undefined {
    const { model, normalizer, pre_tokenizer, added_tokens } = json
    const fits =
      model?.type === 'WordPiece' &&
      !model.fuse_unk &&
      typeof model.vocab === 'object' &&
      typeof model.unk_token === 'string' &&
      typeof model.vocab[model.unk_token] === 'number' &&
      pre_tokenizer?.type === 'BertPreTokenizer' &&
      (normalizer === null || normalizer.type === 'BertNormalizer')
    const finder = fits ? addedFinder(added_tokens) : undefined
    return finder && new WordPieceEncoder(model!, clean, finder)
  }

  /**
   * Adds the ids of `text` without special tokens; may stop after `most` of them.
   * @returns false when the text is one for the library; nothing has been added then.
   */
  append(text: string, ids: IdBuffer, most: number): boolean {
    if (this.mayHoldAdded(text)) return false
    const end = ids.length + most
    const { length } = text
    for (let i = 0; i < length && ids.length < end; ) {
      const code = text.charCodeAt(i)
      const kind = code < 128 ? kinds[code] : 0
      if (kind === SPACE) {
        i++
      } else if (kind === PUNCTUATION) {
        ids.push(this.punctuation[code]!)
        i++
      } else {
        const start = i++
        for (; i < length; i++) {
          const next = text.charCodeAt(i)
          if (next < 128 && kinds[next] !== 0) break
        }
        this.appendStretch(text.slice(start, i), ids)
      }
    }
    return true
  }

  private appendStretch(stretch: string, ids: IdBuffer): void {
    const found = this.kept.get(stretch) ?? this.match(stretch)
    if (typeof found === 'number') ids.push(found)
    else for (let i = 0; i < found.length; i++) ids.push(found[i]!)
  }

  private match(stretch: string): number | readonly number[] {
    const ids: number[] = []
    // Lone surrogates become U+FFFD: Python's strings are given to the tokenizer as UTF-8.
    const wellFormed = (stretch as string & { toWellFormed(): string }).toWellFormed()
    const cleaned = this.clean(wellFormed)
    // The general pattern has hundreds of ranges, and compiling it takes longer than matching thousands of plain words.
    for (const word of plainWord.test(cleaned) ? [cleaned] : bertWords(cleaned)) this.matchWord(word, ids)
    const found = ids.length === 1 ? ids[0]! : ids
    if (stretch.length <= KEPT_LENGTH) {
      if (this.kept.size === KEPT) this.kept.clear()
      this.kept.set(ownMemory(stretch), found)
    }
    return found
  }

  /** The longest pieces of the vocabulary from the left; one unknown token when a rest begins with none. */
  private matchWord(word: string, ids: number[]): void {
    const { length } = word
    if (length > this.mostCharacters && [...word].length > this.mostCharacters) {
      ids.push(this.unknown)
      return
    }
    const first = ids.length
    // Words are short as a rule; in a long one most ends are too far away for any piece.
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
        ids.length = first
        ids.push(this.unknown)
        return
      }
      ids.push(id)
      start = end
    }
  }

  private find(piece: string): number | undefined {
    const id = this.vocab[piece] as unknown
    // "constructor" is a word, and what every object has under that name is no id.
    return typeof id === 'number' ? id : undefined
  }

  private longestPiece(): number {
    if (this.longest === 0) for (const piece in this.vocab) this.longest = Math.max(this.longest, piece.length)
    return this.longest
  }
}

/** A slice may be a view that keeps a whole text in memory. */
function ownMemory(slice: string): string {
  return slice.length < 13 ? slice : Buffer.from(slice, 'utf16le').toString('utf16le')
}

/**
 * Tells texts that may hold an added token: those with the first character of one, looked at closer where the token is sought
 * in the text as it came. Undefined where such a test would not do: a token that is sought in the cleaned text and begins
 * with a character to which the clean-up may turn others.
 */
function addedFinder(tokens: readonly AddedToken[]): ((text: string) => boolean) | undefined {
  const contents = tokens.map(({ content }) => content ?? '')
  if (contents.includes('')) return undefined
  const firsts = [...new Set(contents.map((content) => content[0]!))]
  const cleaned = tokens.some(({ special, normalized }) => normalized ?? !special)
  if (!cleaned) {
    return (text) => firsts.some((first) => text.includes(first)) && contents.some((content) => text.includes(content))
  }
  if (firsts.some((first) => kinds[first.charCodeAt(0)] !== PUNCTUATION)) return undefined
  // ≮ is < with a stroke, which the clean-up takes away.
  return (text) => firsts.some((first) => text.includes(first)) || /[^\0-\x7f]/.test(text)
}
