import type { Dataset } from '../../data/dataset.js'
import type { LossSpec } from '../../native/types.js'
import type { PartialTrainingArguments, TrainingArguments } from '../arguments/arguments.js'

export interface NamedDataset {
  /** '' for a single one. */
  name: string
  dataset: Dataset
}

export interface LossFacts {
  /** Name of its dataset; '' for the one loss of all datasets. */
  name: string
  type: string
  spec: LossSpec
  /** Whether it reads the label column. */
  readsLabels: boolean
  /** Whether rows of one batch are each other's negatives. */
  inBatchNegatives: boolean
}

/** Facts about a run before its first step. */
export interface RunFacts extends ModelFacts {
  args: Readonly<TrainingArguments>
  /** The arguments as the caller gave them. */
  given: Readonly<PartialTrainingArguments>
  /** Device that computes: `cpu`, `cuda:0`, … */
  device: string
  /** Whether there is an evalDataset or an evaluator. */
  hasEvaluation: boolean
  maxSteps: number
  warmupSteps: number
  losses: readonly LossFacts[]
  /** Datasets in memory, without the streams. */
  train: readonly NamedDataset[]
  evaluation: readonly NamedDataset[]
}

/** Facts about the model for the checks. */
export interface ModelFacts {
  /** Whether the model's embeddings have length 1. */
  isNormalized: boolean
  /** Whether the losses see logits instead of embeddings. Parallel rows of logits are normal. Default false. */
  isClassifier?: boolean
  /** Whether the roles of columns do not follow from names such as query and passage. Default false. */
  hasOtherColumns?: boolean
  /** How many of `texts` are longer than the limit of `column`. */
  overlong?: ((dataset: string, column: string, texts: readonly string[]) => Promise<Overlong>) | undefined
}

export interface Overlong {
  count: number
  /** The limit, in tokens. */
  most: number
}

/** The loss of dataset `name`. */
export function lossOf({ losses }: RunFacts, name: string): LossFacts | undefined {
  return losses.find((loss) => loss.name === name) ?? losses.find((loss) => loss.name === '')
}

/** The descriptions of a loss and of the losses inside it (MatryoshkaLoss), outermost first. */
export function specsOf(spec: LossSpec): LossSpec[] {
  const inner = Object.values(spec).filter(
    (value): value is LossSpec => typeof value === 'object' && value !== null && 'type' in value,
  )
  return [spec, ...inner.flatMap(specsOf)]
}

/** ` of dataset pairs`, or nothing for a single dataset. */
export function ofDataset(name: string): string {
  return name === '' ? '' : ` of dataset ${name}`
}

/** `12.5 %` */
export function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`
}
