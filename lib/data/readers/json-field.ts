import { SentenceTorchError } from '../../errors.js'
import { endsEscaped, isClosing, isOpening, isSpace, stringEnd } from './json-text.js'
import { listed } from './names.js'

/** Limit of characters in a written key that can match. Of longer keys only the beginning is kept. */
const MAX_KEY = 2 ** 16
/** Limit of keys in the message about a missing key. */
const MAX_KEYS = 50

/**
 * Finds the array under a key of an object, in a text that arrives in pieces. Everything before the array is skipped.
 */
export class FieldFinder {
  private depth = 0
  private inString = false
  private escaped = false
  /** The last string at depth 1, as it is written, without the part in this piece from `start` on. */
  private string = ''
  private start = 0
  /** The key of the next value. */
  private key: string | undefined
  private readonly keys: string[] = []

  constructor(
    private readonly field: string,
    private readonly path: string,
  ) {}

  /** Where in `text` the array's elements begin, or undefined if the array is not there yet. */
  find(text: string): number | undefined {
    this.start = 0
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (this.inString) at = this.readString(text, at)
      else if (code === 0x3a && this.depth === 1) this.readKey()
      else if (code === 0x2c && this.depth === 1) this.key = undefined
      else if (!isSpace(code)) {
        if (this.key === this.field && this.depth === 1) {
          if (code === 0x5b) return at + 1
          throw this.error(`an array of rows under the key ${JSON.stringify(this.field)}`, text.slice(at, at + 20))
        }
        this.enter(code, text, at)
      }
    }
    if (this.inString) this.keep(text, text.length)
    return undefined
  }

  /** The error of an object without the key. */
  missing(): SentenceTorchError {
    const found = this.keys.length > 0 ? `the keys ${listed(this.keys)}` : 'none'
    return new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected the key ${JSON.stringify(this.field)} (field) in the object of ${this.path}, found ${found}`,
    )
  }

  /** Returns the index of the last character of the string in this piece. */
  private readString(text: string, at: number): number {
    if (this.escaped) {
      this.escaped = false
      return at
    }
    const end = stringEnd(text, at)
    if (end === -1) {
      this.escaped = endsEscaped(text, at)
      return text.length
    }
    this.inString = false
    this.keep(text, end)
    return end
  }

  /** Keeps the part of a string that ends at `end`. */
  private keep(text: string, end: number): void {
    if (this.depth === 1 && this.string.length <= MAX_KEY) this.string += text.slice(this.start, end)
  }

  private readKey(): void {
    if (this.string.length > MAX_KEY) return
    try {
      this.key = JSON.parse(`"${this.string}"`) as string
    } catch {
      throw this.error('a key', this.string.slice(0, 60))
    }
    if (this.keys.length <= MAX_KEYS) this.keys.push(this.key)
  }

  private enter(code: number, text: string, at: number): void {
    if (this.depth === 0 && code !== 0x7b) {
      throw this.error(`an object with the key ${JSON.stringify(this.field)} (field)`, text.slice(at, at + 20))
    }
    if (code === 0x22) {
      this.inString = true
      this.string = ''
      this.start = at + 1
    } else if (isOpening(code)) this.depth++
    else if (isClosing(code)) this.depth--
    if (this.depth === 0) throw this.missing()
  }

  private error(expected: string, found: string): SentenceTorchError {
    return new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected ${expected} in ${this.path}, found ${JSON.stringify(found)}`,
    )
  }
}
