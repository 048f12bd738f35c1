/**
 * Tokens of a job at most, unless the caller says otherwise; a longer row is a job alone. Queries have fewer, so that they wait little for
 * each other.
 */
export const JOB_TOKENS = { query: 2048, bulk: 16 * 1024 } as const
/**
 * Tokens that a job may hold whatever `batchSize` says: as many as four long texts. Short texts are not computed in small
 * pieces then: in bf16, 32 sentences a job took a tenth longer than 128.
 */
export const FILLED_TOKENS = 2048

export interface JobLimits {
  /** Rows per job at most, beyond FILLED_TOKENS. */
  batchSize: number
  maxTokens: number
  /** Rows per job at most, however short they are: of wide embeddings, a job's result is large. */
  maxRows?: number | undefined
}

/** Tokens at most of a job with so many rows. */
export function mostTokens(rows: number, { batchSize, maxTokens, maxRows }: JobLimits): number {
  if (maxRows !== undefined && rows > maxRows) return 0
  return rows <= batchSize ? maxTokens : Math.min(maxTokens, FILLED_TOKENS)
}

/**
 * Rows by falling length, but for those without tokens, cut into jobs of at most `maxTokens` tokens (a longer row is a job
 * alone) and at most `maxRows` rows and, beyond FILLED_TOKENS, at most `batchSize`.
 */
export function planJobs(offsets: Int32Array, limits: JobLimits): Int32Array[] {
  const order = byFallingLength(offsets)
  const jobs: Int32Array[] = []
  let first = 0
  let tokens = 0
  let count = order.length
  while (count > 0 && offsets[order[count - 1]! + 1] === offsets[order[count - 1]!]) count--
  order.subarray(0, count).forEach((row, i) => {
    const length = offsets[row + 1]! - offsets[row]!
    if (i > first && tokens + length > mostTokens(i - first + 1, limits)) {
      jobs.push(order.subarray(first, i))
      first = i
      tokens = 0
    }
    tokens += length
  })
  if (count > first) jobs.push(order.subarray(first, count))
  return jobs
}

/** Rows in their order, those without tokens included, cut into jobs [first, end) within the limits of {@link planJobs}. */
export function planInOrder(offsets: Int32Array, limits: JobLimits): [first: number, end: number][] {
  const jobs: [number, number][] = []
  const rows = offsets.length - 1
  let first = 0
  for (let row = 1; row < rows; row++) {
    if (offsets[row + 1]! - offsets[first]! <= mostTokens(row - first + 1, limits)) continue
    jobs.push([first, row])
    first = row
  }
  if (rows > 0) jobs.push([first, rows])
  return jobs
}

/** Row numbers, the longest row first, equally long ones in their order. */
function byFallingLength(offsets: Int32Array): Int32Array {
  const rows = offsets.length - 1
  const length = (row: number) => offsets[row + 1]! - offsets[row]!
  let longest = 0
  for (let row = 0; row < rows; row++) longest = Math.max(longest, length(row))
  // Where the rows of a length begin: behind all longer ones.
  const places = new Int32Array(longest + 2)
  for (let row = 0; row < rows; row++) places[longest - length(row) + 1]!++
  for (let i = 1; i < places.length; i++) places[i]! += places[i - 1]!
  const order = new Int32Array(rows)
  for (let row = 0; row < rows; row++) order[places[longest - length(row)]!++] = row
  return order
}
