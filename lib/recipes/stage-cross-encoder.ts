/** A cross-encoder inside of a stage: it is trained, goes on from its last checkpoint, and labels pairs. */
import type { Dataset } from '../data/dataset.js'
import type { CrossEncoderLoss } from '../losses/cross-encoder/loss.js'
import type { CrossEncoder } from '../models/cross-encoder.js'
import { listCheckpoints } from '../training/checkpoint/rotation.js'
import { CrossEncoderTrainer, type PartialTrainingArguments } from '../training/index.js'
import type { RecipeRun } from './recipe-run.js'
import type { TextPair } from './silver-pairs.js'
import { stageModel } from './stage-training.js'
import type { StageWork } from './stages.js'

export interface CrossEncoderStage {
  trainDataset: Dataset
  loss: CrossEncoderLoss
  /** The caller's arguments. */
  args: PartialTrainingArguments
}

/** As in sentence-transformers' examples of Augmented SBERT. */
const OWN = { perDeviceTrainBatchSize: 16, learningRate: 2e-5, warmupSteps: 0.1 } as const

/** Trains `model` and saves it. Its checkpoints are removed when the model is there, unless the caller asked for some. */
export async function trainCrossEncoderInStage(
  run: RecipeRun,
  { folder, isContinued }: StageWork,
  model: CrossEncoder,
  { trainDataset, loss, args }: CrossEncoderStage,
): Promise<void> {
  // The dev evaluator measures embeddings, which this model has not.
  const { args: all, progress } = run.training(OWN, { folder, args, isMeasured: false })
  const trainer = new CrossEncoderTrainer({ model, trainDataset, loss, args: all, progress })
  const resumeFromCheckpoint = isContinued && (await listCheckpoints(folder)).length > 0
  await trainer.train({ ...(run.signal && { signal: run.signal }), resumeFromCheckpoint })
  await model.save(stageModel(folder))
  await run.removeCheckpoints(folder, args)
}

/** Labels of pairs from 0 to 1: the score, or for two labels the class that is more probable. */
export async function labelPairs(
  model: CrossEncoder,
  pairs: readonly TextPair[],
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const activationFn = model.numLabels === 1 ? 'sigmoid' : 'softmax'
  const { data, row } = await model.predict(pairs, { activationFn, ...(signal && { signal }) })
  if (model.numLabels === 1) return [...data]
  return pairs.map((_, i) => Number(row(i)[1]! > row(i)[0]!))
}
