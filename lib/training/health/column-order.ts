/** Names that say which input of a loss a column is: 0 the first, 1 the second, 2 the third or a later one. */
const places: readonly [RegExp, number][] = [
  [/^(?:anchor|query|question|premise)s?$/i, 0],
  [/^(?:positive|pos|answer|response|entailment|passage|document|doc|hypothesis)s?$/i, 1],
  [/^(?:negative|neg|contradiction|hard_negative)s?(?:[_-]?\d+)?$/i, 2],
]
/** The second input in (premise, hypothesis), the first in (hypothesis, entailment, contradiction). */
const AMBIGUOUS = 'hypothesis'

const numbered = /^(.*\D)(\d+)$/
const lettered = /^(.+[_-])([ab])$/i

/**
 * What is wrong with the order of the columns, going by their names, or undefined: a question after its answer, negatives before
 * positives, `sentence2` before `sentence1`.
 */
export function orderConflict(names: readonly string[]): string | undefined {
  const seen = names.map((name) => ({ name, place: placeOf(name, names) }))
  const [begin, ...rest] = seen
  const late = rest.find(({ place }) => place === 0)
  if (late !== undefined && begin?.place !== 0) return `${late.name} is usually the first`
  for (const [i, { name, place }] of seen.entries()) {
    const before = seen.slice(0, i).find((other) => (other.place ?? 0) > (place ?? Infinity))
    if (before !== undefined) return `${before.name} stands in front of ${name}`
    const higher = names.slice(0, i).find((other) => comesAfter(other, name))
    if (higher !== undefined) return `${higher} stands in front of ${name}`
  }
  if (names.includes('anchor') && names.indexOf('positive') > 1) return `positive is usually the second`
  return undefined
}

function placeOf(name: string, names: readonly string[]): number | undefined {
  if (name === AMBIGUOUS && !names.includes('premise')) return 0
  return places.find(([pattern]) => pattern.test(name))?.[1]
}

/** Whether two names differ only in the number or letter at their end, and `name` has the higher one. */
function comesAfter(name: string, other: string): boolean {
  for (const pattern of [numbered, lettered]) {
    const [[, stem, end], [, otherStem, otherEnd]] = [pattern.exec(name) ?? [], pattern.exec(other) ?? []]
    if (stem === undefined || stem !== otherStem) continue
    return pattern === numbered ? Number(end) > Number(otherEnd) : end!.toLowerCase() > otherEnd!.toLowerCase()
  }
  return false
}
