import { boolean, integer, object, oneOf, optional, text } from '../../io/schema.js'
import { bertWords } from '../bert-text.js'
import { punctuation } from '../bert-unicode.js'
import { type Block, checkBlocks, notUnderstood } from './blocks.js'
import { byteCharacters } from './byte-level.js'
import { type Pattern, patternOf, patternSchema, type SplitBehavior, splitAt } from './patterns.js'
import { scriptWords } from './scripts.js'
import { gpt2Words } from './word-scanners.js'

/**
 * The words of a piece of text.
 * @param isStart whether the piece is the beginning of the whole text
 */
export type PreTokenizer = (piece: string, isStart: boolean) => string[]

const words =
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu
const noSpace = /\P{White_Space}+/gu
const digit = /\p{N}/gu
const punctuationMark = new RegExp(`[${punctuation}]`, 'gu')

const flag = optional(boolean)
const schemas = {
  Digits: object({ individual_digits: flag }),
  Split: object({ pattern: patternSchema, invert: flag }),
  CharDelimiterSplit: object({ delimiter: text(2) }),
  Metaspace: object({
    replacement: optional(text(2)),
    prepend_scheme: optional(oneOf('always', 'never', 'first')),
    add_prefix_space: flag,
    split: flag,
  }),
  ByteLevel: object({ add_prefix_space: flag, use_regex: flag }),
  FixedLength: object({ length: optional(integer(1, 1_000_000)) }),
}
/** Steps that remove nothing, and spell pieces in other characters. */
const respelling = ['ByteLevel', 'Metaspace']
/** Limit of steps that make a text longer, each up to three times. */
const growing = /"type":"(ByteLevel|Metaspace)"/g
const MOST_GROWING = 4

/**
 * The `pre_tokenizer` block of tokenizer.json, with the results of Hugging Face's Rust tokenizers.
 * @throws SentenceTorchError ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED
 */
export function makePreTokenizer(block: Block | null): PreTokenizer {
  checkBlocks(block, 'pre_tokenizer', 'pretokenizers', schemas)
  const count = JSON.stringify(block).match(growing)?.length ?? 0
  if (count > MOST_GROWING) throw notUnderstood(`its pre_tokenizer has ${count} ByteLevel and Metaspace`)
  return make(block)
}

function make(block: Block | null): PreTokenizer {
  if (block === null) return (piece) => [piece]
  switch (block.type) {
    case 'Sequence':
      return sequence(flat(block))
    case 'BertPreTokenizer':
      return bertWords
    case 'Whitespace':
      return at(words, 'Removed', true)
    case 'WhitespaceSplit':
      return at(noSpace, 'Removed', true)
    case 'Punctuation':
      return at(punctuationMark, behaviorOf(block.behavior ?? 'Isolated'))
    case 'Digits':
      // Rust's own tables are as new as the engine's.
      return (piece) => splitAt(piece, digit, block.individual_digits ? 'Isolated' : 'Contiguous', false, false)
    case 'Split':
      return at(patternOf(block), behaviorOf(block.behavior), block.invert === true)
    case 'CharDelimiterSplit':
      return at(patternOf({ type: block.type, pattern: { String: block.delimiter } }), 'Removed')
    case 'Metaspace':
      return metaspace(block)
    case 'ByteLevel':
      return byteLevel(block)
    case 'FixedLength':
      return fixedLength(Number(block.length ?? 5))
    case 'UnicodeScripts':
      return scriptWords
    default:
      throw notUnderstood(`its pre_tokenizer is of the type ${JSON.stringify(block.type)}`)
  }
}

function at(pattern: Pattern, behavior: SplitBehavior, invert = false): PreTokenizer {
  return (piece) => splitAt(piece, pattern, behavior, invert)
}

function flat(block: Block): Block[] {
  return block.type === 'Sequence' ? (block.pretokenizers as Block[]).flatMap(flat) : [block]
}

function sequence(blocks: readonly Block[]): PreTokenizer {
  const steps = blocks.map((block) => ({ split: make(block), removes: !respelling.includes(block.type) }))
  return (piece, isStart) => {
    let pieces = [piece]
    let starts = isStart
    for (const { split, removes } of steps) {
      const next = pieces.flatMap((part, i) => split(part, starts && i === 0))
      // A removed beginning is gone, so the first piece is not the beginning then.
      if (removes) starts &&= next[0] !== undefined && pieces[0]!.startsWith(next[0])
      pieces = next
    }
    return pieces
  }
}

/** The settings of a Metaspace: the mark for a space, where one is put in front, and whether words begin at marks. */
export function metaspaceOf({ replacement, prepend_scheme, add_prefix_space, split = true }: Block) {
  const scheme = add_prefix_space === false ? 'never' : (prepend_scheme ?? 'always')
  return { mark: String(replacement ?? '▁'), scheme: scheme as 'always' | 'first' | 'never', splits: split !== false }
}

function metaspace(block: Block): PreTokenizer {
  const { mark, scheme, splits } = metaspaceOf(block)
  const marks = patternOf({ type: 'Metaspace', pattern: { String: mark } })
  return (piece, isStart) => {
    const marked = piece.replaceAll(' ', () => mark)
    const prepends = scheme === 'always' || (scheme === 'first' && isStart)
    const whole = prepends && !marked.startsWith(mark) ? mark + marked : marked
    return splits && whole.lastIndexOf(mark) > 0 ? splitAt(whole, marks, 'MergedWithNext') : [whole]
  }
}

function byteLevel({ add_prefix_space, use_regex = true }: Block): PreTokenizer {
  const words = gpt2Words()
  return (piece) => {
    const whole = add_prefix_space && !piece.startsWith(' ') ? ` ${piece}` : piece
    return (use_regex ? splitAt(whole, words, 'Isolated') : [whole]).map(byteCharacters)
  }
}

function fixedLength(length: number): PreTokenizer {
  return (piece) => {
    const characters = [...piece]
    return Array.from({ length: Math.ceil(characters.length / length) }, (_, i) =>
      characters.slice(i * length, (i + 1) * length).join(''),
    )
  }
}

const behaviors = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous']

function behaviorOf(value: unknown): SplitBehavior {
  if (behaviors.includes(value as string)) return value as SplitBehavior
  throw notUnderstood(`${JSON.stringify(value)} is not among the behaviors ${behaviors.join(', ')}`)
}
