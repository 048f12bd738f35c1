import type { Tokenized } from '../data/pack.js'
import type { Tokenizer } from '../data/tokenizer.js'
import { fromNative, SentenceTorchError } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import type { GenerationOptions, NativeAddon, NativeEncoder, NativeGeneration, PackedBatch } from '../native/types.js'

/** A text that a model wrote. */
export interface GeneratedText {
  /** The place of its source among the sources. */
  index: number
  /** With several texts for each source: from 0; of beams the best first. */
  number: number
  text: string
}

export interface GenerateWork {
  addon: NativeAddon
  encoder: NativeEncoder
  tokenizer: Tokenizer
  sources: Tokenized
  options: GenerationOptions
  batchSize: number
  signal: AbortSignal | undefined
  emit(text: GeneratedText): void
}

/** Bytes of keys and values that a batch may keep. A larger batch is halved. */
const MAX_CACHE_BYTES = 2 ** 30
/** Texts that are written at once. A token of more would take longer than other models should wait. */
const MAX_TEXTS = 64

/** Writes the texts of all sources, batch by batch, the longest sources first. */
export async function generateTexts(work: GenerateWork): Promise<void> {
  const { offsets } = work.sources
  const lengths = Array.from(offsets.subarray(1), (end, i) => end - offsets[i]!)
  // Sources of about the same length are worked on together.
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[b]! - lengths[a]! || a - b)
  for (let start = 0; start < order.length; start += work.batchSize) {
    await generateBatch(work, order.slice(start, start + work.batchSize), start)
  }
}

/** @param rows numbers of sources @param firstPrompt number of the first of them in the order of the work */
async function generateBatch(work: GenerateWork, rows: readonly number[], firstPrompt: number): Promise<void> {
  const { addon, encoder, options, signal } = work
  throwIfAborted(signal, 'generate')
  const halves = async () => {
    const half = rows.length >> 1
    await generateBatch(work, rows.slice(0, half), firstPrompt)
    return generateBatch(work, rows.slice(half), firstPrompt + half)
  }
  const { beams = 1, answers = 1 } = options
  const texts = Math.max(beams, answers)
  if (rows.length > 1 && rows.length * texts > MAX_TEXTS) return halves()
  const generation = begin(addon, encoder, batchOf(work.sources, rows), { ...options, firstPrompt })
  if (generation.bytes > MAX_CACHE_BYTES) {
    await generation.dispose()
    if (rows.length === 1) throw tooLarge(texts, options.mostTokens, generation.bytes)
    return halves()
  }
  try {
    for (let done = false; !done; ) {
      const next = await nextOf(generation)
      done = next.done
      for (const { prompt, number, ids } of next.answers) {
        const text = work.tokenizer.decode(ids, { skipSpecialTokens: true })
        work.emit({ index: rows[prompt]!, number, text })
      }
      throwIfAborted(signal, 'generate')
    }
  } finally {
    await generation.dispose()
  }
}

function tooLarge(texts: number, tokens: number, bytes: number): SentenceTorchError {
  const problem = `the keys and values of ${texts} texts of up to ${tokens} tokens for one source take ${bytes} bytes`
  const remedy = 'lower maxNewTokens, numReturnSequences, numBeams or maxSeqLength'
  const message = `Expected at most ${MAX_CACHE_BYTES} bytes for one source, but ${problem}: ${remedy}`
  return new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}

function begin(
  addon: NativeAddon,
  encoder: NativeEncoder,
  batch: PackedBatch,
  options: GenerationOptions,
): NativeGeneration {
  try {
    return new addon.Generation(encoder, batch, options)
  } catch (error) {
    throw fromNative(error, 'Generation')
  }
}

async function nextOf(generation: NativeGeneration): ReturnType<NativeGeneration['next']> {
  try {
    return await generation.next()
  } catch (error) {
    throw fromNative(error, 'Generation.next')
  }
}

function batchOf({ ids, offsets }: Tokenized, rows: readonly number[]): PackedBatch {
  const own = new Int32Array(rows.length + 1)
  rows.forEach((row, i) => {
    own[i + 1] = own[i]! + offsets[row + 1]! - offsets[row]!
  })
  const packed = new Int32Array(own[rows.length]!)
  rows.forEach((row, i) => {
    packed.set(ids.subarray(offsets[row]!, offsets[row + 1]!), own[i]!)
  })
  return { ids: packed, offsets: own, columns: 1 }
}
