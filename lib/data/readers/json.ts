import { SentenceTorchError } from '../../errors.js'
import { MAX_DEPTH } from '../../io/schema.js'
import { FieldFinder } from './json-field.js'
import {
  checkSize,
  endsEscaped,
  isClosing,
  isOpening,
  MAX_CHARACTERS,
  MOST_CHARACTERS,
  stringEnd,
  tooDeep,
  tooMuch,
} from './json-text.js'
import { readJsonl } from './jsonl.js'
import { keysInText } from './key-order.js'
import { readText } from './lines.js'
import { listed } from './names.js'
import { type ReaderOptions, RowTable, type Table } from './table.js'

/**
 * A JSON array of objects, or with `field` the array under that key of an object. Columns have the order of the first
 * object's keys. The file is cut into its elements while it is read, so that only one element is parsed at a time. A
 * file with one object on each line is read as JSON Lines. Integers that a number cannot hold exactly become bigints.
 * @throws SentenceTorchError ERR_INVALID_DATA naming the element (from 0) for anything but an object with the same
 * keys; ERR_INVALID_FILE for one that is too long.
 */
export async function* readJson(path: string, options: ReaderOptions = {}): AsyncGenerator<Table, void, undefined> {
  const { columns, field, onBadRow } = options
  let element = 0
  let isFirst = true
  const table = new RowTable(() => `element ${element} of ${path}`, columns)
  const splitter = new ElementSplitter(path, field)
  for await (const piece of readText(path)) {
    if (isFirst && field === undefined && holdsLines(piece)) {
      yield* readJsonl(path, options)
      return
    }
    isFirst &&= piece === ''
    for (const text of splitter.add(piece)) {
      checkSize(text, () => `element ${element} of ${path}`)
      table.tryRow(() => table.add(parse(text, element, path), text), onBadRow)
      element++
    }
    if (table.hasRows) yield table.take()
  }
  splitter.end()
  if (table.names.length === 0) throw table.noRows(path)
  if (table.isNew) yield table.take()
}

function parse(text: string, element: number, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const message = `Expected JSON in element ${element} of ${path}: ${(cause as Error).message}`
    throw new SentenceTorchError('ERR_INVALID_DATA', message, { cause })
  }
}

/** Whether the first line is a whole object and another object follows. */
function holdsLines(text: string): boolean {
  const first = /^\s*(\{[^\r\n]*\})[^\S\r\n]*[\r\n]\s*\{/.exec(text)?.[1]
  if (first === undefined) return false
  try {
    JSON.parse(first)
    return true
  } catch {
    return false
  }
}

const space = /^\s*$/

/** Cuts the text of an array into the texts of its elements. JSON.parse checks what is inside the brackets. */
class ElementSplitter {
  private state: 'before' | 'inside' | 'after' = 'before'
  /** Open brackets below the array's own. */
  private depth = 0
  private inString = false
  private escaped = false
  /** The beginning of an element that continues in the next piece. */
  private open = ''
  private count = 0

  private readonly finder: FieldFinder | undefined

  constructor(
    private readonly path: string,
    field: string | undefined,
  ) {
    this.finder = field === undefined ? undefined : new FieldFinder(field, path)
  }

  *add(text: string): Generator<string, void, undefined> {
    let start = 0
    let at = 0
    if (this.state === 'before') {
      const begin = this.begin(text)
      if (begin === undefined) return
      this.state = 'inside'
      start = at = begin
    }
    for (; at < text.length && this.state === 'inside'; at++) {
      const code = text.charCodeAt(at)
      if (this.inString) {
        if (this.escaped) {
          this.escaped = false
          continue
        }
        const end = stringEnd(text, at)
        if (end === -1) {
          this.escaped = endsEscaped(text, at)
          break
        }
        this.inString = false
        at = end
      } else if (code === 0x22) {
        this.inString = true
      } else if (isOpening(code)) {
        if (++this.depth > MAX_DEPTH) throw tooDeep(this.place)
      } else if (this.depth > 0 && isClosing(code)) {
        this.depth--
      } else if (this.depth === 0 && (code === 0x2c || code === 0x5d)) {
        const element = this.open + text.slice(start, at)
        this.open = ''
        start = at + 1
        if (code === 0x5d) this.state = 'after'
        // Only an empty array may have nothing before its end. JSON.parse refuses anything else.
        if (code === 0x2c || !space.test(element) || this.count > 0) yield element
        this.count++
      }
    }
    if (this.state === 'inside') {
      this.open += text.slice(start)
      if (this.open.length > MAX_CHARACTERS) throw tooMuch(`${MOST_CHARACTERS} of text`, this.place)
    } else if (this.state === 'after' && !this.finder && !space.test(text.slice(start)))
      throw this.malformed('nothing behind the array', JSON.stringify(text.slice(start).trim().slice(0, 20)))
  }

  private get place(): string {
    return `element ${this.count} of ${this.path}`
  }

  end(): void {
    if (this.state === 'before') throw this.finder?.missing() ?? this.malformed('an array', 'an empty file')
    if (this.state !== 'after') throw this.malformed('an array that ends with "]"', 'the end of the file')
  }

  /** The index in `text` at which the elements begin. */
  private begin(text: string): number | undefined {
    if (this.finder) return this.finder.find(text)
    const at = text.search(/\S/)
    if (at === -1) return undefined
    if (text[at] === '[') return at + 1
    const expected = 'an array of rows, "[", at the beginning'
    if (text[at] !== '{') throw this.malformed(expected, JSON.stringify(text.slice(at, at + 20)))
    const keys = keysInText(text.slice(at))
    const array = [...keys].find(([, value]) => value === '[')?.[0]
    const hint =
      array === undefined ? '' : `; { field: ${JSON.stringify(array)} } reads the rows of the array under that key`
    const found = `an object with the keys ${listed([...keys.keys()])}${hint}`
    throw this.malformed(expected, `${found}; a file with an object in each line ends in .jsonl`)
  }

  private malformed(expected: string, found: string): SentenceTorchError {
    return new SentenceTorchError('ERR_INVALID_DATA', `Expected ${expected} in ${this.path}, found ${found}`)
  }
}
