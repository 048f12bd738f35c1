import type { TimeSlice } from '../../data/time-slice.js'
import type { MiningPlan } from './options.js'
import type { Skipped } from './statistics-types.js'

/** The table of scores that the reference prints: positives, negatives, and their difference. */
export async function scoreTable(
  positives: readonly number[],
  negatives: readonly number[],
  differences: readonly number[],
  slice: TimeSlice,
): Promise<string[]> {
  const row = (cells: string[]) => cells.map((cell, i) => (i === 0 ? cell.padEnd(6) : cell.padStart(14))).join(' ')
  const columns: Statistics[] = []
  for (const scores of [positives, negatives, differences]) columns.push(await statistics(scores, slice))
  const counts = [positives, negatives].map((scores) => scores.length.toLocaleString('en-US'))
  const names = Object.keys(columns[0]!) as (keyof Statistics)[]
  return [
    row(['Metric', 'Positive', 'Negative', 'Difference']),
    row(['Count', ...counts, '']),
    ...names.map((name) => row([name, ...columns.map((column) => formatted(column[name]))])),
  ]
}

/** Number of refused candidates, and of rows that had too few. */
export function shortages(skipped: readonly Skipped[], rows: number, possible: number, plan: MiningPlan): string[] {
  const percent = (ratio: number) => `${(ratio * 100).toFixed(2)}%`
  const lines = skipped.map(({ reason, count, ratio }) => {
    const many = `Skipped ${count.toLocaleString('en-US')} potential negatives`
    if (reason === 'judge') return `${many} that the judge took for answers.`
    return `${many} (${percent(ratio)}) due to the ${reason} of ${plan[reason]}.`
  })
  const missing = possible - rows
  if (missing <= 0) return lines
  const names = ['rangeMax', ...(plan.rangeMin > 0 ? ['rangeMin'] : [])]
  for (const name of ['absoluteMargin', 'relativeMargin', 'maxScore'] as const) {
    if (plan[name] !== undefined) names.push(name)
  }
  const last = names.pop()!
  const listed = names.length > 0 ? `${names.join(', ')} and ${last} parameters` : `${last} parameter`
  lines.push(
    `Could not find enough negatives for ${missing} samples (${percent(missing / possible)}). ` +
      `Consider adjusting the ${listed} if you'd like to find more valid negatives.`,
  )
  return lines
}

interface Statistics {
  Mean: number
  Median: number
  Std: number
  Min: number
  '25%': number
  '50%': number
  '75%': number
  Max: number
}

/** Torch's definitions: the median is the lower of two middle values, Std divides by n − 1, quantiles interpolate. */
export async function statistics(scores: readonly number[], slice: TimeSlice): Promise<Statistics> {
  const sorted = await sort(scores, slice)
  const count = sorted.length
  let sum = 0
  for (const score of sorted) sum += score
  const mean = sum / count
  let squares = 0
  for (const score of sorted) squares += (score - mean) ** 2
  const quantile = (share: number) => {
    const place = share * (count - 1)
    const below = sorted[Math.floor(place)] ?? Number.POSITIVE_INFINITY
    const above = sorted[Math.ceil(place)] ?? Number.POSITIVE_INFINITY
    return below === above ? below : below + (above - below) * (place % 1)
  }
  return {
    Mean: mean,
    Median: sorted[(count - 1) >> 1] ?? Number.NaN,
    Std: count > 1 ? Math.sqrt(squares / (count - 1)) : Number.NaN,
    Min: sorted[0] ?? Number.POSITIVE_INFINITY,
    '25%': quantile(0.25),
    '50%': quantile(0.5),
    '75%': quantile(0.75),
    Max: sorted[count - 1] ?? Number.NEGATIVE_INFINITY,
  }
}

/** Entries that are sorted at once, in about a millisecond. */
const RUN = 2 ** 14

/** In rising order, by a merge sort in short slices, so that the event loop can run. */
async function sort(scores: readonly number[], slice: TimeSlice): Promise<Float64Array> {
  let from = Float64Array.from(scores)
  for (let start = 0; start < from.length; start += RUN) {
    from.subarray(start, start + RUN).sort()
    await slice.yield()
  }
  for (let width = RUN; width < from.length; width *= 2) {
    const to = new Float64Array(from.length)
    for (let start = 0; start < from.length; start += 2 * width) {
      const middle = Math.min(start + width, from.length)
      const end = Math.min(start + 2 * width, from.length)
      for (let i = start, j = middle, at = start; at < end; at++) {
        to[at] = j >= end || (i < middle && from[i]! <= from[j]!) ? from[i++]! : from[j++]!
        if (at % RUN === 0) await slice.yield()
      }
    }
    from = to
  }
  return from
}

function formatted(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  return value.toFixed(4)
}
