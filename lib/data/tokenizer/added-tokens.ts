import { type AddedToken, notBuilt } from './blocks.js'
import { oldCharacters } from './forms.js'
import type { Normalizer } from './normalizers.js'
import { Prefixes } from './prefixes.js'

/** A part of a text: an added token, or the text between two. */
export type Section = { id: number } | { text: string }

interface Sought {
  content: string
  token: AddedToken
}

const endsWithWord = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u
const startsWithWord = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u
const space = /\p{White_Space}/u

/**
 * Finds added tokens in a text. The longest one at a position wins. Some are searched for in the original text, the others,
 * after normalisation, in the normalised text.
 * Source: `AddedVocabulary` of Hugging Face's Rust tokenizers.
 */
export class AddedTokens {
  private readonly raw: Finder
  private readonly normalized: Finder

  /** @param splitsSpecial whether special tokens in a text are ordinary words */
  constructor(tokens: readonly AddedToken[], normalize: Normalizer, splitsSpecial: boolean) {
    const raw = tokens.filter((token) => !token.normalized)
    const normalized = tokens.filter((token) => token.normalized)
    const sought = raw.map((token) => ({ content: token.content, token }))
    this.raw = new Finder(sought, splitsSpecial)
    this.normalized = new Finder(
      normalized.map((token) => ({ content: normalize(token.content), token })),
      splitsSpecial,
    )
  }

  /** The parts of an original text. */
  inText(text: string): Section[] {
    return this.raw.split(text)
  }

  /** The parts of a normalised text. */
  inNormalized(text: string): Section[] {
    return this.normalized.split(text)
  }
}

/**
 * Refuses tokens of which the normaliser leaves nothing: Rust finds them between any two characters, and cannot encode a text with
 * characters outside ASCII.
 * @throws SentenceTorchError ERR_NOT_IMPLEMENTED
 */
export function checkAddedTokens(tokens: readonly AddedToken[], normalize: Normalizer): void {
  const empty = tokens.find(({ normalized, content }) => normalized && normalize(content) === '')
  if (empty) throw notBuilt(`the added token ${JSON.stringify(empty.content)}, of which its normalizer leaves nothing`)
}

class Finder {
  private readonly sought = new Prefixes<AddedToken>()
  private readonly first: RegExp | undefined

  constructor(
    sought: readonly Sought[],
    private readonly splitsSpecial: boolean,
  ) {
    for (const { content, token } of sought) this.sought.add(content, token)
    const firsts = new Set(sought.map(({ content }) => content.slice(0, 1)).filter((unit) => unit !== ''))
    const units = [...firsts].map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    this.first = units.length === 0 ? undefined : new RegExp(`[${units.join('')}]`, 'g')
  }

  split(text: string): Section[] {
    const sections: Section[] = []
    let end = 0
    for (const [from, to, token] of this.find(text)) {
      if (token.special && this.splitsSpecial) continue
      if (token.single_word && (endsWithWord.test(before(text, from)) || startsWithWord.test(after(text, to)))) continue
      // The token before has taken this white space.
      const start = token.lstrip ? spaceStart(text, from, end) : from
      const stop = token.rstrip ? spaceEnd(text, to) : to
      if (end < start) sections.push({ text: text.slice(end, start) })
      // Rust drops empty parts: a token of white space of which the one before has taken all.
      if (start < stop) sections.push({ id: token.id })
      end = stop
    }
    if (end < text.length) sections.push({ text: text.slice(end) })
    return sections
  }

  private *find(text: string): Generator<[from: number, to: number, token: AddedToken]> {
    if (!this.first) return
    for (let at = 0; ; ) {
      this.first.lastIndex = at
      const from = this.first.exec(text)?.index
      if (from === undefined) return
      let found: AddedToken | undefined
      at = from + 1
      this.sought.each(text, from, (length, token) => {
        found = token
        at = from + length
      })
      if (found) yield [from, at, found]
    }
  }
}

/** The character before an index, by the Rust tables. */
function before(text: string, index: number): string {
  return oldCharacters(text.slice(Math.max(0, index - 2), index))
}

function after(text: string, index: number): string {
  return oldCharacters(text.slice(index, index + 2))
}

/** Start of the white space before an index, at `least` or later. */
function spaceStart(text: string, index: number, least: number): number {
  let start = Math.max(index, least)
  while (start > least && space.test(text[start - 1]!)) start--
  return start
}

function spaceEnd(text: string, index: number): number {
  let end = index
  while (end < text.length && space.test(text[end]!)) end++
  return end
}
