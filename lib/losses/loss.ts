import type { ConfigObject, LossSpec } from '../native/types.js'
import type { ComputedLoss } from './computed.js'

/** A guide: a SentenceTransformer, or anything that encodes texts like one. */
export interface GuideModel {
  readonly embeddingDimension: number
  encode(
    texts: string[],
    options?: { prompt?: string },
  ): Promise<{ readonly data: Float32Array; readonly shape: readonly [number, number] }>
}

/** A loss's requirements for the dataset. All rows are checked before training starts. */
export interface LossRequirements {
  /** Fewest and most text columns that it takes. */
  minColumns: number
  maxColumns: number
  /** `none`: no label column is read; `float`: any finite number; `int`: whole numbers from 0 to `numLabels` - 1 (any
   *  whole number without `numLabels`); `floats`: one number, or an array of one length in all rows. */
  labels: 'none' | 'float' | 'int' | 'floats'
  /** From this number of text columns on, rows may come without labels. Absent: never. */
  labelsOptionalFrom?: number
  /** How often a batch holds the text column: 2 if two encoders embed it. Default 1. */
  copies?: number
  /** Number of classes; only with `labels: 'int'`. */
  numLabels?: number
  /** Whether labels may be the probability of each class instead, arrays of `numLabels`; only with `labels: 'int'`. */
  probabilities?: boolean
  /** Whether the rows of a batch are each other's negatives. Gradient accumulation adds no such negatives. */
  inBatchNegatives?: boolean
  /** With several processes: whether the loss sees the embeddings of all of them (`gatherAcrossDevices`). */
  gathers?: boolean
  /** Whether the loss gets numbers that show which texts of a batch are equal. */
  textIds?: boolean
  /** Whether it reads what a SparseAutoEncoder, the last module of the model, makes of its latents. */
  reconstruction?: true
  /** A frozen model whose embeddings of the same texts the loss reads (GISTEmbedLoss). */
  guide?: GuideModel
  /** `column`: the last column is not embedded but predicted (a denoising autoencoder); `masked`: 15 % of the tokens are. */
  targets?: 'column' | 'masked'
  /** Which tokens are masked; only with `targets: 'masked'`. */
  masking?: { readonly mlmProbability: number; readonly wholeWordMask: boolean }
}

/** A checkpoint from which parameters of a loss start. */
export interface PretrainedSource {
  /** A folder or a hub id, as `SentenceTransformer.load` takes it; undefined: what the trainer's model was loaded from. */
  readonly nameOrPath: string | undefined
  /** What the loss puts in front of the checkpoint's names: `decoder.`. */
  readonly prefix: string
}

/** The part of a checkpoint that a loss reads. */
export interface PretrainedFacts {
  readonly config: ConfigObject
  /** Whether the last layer of its language-model head is the table of word embeddings. */
  readonly tieWordEmbeddings: boolean
}

/** How many rows (of all columns), or tokens, pass the encoder at once; at most one of the two. */
export interface Caching {
  readonly miniBatchSize?: number
  readonly miniBatchTokens?: number
}

/**
 * A loss is a description: it holds no model and no tensor, so one object can serve any number of trainers. The formula
 * lives in native/losses, one file per loss, found by `type`.
 */
export interface Loss {
  /** Name in the native registry and in sentence-transformers: `CoSENTLoss`. */
  readonly type: string
  readonly requirements: LossRequirements
  /** Gradient caching, for the `Cached…` losses: the trainer embeds in mini-batches while the loss sees the whole batch. */
  readonly caching?: Caching | undefined
  /** The losses that it has to be a part of one of, where it is not for a trainer by itself: `SpladeLoss`, `CSRLoss`. */
  readonly within?: readonly string[]
  /** What `similarity` of the model computes from now on, where the loss trains for that: the trainer sets it. */
  readonly similarityFnName?: 'cosine'
  /**
   * Weights of its parts that callbacks change during a training, by the names in the log. The engine has them as the tensor
   * `regularizer_weights`.
   */
  weights?(): Readonly<Record<string, number>>
  /** Set when value and gradients are computed in TypeScript. */
  readonly computed?: ComputedLoss
  /** The checkpoint that its own parameters start from, where they are not random. */
  readonly pretrained?: PretrainedSource
  /**
   * What the native trainer is built from.
   * @param embeddingDimension width of the model's sentence embeddings
   * @param config the transformer's config.json
   * @param pretrained of the checkpoint that `pretrained` names
   */
  spec(embeddingDimension: number, config: ConfigObject, pretrained?: PretrainedFacts): LossSpec
}
