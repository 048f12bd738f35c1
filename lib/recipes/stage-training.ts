/** A training inside of a stage: it saves checkpoints, goes on from the last one, and leaves a model. */

import { join } from 'node:path'
import { signalOf } from '../io/abort.js'
import type { SentenceTransformer } from '../models/sentence-transformer.js'
import { listCheckpoints } from '../training/checkpoint/rotation.js'
import {
  type PartialTrainingArguments,
  SentenceTransformerTrainer,
  type SentenceTransformerTrainerOptions,
} from '../training/index.js'
import { type ModelKind, modelKind, type RecipeModel } from './model-kind.js'
import type { RecipeRun } from './recipe-run.js'
import { joinedFacts, readFacts, writeFacts } from './stage-facts.js'
import type { StageWork } from './stages.js'

export type StageTraining = Required<Pick<SentenceTransformerTrainerOptions, 'trainDataset' | 'loss'>> & {
  /** The recipe's own arguments. */
  own: PartialTrainingArguments
  /** The caller's. */
  args: PartialTrainingArguments
}

/** Where a stage leaves its model. */
export const stageModel = (folder: string) => join(folder, 'model')

/** The model that a stage left. It knows its training, whichever process that was in. */
export function loadTrained(run: RecipeRun, folder: string): Promise<SentenceTransformer>
export function loadTrained(run: RecipeRun, folder: string, kind: ModelKind): Promise<RecipeModel>
export function loadTrained(run: RecipeRun, folder: string, kind = modelKind('embedding')): Promise<RecipeModel> {
  return run.loadModel(async () => {
    const facts = await readFacts(folder)
    const model = await kind.load(stageModel(folder), signalOf(run))
    if (facts) model.trainingFacts = () => facts
    return model
  })
}

/** Trains `model` and saves it. Its checkpoints are removed when the model is there, unless the caller asked for some. */
export async function trainInStage(
  run: RecipeRun,
  { folder, isContinued }: StageWork,
  model: SentenceTransformer,
  { trainDataset, loss, own, args }: StageTraining,
): Promise<void> {
  const earlier = model.trainingFacts?.()
  const trainer = new SentenceTransformerTrainer({
    ...{ model, trainDataset, loss },
    ...run.training(own, { folder, args }),
  })
  const resumeFromCheckpoint = isContinued && (await listCheckpoints(folder)).length > 0
  await trainer.train({ signal: run.signal, resumeFromCheckpoint })
  const facts = joinedFacts(earlier, { baseModel: model.hubId, ...model.trainingFacts!() })
  model.trainingFacts = () => facts
  await model.save(stageModel(folder))
  await writeFacts(folder, facts)
  await run.removeCheckpoints(folder, args)
}
