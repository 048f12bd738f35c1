import { nonspacingMarks, punctuation, removed } from './bert-unicode.js'
import { normalForm } from './tokenizer/forms.js'

/**
 * BERT's text clean-up and word split, exactly as in Hugging Face's Rust tokenizers. @huggingface/tokenizers differs in
 * four points: the order of stripping accents and lower-casing; the Greek final sigma (JavaScript lower-cases by context,
 * Rust by character); CJK beyond the basic plane; and characters whose category changed since Unicode 8, the version of
 * Rust's tables. Frozen tables also make the ids independent of Node's Unicode version.
 */

const whitespaceClass = '\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000'

const removedPattern = new RegExp(`[${removed}]`, 'gu')
const whitespacePattern = new RegExp(`[${whitespaceClass}]`, 'gu')
const cjkPattern =
  /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu
const marksPattern = new RegExp(`[${nonspacingMarks}]`, 'gu')
const wordPattern = new RegExp(`[^${whitespaceClass}${punctuation}]+|[${punctuation}]`, 'gu')
const plainAscii = /^[ -~]*$/

export interface BertNormalizerConfig {
  clean_text: boolean
  handle_chinese_chars: boolean
  /** null: as `lowercase`. */
  strip_accents: boolean | null
  lowercase: boolean
}

/** The normaliser for these settings. */
export function bertNormalizer(config: BertNormalizerConfig): (text: string) => string {
  const { clean_text, handle_chinese_chars, strip_accents, lowercase } = config
  return (text) => {
    if (plainAscii.test(text)) return lowercase ? text.toLowerCase() : text
    let result = text
    if (clean_text) result = result.replace(removedPattern, '').replace(whitespacePattern, ' ')
    if (handle_chinese_chars) result = result.replace(cjkPattern, ' $& ')
    if (strip_accents ?? lowercase) result = stripAccents(result)
    return lowercase ? lowerByCharacter(result) : result
  }
}

/** Splits at white space. Every punctuation character is a word. */
export function bertWords(text: string): string[] {
  return text.match(wordPattern) ?? []
}

/** Lower case without context: Σ becomes σ also at the end of a word. */
export function lowerByCharacter(text: string): string {
  return text.replaceAll('Σ', 'σ').toLowerCase()
}

function stripAccents(text: string): string {
  return normalForm(text, 'NFD').replace(marksPattern, '')
}
