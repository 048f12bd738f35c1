// Types of a loss that TypeScript computes.

/**
 * Further inputs of a loss in TypeScript, besides embeddings and labels. The arrays are valid during the call; do not
 * change them.
 */
export interface CustomLossBatch {
  rows: number
  /** Width of an embedding. */
  dimension: number
  /** Shape of `labels`: [rows] or [rows, width]. */
  labelShape?: readonly number[]
  /** A number for every row of every column, column by column; equal numbers are equal texts. */
  textIds?: Int32Array
  /** Values of the loss's own parameters. */
  parameters: Readonly<Record<string, Float32Array>>
  /** Whether gradients are wanted: not in an evaluation. */
  training: boolean
}

export interface CustomLossValue {
  loss: number
  /** d loss / d embeddings, one array per text column, of the same size. May be absent in an evaluation. */
  gradients?: readonly Float32Array[]
  /** d loss / d parameters; one that is absent counts as zero. */
  parameterGradients?: Readonly<Record<string, Float32Array>>
  /** Logged beside the loss. */
  components?: Readonly<Record<string, number>>
}

/**
 * @param embeddings one array per text column: `rows` × `dimension`, row by row. Valid during the call; do not change them
 * @param labels one label per row, or a vector of them; undefined without labels
 */
export type CustomLossFunction = (
  embeddings: readonly Float32Array[],
  labels: Float32Array | Int32Array | undefined,
  batch: CustomLossBatch,
) => CustomLossValue | Promise<CustomLossValue>

/** A parameter that a custom loss owns and trains. */
export interface CustomLossParameter {
  shape: readonly number[]
  /** Initial values: one for all elements, or all of them row by row. Default 0. */
  init?: number | Float32Array
}

/** A loss that is computed in TypeScript, as the trainer sees it. */
export interface ComputedLoss {
  readonly parameters: Readonly<Record<string, CustomLossParameter>>
  readonly compute: CustomLossFunction
}
