/** A training inside of a stage: it saves checkpoints, goes on from the last one, and leaves a model. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { SentenceTransformer } from '../models/sentence-transformer.js'
import { listCheckpoints } from '../training/checkpoint/rotation.js'
import {
  type PartialTrainingArguments,
  SentenceTransformerTrainer,
  type SentenceTransformerTrainerOptions,
} from '../training/index.js'
import type { RecipeRun } from './recipe-run.js'
import type { StageWork } from './stages.js'

export type StageTraining = Required<Pick<SentenceTransformerTrainerOptions, 'trainDataset' | 'loss'>> & {
  /** The recipe's own arguments. */
  own: PartialTrainingArguments
  /** The caller's. */
  args: PartialTrainingArguments
}

/** Where a stage leaves its model. */
export const stageModel = (folder: string) => join(folder, 'model')

/** Trains `model` and saves it. Checkpoints are removed when the model is there. */
export async function trainInStage(
  run: RecipeRun,
  { folder, isContinued }: StageWork,
  model: SentenceTransformer,
  { trainDataset, loss, own, args }: StageTraining,
): Promise<void> {
  const saving = { saveStrategy: 'steps', saveSteps: 0.1, saveTotalLimit: 1 } as const
  const trainer = new SentenceTransformerTrainer({
    ...{ model, trainDataset, loss },
    ...run.training({ ...saving, ...own }, { folder, args }),
  })
  const resumeFromCheckpoint = isContinued && (await listCheckpoints(folder)).length > 0
  await trainer.train({ signal: run.signal, resumeFromCheckpoint })
  await model.save(stageModel(folder))
  for (const name of await listCheckpoints(folder)) await rm(join(folder, name), { recursive: true, force: true })
}
