import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { checkOneOf } from '../../options.js'
import { Random } from '../random.js'

/** Decides which dataset each batch of an epoch comes from. */
export interface MultiDatasetBatchSampler {
  /** Batches per epoch; undefined when unknown. */
  readonly length: number | undefined
  /**
   * Yields the index of the dataset of one batch after another. The same epoch gives the same order. A dataset without
   * further batches is skipped, or ends the epoch with `stopsAtFirstEnd`.
   */
  order(epoch: number): Iterable<number>
  readonly stopsAtFirstEnd?: boolean
}

export interface MultiDatasetOptions {
  seed: number
  names: readonly string[]
}

/** @param lengths batches per epoch of each dataset, undefined for streams of unknown length */
export type MultiDatasetBatchSamplerFactory = (
  lengths: readonly (number | undefined)[],
  options: MultiDatasetOptions,
) => MultiDatasetBatchSampler

export type MultiDatasetBatchSamplerName = 'proportional' | 'round_robin'
/** A sampler by its name, or a function that makes one. */
export type MultiDatasetBatchSamplerChoice = MultiDatasetBatchSamplerName | MultiDatasetBatchSamplerFactory

/**
 * `proportional`: all batches of all datasets in random order, so that larger datasets come more often.
 * Source: ProportionalBatchSampler of sentence-transformers 6.2.0.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT for streams of unknown length
 */
function proportional(
  lengths: readonly (number | undefined)[],
  { seed, names }: MultiDatasetOptions,
): MultiDatasetBatchSampler {
  const unknown = lengths.indexOf(undefined)
  if (unknown !== -1) {
    throw new SentenceTorchError(
      'ERR_INVALID_ARGUMENT',
      `multiDatasetBatchSampler proportional needs the length of every dataset; give the stream ${names[unknown]} the option length, or use round_robin`,
    )
  }
  const datasets = Int32Array.from(lengths.flatMap((length, dataset) => new Array<number>(length!).fill(dataset)))
  return {
    length: datasets.length,
    order: (epoch) => new Random(seed, epoch).shuffle(datasets.slice()),
  }
}

/**
 * `round_robin`: one batch of each dataset in turn, until one of them has no more.
 * Source: RoundRobinBatchSampler of sentence-transformers 6.2.0. It ends after whole rounds, as this one does where the
 * lengths are known.
 */
function roundRobin(lengths: readonly (number | undefined)[]): MultiDatasetBatchSampler {
  const known = lengths.every((length) => length !== undefined)
  const length = known ? Math.min(...(lengths as number[])) * lengths.length : undefined
  return {
    length,
    stopsAtFirstEnd: true,
    *order() {
      for (let i = 0; i < (length ?? Number.POSITIVE_INFINITY); i++) yield i % lengths.length
    },
  }
}

/** One line per sampler. */
const registry: Record<MultiDatasetBatchSamplerName, MultiDatasetBatchSamplerFactory> = {
  proportional,
  round_robin: roundRobin,
}

/** The sampler `choice` (sentence-transformers' MultiDatasetBatchSamplers, or your own). */
export function createMultiDatasetSampler(
  choice: MultiDatasetBatchSamplerChoice,
  lengths: readonly (number | undefined)[],
  options: MultiDatasetOptions,
): MultiDatasetBatchSampler {
  checkMultiDatasetSampler(choice)
  if (typeof choice !== 'function') return registry[choice](lengths, options)
  const sampler = choice(lengths, options)
  if (typeof sampler?.order === 'function') return sampler
  throw invalidArgument('the result of multiDatasetBatchSampler', 'an object with the method order', sampler)
}

/** Throws unless `choice` is the name of a sampler, or a function. */
function checkMultiDatasetSampler(choice: unknown): asserts choice is MultiDatasetBatchSamplerChoice {
  if (typeof choice !== 'function') checkOneOf('multiDatasetBatchSampler', choice, Object.keys(registry))
}
