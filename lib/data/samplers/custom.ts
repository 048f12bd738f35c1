import { describe, invalidArgument, SentenceTorchError } from '../../errors.js'
import { checkInteger, checkOptions } from '../../options.js'
import type { Dataset } from '../dataset.js'
import { type BatchSampler, type BatchSamplerFactory, batchCount, type SamplerOptions } from './sampler.js'

/** What a generator of batches gets. */
export interface CustomSamplerOptions extends Required<SamplerOptions> {
  /** Number of past epochs. Randomness must come from `seed` and `epoch`, or a run cannot be resumed. */
  epoch: number
}

/** Yields the row numbers of one batch after another, for one epoch. */
export type BatchGenerator = (
  dataset: Dataset,
  options: CustomSamplerOptions,
) => AsyncIterable<ArrayLike<number>> | Iterable<ArrayLike<number>>

/**
 * A batch sampler of your own: `batchSampler: customBatchSampler(function* (dataset, { batchSize, seed, epoch }) { … })`.
 * The generator is called in every epoch. A resumed run calls it too, and skips the batches that were done.
 *
 * @param options.length batches per epoch, for the schedule; default: rows divided by the batch size
 * @throws SentenceTorchError ERR_INVALID_DATA, while training, naming the batch that is empty or has a wrong row number
 */
export function customBatchSampler(
  generate: BatchGenerator,
  options: { length?: number | ((dataset: Dataset, options: SamplerOptions) => number) } = {},
): BatchSamplerFactory {
  checkOptions('customBatchSampler', options, ['length'])
  const { length } = options
  if (typeof generate !== 'function') throw invalidArgument('generate', 'a function that gives batches', generate)
  return (dataset, options): BatchSampler => {
    const count = typeof length === 'function' ? length(dataset, options) : length
    checkInteger('length', count, 0)
    return {
      length: count ?? batchCount(dataset.length, options),
      async *batches(epoch) {
        const { batchSize, seed = 0, dropLast = false } = options
        let number = 0
        for await (const rows of generate(dataset, { batchSize, seed, dropLast, epoch })) {
          yield checkRows(rows, dataset.length, number++)
        }
      },
    }
  }
}

function checkRows(rows: ArrayLike<number>, count: number, batch: number): Int32Array {
  const fail = (found: string) =>
    new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected row numbers from 0 to ${count - 1} in batch ${batch} of the custom sampler, found ${found}`,
    )
  if (typeof rows !== 'object' || rows === null || !(rows.length > 0)) throw fail(describe(rows))
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!
    if (!Number.isInteger(row) || row < 0 || row >= count) throw fail(describe(row))
  }
  return Int32Array.from(rows)
}
