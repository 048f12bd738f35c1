/** A line of a text, or a part of one that is very long. */
export interface LinePart {
  text: string
  /** From 1. */
  line: number
  /** Whether the line begins and ends with this part. */
  begins: boolean
  ends: boolean
}

/** Parts of a line get at most about this long. */
const LONGEST = 1 << 16

/** The lines of a text that comes in pieces. Lines end in "\n", "\r\n" or "\r". */
export async function* linesOf(pieces: AsyncIterable<string>): AsyncGenerator<LinePart, void, undefined> {
  let rest = ''
  let line = 1
  let begins = true
  for await (const piece of pieces) {
    const text = rest + piece
    // A "\n" may follow in the next piece.
    const isOpen = text.endsWith('\r')
    const parts = (isOpen ? text.slice(0, -1) : text).split(/\r\n|\n|\r/)
    rest = parts.pop()! + (isOpen ? '\r' : '')
    for (const part of parts) {
      yield { text: part, line: line++, begins, ends: true }
      begins = true
    }
    if (rest.length <= LONGEST) continue
    const cut = lastSpace(rest)
    yield { text: rest.slice(0, cut), line, begins, ends: false }
    rest = rest.slice(cut)
    begins = false
  }
  if (rest === '' && begins) return
  for (const part of rest.split('\r')) {
    yield { text: part, line: line++, begins, ends: true }
    begins = true
  }
}

/** Where to cut a text: at its last space, or else at its end. */
function lastSpace(text: string): number {
  const space = text.lastIndexOf(' ')
  if (space > 0) return space
  return text.endsWith('\r') ? text.length - 1 : text.length
}
