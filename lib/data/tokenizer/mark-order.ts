export type UnicodeForm = 'NFC' | 'NFD' | 'NFKC' | 'NFKD'

/**
 * Marks in a row that are put into their order here. The engine inserts each into those before it, in time by the square of their
 * number. U+FF9E and U+FF9F, letters, decompose to marks.
 */
const longRun = /[\p{M}\uff9e\uff9f]{64,}/gu

/** A mark of the combining class 1, the least, and the only one of 240, the largest. */
const [FIRST, LAST] = ['\u0334', '\u0345']

/**
 * An equivalent text, whose normal forms are the same, with the marks of long runs in the order of their combining classes.
 * Source: Unicode's Canonical Ordering Algorithm (D108, D109 of the standard).
 */
export function orderLongRuns(text: string, form: UnicodeForm): string {
  return text.replace(longRun, (run) => ordered(run, form === 'NFC' || form === 'NFD' ? 'NFD' : 'NFKD'))
}

function ordered(run: string, form: 'NFD' | 'NFKD'): string {
  const pieces = new Map<string, string[]>()
  for (const char of run) if (!pieces.has(char)) pieces.set(char, [...char.normalize(form)])
  const ranks = rank(new Set([...pieces.values()].flat()))
  const result: string[] = []
  let rows: (string[] | undefined)[] = []
  const put = () => {
    for (const row of rows) if (row) result.push(row.join(''))
    rows = []
  }
  for (const char of run) {
    for (const mark of pieces.get(char)!) {
      const place = ranks.get(mark)
      if (place !== undefined) {
        const row = rows[place]
        if (row) row.push(mark)
        else rows[place] = [mark]
      } else {
        // Nothing moves across what has no class.
        put()
        result.push(mark)
      }
    }
  }
  put()
  return result.join('')
}

/** The order of marks by combining class, equal for equal classes; those of the class 0 have none. */
function rank(marks: ReadonlySet<string>): Map<string, number> {
  const moving = [...marks].filter((mark) => isBefore(mark, LAST) || isBefore(FIRST, mark))
  moving.sort((a, b) => (isBefore(a, b) ? -1 : isBefore(b, a) ? 1 : 0))
  const ranks = new Map<string, number>()
  let place = 0
  for (const [i, mark] of moving.entries()) {
    if (i > 0 && isBefore(moving[i - 1]!, mark)) place++
    ranks.set(mark, place)
  }
  return ranks
}

/** Whether the class of `a` is below that of `b`, and none is 0: the engine swaps them. */
function isBefore(a: string, b: string): boolean {
  return (b + a).normalize('NFD') !== b + a
}
