import type { Dataset } from '../dataset.js'
import { itemsInSlices, type Pieces } from '../time-slice.js'
import { batchCount, type OwnBatchSampler, type SamplerOptions } from './sampler.js'

/** `sequential`: every row once, in the order of the dataset, the same in every epoch. */
export class SequentialBatchSampler implements OwnBatchSampler {
  readonly length: number

  constructor(
    private readonly dataset: Pick<Dataset, 'length'>,
    private readonly options: SamplerOptions,
  ) {
    this.length = batchCount(dataset.length, options)
  }

  batches(): AsyncGenerator<Int32Array, void, undefined> {
    return itemsInSlices(this.pieces())
  }

  *pieces(): Pieces<Int32Array> {
    const { batchSize } = this.options
    for (let batch = 0; batch < this.length; batch++) {
      const start = batch * batchSize
      yield Int32Array.from({ length: Math.min(batchSize, this.dataset.length - start) }, (_, i) => start + i)
      yield
    }
  }
}
