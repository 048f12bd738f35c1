import { freemem } from 'node:os'
import { SentenceTorchError } from '../../errors.js'
import type { NativeEncoder } from '../../native/types.js'
import type { TrainingArguments } from '../arguments/arguments.js'
import type { MiniBatch } from '../checkpoint/checkpoint.js'

/** Share of the free memory that the tokens of one mini-batch may take. */
const SHARE = 0.5
const LEAST_TOKENS = 512
const MOST_TOKENS = 64 * 1024

/** Of a loss: what the Cached… losses ask for. */
interface Caching {
  readonly caching?: { readonly miniBatchSize?: number; readonly miniBatchTokens?: number } | undefined
}

/**
 * How batches of each loss are cut for gradient caching: as `miniBatchSize` or `miniBatchTokens` says, else as the loss says.
 * @param freeBytes memory that is free; undefined where it is unknown
 * @throws ERR_INVALID_ARGUMENT for `auto` on a device whose free memory is unknown
 */
export function chooseMiniBatches(
  { miniBatchSize, miniBatchTokens }: Readonly<Pick<TrainingArguments, 'miniBatchSize' | 'miniBatchTokens'>>,
  losses: readonly Caching[],
  encoder: Pick<NativeEncoder, 'trainingBytesPerToken'>,
  freeBytes: number | undefined,
): MiniBatch[] {
  if (miniBatchSize === 'auto') {
    if (freeBytes === undefined) {
      throw new SentenceTorchError(
        'ERR_INVALID_ARGUMENT',
        "miniBatchSize 'auto' needs to know the free memory, which this device does not tell: give miniBatchTokens",
      )
    }
    const tokens = Math.floor((SHARE * freeBytes) / Math.max(1, encoder.trainingBytesPerToken))
    const miniBatchTokens = Math.min(MOST_TOKENS, Math.max(LEAST_TOKENS, tokens))
    return losses.map(() => ({ miniBatchTokens }))
  }
  if (miniBatchSize !== null) return losses.map(() => ({ miniBatchRows: miniBatchSize }))
  if (miniBatchTokens !== null) return losses.map(() => ({ miniBatchTokens }))
  return losses.map(({ caching }) => {
    if (caching?.miniBatchTokens !== undefined) return { miniBatchTokens: caching.miniBatchTokens }
    return caching?.miniBatchSize === undefined ? {} : { miniBatchRows: caching.miniBatchSize }
  })
}

/** Bytes of memory that this process may still take, on the CPU. */
export function freeMemory(device: string): number | undefined {
  if (device !== 'cpu') return undefined
  const { availableMemory } = process as { availableMemory?: () => number }
  return availableMemory?.() ?? freemem()
}
