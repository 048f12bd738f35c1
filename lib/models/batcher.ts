import { selectRows, type Tokenized } from '../data/pack.js'
import { fromNative } from '../errors.js'
import { abortError, onAbort } from '../io/abort.js'
import type { EncoderOutput, NativeEncoder, PackedBatch } from '../native/types.js'
import { type JobLimits, mostTokens } from './plan-jobs.js'

/** `query`: before other work, also inside of a training step. `bulk`: in turn. */
export type Priority = 'query' | 'bulk'

/** Jobs handed to the engine before the first is done: it must not wait for JavaScript. More would only be smaller. */
const JOBS_IN_FLIGHT: Record<Priority, number> = { query: 2, bulk: 3 }
/**
 * What waits begins beside a running job once it has this share of that one's tokens. Otherwise the first rows of callers that ask again
 * would go alone: 64 clients with one text each were computed in jobs of 6, 13 and 45.
 */
const SHARE: Record<Priority, number> = { query: 1, bulk: 0.5 }

/** Rows of tokens, with the segment of each token where rows are pairs, and how many others attend to where that is not all. */
export type Rows = Tokenized & { tokenTypes?: Int32Array; attended?: Int32Array }

/** `vectors`: one for each token that counts, of a model whose modules make them. */
export type JobOutput = EncoderOutput | 'vectors'

/** Rows of one call that are computed together. */
export interface Piece {
  tokens: Rows
  /** Which of them. */
  rows: Int32Array
  signal?: AbortSignal | undefined
  /** Receives the values of a row, a view that is valid during the call; `length` is its number of tokens, or of vectors. */
  put: (row: number, values: Float32Array, length: number) => void
}

/** What the pieces of a job have in common. */
export interface JobSettings extends JobLimits {
  output: JobOutput
  priority: Priority
  /** Whether the rows are queries, where modules tell these from documents. */
  isQuery?: boolean | undefined
  /** Tokens at the start of every row that pooling leaves out. */
  promptLength?: number | undefined
  /** Of the engine's routes. Default: the first. */
  route?: number | undefined
  /** Values that a SparseAutoEncoder gives of a row at most. Default: its own number. */
  activeDims?: number | undefined
  /** Numbers of a token of this route. Default: the encoder's. */
  tokenDimension?: number | undefined
}

/** A piece that waits or is computed. */
interface Entry {
  readonly piece: Piece
  readonly tokens: number
  /** After a failure of a job with several pieces, to find the one it belongs to. */
  alone: boolean
  resolve: () => void
  reject: (error: unknown) => void
}

interface Job {
  readonly ticket: number
  readonly tokens: number
  /** Those that somebody still waits for. */
  readonly entries: Set<Entry>
}

let lastTicket = 0

/**
 * Puts rows of calls that wait at the same time together into jobs of the engine. The first rows of an idle engine wait for the
 * end of the event loop's turn, so that calls and requests that come together are computed together.
 */
export class Batcher {
  readonly #encoder: NativeEncoder
  /** By their settings; only those with work. */
  readonly #lines = new Map<string, Line>()

  constructor(encoder: NativeEncoder) {
    this.#encoder = encoder
  }

  /**
   * Settles when the rows have been put.
   * @throws SentenceTorchError ERR_ABORTED once the piece's signal fires, unless a job is running for it alone, which is waited
   * for; what the engine throws
   */
  run(piece: Piece, settings: JobSettings): Promise<void> {
    const { output, priority, promptLength, batchSize, maxTokens, isQuery, route, activeDims } = settings
    const { tokenTypes, attended } = piece.tokens
    const kinds = [route, activeDims, isQuery, tokenTypes !== undefined, attended !== undefined]
    const key = [output, priority, promptLength, batchSize, maxTokens, ...kinds].join()
    let line = this.#lines.get(key)
    if (line === undefined) {
      const made = new Line(this.#encoder, settings, () => {
        if (this.#lines.get(key) === made) this.#lines.delete(key)
      })
      line = made
      this.#lines.set(key, made)
    }
    return line.add(piece)
  }
}

/** The rows of equal settings, first in, first out. */
class Line {
  #waiting: Entry[] = []
  #isScheduled = false
  readonly #jobs = new Set<Job>()
  /** What earlier jobs wrote to and is free again: new memory would have to be cleared for every job. */
  readonly #buffers: Float32Array[] = []

  constructor(
    private readonly encoder: NativeEncoder,
    private readonly settings: JobSettings,
    private readonly onIdle: () => void,
  ) {}

  add(piece: Piece): Promise<void> {
    const tokens = piece.rows.reduce((sum, row) => sum + lengthOf(piece.tokens, row), 0)
    return new Promise((resolve, reject) => {
      this.#waiting.push(this.#listen({ piece, tokens, alone: false, resolve, reject }))
      // Rows that fill a job need not wait for others.
      if (2 * tokens > mostTokens(piece.rows.length, this.settings)) this.#begin()
      else this.#schedule()
    })
  }

  /** Lets the entry reject when its signal fires while it waits. */
  #listen(entry: Entry): Entry {
    const { signal } = entry.piece
    if (!signal) return entry
    const stop = onAbort(signal, () => {
      const job = [...this.#jobs].find(({ entries }) => entries.has(entry))
      if (job) return this.#leave(job, entry)
      this.#waiting = this.#waiting.filter((waiting) => waiting !== entry)
      entry.reject(abortError(signal, 'Encoding'))
      this.#end()
    })
    const { resolve, reject } = entry
    entry.resolve = () => {
      stop()
      resolve()
    }
    entry.reject = (error) => {
      stop()
      reject(error)
    }
    return entry
  }

  #leave(job: Job, entry: Entry): void {
    const error = abortError(entry.piece.signal!, 'Encoding')
    const others = [...job.entries].some(({ piece }) => !piece.signal?.aborted)
    // A job that runs for nobody else is waited for, and so are those before it.
    if (!others && !this.encoder.drop(job.ticket)) return
    for (const gone of others ? [entry] : [...job.entries]) {
      job.entries.delete(gone)
      gone.reject(error)
    }
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#begin()
    })
  }

  #begin(): void {
    while (this.#waiting.length > 0 && this.#mayBegin()) void this.#compute(this.#take())
    this.#end()
  }

  #mayBegin(): boolean {
    const { priority } = this.settings
    if (this.#jobs.size === 0) return true
    if (this.#jobs.size >= JOBS_IN_FLIGHT[priority]) return false
    const last = [...this.#jobs].at(-1)!
    return sumOf(this.#waiting) >= SHARE[priority] * last.tokens
  }

  #end(): void {
    if (this.#waiting.length === 0 && this.#jobs.size === 0) this.onIdle()
  }

  /** The first entries that fit into one job. */
  #take(): Job {
    let count = 0
    let rows = 0
    let tokens = 0
    for (const entry of this.#waiting) {
      rows += entry.piece.rows.length
      tokens += entry.tokens
      if (count > 0 && (entry.alone || this.#waiting[0]!.alone || tokens > mostTokens(rows, this.settings))) break
      count++
    }
    const entries = new Set(this.#waiting.splice(0, count))
    return { ticket: ++lastTicket, tokens: sumOf(entries), entries }
  }

  /** Never throws. */
  async #compute(job: Job): Promise<void> {
    this.#jobs.add(job)
    // Those that leave it are computed all the same.
    const entries = [...job.entries]
    try {
      await this.#encode(job, entries)
      for (const entry of job.entries) entry.resolve()
    } catch (error) {
      if (job.entries.size < 2) for (const entry of job.entries) entry.reject(error)
      else this.#waiting.unshift(...[...job.entries].map((entry) => Object.assign(entry, { alone: true })))
    }
    this.#jobs.delete(job)
    this.#begin()
  }

  async #encode(job: Job, entries: readonly Entry[]): Promise<void> {
    const { output, priority, promptLength, isQuery, route, activeDims } = this.settings
    const { tokenDimension = this.encoder.tokenDimension } = this.settings
    const batch = joined(entries.map(({ piece }) => selectRows(piece.tokens, piece.rows)))
    const { ids, offsets } = batch
    const count = offsets.length - 1
    const perToken = output === 'token_embeddings' || output === 'vectors'
    const isOwnWidth = output === 'sentence_embedding' || output === 'vectors'
    const width = isOwnWidth ? this.encoder.embeddingDimension : tokenDimension
    const values = (perToken ? ids.length : count) * width
    const kept = this.#buffers.pop()
    const buffer = kept && kept.length >= values ? kept : new Float32Array(values)
    const out = buffer.subarray(0, values)
    const promptLengths = promptLength === undefined ? undefined : new Int32Array(count).fill(promptLength)
    const more = {
      ...(promptLengths && { promptLengths }),
      ...(route !== undefined && { routes: Int32Array.of(route) }),
      ...(activeDims !== undefined && { activeDims }),
    }
    const options = { lane: priority, ticket: job.ticket }
    // Where each row's values begin.
    let starts = offsets
    try {
      if (output === 'vectors') {
        const counts = new Int32Array(count)
        const queries = isQuery ? { queries: new Int32Array(count).fill(1) } : {}
        await this.encoder.encodeVectors({ ...batch, ...queries }, out, counts, options)
        starts = sums(counts)
      } else {
        await this.encoder.encode({ ...batch, ...more }, out, output, options)
      }
    } catch (error) {
      throw fromNative(error, 'Encoder.encode')
    }
    let i = 0
    for (const entry of entries) {
      const { rows, put } = entry.piece
      const isWanted = job.entries.has(entry)
      for (const row of rows) {
        const [from, to] = perToken ? [starts[i]!, starts[i + 1]!] : [i, i + 1]
        if (isWanted) put(row, out.subarray(from * width, to * width), starts[i + 1]! - starts[i]!)
        i++
      }
    }
    this.#buffers.push(buffer)
  }
}

/** 0, and the sums of the first numbers. */
function sums(counts: Int32Array): Int32Array {
  const out = new Int32Array(counts.length + 1)
  for (const [i, count] of counts.entries()) out[i + 1] = out[i]! + count
  return out
}

function sumOf(entries: Iterable<Entry>): number {
  let sum = 0
  for (const { tokens } of entries) sum += tokens
  return sum
}

function lengthOf({ offsets }: Rows, row: number): number {
  return offsets[row + 1]! - offsets[row]!
}

function joined(parts: readonly Rows[]): PackedBatch {
  const join = (of: (part: Rows) => Int32Array) => {
    const out = new Int32Array(parts.reduce((sum, part) => sum + of(part).length, 0))
    let at = 0
    for (const part of parts) {
      out.set(of(part), at)
      at += of(part).length
    }
    return out
  }
  if (parts.length === 1) return { ...parts[0]!, columns: 1 }
  const offsets = new Int32Array(parts.reduce((sum, part) => sum + part.offsets.length - 1, 1))
  let row = 0
  let at = 0
  for (const part of parts) {
    for (let i = 1; i < part.offsets.length; i++) offsets[++row] = at + part.offsets[i]!
    at += part.ids.length
  }
  const types = parts[0]!.tokenTypes && { tokenTypes: join((part) => part.tokenTypes!) }
  const attended = parts[0]!.attended && { attended: join((part) => part.attended!) }
  return { ids: join((part) => part.ids), offsets, ...types, ...attended, columns: 1 }
}

const batchers = new WeakMap<NativeEncoder, Batcher>()

/** The batcher of a model, by its encoder. */
export function batcherOf(encoder: NativeEncoder): Batcher {
  let batcher = batchers.get(encoder)
  if (batcher === undefined) {
    batcher = new Batcher(encoder)
    batchers.set(encoder, batcher)
  }
  return batcher
}
