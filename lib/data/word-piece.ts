import { bertWords } from './bert-text.js'
import type { IdBuffer } from './id-buffer.js'
import { KeptIds } from './kept-ids.js'
import { tokenFinder } from './tokenizer/added-finder.js'
import type { AddedToken, TokenizerJson } from './tokenizer/blocks.js'
import type { FastEncoder } from './tokenizer/fast-encoder.js'
import { WordPieceModel } from './tokenizer/word-piece-model.js'
import { EMPTY_HASH, hashOfMore } from './unit-hash.js'

const plainWord = /^[0-9A-Za-z]+$/

const SPACE = 1
const PUNCTUATION = 2
/** Punctuation with which an added token begins. */
const ADDED = 3

/** The white space that clean_text keeps. All other characters that are not listed belong to a stretch. */
const kinds = new Uint8Array(128)
for (const code of [0x09, 0x0a, 0x0d, 0x20]) kinds[code] = SPACE
for (let code = 0x21; code < 0x7f; code++) {
  if (!/[0-9A-Za-z]/.test(String.fromCharCode(code))) kinds[code] = PUNCTUATION
}

/**
 * BERT's tokenizer, ten times as fast as the general one. It splits texts at ASCII spaces and punctuation, which no
 * clean-up changes and which separate the clean-up of both sides. It keeps the ids of every stretch between them. So a word
 * of any script is cleaned and matched once, by the functions of the general way.
 *
 * `Pipeline` does the rest: other kinds of tokenizers, and texts that may hold added tokens such as [SEP].
 */
export class WordPieceEncoder implements FastEncoder {
  /** Words end at every space. */
  readonly cuts = / /g
  private readonly punctuation = new Int32Array(128)
  private readonly kinds: Uint8Array
  private readonly kept = new KeptIds()

  private constructor(
    private readonly model: WordPieceModel,
    private readonly clean: (text: string) => string,
    private readonly added: AddedFinder,
  ) {
    this.kinds = kinds.slice()
    for (const code of added.starts) this.kinds[code] = ADDED
    kinds.forEach((kind, code) => {
      if (kind === PUNCTUATION) this.punctuation[code] = model.find(String.fromCharCode(code)) ?? model.unknown!
    })
  }

  /**
   * @param clean the normaliser of the texts, which treats each stretch between two ASCII spaces or punctuation characters
   * separately
   * @returns undefined when the tokenizer is of another kind
   */
  static for(json: TokenizerJson, clean: (text: string) => string): WordPieceEncoder | undefined {
    const { model: block, normalizer, pre_tokenizer, added_tokens } = json
    const fits =
      block?.type === 'WordPiece' &&
      pre_tokenizer?.type === 'BertPreTokenizer' &&
      (normalizer === null || normalizer.type === 'BertNormalizer')
    const model = fits ? new WordPieceModel(block) : undefined
    const finder = model?.unknown === undefined ? undefined : addedFinder(added_tokens as readonly AddedToken[])
    return finder && new WordPieceEncoder(model!, clean, finder)
  }

  takes(text: string): boolean {
    return !this.added.mayHold(text)
  }

  append(text: string, ids: IdBuffer, most: number): boolean {
    const { added, kept, kinds, punctuation } = this
    // Whether the text is known to hold no added token. One without the first character of any is not searched.
    let isFree = added.starts.length === 0
    if (isFree && added.mayHold(text)) return false
    const first = ids.length
    const end = first + most
    const { length } = text
    for (let i = 0; i < length && ids.length < end; ) {
      const code = text.charCodeAt(i)
      const kind = code < 128 ? kinds[code]! : 0
      if (kind === 0) {
        const start = i
        let hash = hashOfMore(EMPTY_HASH, code)
        while (++i < length) {
          const next = text.charCodeAt(i)
          if (next < 128 && kinds[next] !== 0) break
          hash = hashOfMore(hash, next)
        }
        if (!kept.append(ids, text, start, i, hash)) this.appendNew(text, start, i, hash, ids)
        continue
      }
      i++
      if (kind === SPACE) continue
      if (kind === ADDED && !isFree) {
        if (added.mayHold(text)) {
          ids.cut(first)
          return false
        }
        isFree = true
      }
      ids.push(punctuation[code]!)
    }
    return true
  }

  private appendNew(text: string, start: number, end: number, hash: number, ids: IdBuffer): void {
    const first = ids.length
    const stretch = text.slice(start, end)
    // Lone surrogates become U+FFFD, because Python passes strings to the tokenizer as UTF-8.
    const wellFormed = (stretch as string & { toWellFormed(): string }).toWellFormed()
    const cleaned = this.clean(wellFormed)
    // The general pattern has hundreds of ranges. Compiling it takes longer than matching thousands of plain words.
    for (const word of plainWord.test(cleaned) ? [cleaned] : bertWords(cleaned)) this.model.append(word, ids)
    this.kept.keep(ids, first, text, start, end, hash)
  }
}

interface AddedFinder {
  /** Codes of ASCII punctuation, without which a text holds no added token; none where nobody may know from these alone. */
  readonly starts: readonly number[]
  readonly mayHold: (text: string) => boolean
}

/**
 * Recognises texts that may hold an added token: those with the first character of one. A closer look follows where the
 * token is searched for in the original text. Undefined where this test is not enough: a token that is searched for in the
 * cleaned text and begins with a character that the clean-up may produce from others.
 */
function addedFinder(tokens: readonly AddedToken[]): AddedFinder | undefined {
  const contents = tokens.map(({ content }) => content)
  const finder = tokenFinder(contents)
  if (!finder) return undefined
  const firsts = [...new Set(contents.map((content) => content[0]!))]
  const codes = firsts.map((first) => first.charCodeAt(0))
  const isPunctuation = codes.every((code) => kinds[code] === PUNCTUATION)
  if (!tokens.some(({ normalized }) => normalized)) return { starts: isPunctuation ? codes : [], mayHold: finder }
  if (!isPunctuation) return undefined
  // ≮ is < with a stroke, which the clean-up removes.
  return { starts: [], mayHold: (text) => firsts.some((first) => text.includes(first)) || /[^\0-\x7f]/.test(text) }
}
