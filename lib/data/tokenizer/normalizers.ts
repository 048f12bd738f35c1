import { boolean, object, optional, text } from '../../io/schema.js'
import { type BertNormalizerConfig, bertNormalizer, lowerByCharacter } from '../bert-text.js'
import { type Block, checkBlocks, notUnderstood } from './blocks.js'
import { byteCharacters } from './byte-level.js'
import { Charsmap } from './charsmap.js'
import { normalForm } from './forms.js'
import type { UnicodeForm } from './mark-order.js'
import { matches, type Pattern, patternOf, patternSchema } from './patterns.js'
import { combiningMarks } from './unicode-tables.js'

export type Normalizer = (text: string) => string

/** White space in Rust: U+0085 is, U+FEFF is not. */
const leading = /^\p{White_Space}+/u
const space = /\p{White_Space}/u
const controls = '\\x01-\\x08\\x0b\\x0e-\\x1f\\x7f\\x8f\\x9f'
const nmtRemoved = new RegExp(`[${controls}]`, 'g')
const nmtSpaces = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/gu
const marks = new RegExp(`[${combiningMarks}]`, 'gu')

const flag = optional(boolean)
const schemas = {
  BertNormalizer: object({ clean_text: flag, handle_chinese_chars: flag, strip_accents: flag, lowercase: flag }),
  Strip: object({ strip_left: flag, strip_right: flag }),
  Prepend: object({ prepend: text(1000) }),
  Replace: object({ pattern: patternSchema, content: optional(text(1000)) }),
}

/** Limit of UTF-16 units of a normalised text, by the text's length. Unicode expands one character to at most 18. */
function checkGrowth(length: number, from: string): void {
  if (length <= 10_000 + 100 * from.length) return
  throw notUnderstood(`its normalizer makes more than ${length - 1} characters of ${from.length}`)
}

/**
 * The `normalizer` block of tokenizer.json, with the results of Hugging Face's Rust tokenizers.
 * @throws SentenceTorchError ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED
 */
export function makeNormalizer(block: Block | null): Normalizer {
  checkBlocks(block, 'normalizer', 'normalizers', schemas)
  return make(block)
}

function make(block: Block | null): Normalizer {
  if (block === null) return (text) => text
  switch (block.type) {
    case 'Sequence': {
      const all = (block.normalizers as Block[]).map(make)
      return (text) =>
        all.reduce((result, normalize) => {
          const next = normalize(result)
          checkGrowth(next.length, text)
          return next
        }, text)
    }
    case 'BertNormalizer':
      return bertNormalizer({ ...bertDefaults, ...(block as Partial<BertNormalizerConfig>) })
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return (text) => normalForm(text, block.type as UnicodeForm)
    case 'Lowercase':
      return lowerByCharacter
    case 'StripAccents':
      return (text) => text.replace(marks, '')
    case 'Strip':
      return strip(block)
    case 'Prepend':
      return (text) => (text === '' ? text : `${block.prepend}${text}`)
    case 'Replace':
      return replace(patternOf(block), String(block.content ?? ''))
    case 'Precompiled': {
      const charsmap = new Charsmap(block.precompiled_charsmap)
      return (text) => charsmap.normalize(text)
    }
    case 'Nmt':
      return nmt
    case 'ByteLevel':
      return byteCharacters
    default:
      throw notUnderstood(`its normalizer is of the type ${JSON.stringify(block.type)}`)
  }
}

/** Whether a normaliser lower-cases. */
export function lowers(block: Block | null): boolean {
  if (block?.type === 'Sequence') return (block.normalizers as Block[]).some(lowers)
  return block?.type === 'Lowercase' || (block?.type === 'BertNormalizer' && block.lowercase !== false)
}

/**
 * Returns a test whether a normaliser keeps the beginning of a text in its place. When the first character is removed, the
 * others keep their places, except with a charsmap, which does not report removals.
 */
export function keepsStart(block: Block | null): (text: string) => boolean {
  let steps: { step: Block; normalize: Normalizer }[] | undefined
  return (text) => {
    steps ??= flat(block).map((step) => ({ step, normalize: make(step) }))
    let now = text
    for (const { step, normalize } of steps) {
      if (now === '') return true
      const first = String.fromCodePoint(now.codePointAt(0)!)
      // Cutting at the end does not change the beginning.
      const isLost = step.type === 'Strip' ? step.strip_left === true && space.test(first) : normalize(first) === ''
      if (isLost && step.type !== 'Precompiled') return false
      now = normalize(now)
    }
    return true
  }
}

function flat(block: Block | null): Block[] {
  if (block?.type === 'Sequence') return (block.normalizers as Block[]).flatMap(flat)
  return block === null ? [] : [block]
}

const bertDefaults: BertNormalizerConfig = {
  clean_text: true,
  lowercase: true,
  handle_chinese_chars: true,
  strip_accents: null,
}

function strip({ strip_left, strip_right }: Block): Normalizer {
  return (text) => {
    const rest = strip_left ? text.replace(leading, '') : text
    let end = rest.length
    while (strip_right && end > 0 && space.test(rest[end - 1]!)) end--
    return rest.slice(0, end)
  }
}

/** The content is literal: `$1` has no meaning. */
function replace(pattern: Pattern, content: string): Normalizer {
  return (text) => {
    let result = ''
    let end = 0
    for (const [from, to] of matches(text, pattern)) {
      result += text.slice(end, from) + content
      end = to
      checkGrowth(result.length, text)
    }
    return result + text.slice(end)
  }
}

/** SentencePiece's rules for control characters and spaces. */
function nmt(text: string): string {
  return text.replace(nmtRemoved, '').replace(nmtSpaces, ' ')
}
