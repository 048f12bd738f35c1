import type { Dataset } from '../dataset.js'
import { Random } from '../random.js'
import { type BatchSampler, batchCount, type SamplerOptions } from './sampler.js'

/** `batch_sampler`: every row once per epoch, in an order that depends on seed and epoch. */
export class DefaultBatchSampler implements BatchSampler {
  readonly length: number

  constructor(
    private readonly dataset: Pick<Dataset, 'length'>,
    private readonly options: SamplerOptions,
  ) {
    this.length = batchCount(dataset.length, options)
  }

  *batches(epoch: number): Iterable<Int32Array> {
    const { batchSize, seed = 0 } = this.options
    const order = new Random(seed, epoch).permutation(this.dataset.length)
    for (let batch = 0; batch < this.length; batch++) {
      yield order.slice(batch * batchSize, (batch + 1) * batchSize)
    }
  }
}
