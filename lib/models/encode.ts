import { selectRows, type Tokenized } from '../data/pack.js'
import type { Tokenizer } from '../data/tokenizer.js'
import { fromNative, SentenceTorchError } from '../errors.js'
import type { EncoderOutput, NativeEncoder } from '../native/types.js'

/** Tokens per job of the engine, so that another caller's query waits for one job at most. */
const JOB_TOKENS = 16 * 1024
/** Jobs handed to the engine before the first is done: it must not wait for JavaScript between two. */
const JOBS_IN_FLIGHT = 3
/** Texts tokenised at a time. The first slice is small, so that the engine starts early; large ones go to worker threads. */
const FIRST_SLICE = 512
const SLICE = 4096

/** Rows of tokens, with the segment of each token where rows are pairs. */
type Rows = Tokenized & { tokenTypes?: Int32Array }

export interface EncodeRequest extends Omit<RowsRequest, 'count' | 'tokenize'> {
  tokenizer: Tokenizer
  /** With their prompt in front. */
  texts: readonly string[]
}

export interface RowsRequest {
  encoder: NativeEncoder
  /** Number of rows. */
  count: number
  /** Makes the rows `start` … `end` - 1. */
  tokenize: (start: number, end: number) => Promise<Rows>
  output: EncoderOutput
  /** Rows per job. */
  batchSize: number
  /** Tokens at the start of every text that pooling leaves out. */
  promptLength?: number
  signal?: AbortSignal
  /** Called after every job with the number of texts done. */
  onDone?: (done: number) => void
  /** Receives the values of text `index`, a view that is valid during the call; `tokens` is the text's length. */
  put: (index: number, values: Float32Array, tokens: number) => void
}

/**
 * Encodes texts slice by slice: the next slice is tokenised while the engine works on this one. Within a slice rows are
 * sorted by length, so that jobs hold rows alike. Settles when no job is running any more.
 * @throws SentenceTorchError ERR_ABORTED, or what the tokenizer or the engine throws.
 */
export async function encodeTexts({ tokenizer, texts, ...request }: EncodeRequest): Promise<void> {
  const { signal } = request
  await encodeRows({
    ...request,
    count: texts.length,
    tokenize: (start, end) =>
      tokenizer.encodeAll(texts.slice(start, end), tokenizer.maxSeqLength, signal ? { signal } : {}),
  })
}

/** {@link encodeTexts} for rows that the caller makes. */
export async function encodeRows(request: RowsRequest): Promise<void> {
  const { count, signal } = request
  const jobs = new InFlight(JOBS_IN_FLIGHT)
  let done = 0
  let start = 0
  let next = tokenizeSlice(request, start, FIRST_SLICE)
  try {
    while (start < count) {
      const tokens = await next
      const first = start
      start += tokens.offsets.length - 1
      next = tokenizeSlice(request, start, SLICE)
      for (const rows of planJobs(tokens.offsets, request.batchSize)) {
        throwIfAborted(signal)
        await jobs.add(async () => {
          await runJob(request, tokens, rows, first)
          done += rows.length
          request.onDone?.(done)
        })
      }
    }
  } finally {
    await jobs.settled()
  }
  jobs.throwFailure()
}

function tokenizeSlice({ tokenize, count }: RowsRequest, start: number, size: number): Promise<Rows> {
  const tokens = tokenize(start, Math.min(start + size, count))
  // It is awaited later, or never when another slice fails first.
  tokens.catch(() => {})
  return tokens
}

/** Rows by falling length, cut into jobs of at most `batchSize` rows and JOB_TOKENS tokens (a longer row is a job alone). */
export function planJobs(offsets: Int32Array, batchSize: number): number[][] {
  const length = (row: number) => offsets[row + 1]! - offsets[row]!
  const order = Array.from({ length: offsets.length - 1 }, (_, row) => row).sort(
    (a, b) => length(b) - length(a) || a - b,
  )
  const jobs: number[][] = []
  let job: number[] = []
  let tokens = 0
  for (const row of order) {
    if (job.length > 0 && (job.length === batchSize || tokens + length(row) > JOB_TOKENS)) {
      jobs.push(job)
      job = []
      tokens = 0
    }
    job.push(row)
    tokens += length(row)
  }
  if (job.length > 0) jobs.push(job)
  return jobs
}

async function runJob(request: RowsRequest, tokens: Rows, rows: number[], first: number): Promise<void> {
  const { encoder, output, promptLength } = request
  const selected = selectRows(tokens, rows)
  const { ids, offsets } = selected
  const promptLengths = promptLength === undefined ? undefined : new Int32Array(rows.length).fill(promptLength)
  const perToken = output === 'token_embeddings'
  const width = output === 'sentence_embedding' ? encoder.embeddingDimension : encoder.tokenDimension
  const out = new Float32Array((perToken ? ids.length : rows.length) * width)
  try {
    await encoder.encode({ ...selected, columns: 1, ...(promptLengths && { promptLengths }) }, out, output)
  } catch (error) {
    throw fromNative(error, 'Encoder.encode')
  }
  rows.forEach((row, i) => {
    const [from, to] = perToken ? [offsets[i]!, offsets[i + 1]!] : [i, i + 1]
    request.put(first + row, out.subarray(from * width, to * width), offsets[i + 1]! - offsets[i]!)
  })
}

/** At most `limit` jobs at a time; after a failure no further one begins. */
class InFlight {
  private readonly running = new Set<Promise<void>>()
  private failure: { error: unknown } | undefined

  constructor(private readonly limit: number) {}

  async add(job: () => Promise<void>): Promise<void> {
    while (this.running.size >= this.limit) await Promise.race(this.running)
    this.throwFailure()
    const run: Promise<void> = job()
      .catch((error: unknown) => {
        this.failure ??= { error }
      })
      .finally(() => this.running.delete(run))
    this.running.add(run)
  }

  async settled(): Promise<void> {
    await Promise.all(this.running)
  }

  throwFailure(): void {
    if (this.failure) throw this.failure.error
  }
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new SentenceTorchError('ERR_ABORTED', 'Encoding was aborted', { cause: signal.reason })
}
