import type { Dataset } from '../../data/dataset.js'
import type { DataSource } from '../../data/feed.js'
import type { PartialTrainingArguments, TrainingArguments } from '../arguments/arguments.js'
import type { NamesOfArguments } from '../arguments/check-names.js'
import type { AnyBatchMaker } from '../batches/batch.js'
import type { LossSet, TrainableLoss } from '../batches/loss-set.js'
import type { BatchMakerParts } from '../batches/source.js'
import type { TrainerCallback } from '../callbacks/callbacks.js'
import type { LossTensors } from '../checkpoint/loss-tensors.js'
import type { Agreement } from '../distributed/agreement.js'
import type { Ranks } from '../distributed/ranks.js'
import type { ModelFacts } from '../health/facts.js'
import type { ProgressOutput } from '../reporting/progress.js'
import type { EvaluatorOf } from './evaluator-choice.js'
import type { Gate } from './gate.js'
import type { OpenPretrained } from './pretrained.js'
import type { TrainableModel } from './trainable-model.js'

/** Everything that one `train()` or `evaluate()` works with. */
export interface SessionParts<M extends TrainableModel, L extends TrainableLoss> {
  /** `SentenceTransformerTrainer`, for messages. */
  trainerName: string
  model: M
  args: Readonly<TrainingArguments>
  /** The arguments as the caller gave them. */
  given: Readonly<PartialTrainingArguments>
  trainDataset: DataSource
  evalDataset: DataSource | undefined
  evaluator: EvaluatorOf<M> | undefined
  losses: LossSet<L>
  /** Initial values of the losses' own parameters. */
  lossTensors: LossTensors | string | undefined
  names: NamesOfArguments
  callbacks: readonly TrainerCallback[]
  progress: ProgressOutput | false
  signal: AbortSignal | undefined
  /** With several processes; `signal` is then the one that they agreed on. */
  ranks?: Ranks | undefined
  agreement?: Agreement | undefined
  gate: Gate
  /** Locks the output folder, for a run that writes a checkpoint. */
  claim?: (() => Promise<void>) | undefined
  modelFacts: ModelFacts
  openPretrained: OpenPretrained
  batchMaker(parts: BatchMakerParts<L>): AnyBatchMaker
  checkDataset(dataset: Dataset, loss: L, which: string): void
}
