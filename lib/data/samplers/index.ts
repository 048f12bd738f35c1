import { invalidArgument, suggestion } from '../../errors.js'
import type { Dataset } from '../dataset.js'
import { DefaultBatchSampler } from './default.js'
import { GroupByLabelBatchSampler } from './group-by-label.js'
import { NoDuplicatesBatchSampler } from './no-duplicates.js'
import type { BatchSampler, BatchSamplerFactory, OwnBatchSampler, OwnSamplerOptions } from './sampler.js'
import { SequentialBatchSampler } from './sequential.js'

export { type BatchGenerator, type CustomSamplerOptions, customBatchSampler } from './custom.js'
export type { BatchSampler, BatchSamplerFactory, OwnSamplerOptions, SamplerOptions } from './sampler.js'
export { DefaultBatchSampler, GroupByLabelBatchSampler, NoDuplicatesBatchSampler, SequentialBatchSampler }

export type BatchSamplerName =
  | 'batch_sampler'
  | 'no_duplicates'
  | 'no_duplicates_hashed'
  | 'group_by_label'
  | 'sequential'
/** A sampler by its name, or a function that makes one. */
export type BatchSamplerChoice = BatchSamplerName | BatchSamplerFactory

type OwnFactory = (dataset: Dataset, options: OwnSamplerOptions) => OwnBatchSampler

const noDuplicates: OwnFactory = (dataset, options) => new NoDuplicatesBatchSampler(dataset, options)

/** One line per sampler. */
const registry: Record<BatchSamplerName, OwnFactory> = {
  batch_sampler: (dataset, options) => new DefaultBatchSampler(dataset, options),
  no_duplicates: noDuplicates,
  // sentence-transformers has a faster variant that compares hashes. The sampler here compares numbers anyway.
  no_duplicates_hashed: noDuplicates,
  group_by_label: (dataset, options) => new GroupByLabelBatchSampler(dataset, options),
  sequential: (dataset, options) => new SequentialBatchSampler(dataset, options),
}

/** The names of all samplers. */
export const BATCH_SAMPLERS: readonly string[] = Object.keys(registry)

/**
 * The batch sampler `choice` (sentence-transformers' BatchSamplers, `sequential`, or your own).
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT for a batch size below 1 or an unknown name, and what the sampler throws.
 */
export function createBatchSampler(
  choice: BatchSamplerChoice,
  dataset: Dataset,
  options: OwnSamplerOptions,
): BatchSampler {
  checkBatchSampler(choice)
  if (!Number.isInteger(options.batchSize) || options.batchSize < 1) {
    throw invalidArgument('batchSize', 'an integer of at least 1', options.batchSize)
  }
  if (typeof choice !== 'function') return registry[choice](dataset, options)
  const { compat, ...plain } = options
  const sampler = choice(dataset, plain)
  if (typeof sampler?.batches === 'function') return sampler
  throw invalidArgument('the result of batchSampler', 'a batch sampler, as customBatchSampler makes one', sampler)
}

/** Throws unless `choice` is the name of a sampler, or a function. */
export function checkBatchSampler(choice: unknown): asserts choice is BatchSamplerChoice {
  if (typeof choice !== 'function') checkBatchSamplerName(choice)
}

/** Throws unless `name` is a sampler. */
function checkBatchSamplerName(name: unknown): asserts name is BatchSamplerName {
  if (typeof name === 'string' && Object.hasOwn(registry, name)) return
  const close = typeof name === 'string' ? suggestion(name, Object.keys(registry)) : undefined
  const hint = close ? ` (did you mean "${close}"?)` : ''
  throw invalidArgument('batchSampler', `one of ${Object.keys(registry).join(', ')}${hint}`, name)
}
