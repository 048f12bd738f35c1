import { sliceRows, type Tokenized } from '../data/pack.js'
import { TimeSlice } from '../data/time-slice.js'
import type { Tokenizer } from '../data/tokenizer.js'
import { SentenceTorchError } from '../errors.js'
import { throwIfAborted as throwAborted } from '../io/abort.js'
import type { NativeEncoder } from '../native/types.js'
import { batcherOf, type JobOutput, type JobSettings, type Priority, type Rows } from './batcher.js'
import { DistinctTexts } from './distinct.js'
import { InFlight } from './in-flight.js'
import { JOB_TOKENS, planJobs } from './plan-jobs.js'

/** A call with no more texts and tokens than these is a query, unless it says otherwise. */
export const QUERY_TEXTS = 8
const QUERY_TOKENS = 1024
/** Texts tokenised at a time: few at first, so that the engine starts early, then twice as many each time. */
const FIRST_SLICE = 512
const LARGEST_SLICE = 16 * 1024

/** How rows are encoded, whatever they are made of. */
export type EncodeSettings = Omit<RowsRequest, 'count' | 'tokenize'>

export interface EncodeRequest extends EncodeSettings {
  tokenizer: Tokenizer
  /** Nobody changes them meanwhile. */
  texts: readonly string[]
  /** In front of every text. */
  prompt: string
  /** Called once with the number of texts that are equal to an earlier one, if there are any. */
  onRepeats?: (count: number) => void
}

export interface RowsRequest {
  encoder: NativeEncoder
  /** Number of rows. */
  count: number
  /** Makes the rows `start` … `end` - 1. */
  tokenize: (start: number, end: number) => Promise<Rows>
  output: JobOutput
  /** Whether the rows are queries, where modules tell these from documents. */
  isQuery?: boolean | undefined
  /** Rows per job at most, beyond FILLED_TOKENS. */
  batchSize: number
  /** Tokens per job at most; a longer row is a job alone. */
  maxBatchTokens?: number | undefined
  /** Rows per job at most, however short they are. */
  maxRows?: number | undefined
  /** Default: `query` for few short rows. */
  priority?: Priority | undefined
  /** Tokens at the start of every text that pooling leaves out. */
  promptLength?: number
  /** Of a model with a Router: the engine's route, and the numbers of a token there. */
  route?: number
  tokenDimension?: number
  /** Values that a SparseAutoEncoder gives of a row at most. */
  activeDims?: number
  /** Rows without tokens have zeros as their values: a mean of nothing, as in Python. Otherwise they are an error. */
  zerosWhenEmpty?: boolean
  signal?: AbortSignal
  /** Called after every job with the number of texts done. */
  onDone?: (done: number) => void
  /** Receives the values of text `index`, a view that is valid during the call; `tokens` is the text's length in tokens or vectors. */
  put: (index: number, values: Float32Array, tokens: number) => void
}

/**
 * Encodes texts slice by slice: the next slice is tokenised while the engine works on this one. Within a slice rows are
 * sorted by length, so that jobs hold rows alike; rows that fill no job share one with those of other calls. Equal texts are
 * computed once. Settles when no job is running for this call any more.
 * @throws SentenceTorchError ERR_ABORTED, or what the tokenizer or the engine throws.
 */
export async function encodeTexts({ tokenizer, texts, prompt, ...request }: EncodeRequest): Promise<void> {
  const { signal, put, onDone, onRepeats } = request
  // Once: whoever sets it while this runs means later calls.
  const { maxSeqLength } = tokenizer
  const distinct = new DistinctTexts(texts)
  const count = distinct.texts.length
  if (count < texts.length) onRepeats?.(texts.length - count)
  let done = 0
  await encodeRows({
    ...request,
    count,
    tokenize: (start, end) => {
      const slice = distinct.texts.slice(start, end)
      const prompted = prompt === '' ? slice : slice.map((text) => prompt + text)
      return tokenizer.encodeAll(prompted, maxSeqLength, {
        ...(signal && { signal }),
        nameOf: (index) => `texts[${distinct.first(start + index)}]`,
        allowEmpty: request.zerosWhenEmpty === true,
      })
    },
    put: (number, values, tokens) =>
      distinct.forEachPlace(number, (place) => {
        put(place, values, tokens)
        done++
      }),
    ...(onDone && { onDone: () => onDone(done) }),
  })
}

/** {@link encodeTexts} for rows of tokens that are there already. */
export async function encodeTokens({ tokens, ...request }: EncodeSettings & { tokens: Tokenized }): Promise<void> {
  const count = tokens.offsets.length - 1
  await encodeRows({ ...request, count, tokenize: async (start, end) => sliceRows(tokens, start, end) })
}

/** {@link encodeTexts} for rows that the caller makes. */
export async function encodeRows(request: RowsRequest): Promise<void> {
  const { count, signal } = request
  const batcher = batcherOf(request.encoder)
  const jobs = new InFlight()
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
      if (start < count) next = tokenizeSlice(request, start, size)
      done += putEmpty(request, tokens.offsets, first)
      const settings = settingsOf(request, tokens)
      const put: typeof request.put = (row, ...values) => request.put(first + row, ...values)
      for (const rows of planJobs(tokens.offsets, settings)) {
        throwIfAborted(signal)
        await jobs.add(async () => {
          await batcher.run({ tokens, rows, signal, put }, settings)
          done += rows.length
          request.onDone?.(done)
        })
        // An engine that is done at once, and tokens that were kept, settle promises without the event loop.
        await slice.yield()
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
    put(
      first + row,
      new Float32Array(output === 'token_embeddings' || output === 'vectors' ? 0 : encoder.embeddingDimension),
      0,
    )
    count++
  }
  return count
}

function settingsOf(request: RowsRequest, tokens: Rows): JobSettings {
  const { output, batchSize, promptLength, count, route, tokenDimension, activeDims, maxRows, isQuery } = request
  const isShort = count <= QUERY_TEXTS && tokens.ids.length <= QUERY_TOKENS
  const { priority = isShort ? 'query' : 'bulk' } = request
  const { maxBatchTokens = JOB_TOKENS[priority] } = request
  const limits = { batchSize, maxTokens: maxBatchTokens, maxRows }
  return { output, priority, promptLength, ...limits, route, tokenDimension, activeDims, isQuery }
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  throwAborted(signal, 'Encoding')
}
