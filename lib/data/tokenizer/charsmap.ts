import { notUnderstood } from './blocks.js'

/** Letters outside of ASCII with an ASCII neighbour on either side: what graphemes of more than one character lie in. */
const beyondAscii = /(?:[\0-\x7f]?[^\0-\x7f]+)+(?:\r\n|[\0-\x7f])?|\r\n/g
/** What can join the character before it or behind it to one grapheme. */
const joining =
  '\\r\\p{Grapheme_Extend}\\p{Mc}\\p{Cf}\\p{Emoji_Modifier}\\p{Regional_Indicator}\\u0e33\\u0eb3\\u0d4e\\u1100-\\u11ff\\ua960-\\ua97f' +
  '\\ud7b0-\\ud7ff\\u{111c2}\\u{111c3}\\u{113d1}\\u{1193f}\\u{11941}\\u{11a84}-\\u{11a89}\\u{11d46}\\u{11f02}'
const joined = new RegExp(`(?:[^${joining}]?[${joining}])+[^${joining}]?`, 'gu')
const mayJoin = new RegExp(`[${joining}]`, 'u')
/** A character, by whether it stays what it is, becomes something else, or may be one grapheme with others; and one not seen yet. */
const [UNSEEN, STAYS, CHANGES, MAY_JOIN] = [0, 1, 2, 3]
/** Joined characters whose result is kept, and the most that is. */
const KEPT_LENGTH = 8
const KEPT = 1 << 16
/** UTF-16 units that the segmenter is given at a time. */
const WINDOW = 128
/** Graphemes of this many bytes are not looked up as a whole, but character by character. */
const GRAPHEME_BYTES = 6
/** Bytes that a character becomes: Unicode's longest has 33. */
const LONGEST_TEXT = 1000

/**
 * The normaliser of a SentencePiece model: a table of characters and what they become, kept as a trie of bytes (a double
 * array) and the texts that its leaves point to. Source: the Rust crate spm_precompiled, with what is odd about it: a short
 * grapheme becomes what its shortest known beginning becomes, and what is left of it is dropped.
 */
export class Charsmap {
  private readonly units: Uint32Array
  private readonly texts: Uint8Array
  private readonly known = new Map<string, string>()
  /** By UTF-16 unit, the second half of a pair left out; pairs by character. */
  private readonly kinds = new Uint8Array(0x10000)
  private readonly pairKinds = new Map<string, number>()
  private readonly graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })
  /** What ASCII characters become, where that is something else. */
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
    // Ranges of text that have nothing to do with each other, so that plain English costs one or two searches.
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

  /** Characters of which some may be one grapheme. */
  private run(text: string): string {
    // Two characters of three bytes are too long for a grapheme that is looked up as a whole.
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

  /** By windows, since the time of a segmenter grows with the square of the length. */
  private *graphemesOf(text: string): Generator<string> {
    let size = WINDOW
    for (let start = 0; start < text.length; ) {
      // Never between the halves of a surrogate pair.
      const isPair = (text.codePointAt(start + size - 1) ?? 0) > 0xffff
      const window = text.slice(start, start + size + (isPair ? 1 : 0))
      const isLast = start + window.length === text.length
      const found = [...this.graphemes.segment(window)]
      // The last one may go on behind the window.
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

  /** What the shortest known beginning of `text` becomes. */
  private find(text: string): string | undefined {
    const { units } = this
    let at = offset(units[0]!)
    for (const byte of Buffer.from(text)) {
      if (byte === 0) return undefined
      at ^= byte
      const unit = this.unit(at)
      if ((unit & 0x800000ff) >>> 0 !== byte) return undefined
      at ^= offset(unit)
      // A leaf ends here: its value is where the text begins.
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

/** How far the children of a node are, of its unit in a double array as Darts writes it. */
function offset(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6)
}
