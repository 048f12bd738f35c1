import { invalidArgument, SentenceTorchError, suggestion } from '../../errors.js'
import type { Dataset } from '../dataset.js'
import { DefaultBatchSampler } from './default.js'
import { NoDuplicatesBatchSampler } from './no-duplicates.js'
import type { BatchSampler, BatchSamplerFactory, SamplerOptions } from './sampler.js'

export type { BatchSampler, BatchSamplerFactory, SamplerOptions } from './sampler.js'
export { DefaultBatchSampler, NoDuplicatesBatchSampler }

export type BatchSamplerName = 'batch_sampler' | 'no_duplicates'
/** A sampler by its name, or a function that makes one. */
export type BatchSamplerChoice = BatchSamplerName | BatchSamplerFactory

/** One line per sampler. */
const registry: Record<BatchSamplerName, BatchSamplerFactory> = {
  batch_sampler: (dataset, options) => new DefaultBatchSampler(dataset, options),
  no_duplicates: (dataset, options) => new NoDuplicatesBatchSampler(dataset, options),
}

/** Names that sentence-transformers 6.0.1 has and this package does not. */
const notBuilt = ['no_duplicates_hashed', 'group_by_label']

/**
 * The batch sampler `choice` (sentence-transformers' BatchSamplers).
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT for a batch size below 1 or an unknown name, ERR_NOT_IMPLEMENTED for a
 *   sampler of sentence-transformers that is not built yet.
 */
export function createBatchSampler(
  choice: BatchSamplerChoice,
  dataset: Dataset,
  options: SamplerOptions,
): BatchSampler {
  checkBatchSampler(choice)
  if (!Number.isInteger(options.batchSize) || options.batchSize < 1) {
    throw invalidArgument('batchSize', 'an integer of at least 1', options.batchSize)
  }
  return (typeof choice === 'function' ? choice : registry[choice])(dataset, options)
}

/** Throws unless `choice` is the name of a sampler that can be made, or a function. */
export function checkBatchSampler(choice: unknown): asserts choice is BatchSamplerChoice {
  if (typeof choice !== 'function') checkBatchSamplerName(choice)
}

/** Throws unless `name` is a sampler that can be made. */
export function checkBatchSamplerName(name: unknown): asserts name is BatchSamplerName {
  if (typeof name === 'string' && Object.hasOwn(registry, name)) return
  if (notBuilt.includes(name as string)) {
    throw new SentenceTorchError(
      'ERR_NOT_IMPLEMENTED',
      `The batch sampler "${name}" is not built yet; there are: ${Object.keys(registry).join(', ')}`,
    )
  }
  const close = typeof name === 'string' ? suggestion(name, Object.keys(registry)) : undefined
  const hint = close ? ` (did you mean "${close}"?)` : ''
  throw invalidArgument('batchSampler', `one of ${Object.keys(registry).join(', ')}${hint}`, name)
}
