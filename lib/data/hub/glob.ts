/** Matches the file patterns of a dataset card as fsspec does for `datasets`. picomatch matches single names. */
import picomatch from 'picomatch'
import { describe, SentenceTorchError } from '../../errors.js'

/** A part of a pattern between slashes: the pattern of a name, or `**` for any number of folders. */
type Part = '**' | NamePattern

/** Limit of milliseconds for all patterns of a card. */
const MAX_TIME = 2000
const MAX_LENGTH = 4096
/**
 * Limit of ways to fit the stars of a part to a name. A regular expression may try all of them, which takes about a second.
 */
const MAX_WAYS = 1e8
/** Limit of patterns that one becomes: each `**` within a name doubles them. */
const MAX_ALTERNATIVES = 8
/** Files that `datasets` leaves out unless a pattern names them. */
const IGNORED = [
  'README.md',
  'config.json',
  'dataset_info.json',
  'dataset_infos.json',
  'dummy_data.zip',
  'dataset_dict.json',
]

export class FileMatcher {
  private readonly known: ReadonlySet<string>
  /** The files in sorted order, so that those with a common beginning are neighbours. */
  private readonly sorted: readonly { file: string; place: number }[]
  private time = 0

  /** @param card its name in errors */
  constructor(
    files: readonly string[],
    private readonly card = 'README.md',
  ) {
    this.known = new Set(files)
    this.sorted = files.map((file, place) => ({ file, place })).sort((a, b) => (a.file < b.file ? -1 : 1))
  }

  /**
   * The files that match a pattern, in order: `*`, `?` and `[…]` within a name, `**` across folders. Names that begin with
   * a dot, and folders that begin with `__`, match only where the pattern contains that beginning.
   * @throws SentenceTorchError ERR_INVALID_FILE for a pattern that would take too long
   */
  match(pattern: string): string[] {
    if (pattern.length > MAX_LENGTH) throw this.tooLong(pattern, `is longer than ${MAX_LENGTH} characters`)
    const path = pattern.replace(/^\.?\//, '')
    if (!/[*?[]/.test(path)) return this.known.has(path) ? [path] : []
    const found = new Map<number, string>()
    for (const one of this.alternatives(path)) {
      for (const { file, place } of this.matchOne(one)) if (!isLeftOut(file, path)) found.set(place, file)
    }
    return [...found].sort(([a], [b]) => a - b).map(([, file]) => file)
  }

  private *matchOne(path: string): Generator<{ file: string; place: number }> {
    const start = performance.now()
    const prefix = path.slice(0, path.search(/[*?[]/))
    const folder = prefix.lastIndexOf('/') + 1
    const parts = this.parts(path, folder)
    for (let i = this.firstFrom(prefix); i < this.sorted.length && this.sorted[i]!.file.startsWith(prefix); i++) {
      const entry = this.sorted[i]!
      const names = entry.file.slice(folder).split('/')
      const fit = fits(parts, names)
      if (fit === undefined) throw this.tooLong(path, `has too many stars for ${describe(entry.file)}`)
      if (fit) yield entry
      if (this.time + performance.now() - start > MAX_TIME)
        throw this.tooLong(path, 'and those before it take too long')
    }
    this.time += performance.now() - start
  }

  private parts(path: string, folder: number): Part[] {
    try {
      return partsOf(path.slice(folder))
    } catch (cause) {
      const what = `cannot be read: ${(cause as Error).message}`
      throw new SentenceTorchError('ERR_INVALID_FILE', `${this.card}: the file pattern ${describe(path)} ${what}`, {
        cause,
      })
    }
  }

  /** The index of the first file that does not sort before `prefix`. */
  private firstFrom(prefix: string): number {
    let [low, high] = [0, this.sorted.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.sorted[middle]!.file < prefix) low = middle + 1
      else high = middle
    }
    return low
  }

  /** `a**b` matches `a*b` and files in folders. fsspec refuses it today, but older cards have it. */
  private alternatives(path: string): string[] {
    let paths = [path]
    for (;;) {
      const next = paths.flatMap(widened)
      if (next.length === paths.length) return paths
      if (next.length > MAX_ALTERNATIVES) throw this.tooLong(path, 'has too many ** within names')
      paths = next
    }
  }

  private tooLong(pattern: string, what: string): SentenceTorchError {
    return new SentenceTorchError('ERR_INVALID_FILE', `${this.card}: the file pattern ${describe(pattern)} ${what}`)
  }
}

/** The two meanings of the first run of stars inside a name; the path itself if there is none. */
function widened(path: string): string[] {
  for (const match of path.matchAll(/(?<=^|\/)[^/]*\*{2,}[^/]*/g)) {
    if (match[0] === '**') continue
    const [before, after] = [path.slice(0, match.index), path.slice(match.index + match[0].length)]
    return ['*', '*/**/*'].map((stars) => before + match[0].replace(/\*{2,}/, stars) + after)
  }
  return [path]
}

function partsOf(path: string): Part[] {
  const parts = path.split('/')
  // At the end, `**` matches files in any folder.
  if (parts.at(-1) === '**') parts.push('*')
  return parts.map((part) => (part === '**' ? part : new NamePattern(part)))
}

/**
 * Whether the names match the parts. Goes through the names once, with all possible places in the pattern. undefined: it
 * would take too long.
 */
function fits(parts: readonly Part[], names: readonly string[]): boolean | undefined {
  let places = [0]
  for (const name of names) {
    const next = new Set<number>()
    for (let place of places) {
      for (; parts[place] === '**'; place++) next.add(place)
      const part = parts[place]
      if (part === undefined || part === '**') continue
      if (part.ways(name) > MAX_WAYS) return undefined
      if (part.fits(name)) next.add(place + 1)
    }
    places = [...next]
    if (places.length === 0) return false
  }
  return places.includes(parts.length)
}

/** `*`, `?` and `[…]` within a name. */
class NamePattern {
  private readonly expression: RegExp
  private readonly stars: number

  constructor(pattern: string) {
    this.stars = pattern.replace(classes, 'x').split('*').length - 1
    const glob = oneUnitEach(pattern).replace(special, (text) => (text.length > 1 ? classOf(text) : literal(text)))
    this.expression = picomatch.makeRe(glob, options)
  }

  fits(name: string): boolean {
    return this.expression.test(oneUnitEach(name))
  }

  /** The number of ways to choose the ends of the stars. */
  ways(name: string): number {
    let ways = 1
    for (let i = 1; i <= this.stars && ways <= MAX_WAYS; i++) ways *= (name.length + i) / i
    return ways
  }
}

/**
 * Allows only the part of picomatch's language that fsspec has. With `debug`, picomatch throws where it would silently
 * match nothing.
 */
const options = {
  ...{ dot: true, nobrace: true, noextglob: true, nonegate: true, keepQuotes: true, strictSlashes: true },
  // The check counts a class as its longest spelling, `[\x5b]`, for each character. Without literalBrackets, picomatch
  // would also match the class's own text.
  ...{ flags: 's', debug: true, literalBrackets: false, maxLength: 6 * MAX_LENGTH },
}
const standIns = new Map<string, string>()

/** picomatch counts a letter outside the basic plane as two. A private-use letter replaces it while there are any left. */
function oneUnitEach(text: string): string {
  return text.replace(/[\u{10000}-\u{10ffff}]/gu, (letter) => {
    const known = standIns.get(letter)
    if (known !== undefined || standIns.size === 6400) return known ?? letter
    const standIn = String.fromCharCode(0xe000 + standIns.size)
    standIns.set(letter, standIn)
    return standIn
  })
}

/** A class has at least one character. A bracket at its beginning is a character. */
const classes = /\[(?:!|(?!!))[\s\S][^\]]*\]/g
/** Matches classes, which fsspec writes differently, and characters that are special only in picomatch. */
const special = new RegExp(`${classes.source}|[\\\\^$+(){}|"[\\]]`, 'g')

/** `[!a-c]` in picomatch's language. Empty ranges are left out, as in Python. */
function classOf(text: string): string {
  const negated = text.startsWith('[!')
  const inner = [...text.slice(negated ? 2 : 1, -1)]
  let content = ''
  for (let i = 0; i < inner.length; i++) {
    const [from, to] = [inner[i]!, inner[i + 2]]
    const isRange = inner[i + 1] === '-' && to !== undefined
    if (!isRange) content += escaped(from)
    else if (from <= to) content += `${escaped(from)}-${escaped(to)}`
    if (isRange) i += 2
  }
  if (content === '') return negated ? '?' : '[^\\s\\S]'
  return `[${negated ? '^' : ''}${content}]`
}

/**
 * The character's number in hex. picomatch counts backslashes, looks past the end of a text after three of them, and reads
 * `[:` as the start of a class.
 */
function escaped(character: string): string {
  return /[\\^[\]:-]/.test(character) ? `\\x${character.charCodeAt(0).toString(16)}` : character
}

function literal(character: string): string {
  return character === '\\' ? `[${escaped(character)}]` : `\\${character}`
}

/** Whether a file is hidden, in a folder such as `__pycache__`, or about the data set, and not named by the pattern. */
function isLeftOut(file: string, pattern: string): boolean {
  const count = (path: string, isOne: (name: string, i: number, all: string[]) => boolean) =>
    path.split('/').filter(isOne).length
  const isHidden = (name: string) => name.startsWith('.') && /[^.]/.test(name)
  const isSpecial = (name: string, i: number, all: string[]) => i < all.length - 1 && name.startsWith('__')
  const name = file.split('/').at(-1)!
  if (IGNORED.includes(name) && !pattern.endsWith(name)) return true
  return count(file, isHidden) !== count(pattern, isHidden) || count(file, isSpecial) !== count(pattern, isSpecial)
}
