import { notUnderstood } from './blocks.js'

/** Runs of characters outside ASCII with their ASCII neighbours. Graphemes of several characters lie only in these runs. */
const beyondAscii = /(?:[\0-\x7f]?[^\0-\x7f]+)+(?:\r\n|[\0-\x7f])?|\r\n/g
/** Characters that can join a neighbour in one grapheme. */
const joining =
  '\\r\\p{Grapheme_Extend}\\p{Mc}\\p{Cf}\\p{Emoji_Modifier}\\p{Regional_Indicator}\\u0e33\\u0eb3\\u0d4e\\u1100-\\u11ff\\ua960-\\ua97f' +
  '\\ud7b0-\\ud7ff\\u{111c2}\\u{111c3}\\u{113d1}\\u{1193f}\\u{11941}\\u{11a84}-\\u{11a89}\\u{11d46}\\u{11f02}'
const joined = new RegExp(`(?:[^${joining}]?[${joining}])+[^${joining}]?`, 'gu')
const mayJoin = new RegExp(`[${joining}]`, 'u')
/** What happens to a character: unknown yet, unchanged, changed, or possibly a part of a larger grapheme. */
const [UNSEEN, STAYS, CHANGES, MAY_JOIN] = [0, 1, 2, 3]
/** Limit of joined characters whose result is kept, and limit of kept results. */
const KEPT_LENGTH = 8
const KEPT = 1 << 16
/** UTF-16 units that the segmenter gets at once. */
const WINDOW = 128
/** Graphemes of at least this many bytes are looked up character by character. */
const GRAPHEME_BYTES = 6
/** Limit of bytes that a character becomes. Unicode's longest has 33. */
const LONGEST_TEXT = 1000

/**
 * The normaliser of a SentencePiece model: a table of characters and their replacements, stored as a trie of bytes (a
 * double array) and the texts that its leaves point to. Follows the Rust crate spm_precompiled, with its oddity: a short
 * grapheme becomes the replacement of its shortest known prefix, and its rest is dropped.
 */
export class Charsmap {
  private readonly units: Uint32Array
  private readonly texts: Uint8Array
  private readonly known = new Map<string, string>()
  /** By UTF-16 unit, without second halves of pairs. Pairs are looked up by character. */
  private readonly kinds = new Uint8Array(0x10000)
  private readonly pairKinds = new Map<string, number>()
  private readonly graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })
  /** Replacements of ASCII characters that change. */
  private readonly ascii: RegExp | undefined

  /**
   * @param base64 `precompiled_charsmap` of tokenizer.json
   * @throws SentenceTorchError ERR_INVALID_MODEL
   */
  constructor(base64: unknown) {
    const bytes = typeof base64 === 'string' ? Buffer.from(base64, 'base64') : new Uint8Array(0)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const length = bytes.length < 4 ? 0 : view.getUint32(0, true)
    if (length < 4 || length % 4 !== 0 || length > bytes.length - 4) {
      throw notUnderstood('its precompiled_charsmap is damaged')
    }
    this.units = new Uint32Array(length / 4)
    for (let i = 0; i < this.units.length; i++) this.units[i] = view.getUint32(4 + 4 * i, true)
    this.texts = bytes.subarray(4 + length)
    const changed = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)).filter(
      (char) => this.lookUp(char) !== char,
    )
    const escaped = changed.map((char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
    this.ascii = changed.length === 0 ? undefined : new RegExp(`[${escaped.join('')}]`, 'g')
  }

  normalize(text: string): string {
    let result = ''
    let end = 0
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at)
      let kind = this.kinds[unit]!
      if (kind === STAYS) continue
      const isPair = (unit & 0xf800) === 0xd800
      const char = isPair ? text.slice(at, at + 2) : text.charAt(at)
      if (kind === UNSEEN) kind = isPair ? this.pairKind(char) : this.kindOf(char)
      if (kind === MAY_JOIN) return this.withGraphemes(text)
      if (kind === CHANGES) {
        result += text.slice(end, at) + this.lookUp(char)
        end = at + char.length
      }
      if (isPair) at++
    }
    return end === 0 ? text : result + text.slice(end)
  }

  private kindOf(char: string): number {
    const kind = kindOf(char, this.lookUp(char))
    this.kinds[char.charCodeAt(0)] = kind
    return kind
  }

  private pairKind(pair: string): number {
    let kind = this.pairKinds.get(pair)
    if (kind === undefined) {
      kind = kindOf(pair, this.lookUp(pair))
      this.pairKinds.set(pair, kind)
    }
    return kind
  }

  private withGraphemes(text: string): string {
    // Independent ranges of text, so that plain English costs one or two searches.
    let result = ''
    let end = 0
    for (const { 0: part, index } of text.matchAll(beyondAscii)) {
      result += this.plain(text.slice(end, index)) + this.general(part)
      end = index + part.length
    }
    return end === 0 ? this.plain(text) : result + this.plain(text.slice(end))
  }

  private plain(text: string): string {
    return this.ascii ? text.replace(this.ascii, (char) => this.lookUp(char)) : text
  }

  private general(text: string): string {
    let result = ''
    let end = 0
    for (const { 0: run, index } of text.matchAll(joined)) {
      result += this.characters(text.slice(end, index)) + this.run(run)
      end = index + run.length
    }
    return result + this.characters(end === 0 ? text : text.slice(end))
  }

  /** Characters, some of which may form one grapheme. */
  private run(text: string): string {
    // Two characters of three bytes exceed the size of graphemes that are looked up as a whole.
    if (!/[\0-\u07ff]/.test(text)) return this.characters(text)
    const found = text.length <= KEPT_LENGTH ? this.known.get(text) : undefined
    if (found !== undefined) return found
    let result = ''
    for (const grapheme of this.graphemesOf(text)) result += this.grapheme(grapheme)
    if (text.length <= KEPT_LENGTH) {
      if (this.known.size >= KEPT) this.known.clear()
      this.known.set(text, result)
    }
    return result
  }

  private characters(text: string): string {
    let result = ''
    for (const char of text) result += this.lookUp(char)
    return result
  }

  /** In windows, because a segmenter's time grows with the square of the length. */
  private *graphemesOf(text: string): Generator<string> {
    let size = WINDOW
    for (let start = 0; start < text.length; ) {
      // Never between the halves of a surrogate pair.
      const isPair = (text.codePointAt(start + size - 1) ?? 0) > 0xffff
      const window = text.slice(start, start + size + (isPair ? 1 : 0))
      const isLast = start + window.length === text.length
      const found = [...this.graphemes.segment(window)]
      // The last grapheme may continue after the window.
      if (!isLast) found.pop()
      for (const { segment } of found) {
        yield segment
        start += segment.length
      }
      size = found.length === 0 ? size * 2 : WINDOW
    }
  }

  private grapheme(text: string): string {
    const found = Buffer.byteLength(text) < GRAPHEME_BYTES ? this.find(text) : undefined
    return found ?? this.characters(text)
  }

  private lookUp(char: string): string {
    let found = this.known.get(char)
    if (found === undefined) {
      found = this.find(char) ?? char
      this.known.set(char, found)
    }
    return found
  }

  /** The replacement of the shortest known prefix of `text`. */
  private find(text: string): string | undefined {
    const { units } = this
    let at = offset(units[0]!)
    for (const byte of Buffer.from(text)) {
      if (byte === 0) return undefined
      at ^= byte
      const unit = this.unit(at)
      if ((unit & 0x800000ff) >>> 0 !== byte) return undefined
      at ^= offset(unit)
      // A leaf: its value is the position of the replacement.
      if (((unit >>> 8) & 1) === 1) return this.textAt(this.unit(at) & 0x7fffffff)
    }
    return undefined
  }

  private unit(at: number): number {
    const unit = this.units[at]
    if (unit === undefined) throw notUnderstood('its precompiled_charsmap is damaged')
    return unit
  }

  private textAt(start: number): string {
    const found = this.texts.subarray(start, start + LONGEST_TEXT + 1)
    const end = found.indexOf(0)
    if (end === -1 && found.length > LONGEST_TEXT) throw notUnderstood('its precompiled_charsmap is damaged')
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(found.subarray(0, end === -1 ? undefined : end))
  }
}

function kindOf(char: string, becomes: string): number {
  if (mayJoin.test(char)) return MAY_JOIN
  return becomes === char ? STAYS : CHANGES
}

/** The offset to the children of a node, from its unit in a Darts double array. */
function offset(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6)
}
