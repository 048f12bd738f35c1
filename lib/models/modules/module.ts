import { type ErrorCode, SentenceTorchError } from '../../errors.js'
import type { ConfigObject, ModuleSpec } from '../../native/types.js'
import type { TensorNames } from '../checkpoint-names.js'

/** What a module is given by those before it. */
export interface ModuleInput {
  /** Of a token embedding before the pooling, of the sentence embedding after it. */
  width: number
  /** Of the transformer. */
  layers: number
  /** Words of which a module right behind a transformer may read logits. */
  vocabulary?: number
}

/** What an error says of where a module stands. */
export interface ModuleOrigin {
  /** `1_Pooling/config.json` with its folder, or `modules[1]`. */
  name: string
  code: ErrorCode
}

/** A module after the first one, in its place. */
export interface PlacedModule {
  spec: ModuleSpec
  /** What is `width` for the next module. */
  outputDimension: number
  /** Its config.json in the layout that sentence-transformers 2.x to 6.x and TEI read; undefined for none. */
  config: ConfigObject | undefined
  /** Its settings as Python prints them. */
  shown: ConfigObject
}

/** A module of a model, to be put behind others by `SentenceTransformer.fromModules`. */
export interface ModelModule {
  /** @internal */
  place(input: ModuleInput, origin: ModuleOrigin): PlacedModule
}

/** How the modules of one type lie in a model's folder. */
export interface ModuleType {
  /** Whether it has tensors, in a file of its folder. */
  readonly hasWeights: boolean
  /** What its file calls them. Default: as the engine does. */
  readonly tensorNames?: TensorNames
  /** Whether its folder has always had a config.json. */
  readonly needsConfig: boolean
  /**
   * A module of its config.json, and the members that this package does not know, to be written back.
   * @throws SentenceTorchError ERR_INVALID_MODEL or ERR_NOT_IMPLEMENTED that names `file`
   */
  read(config: ConfigObject, file: string): { module: ModelModule; extra: ConfigObject }
}

export function notBuilt(file: string, what: string): SentenceTorchError {
  return new SentenceTorchError('ERR_NOT_IMPLEMENTED', `${file} has ${what}, which is not built yet`)
}

export function warn(message: string): void {
  process.emitWarning(message, 'SentenceTorchWarning')
}
