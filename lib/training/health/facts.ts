import type { Dataset } from '../../data/dataset.js'
import type { LossSpec } from '../../native/types.js'
import type { PartialTrainingArguments, TrainingArguments } from '../arguments/arguments.js'

export interface NamedDataset {
  /** '' for a single one. */
  name: string
  dataset: Dataset
}

export interface LossFacts {
  /** Name of its dataset; '' for the one loss of all. */
  name: string
  type: string
  spec: LossSpec
  /** Whether it reads the label column. */
  readsLabels: boolean
  /** Whether rows of one batch are each other's negatives. */
  inBatchNegatives: boolean
}

/** What is known of a run before its first step. */
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
  /** Datasets in memory; streams are not looked into. */
  train: readonly NamedDataset[]
  evaluation: readonly NamedDataset[]
}

/** What a kind of model tells of itself. */
export interface ModelFacts {
  /** Whether the model's embeddings have length 1. */
  isNormalized: boolean
  /** Whether the losses see logits, of which rows may well be parallel. Default false: embeddings. */
  isClassifier?: boolean
  /** How many of `texts` are longer than the model reads in `column`, and how many tokens that is. */
  overlong?: ((dataset: string, column: string, texts: readonly string[]) => Promise<Overlong>) | undefined
}

export interface Overlong {
  count: number
  /** Tokens that are read at most. */
  most: number
}

/** The loss of dataset `name`. */
export function lossOf({ losses }: RunFacts, name: string): LossFacts | undefined {
  return losses.find((loss) => loss.name === name) ?? losses.find((loss) => loss.name === '')
}

/** The description of a loss and of those that it wraps (MatryoshkaLoss), outermost first. */
export function specsOf(spec: LossSpec): LossSpec[] {
  const inner = Object.values(spec).filter(
    (value): value is LossSpec => typeof value === 'object' && value !== null && 'type' in value,
  )
  return [spec, ...inner.flatMap(specsOf)]
}

/** ` of dataset pairs`, or nothing for a single one. */
export function ofDataset(name: string): string {
  return name === '' ? '' : ` of dataset ${name}`
}

/** `12.5 %` */
export function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`
}
