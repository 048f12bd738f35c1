import { checkInteger, checkOptions, checkType } from '../../options.js'
import { Dataset, type DatasetRow } from '../dataset.js'
import { DataStream } from '../stream.js'
import { type BatchColumns, BatchLoader, toColumns, toExamples } from './batch-loader.js'
import { examplesToDataset, type InputExample } from './input-example.js'
import type { LegacyDataset, TrainingData } from './training-data.js'

export interface DataLoaderOptions {
  /** Rows per batch. Default 1. */
  batchSize?: number
  /** Shuffle the rows in every epoch. Default false. */
  shuffle?: boolean
}

/** The type of a batch: an object of columns for a Dataset or DataStream, else a list of examples. */
export type LoaderBatch<Data> =
  Data extends Dataset<infer Row>
    ? BatchColumns<Row>
    : Data extends DataStream
      ? BatchColumns<DatasetRow>
      : InputExample[]

/**
 * Replaces PyTorch's `DataLoader` of the tutorials. It holds rows, their order and the batch size, for `model.fit({
 * trainObjectives: [[new DataLoader(examples, { shuffle: true, batchSize: 16 }), loss]] })`. A loop over it gives batches:
 * lists of InputExamples, or `{ anchor: [...], positive: [...] }` for a Dataset or DataStream.
 */
export class DataLoader<
  Data extends readonly InputExample[] | Dataset<object> | DataStream | LegacyDataset = readonly InputExample[],
> extends BatchLoader<LoaderBatch<Data>> {
  readonly dataset: Dataset | DataStream | LegacyDataset
  readonly batchSize: number
  readonly shuffle: boolean
  /** The given examples, if examples were given. */
  readonly #examples: readonly InputExample[] | undefined

  /** @param dataset InputExamples, a Dataset, a DataStream, or one of the legacy datasets */
  constructor(dataset: Data, options: DataLoaderOptions = {}) {
    super()
    checkOptions('DataLoader', options, ['batchSize', 'shuffle'])
    const { batchSize = 1, shuffle = false } = options
    checkInteger('batchSize', batchSize, 1)
    checkType('shuffle', shuffle, 'boolean')
    const isOwn = typeof (dataset as LegacyDataset | undefined)?.toTrainingData === 'function'
    const isRows = dataset instanceof Dataset || dataset instanceof DataStream || isOwn
    this.dataset = isRows
      ? (dataset as Dataset | DataStream | LegacyDataset)
      : examplesToDataset(dataset as readonly InputExample[])
    this.#examples = isRows ? undefined : [...(dataset as readonly InputExample[])]
    this.batchSize = batchSize
    this.shuffle = shuffle
  }

  toTrainingData(): TrainingData {
    const { dataset, batchSize, shuffle } = this
    if (!(dataset instanceof Dataset || dataset instanceof DataStream)) {
      return dataset.toTrainingData(batchSize, shuffle)
    }
    return { data: dataset, batchSampler: shuffle ? 'batch_sampler' : 'sequential', batchSize }
  }

  protected toBatch(dataset: Dataset, rows: Int32Array): LoaderBatch<Data> {
    const isColumns = this.dataset instanceof Dataset || this.dataset instanceof DataStream
    const batch = this.#examples
      ? Array.from(rows, (row) => this.#examples![row]!)
      : isColumns
        ? toColumns(dataset, rows)
        : toExamples(dataset, rows)
    return batch as LoaderBatch<Data>
  }
}
