import { SentenceTorchError } from '../../errors.js'
import type { TrainingMemory } from '../../native/types.js'
import type { MiniBatch } from './mini-batch.js'

/** What a process needs beside the engine's buffers: batches that are made ahead, libraries that load late, the heap's growth. */
const SLACK = 64 * 2 ** 20
/** Fewer tokens at once than this are slow: rather activations are computed again. */
const WORTHWHILE_TOKENS = 2048

export interface MemoryNeeds {
  /** Bytes that the process has now. */
  resident: number
  training: TrainingMemory
  /** Tokens of a batch at most, of all columns. */
  batchTokens: number
  /** Of one text: at least so many pass the encoder at once. */
  longestText: number
  /** Whether activations are computed again whatever the limit is. */
  recomputes: boolean
}

/**
 * Chooses how batches pass the encoder so that a training stays below a limit: as many tokens at once as fit (gradient caching), and where
 * those are few, with activations that are computed again.
 * @param limit bytes that the process may have
 * @throws ERR_INVALID_ARGUMENT where nothing fits, with the least limit that would do
 */
export function planMemory(limit: number, needs: MemoryNeeds): MiniBatch {
  const { resident, training, batchTokens, longestText, recomputes } = needs
  const fixed = resident + training.fixed + training.loss + SLACK
  const fitting = (bytesPerToken: number) => Math.floor((limit - fixed) / bytesPerToken)
  const least = Math.min(batchTokens, longestText)
  // It does not where a model has few layers.
  const saves = training.perTokenRecomputed < training.perToken
  const kept = fitting(training.perToken)
  const enough = saves ? Math.max(least, Math.min(batchTokens, WORTHWHILE_TOKENS)) : least
  // A cut that no batch reaches costs nothing.
  if (!recomputes && kept >= enough) return { miniBatchTokens: kept }
  const perToken = saves || recomputes ? training.perTokenRecomputed : training.perToken
  const fits = fitting(perToken)
  if (fits >= least) return { miniBatchTokens: fits, ...(!recomputes && { recompute: true }) }
  throw new SentenceTorchError(
    'ERR_INVALID_ARGUMENT',
    `Expected at least ${fixed + least * perToken} for memoryLimit but found ${limit}: the process has ` +
      `${inMegabytes(resident)}, and training takes ${inMegabytes(training.fixed)} for gradients and the optimiser, ` +
      `${inMegabytes(training.loss)} for the loss, ${inMegabytes(SLACK)} for all else, and ` +
      `${inMegabytes(least * perToken)} for one text of ${longestText} tokens. A smaller ` +
      'perDeviceTrainBatchSize, a smaller maxSeqLength and frozen parameters take less',
  )
}

function inMegabytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MB`
}
