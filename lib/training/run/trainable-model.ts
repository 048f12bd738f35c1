import type { TrainingFacts } from '../../models/card/facts.js'
import type { ConfigObject, DType, NativeEncoder } from '../../native/types.js'

interface CountingTokenizer {
  encodeAll(texts: readonly string[]): Promise<{ offsets: ArrayLike<number> }>
}

/** The parts of a model that a trainer needs. */
export interface TrainableModel {
  readonly device: string
  readonly dtype: DType
  readonly encoder: NativeEncoder
  /** The transformer's config.json. */
  readonly config: ConfigObject
  readonly tokenizer: CountingTokenizer
  /** Tokens of a text at most, or of a pair. */
  readonly maxSeqLength?: number
  readonly maxLength?: number
  /** The routes of its Router; undefined: it has none. */
  readonly routes?: readonly string[] | undefined
  /** What makes tokens of the texts of a task. Default: `tokenizer`. */
  route?(task?: string): { readonly tokenizer: CountingTokenizer }
  /** The name in Python's `named_parameters()` of a tensor of the model. Default: {@link pythonName}'s. */
  parameterPath?(name: string): string
  /** What stands in the examples of the model's card; undefined: it says nothing of a training. */
  readonly cardKind?: 'texts' | 'pairs' | undefined
  /** What the card of the model says of its training, as soon as it is known. */
  trainingFacts?: (() => TrainingFacts) | undefined
  save(folder: string): Promise<void>
  /** Writes the files of `save` into an empty folder, which will be renamed to `target`. */
  writeFiles(folder: string, target: string): Promise<void>
  /** Loads the weights of a folder that `save` wrote. */
  loadWeights(folder: string): Promise<void>
}
