import type { ConfigObject, DType, NativeEncoder } from '../../native/types.js'

/** The parts of a model that a trainer needs. */
export interface TrainableModel {
  readonly device: string
  readonly dtype: DType
  readonly encoder: NativeEncoder
  /** The transformer's config.json. */
  readonly config: ConfigObject
  save(folder: string): Promise<void>
  /** Writes the files of `save` into an empty folder, which will be renamed to `target`. */
  writeFiles(folder: string, target: string): Promise<void>
  /** Loads the weights of a folder that `save` wrote. */
  loadWeights(folder: string): Promise<void>
}
