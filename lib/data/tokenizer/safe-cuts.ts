import type { AddedToken, Block, TokenizerJson } from './blocks.js'
import { wordScanner } from './word-scanners.js'

/** Texts up to this length (UTF-16 units) are not cut. Longer ones are cut into parts that are hardly longer. */
export const PART_LENGTH = 4096

/**
 * A space between two characters that never combine with others: letters and digits of scripts without combining vowels,
 * and plain punctuation. Each normaliser below treats its two sides separately.
 */
const harmless =
  '0-9A-Za-z.,;:!?()"\\u00c0-\\u024f\\u0391-\\u03c9\\u0410-\\u044f\\u05d0-\\u05ea\\u0620-\\u064a\\uac00-\\ud7a3'
const harmlessSpace = new RegExp(`(?<=[${harmless}]) (?=[${harmless}])`, 'g')

/** Normalisers that give the same result for the two sides of such a space as for the whole. */
const localNormalizers = [
  'BertNormalizer',
  'NFC',
  'NFD',
  'NFKC',
  'NFKD',
  'Lowercase',
  'StripAccents',
  'Nmt',
  'Precompiled',
]

/**
 * Positions at which a long text may be cut so that the joined ids of its parts are the ids of the text. Long texts are
 * tokenised part by part, and only as far as needed. Undefined where a step of the tokenizer is not known to be safe.
 */
export function safeCuts(json: TokenizerJson, added: readonly AddedToken[]): RegExp | undefined {
  const joinsWords = ({ normalized, lstrip, rstrip, content }: AddedToken) =>
    normalized && (lstrip || rstrip || /\s/.test(content))
  const safe = normalizes(json.normalizer) && splits(json.pre_tokenizer) && !added.some(joinsWords)
  return safe ? harmlessSpace : undefined
}

function normalizes(block: Block | null): boolean {
  if (block === null || localNormalizers.includes(block.type)) return true
  if (block.type === 'Sequence') return (block.normalizers as Block[]).every(normalizes)
  const { String: text, Regex: regex } = (block.pattern ?? {}) as { String?: string; Regex?: string }
  // One character, or SentencePiece's run of spaces. A safe space is not part of a run.
  return block.type === 'Replace' && (regex === ' {2,}' || (text !== undefined && [...text].length === 1))
}

/** Whether a pre-tokenizer ends a word at every such space. */
function splits(block: Block | null): boolean {
  const all = block?.type === 'Sequence' ? (block.pretokenizers as Block[]) : [block]
  // Spelling out the bytes of words does not change where they end.
  const splitting = spellsBytes(all.at(-1)) ? all.slice(0, -1) : all
  return (
    splitting.some(endsWords) &&
    splitting.every((one) => endsWords(one) || ['Punctuation', 'Digits'].includes(one?.type ?? ''))
  )
}

function spellsBytes(block: Block | null | undefined): boolean {
  return block?.type === 'ByteLevel' && block.use_regex === false
}

function endsWords(block: Block | null): boolean {
  switch (block?.type) {
    case 'BertPreTokenizer':
    case 'Whitespace':
    case 'WhitespaceSplit':
      return true
    case 'Metaspace':
      return block.split !== false && block.prepend_scheme !== 'first'
    case 'ByteLevel':
      return block.use_regex !== false
    case 'Split': {
      const { Regex: regex } = (block.pattern ?? {}) as { Regex?: unknown }
      return block.behavior === 'Isolated' && typeof regex === 'string' && wordScanner(regex) !== undefined
    }
    default:
      return false
  }
}

/** The parts of a text, cut where `cuts` matches. */
export function* partsOf(text: string, cuts: RegExp | undefined): Generator<string> {
  let start = 0
  while (cuts && text.length - start > PART_LENGTH) {
    cuts.lastIndex = start + PART_LENGTH
    const found = cuts.exec(text)
    if (!found) break
    yield text.slice(start, found.index)
    start = found.index
  }
  if (start < text.length) yield text.slice(start)
}

/** The length of the longest part. */
export function longestPart(text: string, cuts: RegExp | undefined): number {
  let longest = 0
  for (const part of partsOf(text, cuts)) longest = Math.max(longest, part.length)
  return longest
}
