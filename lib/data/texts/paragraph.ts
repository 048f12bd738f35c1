/** A paragraph with clean whitespace, and the lines of the file that it came from. */
export interface Paragraph {
  text: string
  /** Positions in `text`, rising, and the number of the line that begins there. */
  marks: readonly (readonly [position: number, line: number])[]
}

/** The line at a position of a paragraph. */
export function lineAt({ marks }: Paragraph, position: number): number {
  let low = 0
  let high = marks.length
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (marks[middle]![0] <= position) low = middle
    else high = middle
  }
  return marks[low]?.[1] ?? 1
}

/** Longer paragraphs are cut, so that a file in a single line does not have to be in memory. */
const MAX_LENGTH = 1 << 20

/** Space characters and control characters. */
const BLANKS = /[\s\p{Cc}]+/gu
/** Invisible places where a word may be broken. */
const SOFT_HYPHENS = /\u00ad/g

/** Collects the text of a paragraph. Every run of whitespace becomes one space; spaces at the ends go. */
export class ParagraphBuilder {
  private parts: string[] = []
  private marks: [number, number][] = []
  private length = 0
  /** Whether whitespace came after the last word. */
  private isSpaced = false

  get isEmpty(): boolean {
    return this.length === 0
  }

  get isFull(): boolean {
    return this.length > MAX_LENGTH
  }

  /** @param line the line in which `raw` begins; `raw` may hold further lines */
  add(raw: string, line: number): void {
    let number = line
    let start = 0
    for (let end = raw.indexOf('\n'); ; end = raw.indexOf('\n', start)) {
      this.addLine(end === -1 ? raw.slice(start) : raw.slice(start, end), number++)
      if (end === -1) return
      this.isSpaced = true
      start = end + 1
    }
  }

  /** A place where words end. */
  addSpace(): void {
    this.isSpaced = true
  }

  /** The paragraph so far; undefined if it has no text. */
  take(): Paragraph | undefined {
    const { parts, marks } = this
    this.isSpaced = false
    if (this.length === 0) return undefined
    this.parts = []
    this.marks = []
    this.length = 0
    return { text: parts.join(''), marks }
  }

  private addLine(raw: string, line: number): void {
    const clean = raw.replace(SOFT_HYPHENS, '').replace(BLANKS, ' ')
    const text = clean.trim()
    if (text === '') {
      if (clean !== '') this.isSpaced = true
      return
    }
    if (this.length > 0 && (this.isSpaced || clean.startsWith(' '))) this.push(' ')
    if (this.marks.at(-1)?.[1] !== line) this.marks.push([this.length, line])
    this.push(text)
    this.isSpaced = clean.endsWith(' ')
  }

  private push(text: string): void {
    this.parts.push(text)
    this.length += text.length
  }
}
