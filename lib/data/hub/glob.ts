/** Which files the patterns of a dataset card mean, in time that grows with their lengths only. */
import { SentenceTorchError } from '../../errors.js'

/** What one character of a path must be; of `star` and `deep` as many as there are, `folders` is `**` and the slash behind it. */
type Token = string | 'star' | 'deep' | 'folders' | ((character: string) => boolean)

/** Places of patterns that are looked at: about a second. */
const MAX_STEPS = 50_000_000

const wildcards = /\*\*\/?|\*|\?|\[/g

export class FileMatcher {
  private readonly known: ReadonlySet<string>
  /** The files in the order of their texts, so that those with the same beginning are neighbours. */
  private readonly sorted: readonly { file: string; place: number }[]
  private steps = 0

  constructor(files: readonly string[]) {
    this.known = new Set(files)
    this.sorted = files.map((file, place) => ({ file, place })).sort((a, b) => (a.file < b.file ? -1 : 1))
  }

  /**
   * The files that a pattern means, in their order: `*`, `?` and `[…]` within a name, `**` across folders. As fsspec has it, but
   * that `**` may also be a part of a name.
   * @throws SentenceTorchError ERR_INVALID_FILE when all patterns so far took too long
   */
  match(pattern: string): string[] {
    const path = pattern.replace(/^\.?\//, '')
    const first = path.search(/[*?[]/)
    if (first === -1) return this.known.has(path) ? [path] : []
    const prefix = path.slice(0, first)
    const tokens = tokensOf(path.slice(first), prefix === '' || prefix.endsWith('/'))
    const found: { file: string; place: number }[] = []
    const walk = new Walk(tokens)
    for (let i = this.firstFrom(prefix); i < this.sorted.length && this.sorted[i]!.file.startsWith(prefix); i++) {
      if (walk.fits(this.sorted[i]!.file, first)) found.push(this.sorted[i]!)
      if (this.steps + walk.steps > MAX_STEPS) {
        throw new SentenceTorchError('ERR_INVALID_FILE', 'The patterns of the dataset card are too many for its files')
      }
    }
    this.steps += walk.steps
    return found.sort((a, b) => a.place - b.place).map(({ file }) => file)
  }

  /** Where the files begin that are not before `prefix`. */
  private firstFrom(prefix: string): number {
    let [low, high] = [0, this.sorted.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.sorted[middle]!.file < prefix) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** @param atStart whether a name begins where the pattern does */
function tokensOf(pattern: string, atStart: boolean): Token[] {
  const tokens: Token[] = []
  let at = 0
  const addText = (end: number) => {
    for (const character of pattern.slice(at, end)) tokens.push(character)
  }
  const classEnd = classEnds(pattern)
  for (const match of pattern.matchAll(wildcards)) {
    // Within a class, or one that does not end.
    if (match.index < at) continue
    const end = match[0] === '[' ? classEnd(match.index) : match.index + match[0].length
    if (end === -1) continue
    const text = pattern.slice(match.index, end)
    const isName = match.index === 0 ? atStart : pattern[match.index - 1] === '/'
    addText(match.index)
    at = end
    if (text === '*') tokens.push('star')
    else if (text === '?') tokens.push((character) => character !== '/')
    else if (text.startsWith('[')) tokens.push(classOf(text.slice(1, -1)))
    else if (text === '**/' && isName) tokens.push('folders')
    else if (text === '**/') tokens.push('deep', '/')
    else tokens.push('deep')
  }
  addText(pattern.length)
  return tokens
}

/** Tells where the class that begins somewhere ends, −1 where it does not; all together look at each character once. */
function classEnds(pattern: string): (start: number) => number {
  const closing = new Int32Array(pattern.length + 2).fill(-1)
  for (let at = pattern.length - 1; at >= 0; at--) {
    const character = pattern[at]
    closing[at] = character === ']' ? at : character === '/' ? -1 : closing[at + 1]!
  }
  return (start) => {
    const first = pattern[start + 1] === '!' ? start + 2 : start + 1
    // A bracket at the beginning is one of the characters, if another follows.
    const end = pattern[first] === ']' && closing[first + 1]! !== -1 ? closing[first + 1]! : (closing[first] ?? -1)
    return end === -1 ? -1 : end + 1
  }
}

/** What stands between brackets: characters and ranges; behind `!` all others, as in Python with the slash. */
function classOf(text: string): (character: string) => boolean {
  const negated = text.startsWith('!')
  const characters = [...text.slice(negated ? 1 : 0)]
  const ranges: [string, string][] = []
  for (let i = 0; i < characters.length; i++) {
    const isRange = characters[i + 1] === '-' && i + 2 < characters.length
    ranges.push([characters[i]!, characters[isRange ? i + 2 : i]!])
    if (isRange) i += 2
  }
  return (character) => ranges.some(([from, to]) => from <= character && character <= to) !== negated
}

/** Goes through a text once, with all places of the pattern where it may be. */
class Walk {
  /** How many places were looked at. */
  steps = 0
  /** Of each place, the character behind which it was entered last; behind them the places within the folders of a `**` and slash. */
  private readonly entered: Int32Array
  private next: number[] = []

  constructor(private readonly tokens: readonly Token[]) {
    this.entered = new Int32Array(2 * tokens.length + 1)
  }

  /** @param start where in the file the pattern begins */
  fits(file: string, start: number): boolean {
    const { tokens } = this
    const { length } = tokens
    this.entered.fill(-1)
    this.next = []
    let at = start
    this.enter(0, at)
    while (at < file.length) {
      const character = String.fromCodePoint(file.codePointAt(at)!)
      at += character.length
      const places = this.next
      this.next = []
      this.steps += places.length + 1
      for (const place of places) {
        const token = tokens[place > length ? place - length - 1 : place]
        if (token === 'folders') {
          // Within a folder's name the place stays, and nothing behind it can begin.
          this.stay(place > length ? place : place + length + 1, at)
          if (character === '/') this.enter(place > length ? place - length : place + 1, at)
        } else if (token === 'star' || token === 'deep') {
          if (token === 'deep' || character !== '/') this.enter(place, at)
        } else if (typeof token === 'function' ? token(character) : token === character) this.enter(place + 1, at)
      }
      if (this.next.length === 0) return false
    }
    return this.entered[length] === at
  }

  /** Enters a place, and those behind it that it needs no character for. */
  private enter(place: number, at: number): void {
    for (let i = place; this.entered[i] !== at; i++) {
      this.stay(i, at)
      const token = this.tokens[i]
      if (token !== 'star' && token !== 'deep' && token !== 'folders') return
    }
  }

  private stay(place: number, at: number): void {
    if (this.entered[place] === at) return
    this.entered[place] = at
    this.next.push(place)
  }
}
