import { parseUnchecked } from '../../io/schema.js'
import { decimal, EXACT_DIGITS } from './decimal.js'
import { MAX_TOKEN, MAX_TOKENS } from './limits.js'
import { Pieces } from './pieces.js'

/** What stands for the pieces while the rest of a file is parsed: no file can hold it. */
const MARK = `pieces ${Math.random()} ${Math.random()}`
const KEY = Buffer.from('"vocab"')
/** Bytes of the shortest entry, `["",0]`. */
const SHORTEST = 6
const [SPACE, QUOTE, BACKSLASH, COMMA, COLON, OPEN, CLOSE] = [0x20, 0x22, 0x5c, 0x2c, 0x3a, 0x5b, 0x5d]
const [MINUS, POINT, ZERO, NINE] = [0x2d, 0x2e, 0x30, 0x39]
const ESCAPES: ReadonlyMap<string, number> = new Map([
  ...([
    ['"', 0x22],
    ['\\', 0x5c],
    ['/', 0x2f],
  ] as const),
  ...([
    ['b', 8],
    ['f', 12],
    ['n', 10],
    ['r', 13],
    ['t', 9],
  ] as const),
])

/**
 * The value of a tokenizer.json. A list of pieces with their scores, which is most of a large file, is read from its bytes, as
 * `JSON.parse` would read it; `model.vocab` is then {@link Pieces}.
 * @throws SentenceTorchError ERR_INVALID_MODEL for bytes that are not UTF-8 or not JSON
 */
export function parseTokenizerJson(bytes: Uint8Array, file: string): object {
  return withPieces(bytes) ?? (parseUnchecked(bytes, file, 'ERR_INVALID_MODEL') as object)
}

/** Undefined where the file has no such list, or anything that is not usual: `JSON.parse` then says what it is. */
function withPieces(bytes: Uint8Array): object | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const key = buffer.indexOf(KEY)
  if (key === -1) return undefined
  const scan = new PieceScan(buffer, key + KEY.length)
  const pieces = scan.pieces()
  if (pieces === undefined) return undefined
  const rest = Buffer.concat([
    buffer.subarray(0, scan.start),
    Buffer.from(JSON.stringify(MARK)),
    buffer.subarray(scan.at),
  ])
  let json: { model?: { type?: unknown; vocab?: unknown } } | null
  try {
    json = parseUnchecked(rest, '', 'ERR_INVALID_MODEL') as typeof json
  } catch {
    return undefined
  }
  // Not where the list belongs to something else, or where another one follows under the same key.
  if (json?.model?.vocab !== MARK) return undefined
  json.model.vocab = pieces
  return json
}

/** Reads `: [["a", -1.5], …]`. Loops over bytes keep what they change in local variables. */
class PieceScan {
  /** Where the list begins. */
  start = 0

  constructor(
    private readonly bytes: Uint8Array,
    /** Where it ends, after {@link pieces}. */
    public at: number,
  ) {}

  /** Undefined for anything else, and for pieces that the tokenizer refuses. */
  pieces(): Pieces | undefined {
    if (!this.take(COLON)) return undefined
    this.skipSpace()
    this.start = this.at
    if (!this.take(OPEN)) return undefined
    const { bytes } = this
    const room = bytes.length - this.at
    const units = new Uint16Array(room)
    const most = Math.min(MAX_TOKENS, Math.floor(room / SHORTEST))
    const starts = new Int32Array(most + 1)
    const scores = new Float64Array(most)
    let end = 0
    for (let id = 0; id < most; id++) {
      if (!this.take(OPEN) || !this.take(QUOTE)) return undefined
      const start = end
      for (let byte = bytes[this.at]!; byte !== QUOTE; byte = bytes[this.at]!) {
        if (byte >= SPACE && byte < 0x80 && byte !== BACKSLASH) {
          units[end++] = byte
          this.at++
        } else {
          const point = byte === BACKSLASH ? this.escape() : this.character()
          if (point === -1) return undefined
          if (point < 0x10000) units[end++] = point
          else {
            units[end++] = 0xd7c0 + (point >> 10)
            units[end++] = 0xdc00 | (point & 0x3ff)
          }
        }
      }
      this.at++
      if (end - start > MAX_TOKEN || !this.take(COMMA)) return undefined
      this.skipSpace()
      const score = this.number()
      if (!Number.isFinite(score) || !this.take(CLOSE)) return undefined
      starts[id + 1] = end
      scores[id] = score
      if (this.take(COMMA)) continue
      if (!this.take(CLOSE)) return undefined
      return new Pieces(units.slice(0, end), starts.slice(0, id + 2), scores.slice(0, id + 1))
    }
    return undefined
  }

  private skipSpace(): void {
    const { bytes } = this
    let at = this.at
    for (let byte = bytes[at]; byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09; byte = bytes[at]) at++
    this.at = at
  }

  /** Goes past this byte and the space before it, if it is there. */
  private take(byte: number): boolean {
    if (this.bytes[this.at] !== byte) this.skipSpace()
    if (this.bytes[this.at] !== byte) return false
    this.at++
    return true
  }

  /** Goes past a character outside ASCII. Returns its code point, or -1 for what is no character of UTF-8. */
  private character(): number {
    const { bytes } = this
    const first = bytes[this.at++]
    if (first === undefined || first < 0xc2 || first >= 0xf5) return -1
    const more = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3
    let point = first & (0x3f >> more)
    for (let i = 0; i < more; i++) {
      const next = bytes[this.at++]
      if (next === undefined || (next & 0xc0) !== 0x80) return -1
      point = (point << 6) | (next & 0x3f)
    }
    if (more === 2 && (point < 0x800 || (point >= 0xd800 && point < 0xe000))) return -1
    return more === 3 && (point < 0x10000 || point > 0x10ffff) ? -1 : point
  }

  /** Goes past an escape. Returns its UTF-16 unit, or -1. */
  private escape(): number {
    const letter = String.fromCharCode(this.bytes[this.at + 1] ?? 0)
    this.at += 2
    if (letter !== 'u') return ESCAPES.get(letter) ?? -1
    const digits = this.textTo(this.at + 4)
    return /^[\da-fA-F]{4}$/.test(digits) ? Number.parseInt(digits, 16) : -1
  }

  /** Goes to `end`. Returns the text on the way. */
  private textTo(end: number): string {
    const text = String.fromCharCode(...this.bytes.subarray(this.at, end))
    this.at = end
    return text
  }

  /** NaN for what is no number of JSON. */
  private number(): number {
    const { bytes } = this
    const start = this.at
    const isNegative = bytes[start] === MINUS
    const first = isNegative ? start + 1 : start
    let [at, point, high, low, count] = [first, -1, 0, 0, 0]
    for (
      let byte = bytes[at]!;
      (byte >= ZERO && byte <= NINE) || (byte === POINT && point === -1);
      byte = bytes[++at]!
    ) {
      if (byte === POINT) point = at
      else if (count++ < EXACT_DIGITS) high = high * 10 + byte - ZERO
      else low = low * 10 + byte - ZERO
    }
    const whole = (point === -1 ? at : point) - first
    const decimals = point === -1 ? 0 : at - point - 1
    if (whole === 0 || (whole > 1 && bytes[first] === ZERO) || (point !== -1 && decimals === 0)) return Number.NaN
    const hasExponent = (bytes[at]! | 0x20) === 0x65
    if (hasExponent) {
      at++
      if (bytes[at] === MINUS || bytes[at] === 0x2b) at++
      const digits = at
      for (let byte = bytes[at]!; byte >= ZERO && byte <= NINE; byte = bytes[at]!) at++
      if (at === digits) return Number.NaN
    }
    const value = hasExponent ? Number.NaN : decimal(high, low, Math.max(0, count - EXACT_DIGITS), decimals)
    if (Number.isNaN(value)) return Number(this.textTo(at))
    this.at = at
    return isNegative ? -value : value
  }
}
