import { SentenceTorchError } from '../../errors.js'

export interface DatasetHubOptions {
  /** The configuration (subset), such as `stsb` of `nyu-mll/glue`. Needed where there are several and none is `default`. */
  config?: string
  /** Default `train`. */
  split?: string
  /** Branch, tag or commit. Default `main`. */
  revision?: string
  /** Which columns to read, in this order. Default all. */
  columns?: readonly string[]
}

/** Paths of the Parquet files of a split, in order. */
export async function datasetFiles(id: string, _options: DatasetHubOptions): Promise<string[]> {
  throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', `Downloading the dataset ${id} is not built yet`)
}
