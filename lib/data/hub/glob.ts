/** Which files the patterns of a dataset card mean, in time that grows with their lengths only. */
import { SentenceTorchError } from '../../errors.js'

/** What one character of a path must be; of `star` and `deep` as many as there are, `folders` is `**` and the slash behind it. */
type Token = string | 'star' | 'deep' | 'folders' | ((character: string) => boolean)

/** Characters of paths times parts of patterns: some seconds. */
const MAX_STEPS = 500_000_000

const wildcards = /\*\*\/?|\*|\?|\[!?\]?[^\]/]*\]/g

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
    for (let i = this.firstFrom(prefix); i < this.sorted.length && this.sorted[i]!.file.startsWith(prefix); i++) {
      const { file } = this.sorted[i]!
      this.steps += (file.length - first + 1) * tokens.length
      if (this.steps > MAX_STEPS) {
        throw new SentenceTorchError('ERR_INVALID_FILE', 'The patterns of the dataset card are too many for its files')
      }
      if (fits(tokens, file.slice(first))) found.push(this.sorted[i]!)
    }
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
  for (const match of pattern.matchAll(wildcards)) {
    const [text] = match
    const isName = match.index === 0 ? atStart : pattern[match.index - 1] === '/'
    addText(match.index)
    at = match.index + text.length
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

/** Goes through the text once, with all places of the pattern where it may be. */
function fits(tokens: readonly Token[], text: string): boolean {
  let places = new Uint8Array(tokens.length + 1)
  let next = new Uint8Array(tokens.length + 1)
  /** Enters a place, and those behind it that it needs no character for. */
  const enter = (target: Uint8Array, place: number) => {
    for (let at = place; target[at] !== ENTERED; at++) {
      target[at] = ENTERED
      const token = tokens[at]
      if (token !== 'star' && token !== 'deep' && token !== 'folders') break
    }
  }
  enter(places, 0)
  for (const character of text) {
    next.fill(0)
    for (let at = 0; at < tokens.length; at++) {
      if (places[at] === 0) continue
      const token = tokens[at]!
      if (token === 'folders') {
        // Behind the slash only: within a folder's name the place stays, and nothing behind it can begin.
        if (next[at] === 0) next[at] = INSIDE
        if (character === '/') enter(next, at + 1)
      } else if (token === 'star' || token === 'deep') {
        if (token === 'deep' || character !== '/') enter(next, at)
      } else if (typeof token === 'function' ? token(character) : token === character) enter(next, at + 1)
    }
    ;[places, next] = [next, places]
  }
  return places[tokens.length] === ENTERED
}

const ENTERED = 1
const INSIDE = 2
