import { createRequire } from 'node:module'
import { object, optional, text } from '../../io/schema.js'
import { type Block, notBuilt, notUnderstood } from './blocks.js'
import { oldCharacters } from './forms.js'
import { LinearPattern } from './linear-pattern.js'
import { costOf, parsePattern } from './pattern-syntax.js'
import { type WordScanner, wordScanner } from './word-scanners.js'

/** The `pattern` of a block. */
export const patternSchema = object({ String: optional(text(1000)), Regex: optional(text(20_000)) })

const require = createRequire(import.meta.url)

/** A search with the flags g and u, by a RegExp or its replacement. */
export type Pattern = RegExp | BoundedPattern | WordScanner

/** Limit of steps that a RegExp may take for one text: some tenths of a second. */
const MOST_STEPS = 2e8
/** A small number of ways to try at one position. */
const MOST_FACTOR = 1000

/** A pattern for which a RegExp might try too many ways through a long text. */
interface BoundedPattern {
  native: RegExp
  /** Texts up to this length use the RegExp. Longer ones use the slower search, which tries no way twice. */
  longest: number
  linear: LinearPattern
}

/** What happens to the matches when a text is split. */
export type SplitBehavior = 'Removed' | 'Isolated' | 'MergedWithPrevious' | 'MergedWithNext' | 'Contiguous'

type Span = readonly [from: number, to: number]

/**
 * The `pattern` of a block of tokenizer.json: a text, or a regular expression in Oniguruma's notation.
 * @throws SentenceTorchError ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED
 */
export function patternOf({ type, pattern }: Block): Pattern {
  const { String: text, Regex: regex } = (pattern ?? {}) as { String?: unknown; Regex?: unknown }
  if (typeof text === 'string') return new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'gu')
  if (typeof regex !== 'string') throw notUnderstood(`its ${type} has no pattern`)
  return wordScanner(regex) ?? translated(regex, type)
}

/**
 * The matches of the pattern, from left to right.
 * @param isOld whether classes such as \p{L} come from the patterns' tables, which are older than an engine's
 */
export function* matches(text: string, pattern: Pattern, isOld = true): Generator<Span> {
  if (typeof pattern === 'function') return yield* words(text, pattern)
  const seen = isOld ? oldCharacters(text) : text
  const isNative = pattern instanceof RegExp
  if (!isNative && text.length > pattern.longest) return yield* pattern.linear.spans(seen)
  for (const { 0: found, index } of seen.matchAll(isNative ? pattern : pattern.native)) {
    yield [index, index + found.length]
  }
}

function* words(text: string, endOf: WordScanner): Generator<Span> {
  for (let at = 0; at < text.length; ) {
    const end = endOf(text, at)
    yield [at, end]
    at = end
  }
}

/** The parts of a text that is split at the matches of a pattern. `invert` swaps matches and the text between them. */
export function splitAt(
  text: string,
  pattern: Pattern,
  behavior: SplitBehavior,
  invert = false,
  isOld = true,
): string[] {
  // A shortcut for by far the most frequent case.
  if (behavior === 'Removed' && invert && pattern instanceof RegExp && oldCharacters(text) === text) {
    return text.match(pattern) ?? []
  }
  const parts: { from: number; to: number; isMatch: boolean }[] = []
  let end = 0
  for (const [from, to] of matches(text, pattern, isOld)) {
    if (from > end) parts.push({ from: end, to: from, isMatch: invert })
    parts.push({ from, to, isMatch: !invert })
    end = to
  }
  if (end < text.length) parts.push({ from: end, to: text.length, isMatch: invert })
  const kept = behavior === 'Removed' ? parts.filter((part) => !part.isMatch) : merged(parts, behavior)
  return kept.filter(({ from, to }) => to > from).map(({ from, to }) => text.slice(from, to))
}

function merged(parts: { from: number; to: number; isMatch: boolean }[], behavior: SplitBehavior) {
  if (behavior === 'Isolated') return parts
  const ordered = behavior === 'MergedWithNext' ? parts.toReversed() : parts
  const result: { from: number; to: number }[] = []
  let previous = false
  for (const { from, to, isMatch } of ordered) {
    const last = result.at(-1)
    const joins = behavior === 'Contiguous' ? isMatch === previous : isMatch && !previous
    previous = isMatch
    if (!joins || !last) result.push({ from, to })
    else if (behavior === 'MergedWithNext') last.from = from
    else last.to = to
  }
  return behavior === 'MergedWithNext' ? result.reverse() : result
}

/** @huggingface/tokenizers translates Oniguruma's patterns to JavaScript, with the exceptions named here. */
function translated(regex: string, type: string): Pattern {
  const plain = regex.replace(/\\[pP]\{[^}]*\}|\\./gs, '_').replace(/\[[^\]]*\]/g, '_')
  if (/[*+?}]\+|\(\?>/.test(plain)) throw notBuilt(`a possessive pattern in its ${type} (${shortened(regex)})`)
  if (/\(\?\w*i/.test(plain)) throw notBuilt(`a pattern without regard to case in its ${type} (${shortened(regex)})`)
  const { SplitPreTokenizer } = require('@huggingface/tokenizers') as {
    SplitPreTokenizer: new (config: object) => { pattern: RegExp }
  }
  let native: RegExp
  try {
    const block = { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false }
    native = new SplitPreTokenizer(block).pattern
  } catch (cause) {
    throw notBuilt(`in its ${type} the pattern ${shortened(regex)} (${shortened((cause as Error).message)})`)
  }
  return bounded(native, regex, type)
}

/** A pattern from a file, which may need too much time. */
function bounded(native: RegExp, regex: string, type: string): Pattern {
  try {
    const node = parsePattern(native.source)
    const { factor, degree } = costOf(node)
    if (degree === 0 && factor <= MOST_FACTOR) return native
    const longest = Math.floor((MOST_STEPS / factor) ** (1 / (degree + 1)))
    return { native, longest, linear: new LinearPattern(node) }
  } catch (cause) {
    throw notBuilt(`in its ${type} the pattern ${shortened(regex)} (${shortened((cause as Error).message)})`)
  }
}

function shortened(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}...` : text
}
