// Scores and rankings of utilities against Python's.
import { report } from './report.js'

/** Scores of float32 sums in another order. */
const TOLERANCE = 4e-6
const near = (a: number, b: number) => Math.abs(a - b) <= TOLERANCE * Math.max(1, Math.abs(b))
/** `near`, and kept as a deviation of `name` in `section`. */
export function sameScore(section: string, name: string, a: number, b: number): boolean {
  const deviation = Math.abs(a - b) / Math.max(1, Math.abs(b))
  report(section, name, { deviation, allowed: TOLERANCE })
  return deviation <= TOLERANCE
}

/** Python's options by their names here. */
export const camel = (options: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  )

/**
 * Whether two ranked lists are the same: the same scores in order, and among equal scores the same entries. Where the list was
 * cut among equal scores (`cut`), the last of them may be others.
 */
export function sameRanking(
  section: string,
  name: string,
  found: [number, string][],
  expected: [number, string][],
  cut: boolean,
): boolean {
  if (found.length !== expected.length) return false
  for (let start = 0; start < expected.length; ) {
    let end = start + 1
    while (end < expected.length && near(expected[end]![0], expected[end - 1]![0])) end++
    const names = (list: [number, string][]) =>
      JSON.stringify(
        list
          .slice(start, end)
          .map((entry) => entry[1])
          .sort(),
      )
    for (let i = start; i < end; i++) if (!sameScore(section, name, found[i]![0], expected[i]![0])) return false
    if (!(cut && end === expected.length) && names(found) !== names(expected)) return false
    start = end
  }
  return true
}
