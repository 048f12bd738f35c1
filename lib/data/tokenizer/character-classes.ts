import { letters, numbers, patternMarks, whiteSpace } from './unicode-tables.js'

/** Classes of characters in patterns. A mark counts as other, or as a letter in some patterns. */
export const OTHER = 0
export const LETTER = 1
export const NUMBER = 2
export const SPACE = 3
/** The first half of a surrogate pair. The whole character decides. */
const HALF = 4

/** Classes of all characters from Oniguruma's tables, independent of the JavaScript engine. */
export class CharacterClasses {
  private static readonly made: (CharacterClasses | undefined)[] = []
  private readonly table = new Uint8Array(0x110000)

  private constructor(marksAreLetters: boolean) {
    const all: [string, number][] = [
      [letters, LETTER],
      [numbers, NUMBER],
      [whiteSpace, SPACE],
    ]
    if (marksAreLetters) all.push([patternMarks, LETTER])
    for (const [ranges, kind] of all) for (const [from, to] of rangesOf(ranges)) this.table.fill(kind, from, to + 1)
    this.table.fill(HALF, 0xd800, 0xdc00)
  }

  static get(marksAreLetters: boolean): CharacterClasses {
    CharacterClasses.made[Number(marksAreLetters)] ??= new CharacterClasses(marksAreLetters)
    return CharacterClasses.made[Number(marksAreLetters)]!
  }

  /** The class of the character that begins at `at`. */
  at(text: string, at: number): number {
    const kind = this.table[text.charCodeAt(at)]!
    return kind === HALF ? this.ofPair(text, at) : kind
  }

  /** The end of the run of characters of a class that starts at `at`. */
  runEnd(text: string, at: number, kind: number): number {
    const { table } = this
    const { length } = text
    let end = at
    while (end < length) {
      const found = table[text.charCodeAt(end)]!
      if (found === kind) end++
      else if (found === HALF && this.ofPair(text, end) === kind) end = nextCharacter(text, end)
      else break
    }
    return end
  }

  private ofPair(text: string, at: number): number {
    const code = text.codePointAt(at)!
    // A lone surrogate counts as U+FFFD.
    return code < 0x10000 ? OTHER : this.table[code]!
  }
}

/** The index after the character at `at`. */
export function nextCharacter(text: string, at: number): number {
  return at + (text.codePointAt(at)! < 0x10000 ? 1 : 2)
}

/** The ranges of a table that is written as a character class. */
function* rangesOf(ranges: string): Generator<[from: number, to: number]> {
  for (const [, from, to = from] of ranges.matchAll(/\\[xu]\{?([0-9a-f]+)\}?(?:-\\[xu]\{?([0-9a-f]+)\}?)?/g)) {
    yield [Number.parseInt(from!, 16), Number.parseInt(to!, 16)]
  }
}
