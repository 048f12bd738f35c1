/** What a training tells the card of its model. */

export interface TrainingFacts {
  /** Hub id of the model that training started from, where the one that is saved does not know it. */
  baseModel?: string | undefined
  train: readonly DatasetFacts[]
  evaluation: readonly DatasetFacts[]
  /** All losses, inner ones too, in their order. */
  losses: readonly LossFacts[]
  /** By their names in sentence-transformers. */
  hyperparameters: Readonly<Record<string, unknown>>
  /** Those of them that are not the defaults. */
  nonDefault: Readonly<Record<string, unknown>>
  /** The last result of each evaluator. */
  evaluators: readonly EvaluatorFacts[]
  /** Rows of the training log: `Epoch`, `Step`, losses, primary metrics. */
  logs: readonly Readonly<Record<string, number>>[]
  /** The step of the best checkpoint, if the model has its weights. */
  bestStep: number | undefined
  /** Seconds from the start of training, and of these in evaluations. */
  seconds: { total: number; evaluation: number }
  /** Texts of rows, for examples: the first text of each row and the others. */
  examples: readonly (readonly string[])[]
  versions: Readonly<Record<string, string>>
}

export interface LossFacts {
  name: string
  /** BibTeX, if its authors ask for it. */
  citation: string | undefined
}

export interface DatasetFacts {
  /** Undefined for the only dataset. */
  name: string | undefined
  /** Undefined for a stream of unknown length. */
  size: number | undefined
  columns: readonly ColumnFacts[]
  /** The first rows, a cell for each column. */
  samples: readonly (readonly string[])[]
  loss: { name: string; options: Readonly<Record<string, unknown>> }
}

export interface ColumnFacts {
  name: string
  /** `string`, `int`, `float`, `bool`, `list`. */
  type: string
  modality: string
  /** Such as `min: 4 tokens`, in their order. */
  details: readonly string[]
}

export interface EvaluatorFacts {
  /** Name of its class. */
  className: string
  /** Name of the data; empty without one. */
  name: string
  /** Without the evaluator's name in front. */
  metrics: Readonly<Record<string, number>>
  primary: string
}
