import { normalForm } from '../data/tokenizer/forms.js'
import type { Tokenizer } from '../data/tokenizer.js'

/** A token as TEI tells it. */
export interface PlacedToken {
  readonly id: number
  readonly text: string
  /** Whether it is one that the tokenizer puts around a text. */
  readonly special: boolean
  /** Bytes of the text in UTF-8; null for special tokens, and where the place is not known: it is for WordPiece alone. */
  readonly start: number | null
  readonly stop: number | null
}

/**
 * The tokens of a text, and where in it they stand.
 * @param ids with the special tokens
 */
export function tokensOf(tokenizer: Tokenizer, text: string, ids: Int32Array): PlacedToken[] {
  const { before, after } = tokenizer.specialCounts
  const content = ids.subarray(before, ids.length - after)
  // Other kinds make tokens of parts of characters and of spaces, which their names do not tell.
  const places = tokenizer.modelType === 'WordPiece' ? placesOf(tokenizer, text, content) : []
  return Array.from(ids, (id, i) => {
    const special = i < before || i >= ids.length - after
    const place = special ? undefined : places[i - before]
    const { start = null, stop = null } = place ?? {}
    return { id, text: place?.text ?? tokenizer.decode([id]), special, start, stop }
  })
}

interface Place {
  readonly text: string
  readonly start: number
  readonly stop: number
}

/**
 * Looks for each token behind the one before it. Letters are compared without case and accents, as normalisers change them. A token
 * that is not found has no place, and the search goes on behind the next one that is found.
 */
function placesOf(tokenizer: Tokenizer, text: string, ids: Int32Array): (Place | undefined)[] {
  const characters = [...text].map((character) => ({
    character,
    folded: fold(character),
    bytes: Buffer.byteLength(character),
  }))
  const starts = [0]
  for (const { bytes } of characters) starts.push(starts.at(-1)! + bytes)
  const unknown = tokenizer.namedTokens.unk_token
  const unknownId = unknown === undefined ? undefined : tokenizer.tokenId(unknown)
  const place = (first: number, last: number): Place => {
    const found = characters.slice(first, last).map(({ character }) => character)
    return { text: found.join(''), start: starts[first]!, stop: starts[last]! }
  }
  let at = 0
  return Array.from(ids, (id) => {
    if (id === unknownId) {
      const [first, last] = nextWord(characters, at)
      at = last
      return first === last ? undefined : place(first, last)
    }
    const wanted = fold(tokenizer.decode([id]).replace(/^##/, '').trim())
    if (wanted === '') return undefined
    for (let first = at; first < Math.min(characters.length, at + FARTHEST); first++) {
      const last = match(characters, first, wanted)
      if (last === undefined) continue
      at = last
      return place(first, last)
    }
    return undefined
  })
}

/** Characters that are searched for a token: words that are unknown are shorter. */
const FARTHEST = 200

/** The word or the sign that comes next: what a token for something unknown stands for. */
function nextWord(characters: readonly { character: string }[], at: number): [first: number, last: number] {
  let first = at
  while (first < characters.length && /\s/.test(characters[first]!.character)) first++
  let last = first
  while (last < characters.length && /[\p{L}\p{N}\p{M}]/u.test(characters[last]!.character)) last++
  return [first, Math.min(Math.max(last, first + 1), characters.length)]
}

/** @returns the place behind the characters that make `wanted`, if they begin at `first` */
function match(characters: readonly { folded: string }[], first: number, wanted: string): number | undefined {
  let rest = wanted
  let i = first
  while (rest !== '' && i < characters.length) {
    const { folded } = characters[i]!
    if (folded === '' ? i === first : !rest.startsWith(folded)) return undefined
    rest = rest.slice(folded.length)
    i++
  }
  return rest === '' ? i : undefined
}

function fold(text: string): string {
  return normalForm(text, 'NFKD').replace(/\p{M}/gu, '').toLowerCase()
}
