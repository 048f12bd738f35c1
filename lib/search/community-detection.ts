import { TimeSlice } from '../data/time-slice.js'
import { invalidArgument } from '../errors.js'
import { type Embeddings, type EmbeddingsLike, embeddings } from '../models/embeddings.js'
import { EncodeProgress } from '../models/progress.js'
import { loadAddon } from '../native/load.js'
import { checkInteger, checkOptions, checkType } from '../options.js'
import { checkFinite, type SearchEngine } from './blocks.js'
import { searchRows } from './nearest.js'
import { type SearchedRows, searchedRows, viewOf } from './rows.js'

export interface CommunityDetectionOptions {
  /** Lowest cosine similarity of two close rows. Default 0.75. */
  threshold?: number
  /** Lowest number of rows in a community. Default 10. */
  minCommunitySize?: number
  /** Limit of rows that the engine compares with all others in one job. Does not change the result. Default 1024. */
  batchSize?: number
  /** Show progress on stderr. Default false. */
  showProgressBar?: boolean
  /**
   * The rows are copied at the call, so later changes have no effect. `false` copies each part of 32 MB when it is read,
   * again and again; use it for rows of which memory cannot hold a second copy. Rows whose memory is transferred meanwhile
   * are then an error. Default true.
   */
  copy?: boolean
  /** Stops between two jobs of the engine; the promise rejects with ERR_ABORTED. */
  signal?: AbortSignal
}

/** Limit of members that are kept in memory (256 MB). Members of further rows are searched for again when needed. */
const KEPT_MEMBERS = 2 ** 26
/** Limits of members, and of rows, in communities that are searched for again together. */
const AGAIN_MEMBERS = 2 ** 22
const AGAIN_ROWS = 1024

/**
 * Groups of rows that are close to a common centre, the largest group first, as row numbers. Every row is the centre of a
 * community: itself, then all rows that are close to it, the most similar first. From the largest community to the
 * smallest, each keeps the rows that no larger one took. A community is dropped when its centre was taken or fewer than
 * `minCommunitySize` rows are left.
 * @param rows [n, dim]
 * Source: sentence-transformers `util.community_detection`.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_INVALID_DATA (NaN or an infinity, naming the row), ERR_UNKNOWN_OPTION,
 * ERR_OUT_OF_MEMORY (the copy), ERR_ABORTED
 */
export async function communityDetection(
  rows: EmbeddingsLike,
  options: CommunityDetectionOptions = {},
): Promise<number[][]> {
  return detectWith(loadAddon, rows, options)
}

/** @internal `communityDetection` with another engine and memory limit, for tests. */
export async function detectWith(
  addon: () => SearchEngine,
  rows: EmbeddingsLike,
  options: CommunityDetectionOptions,
  keptMembers = KEPT_MEMBERS,
): Promise<number[][]> {
  const names = ['threshold', 'minCommunitySize', 'batchSize', 'showProgressBar', 'copy', 'signal']
  checkOptions('communityDetection', options, names)
  const { threshold = 0.75, batchSize = 1024, showProgressBar = false, signal } = options
  if (typeof threshold !== 'number' || !Number.isFinite(threshold)) {
    throw invalidArgument('threshold', 'a finite number', threshold)
  }
  checkInteger('minCommunitySize', options.minCommunitySize, 1)
  checkInteger('batchSize', batchSize, 1)
  checkType('showProgressBar', showProgressBar, 'boolean')
  checkType('copy', options.copy, 'boolean')
  const all = searchedRows(rows, 'embeddings', options.copy)
  const count = all.shape[0]
  const least = options.minCommunitySize ?? 10
  if (count < least) {
    checkFinite(all.all, 'embeddings')
    return []
  }
  const neighbours = new Neighbours(addon, all, Math.fround(threshold), batchSize, signal)
  const progress = showProgressBar ? new EncodeProgress(count, process.stderr, 'Finding clusters', 'rows') : undefined

  const slice = new TimeSlice()
  const sizes = new Int32Array(count)
  const kept = new Map<number, Int32Array>()
  let total = 0
  let first = Math.min(Math.max(2 * least, 50), count)
  for (let start = 0; start < count; start += batchSize) {
    let larger = 0
    const batch = range(start, Math.min(start + batchSize, count))
    for await (const [row, members] of neighbours.of(batch, first)) {
      if (members.length >= first) larger++

      await slice.yield()
      if (members.length < least) continue
      sizes[row] = members.length
      if (total + members.length <= keptMembers) kept.set(row, members.slice())
      total += members.length
    }
    progress?.update(start + batch.length)
    // If many communities are larger than the first search, the next searches ask for more at once.
    if (larger > batch.length / 8) first = Math.min(2 * first, count)
  }

  const used = new Uint8Array(count)
  const found: number[][] = []
  for await (const [centre, members] of inOrder(bySize(sizes), sizes, kept, neighbours)) {
    if (used[centre] === 1) continue
    // The search orders equal rows by index, so a row that equals the centre may come before it.
    const left = [centre]
    for (const member of members) if (used[member] === 0 && member !== centre) left.push(member)
    if (left.length >= least) {
      for (const member of left) used[member] = 1
      found.push(left)
    }
    await slice.yield()
  }
  return found.sort((a, b) => b.length - a.length)
}

/** Finds the rows that are close to each other. */
class Neighbours {
  constructor(
    private readonly addon: () => SearchEngine,
    private readonly all: SearchedRows,
    private readonly threshold: number,
    private readonly rowsPerJob: number,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /**
   * All rows close to each of `wanted`, the most similar first. The engine is asked for the `k` best. If all `k` are close,
   * it is asked again for twice as many, so the order is not that of `wanted`. Members are views that the next step
   * overwrites.
   */
  async *of(wanted: Int32Array, k: number): AsyncGenerator<[row: number, members: Int32Array]> {
    let rows = wanted
    for (let limit = k; rows.length > 0; limit = Math.min(2 * limit, this.all.shape[0])) {
      const open: number[] = []
      const { rowsPerJob, signal } = this
      const names = { queries: 'embeddings', corpus: 'embeddings' }
      const search = { k: limit, metric: 'cosine', rowsPerJob, signal, names } as const
      for await (const block of searchRows(this.addon, this.#gather(rows), this.all, search)) {
        for (let i = 0; i < block.rows; i++) {
          const row = rows[block.first + i]!
          const close = this.#close(block.scores, i * limit, limit)
          if (close === limit && limit < this.all.shape[0]) open.push(row)
          else yield [row, block.indices.subarray(i * limit, i * limit + close)]
        }
      }
      rows = Int32Array.from(open)
    }
  }

  /** How many of the decreasing `scores[start …]` reach the threshold, up to `limit`. */
  #close(scores: Float32Array, start: number, limit: number): number {
    let [low, high] = [0, limit]
    while (low < high) {
      const middle = (low + high) >> 1
      if (scores[start + middle]! >= this.threshold) low = middle + 1
      else high = middle
    }
    return low
  }

  #gather(rows: Int32Array): Embeddings {
    const { all } = this.all
    const dim = all.shape[1]
    const first = rows[0]!
    // Neighbouring rows need no copy.
    if (rows[rows.length - 1]! - first === rows.length - 1 && rows.every((row, i) => row === first + i)) {
      return embeddings(viewOf(all, first, rows.length, 'embeddings'), rows.length, dim)
    }
    const gathered = new Float32Array(rows.length * dim)
    rows.forEach((row, i) => {
      gathered.set(viewOf(all, row, 1, 'embeddings'), i * dim)
    })
    return embeddings(gathered, rows.length, dim)
  }
}

/**
 * The communities of the centres `rows`, in that order. Members come from `kept`, or are searched for again, some at a
 * time.
 */
async function* inOrder(
  rows: Int32Array,
  sizes: Int32Array,
  kept: ReadonlyMap<number, Int32Array>,
  neighbours: Neighbours,
): AsyncGenerator<[centre: number, members: Int32Array]> {
  let again = new Map<number, Int32Array>()
  for (let at = 0; at < rows.length; at++) {
    const row = rows[at]!
    const members = kept.get(row) ?? again.get(row)
    if (members !== undefined) {
      yield [row, members]
      continue
    }
    again = new Map()
    const missing: number[] = []
    for (let i = at, sum = 0; i < rows.length && missing.length < AGAIN_ROWS; i++) {
      if (kept.has(rows[i]!)) continue
      sum += sizes[rows[i]!]!
      if (i > at && sum > AGAIN_MEMBERS) break
      missing.push(rows[i]!)
    }
    // The first is the largest. One row more than its size shows that it is complete.
    const found = neighbours.of(Int32Array.from(missing), Math.min(sizes[row]! + 1, sizes.length))
    for await (const [other, close] of found) again.set(other, close.slice())
    yield [row, again.get(row)!]
  }
}

/** Rows whose size is not 0, the largest size first, equal ones in order (a counting sort). */
function bySize(sizes: Int32Array): Int32Array {
  const starts = new Int32Array(sizes.length + 1)
  for (const size of sizes) if (size > 0) starts[size]!++
  let total = 0
  for (let size = sizes.length; size > 0; size--) {
    const count = starts[size]!
    starts[size] = total
    total += count
  }
  const order = new Int32Array(total)
  sizes.forEach((size, row) => {
    if (size > 0) order[starts[size]!++] = row
  })
  return order
}

function range(start: number, end: number): Int32Array {
  return Int32Array.from({ length: end - start }, (_, i) => start + i)
}
