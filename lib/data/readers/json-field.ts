import { SentenceTorchError } from '../../errors.js'

/** Finds the array under a key of an object, in a text that comes in pieces; what stands before it is passed over. */
export class FieldFinder {
  private depth = 0
  private inString = false
  private escaped = false
  /** The last string at depth 1, as it is written. */
  private string = ''
  /** The key whose value comes next. */
  private key: string | undefined
  private readonly keys: string[] = []

  constructor(
    private readonly field: string,
    private readonly path: string,
  ) {}

  /** Where in `text` the array's elements begin, or undefined if the array is not there yet. */
  find(text: string): number | undefined {
    for (let at = 0; at < text.length; at++) {
      const character = text[at]!
      if (this.inString) this.readString(character)
      else if (character === ':' && this.depth === 1) this.readKey()
      else if (character === ',' && this.depth === 1) this.key = undefined
      else if (!/\s/.test(character)) {
        if (this.key === this.field && this.depth === 1) {
          if (character === '[') return at + 1
          throw this.error(`an array of rows under the key ${JSON.stringify(this.field)}`, text.slice(at, at + 20))
        }
        this.enter(character, text.slice(at, at + 20))
      }
    }
    return undefined
  }

  /** The error of an object without the key. */
  missing(): SentenceTorchError {
    const found = this.keys.length > 0 ? `the keys ${this.keys.join(', ')}` : 'none'
    return new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected the key ${JSON.stringify(this.field)} (field) in the object of ${this.path}, found ${found}`,
    )
  }

  private readString(character: string): void {
    if (this.escaped) this.escaped = false
    else if (character === '\\') this.escaped = true
    else if (character === '"') this.inString = false
    if (this.inString && this.depth === 1) this.string += character
  }

  private readKey(): void {
    try {
      this.key = JSON.parse(`"${this.string}"`) as string
    } catch {
      throw this.error('a key', this.string)
    }
    this.keys.push(this.key)
  }

  private enter(character: string, found: string): void {
    if (this.depth === 0 && character !== '{') {
      throw this.error(`an object with the key ${JSON.stringify(this.field)} (field)`, found)
    }
    if (character === '"') {
      this.inString = true
      this.string = ''
    } else if (character === '{' || character === '[') this.depth++
    else if (character === '}' || character === ']') this.depth--
    if (this.depth === 0) throw this.missing()
  }

  private error(expected: string, found: string): SentenceTorchError {
    return new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected ${expected} in ${this.path}, found ${JSON.stringify(found)}`,
    )
  }
}
