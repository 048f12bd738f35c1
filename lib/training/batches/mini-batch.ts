import { freemem } from 'node:os'
import { SentenceTorchError } from '../../errors.js'
import type { NativeEncoder, StepOptions } from '../../native/types.js'
import type { TrainingArguments } from '../arguments/arguments.js'
import type { TrainableLoss } from './loss-set.js'

/** How the batches of one loss are cut for gradient caching, and what is computed again. Empty: they pass whole. */
export type MiniBatch = Pick<StepOptions, 'miniBatchRows' | 'miniBatchTokens' | 'recompute'>

/** Share of the free memory that the tokens of one mini-batch may take. */
const SHARE = 0.5
const LEAST_TOKENS = 512
const MOST_TOKENS = 64 * 1024

/**
 * Decides for each loss how its batches are cut: by `miniBatchSize` or `miniBatchTokens`, else as the loss asks.
 * @param freeBytes free memory; undefined where it is unknown
 * @throws ERR_INVALID_ARGUMENT for `auto` on a device whose free memory is unknown
 */
export function chooseMiniBatches(
  { miniBatchSize, miniBatchTokens }: Readonly<Pick<TrainingArguments, 'miniBatchSize' | 'miniBatchTokens'>>,
  losses: readonly Pick<TrainableLoss, 'caching'>[],
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

/** On the CPU: how many more bytes this process may take. */
export function freeMemory(device: string): number | undefined {
  if (device !== 'cpu') return undefined
  const { availableMemory } = process as { availableMemory?: () => number }
  return availableMemory?.() ?? freemem()
}
