import { CharacterClasses, LETTER, NUMBER, nextCharacter, OTHER, SPACE } from './character-classes.js'

/**
 * A hand-written scanner for a pattern that splits every text into words without gaps: returns the end of the word at `at`.
 * It is some thirty times as fast as the RegExp, and its classes are those of Rust's tables.
 */
export type WordScanner = (text: string, at: number) => number

const QUOTE = 0x27
const BLANK = 0x20
const NEWLINE = 0x0a
const RETURN = 0x0d

/** The pattern of GPT-2, RoBERTa and ModernBERT, which is ByteLevel's own. */
export const gpt2Pattern = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

const manyCases = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
const rest = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'
const scanners: Readonly<Record<string, () => WordScanner>> = {
  [gpt2Pattern]: gpt2Words,
  // Qwen 2 and 3.
  [`${manyCases}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${rest}`]: () =>
    gpt4Words(1, false),
  // Llama 3.
  [`${manyCases}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${rest}`]: () =>
    gpt4Words(3, false),
  // Qwen 3.5.
  [`${manyCases}|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|${rest}`]: () =>
    gpt4Words(1, true),
}

/** The scanner for a regular expression in Oniguruma's notation; undefined for unlisted ones. */
export function wordScanner(regex: string): WordScanner | undefined {
  return Object.hasOwn(scanners, regex) ? scanners[regex]!() : undefined
}

export function gpt2Words(): WordScanner {
  const classes = CharacterClasses.get(false)
  return (text, at) => {
    const first = text.charCodeAt(at)
    const kind = classes.at(text, at)
    if (kind !== SPACE) return (first === QUOTE && contraction(text, at, 0)) || classes.runEnd(text, at, kind)
    if (first === BLANK && at + 1 < text.length) {
      const next = classes.at(text, at + 1)
      if (next !== SPACE) return classes.runEnd(text, at + 1, next)
    }
    return spacesEnd(text, at, classes.runEnd(text, at, SPACE))
  }
}

/**
 * Contractions in any case; one character of any kind before letters; newlines that belong to punctuation or end white
 * space.
 * @param mostDigits limit of digits in a number word
 */
function gpt4Words(mostDigits: number, marksAreLetters: boolean): WordScanner {
  const classes = CharacterClasses.get(marksAreLetters)
  const others = (text: string, from: number) => {
    let end = classes.runEnd(text, from, OTHER)
    while (end < text.length && isNewline(text.charCodeAt(end))) end++
    return end
  }
  return (text, at) => {
    const first = text.charCodeAt(at)
    const kind = classes.at(text, at)
    if (kind === LETTER) return classes.runEnd(text, at, LETTER)
    if (kind === NUMBER) return digitsEnd(classes, text, at, mostDigits)
    const shortened = first === QUOTE && contraction(text, at, 0x20)
    if (shortened) return shortened
    const second = nextCharacter(text, at)
    const next = second < text.length ? classes.at(text, second) : undefined
    if (next === LETTER && !isNewline(first)) return classes.runEnd(text, second, LETTER)
    if (kind === OTHER) return others(text, at)
    if (first === BLANK && next === OTHER) return others(text, second)
    const end = classes.runEnd(text, at, SPACE)
    for (let newline = end - 1; newline >= at; newline--) {
      if (isNewline(text.charCodeAt(newline))) return newline + 1
    }
    return spacesEnd(text, at, end)
  }
}

/** White space before a word leaves its last character to the word. */
function spacesEnd(text: string, at: number, end: number): number {
  return end === text.length || end === at + 1 ? end : end - 1
}

function digitsEnd(classes: CharacterClasses, text: string, at: number, most: number): number {
  let end = at
  for (let i = 0; i < most && end < text.length && classes.at(text, end) === NUMBER; i++) end = nextCharacter(text, end)
  return end
}

function isNewline(unit: number): boolean {
  return unit === NEWLINE || unit === RETURN
}

/**
 * The end of 's, 't, 're, 've, 'm, 'll or 'd; 0 where none begins.
 * @param caseBit 0x20 for letters of either case, and ſ, which is another s; 0 for lower case only
 */
function contraction(text: string, at: number, caseBit: number): number {
  const letter = (index: number) => {
    const unit = text.charCodeAt(index)
    if (caseBit !== 0 && unit === 0x17f) return 's'
    return unit < 0x80 ? String.fromCharCode(unit | caseBit) : ''
  }
  const first = letter(at + 1)
  switch (first) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return at + 2
    case 'r':
    case 'v':
      return letter(at + 2) === 'e' ? at + 3 : 0
    case 'l':
      return letter(at + 2) === 'l' ? at + 3 : 0
    default:
      return 0
  }
}
