import { type BertNormalizerConfig, bertNormalizer, lowerByCharacter } from '../bert-text.js'
import { type Block, notUnderstood } from './blocks.js'
import { byteCharacters } from './byte-level.js'
import { Charsmap } from './charsmap.js'
import { normalForm, type UnicodeForm } from './forms.js'
import { matches, type Pattern, patternOf } from './patterns.js'
import { combiningMarks } from './unicode-tables.js'

export type Normalizer = (text: string) => string

/** White space as Rust has it: U+0085 is some, U+FEFF is none. */
const leading = /^\p{White_Space}+/u
const trailing = /\p{White_Space}+$/u
const controls = '\\x01-\\x08\\x0b\\x0e-\\x1f\\x7f\\x8f\\x9f'
const nmtRemoved = new RegExp(`[${controls}]`, 'g')
const nmtSpaces = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/gu
const marks = new RegExp(`[${combiningMarks}]`, 'gu')

/**
 * What the `normalizer` block of tokenizer.json does to a text, as Hugging Face's Rust tokenizers do it.
 * @throws SentenceTorchError ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED
 */
export function makeNormalizer(block: Block | null): Normalizer {
  if (block === null) return (text) => text
  switch (block.type) {
    case 'Sequence': {
      const all = (block.normalizers as Block[]).map(makeNormalizer)
      return (text) => all.reduce((result, normalize) => normalize(result), text)
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

/** Whether a normaliser lower-cases by itself. */
export function lowers(block: Block | null): boolean {
  if (block?.type === 'Sequence') return (block.normalizers as Block[]).some(lowers)
  return block?.type === 'Lowercase' || (block?.type === 'BertNormalizer' && block.lowercase !== false)
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
    return strip_right ? rest.replace(trailing, '') : rest
  }
}

/** The content stands for itself: `$1` has no meaning. */
function replace(pattern: Pattern, content: string): Normalizer {
  return (text) => {
    let result = ''
    let end = 0
    for (const [from, to] of matches(text, pattern)) {
      result += text.slice(end, from) + content
      end = to
    }
    return result + text.slice(end)
  }
}

/** SentencePiece's rules for control characters and spaces. */
function nmt(text: string): string {
  return text.replace(nmtRemoved, '').replace(nmtSpaces, ' ')
}
