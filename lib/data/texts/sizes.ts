/** How long a text is: in tokens of a tokenizer, or in words. */
import { invalidArgument } from '../../errors.js'
import type { Tokenizer } from '../tokenizer.js'

export interface Ruler {
  /** Room for a passage: the budget without special tokens. */
  readonly room: number
  /** Whether the size of a text is the sum of its parts' sizes. */
  readonly isExact: boolean
  sizesOf(texts: readonly string[], signal: AbortSignal | undefined): Promise<number[]>
}

/** Counts words. @param most words of a passage */
export function wordRuler(most: number): Ruler {
  return { room: most, isExact: true, sizesOf: async (texts) => texts.map(countWords) }
}

/** Counts tokens. @param most tokens of a passage with the special tokens around it */
export function tokenRuler(tokenizer: Tokenizer, most: number): Ruler {
  const { before, after } = tokenizer.specialCounts
  const room = most - before - after
  if (room < 1) {
    throw invalidArgument('maxTokens', `more than the ${before + after} special tokens around a text`, most)
  }
  return {
    room,
    isExact: false,
    async sizesOf(texts, signal) {
      const { offsets } = await tokenizer.encodeAll(texts, Number.MAX_SAFE_INTEGER, {
        ...(signal && { signal }),
        nameOf: () => 'a part of a text',
        allowEmpty: true,
      })
      return texts.map((_, i) => offsets[i + 1]! - offsets[i]! - before - after)
    },
  }
}

/** Characters of the scripts that write words without spaces between them. */
const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u

/** Intl.Segmenter takes time for the whole text at each step, so it gets short ones. */
const SEGMENT_LENGTH = 512
/** Made for the first text that needs it, because a process that only encodes reads no texts. */
let segmenter: Intl.Segmenter | undefined

/** Words of a text with clean whitespace: between spaces, or found by Intl.Segmenter in scripts without spaces. */
export function countWords(text: string): number {
  let count = 0
  for (const word of text.split(' ')) {
    if (word === '') continue
    if (!unspaced.test(word)) count++
    else for (const [, isWord] of wordsIn(word)) if (isWord) count++
  }
  return count
}

/** The parts of a text at which it may be cut, each with the spaces behind it. */
export function* partsOfWords(text: string): Generator<string, void, undefined> {
  for (const word of text.match(/ *[^ ]+ */g) ?? []) {
    if (!unspaced.test(word)) yield* shortParts(word)
    else for (const [part] of wordsIn(word)) yield* shortParts(part)
  }
}

function* wordsIn(text: string): Generator<[part: string, isWord: boolean], void, undefined> {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'word' })
  for (const piece of shortParts(text, SEGMENT_LENGTH)) {
    for (const { segment, isWordLike } of segmenter.segment(piece)) yield [segment, isWordLike === true]
  }
}

/** Longer words are cut: addresses, data. */
const LONGEST_WORD = 1000

/** A text in parts of at most `most` UTF-16 units, without cutting a character. */
export function* shortParts(text: string, most = LONGEST_WORD): Generator<string, void, undefined> {
  let start = 0
  while (text.length - start > most) {
    const cutsPair = /[\ud800-\udbff]/.test(text[start + most - 1]!)
    const end = start + most + (cutsPair ? (most > 1 ? -1 : 1) : 0)
    yield text.slice(start, end)
    start = end
  }
  if (start < text.length) yield text.slice(start)
}
