import type { Dataset } from '../dataset.js'
import { Turns } from '../turns.js'
import { type BatchSampler, batchCount, type SamplerOptions } from './sampler.js'

/** `sequential`: every row once, in the order of the dataset, the same in every epoch. */
export class SequentialBatchSampler implements BatchSampler {
  readonly length: number

  constructor(
    private readonly dataset: Pick<Dataset, 'length'>,
    private readonly options: SamplerOptions,
  ) {
    this.length = batchCount(dataset.length, options)
  }

  async *batches(): AsyncGenerator<Int32Array, void, undefined> {
    const { batchSize } = this.options
    const turns = new Turns()
    for (let batch = 0; batch < this.length; batch++) {
      const start = batch * batchSize
      yield Int32Array.from({ length: Math.min(batchSize, this.dataset.length - start) }, (_, i) => start + i)
      if (turns.isOver) await turns.give()
    }
  }
}
