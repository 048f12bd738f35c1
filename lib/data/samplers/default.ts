import type { Dataset } from '../dataset.js'
import { Turns } from '../turns.js'
import { type BatchSampler, batchCount, type SamplerOptions, shuffledRows } from './sampler.js'

/** `batch_sampler`: every row once per epoch, in an order that depends on seed and epoch. */
export class DefaultBatchSampler implements BatchSampler {
  readonly length: number

  constructor(
    private readonly dataset: Pick<Dataset, 'length'>,
    private readonly options: SamplerOptions,
  ) {
    this.length = batchCount(dataset.length, options)
  }

  async *batches(epoch: number): AsyncGenerator<Int32Array, void, undefined> {
    const { batchSize, seed = 0 } = this.options
    const order = await shuffledRows(this.dataset.length, seed, epoch, new Turns())
    for (let batch = 0; batch < this.length; batch++) {
      yield order.slice(batch * batchSize, (batch + 1) * batchSize)
    }
  }
}
