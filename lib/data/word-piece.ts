import { bertWords } from './bert-text.js'
import type { IdBuffer } from './id-buffer.js'
import { KeptIds } from './kept-ids.js'
import { tokenFinder } from './tokenizer/added-finder.js'
import type { AddedToken, TokenizerJson } from './tokenizer/blocks.js'
import type { FastEncoder } from './tokenizer/fast-encoder.js'
import { WordPieceModel } from './tokenizer/word-piece-model.js'

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
 * BERT's tokenizer, ten times as fast as the general one: texts are cut at ASCII spaces and punctuation, which no
 * clean-up changes and across which none looks, and the ids of every stretch between them are kept. So a word is cleaned and
 * matched once, in whatever script, by the same functions as there.
 *
 * It leaves the rest to `Pipeline`: other kinds of tokenizers, and texts that may hold added tokens such as [SEP].
 */
export class WordPieceEncoder implements FastEncoder {
  /** Words end at every space. */
  readonly cuts = / /g
  private readonly punctuation = new Int32Array(128)
  private readonly kept = new KeptIds()

  private constructor(
    private readonly model: WordPieceModel,
    private readonly clean: (text: string) => string,
    private readonly mayHoldAdded: (text: string) => boolean,
  ) {
    kinds.forEach((kind, code) => {
      if (kind === PUNCTUATION) this.punctuation[code] = model.find(String.fromCharCode(code)) ?? model.unknown!
    })
  }

  /**
   * @param clean the normaliser of the texts: it looks at no more than the stretch between two ASCII spaces or punctuation
   * characters
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
    return !this.mayHoldAdded(text)
  }

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
    if (this.kept.append(stretch, ids)) return
    const start = ids.length
    // Lone surrogates become U+FFFD: Python's strings are given to the tokenizer as UTF-8.
    const wellFormed = (stretch as string & { toWellFormed(): string }).toWellFormed()
    const cleaned = this.clean(wellFormed)
    const found: number[] = []
    // The general pattern has hundreds of ranges, and compiling it takes longer than matching thousands of plain words.
    for (const word of plainWord.test(cleaned) ? [cleaned] : bertWords(cleaned)) this.model.match(word, found)
    for (const id of found) ids.push(id)
    this.kept.keep(stretch, ids, start)
  }
}

/**
 * Tells texts that may hold an added token: those with the first character of one, looked at closer where the token is sought
 * in the text as it came. Undefined where such a test would not do: a token that is sought in the cleaned text and begins
 * with a character to which the clean-up may turn others.
 */
function addedFinder(tokens: readonly AddedToken[]): ((text: string) => boolean) | undefined {
  const contents = tokens.map(({ content }) => content)
  const finder = tokenFinder(contents)
  if (!finder || !tokens.some(({ normalized }) => normalized)) return finder
  const firsts = [...new Set(contents.map((content) => content[0]!))]
  if (firsts.some((first) => kinds[first.charCodeAt(0)] !== PUNCTUATION)) return undefined
  // ≮ is < with a stroke, which the clean-up takes away.
  return (text) => firsts.some((first) => text.includes(first)) || /[^\0-\x7f]/.test(text)
}
