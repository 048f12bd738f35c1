import { selectRows, type Tokenized } from '../data/pack.js'
import { TimeSlice } from '../data/time-slice.js'
import type { Tokenizer } from '../data/tokenizer.js'
import { fromNative, SentenceTorchError } from '../errors.js'
import type { EncoderOutput, NativeEncoder } from '../native/types.js'

/** Tokens per job of the engine, so that another caller's query waits for one job at most. */
const JOB_TOKENS = 16 * 1024
/**
 * Tokens that a job may hold whatever `batchSize` says: as many as four long texts. Short texts are not computed in small
 * pieces then: in bf16, 32 sentences a job took a tenth longer than 128.
 */
const FILLED_TOKENS = 2048
/** Jobs handed to the engine before the first is done: it must not wait for JavaScript between two. */
const JOBS_IN_FLIGHT = 3
/** Texts tokenised at a time: few at first, so that the engine starts early, then twice as many each time. */
const FIRST_SLICE = 512
const LARGEST_SLICE = 16 * 1024

/** Rows of tokens, with the segment of each token where rows are pairs. */
type Rows = Tokenized & { tokenTypes?: Int32Array }

export interface EncodeRequest extends Omit<RowsRequest, 'count' | 'tokenize'> {
  tokenizer: Tokenizer
  /** Nobody changes them meanwhile. */
  texts: readonly string[]
  /** In front of every text. */
  prompt: string
}

export interface RowsRequest {
  encoder: NativeEncoder
  /** Number of rows. */
  count: number
  /** Makes the rows `start` … `end` - 1. */
  tokenize: (start: number, end: number) => Promise<Rows>
  output: EncoderOutput
  /** Rows per job at most, beyond FILLED_TOKENS. */
  batchSize: number
  /** Tokens at the start of every text that pooling leaves out. */
  promptLength?: number
  /** Rows without tokens have zeros as their values: a mean of nothing, as in Python. Otherwise they are an error. */
  zerosWhenEmpty?: boolean
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
export async function encodeTexts({ tokenizer, texts, prompt, ...request }: EncodeRequest): Promise<void> {
  const { signal } = request
  // Once: whoever sets it while this runs means later calls.
  const { maxSeqLength } = tokenizer
  await encodeRows({
    ...request,
    count: texts.length,
    tokenize: (start, end) => {
      const slice = texts.slice(start, end)
      const prompted = prompt === '' ? slice : slice.map((text) => prompt + text)
      return tokenizer.encodeAll(prompted, maxSeqLength, {
        ...(signal && { signal }),
        nameOf: (index) => `texts[${start + index}]`,
        allowEmpty: request.zerosWhenEmpty === true,
      })
    },
  })
}

/** {@link encodeTexts} for rows that the caller makes. */
export async function encodeRows(request: RowsRequest): Promise<void> {
  const { count, signal } = request
  const jobs = new InFlight(JOBS_IN_FLIGHT)
  const buffers: Float32Array[] = []
  const slice = new TimeSlice()
  let done = 0
  let size = FIRST_SLICE
  let next = tokenizeSlice(request, 0, size)
  try {
    for (let start = 0; start < count; ) {
      const tokens = await next
      const rows = Math.min(size, count - start)
      if (tokens.offsets.length - 1 !== rows) throw missingRows(rows, tokens.offsets.length - 1)
      const first = start
      start += rows
      size = Math.min(size * 2, LARGEST_SLICE)
      next = tokenizeSlice(request, start, size)
      done += putEmpty(request, tokens.offsets, first)
      for (const rows of planJobs(tokens.offsets, request.batchSize)) {
        throwIfAborted(signal)
        // An engine that is done at once, and tokens that were kept, settle promises without the event loop.
        await slice.yield()
        await jobs.add(async () => {
          await runJob(request, tokens, rows, first, buffers)
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

/** A loop over rows that do not come would never end. */
function missingRows(expected: number, found: number): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_DATA', `Expected ${expected} rows of tokens but received ${found}`)
}

function tokenizeSlice({ tokenize, count }: RowsRequest, start: number, size: number): Promise<Rows> {
  const tokens = tokenize(start, Math.min(start + size, count))
  // It is awaited later, or never when another slice fails first.
  tokens.catch(() => {})
  return tokens
}

/** Puts the values of rows without tokens; returns how many there were. */
function putEmpty({ zerosWhenEmpty, encoder, output, put }: RowsRequest, offsets: Int32Array, first: number): number {
  let count = 0
  for (let row = 0; row < offsets.length - 1; row++) {
    if (offsets[row + 1] !== offsets[row]) continue
    if (!zerosWhenEmpty) throw new SentenceTorchError('ERR_INVALID_DATA', `Row ${first + row} has no tokens`)
    put(first + row, new Float32Array(output === 'token_embeddings' ? 0 : encoder.embeddingDimension), 0)
    count++
  }
  return count
}

/**
 * Rows by falling length, but for those without tokens, cut into jobs of at most JOB_TOKENS tokens (a longer row is a job
 * alone) and, beyond FILLED_TOKENS, at most `batchSize` rows.
 */
export function planJobs(offsets: Int32Array, batchSize: number): Int32Array[] {
  const order = byFallingLength(offsets)
  const jobs: Int32Array[] = []
  let first = 0
  let tokens = 0
  let count = order.length
  while (count > 0 && offsets[order[count - 1]! + 1] === offsets[order[count - 1]!]) count--
  order.subarray(0, count).forEach((row, i) => {
    const length = offsets[row + 1]! - offsets[row]!
    const most = i - first < batchSize ? JOB_TOKENS : FILLED_TOKENS
    if (i > first && tokens + length > most) {
      jobs.push(order.subarray(first, i))
      first = i
      tokens = 0
    }
    tokens += length
  })
  if (count > first) jobs.push(order.subarray(first, count))
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

/** @param buffers what earlier jobs wrote to and is free again: new memory would have to be cleared for every job */
async function runJob(
  request: RowsRequest,
  tokens: Rows,
  rows: Int32Array,
  first: number,
  buffers: Float32Array[],
): Promise<void> {
  const { encoder, output, promptLength } = request
  const selected = selectRows(tokens, rows)
  const { ids, offsets } = selected
  const promptLengths = promptLength === undefined ? undefined : new Int32Array(rows.length).fill(promptLength)
  const perToken = output === 'token_embeddings'
  const width = output === 'sentence_embedding' ? encoder.embeddingDimension : encoder.tokenDimension
  const values = (perToken ? ids.length : rows.length) * width
  const kept = buffers.pop()
  const buffer = kept && kept.length >= values ? kept : new Float32Array(values)
  const out = buffer.subarray(0, values)
  try {
    await encoder.encode({ ...selected, columns: 1, ...(promptLengths && { promptLengths }) }, out, output)
  } catch (error) {
    throw fromNative(error, 'Encoder.encode')
  }
  rows.forEach((row, i) => {
    const [from, to] = perToken ? [offsets[i]!, offsets[i + 1]!] : [i, i + 1]
    request.put(first + row, out.subarray(from * width, to * width), offsets[i + 1]! - offsets[i]!)
  })
  buffers.push(buffer)
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
