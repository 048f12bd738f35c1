import { SentenceTorchError } from '../../errors.js'
import { readText } from './lines.js'
import { RowTable, type Table } from './table.js'

/**
 * A JSON array of objects. Columns come in the order of the first object's keys. The file is cut into its elements while it
 * is read, so that never more than one of them is parsed at a time.
 * @throws SentenceTorchError ERR_INVALID_DATA naming the element (from 0) for anything but an object with the same keys.
 */
export async function* readJson(path: string, columns?: readonly string[]): AsyncGenerator<Table, void, undefined> {
  let element = 0
  const table = new RowTable(() => `element ${element} of ${path}`, columns)
  const splitter = new ElementSplitter(path)
  for await (const piece of readText(path)) {
    for (const text of splitter.add(piece)) {
      table.add(parse(text, element, path))
      element++
    }
    if (element > 0) yield table.take()
  }
  splitter.end()
  if (element === 0) yield table.take()
}

function parse(text: string, element: number, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const message = `Expected JSON in element ${element} of ${path}: ${(cause as Error).message}`
    throw new SentenceTorchError('ERR_INVALID_DATA', message, { cause })
  }
}

const space = /^\s*$/

/** Cuts the text of an array into the texts of its elements. What stands between the brackets is left to JSON.parse. */
class ElementSplitter {
  private state: 'before' | 'inside' | 'after' = 'before'
  /** Open brackets below the array's own. */
  private depth = 0
  private inString = false
  private escaped = false
  /** The beginning of the element that goes on in the next piece. */
  private open = ''
  private count = 0

  constructor(private readonly path: string) {}

  *add(text: string): Generator<string, void, undefined> {
    let start = 0
    let at = 0
    if (this.state === 'before') {
      at = text.search(/\S/)
      if (at === -1) return
      if (text[at] !== '[') throw this.malformed('an array, "[", at the beginning', text.slice(at, at + 20))
      this.state = 'inside'
      start = ++at
    }
    for (; at < text.length && this.state === 'inside'; at++) {
      const code = text.charCodeAt(at)
      if (this.inString) {
        if (this.escaped) this.escaped = false
        else if (code === 0x5c) this.escaped = true
        else if (code === 0x22) this.inString = false
      } else if (code === 0x22) {
        this.inString = true
      } else if (code === 0x7b || code === 0x5b) {
        this.depth++
      } else if (this.depth > 0 ? code === 0x7d || code === 0x5d : false) {
        this.depth--
      } else if (this.depth === 0 && (code === 0x2c || code === 0x5d)) {
        const element = this.open + text.slice(start, at)
        this.open = ''
        start = at + 1
        if (code === 0x5d) this.state = 'after'
        // Only an empty array may have nothing in front of its end; anything else is JSON.parse's to refuse.
        if (code === 0x2c || !space.test(element) || this.count > 0) yield element
        this.count++
      }
    }
    if (this.state === 'inside') this.open += text.slice(start)
    else if (this.state === 'after' && !space.test(text.slice(start)))
      throw this.malformed('nothing behind the array', text.slice(start).trim().slice(0, 20))
  }

  end(): void {
    if (this.state !== 'after') throw this.malformed('an array that ends with "]"', 'the end of the file')
  }

  private malformed(expected: string, found: string): SentenceTorchError {
    return new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected ${expected} in ${this.path}, found ${JSON.stringify(found)}; for one object per line use .jsonl`,
    )
  }
}
