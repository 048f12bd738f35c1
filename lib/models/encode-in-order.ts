import { sliceRows } from '../data/pack.js'
import { TimeSlice } from '../data/time-slice.js'
import type { Tokenizer } from '../data/tokenizer.js'
import { fromNative } from '../errors.js'
import type { NativeEncoder } from '../native/types.js'
import type { Priority } from './batcher.js'
import { throwIfAborted } from './encode.js'
import { InFlight } from './in-flight.js'
import { JOB_TOKENS, planInOrder } from './plan-jobs.js'

/** Texts tokenised at a time: about as many short ones as fill a job. */
const SLICE = 1024

export interface InOrderRequest {
  encoder: NativeEncoder
  tokenizer: Tokenizer
  /** Nobody changes them meanwhile. */
  texts: readonly string[]
  /** In front of every text. */
  prompt: string
  /** Receives the embeddings, one after the other. */
  out: Float32Array
  /** Rows per job at most, beyond FILLED_TOKENS. Default: no limit. */
  batchSize?: number | undefined
  /** Tokens per job at most; a longer text is a job alone. */
  maxBatchTokens?: number | undefined
  priority?: Priority | undefined
  /** Texts without tokens have zeros as their values. Otherwise they are an error. */
  zerosWhenEmpty?: boolean
  signal?: AbortSignal
  /** Called after every job with the number of texts done. */
  onDone?: (done: number) => void
}

/**
 * Encodes many texts of a static model one after the other, and the engine writes their embeddings where they belong. A text is
 * as much work in any company, so nothing is sorted; and it is so little that whether it came before is not asked. Settles when
 * no job is running for this call any more.
 * @throws SentenceTorchError ERR_ABORTED, or what the tokenizer or the engine throws.
 */
export async function encodeInOrder(request: InOrderRequest): Promise<void> {
  const { encoder, tokenizer, texts, prompt, out, signal, onDone } = request
  const { batchSize = Number.POSITIVE_INFINITY, priority = 'bulk' } = request
  const { maxBatchTokens: maxTokens = JOB_TOKENS[priority] } = request
  // Once: whoever sets it while this runs means later calls.
  const { maxSeqLength } = tokenizer
  const width = out.length / texts.length
  const jobs = new InFlight()
  const time = new TimeSlice()
  let done = 0
  try {
    for (let start = 0; start < texts.length; start += SLICE) {
      const slice = texts.slice(start, start + SLICE)
      const tokens = await tokenizer.encodeAll(
        prompt === '' ? slice : slice.map((text) => prompt + text),
        maxSeqLength,
        {
          ...(signal && { signal }),
          nameOf: (index) => `texts[${start + index}]`,
          allowEmpty: request.zerosWhenEmpty === true,
        },
      )
      for (const [first, end] of planInOrder(tokens.offsets, { batchSize, maxTokens })) {
        throwIfAborted(signal)
        const batch = { ...sliceRows(tokens, first, end), columns: 1 }
        const rows = out.subarray((start + first) * width, (start + end) * width)
        await jobs.add(async () => {
          try {
            await encoder.encode(batch, rows, 'sentence_embedding', { lane: priority })
          } catch (error) {
            throw fromNative(error, 'Encoder.encode')
          }
          done += end - first
          onDone?.(done)
        })
        // An engine that is done at once settles promises without the event loop.
        await time.yield()
      }
    }
  } finally {
    await jobs.settled()
  }
  jobs.throwFailure()
}
