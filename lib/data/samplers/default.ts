import type { Dataset } from '../dataset.js'
import { Random } from '../random.js'
import { shuffledRows } from '../shuffled-rows.js'
import { itemsInSlices, type Pieces } from '../time-slice.js'
import { batchCount, type OwnBatchSampler, type SamplerOptions } from './sampler.js'

/** `batch_sampler`: every row once per epoch, in an order that depends on seed and epoch. */
export class DefaultBatchSampler implements OwnBatchSampler {
  readonly length: number

  constructor(
    private readonly dataset: Pick<Dataset, 'length'>,
    private readonly options: SamplerOptions,
  ) {
    this.length = batchCount(dataset.length, options)
  }

  batches(epoch: number): AsyncGenerator<Int32Array, void, undefined> {
    return itemsInSlices(this.pieces(epoch))
  }

  *pieces(epoch: number): Pieces<Int32Array> {
    const { batchSize, seed = 0 } = this.options
    const order = yield* shuffledRows(this.dataset.length, new Random(seed, epoch))
    for (let batch = 0; batch < this.length; batch++) {
      yield order.slice(batch * batchSize, (batch + 1) * batchSize)
    }
  }
}
