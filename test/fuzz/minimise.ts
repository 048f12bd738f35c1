import type { Case, Json } from './case.js'

/**
 * A smaller case that fails in the same way: parts are left out and values made simpler as long as it does.
 * @param fails whether a case still fails so
 */
export async function minimise(
  given: Case,
  fails: (smaller: Case) => Promise<boolean>,
  milliseconds = 60_000,
): Promise<Case> {
  const end = performance.now() + milliseconds
  let best: Json = given as unknown as Json
  for (let again = true; again; ) {
    again = false
    for (const smaller of simpler(best)) {
      if (performance.now() > end) return best as unknown as Case
      if (!(await fails(smaller as unknown as Case))) continue
      best = smaller
      again = true
      break
    }
  }
  return best as unknown as Case
}

/** Values a step simpler than `value`, the largest steps first. */
function* simpler(value: Json, key?: string): Generator<Json> {
  if (typeof value === 'string') {
    // Names of files and bases say what a case is about.
    if (key === 'file' || key === 'base') return
    if (value !== '') yield ''
    const least = value.length > 64 ? value.length >> 3 : 1
    for (let size = value.length >> 1; size >= least && size > 0; size >>= 1) {
      for (let at = 0; at < value.length; at += size) yield value.slice(0, at) + value.slice(at + size)
    }
  } else if (typeof value === 'number') {
    if (value !== 0) yield 0
    if (Math.abs(value) > 1) yield Math.trunc(value / 2)
  } else if (Array.isArray(value)) {
    for (let size = value.length; size >= 1; size >>= 1) {
      for (let at = 0; at + size <= value.length; at += size) yield [...value.slice(0, at), ...value.slice(at + size)]
    }
    for (const [i, element] of value.entries()) {
      for (const smaller of simpler(element)) yield value.with(i, smaller)
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const name of Object.keys(value)) {
      if (name !== 'base' && name !== 'file')
        yield Object.fromEntries(Object.entries(value).filter(([other]) => other !== name))
    }
    for (const [name, member] of Object.entries(value)) {
      const entries = Object.entries(value)
      for (const smaller of simpler(member, name)) {
        yield Object.fromEntries(entries.map(([other, kept]) => [other, other === name ? smaller : kept]))
      }
    }
  }
}
