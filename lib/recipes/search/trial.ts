/** One training of a search: it has its steps, ends in time, and is measured on dev. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Dataset } from '../../data/dataset.js'
import { SentenceTorchError } from '../../errors.js'
import { primaryValue } from '../../evaluation/primary-value.js'
import { signalOf } from '../../io/abort.js'
import { writeFileAtomic } from '../../io/atomic.js'
import { boolean, integer, number, object, optional, parseJson, type Schema, text } from '../../io/schema.js'
import { SentenceTransformer } from '../../models/sentence-transformer.js'
import { listCheckpoints } from '../../training/checkpoint/rotation.js'
import type { PartialTrainingArguments, TrainerCallback } from '../../training/index.js'
import type { ModelKind, RecipeEvaluator, RecipeModel } from '../model-kind.js'
import type { RecipeRun } from '../recipe-run.js'
import { writeFacts } from '../stage-facts.js'
import { stageModel } from '../stage-training.js'
import type { StageWork } from '../stages.js'
import type { TrialSettings } from './space.js'

const FILE = 'trial.json'

export interface TrialRecord {
  /** Value of dev's primary metric; absent for a training that failed. */
  score?: number | undefined
  /** Rows of dev that measured it; absent: all. */
  devRows?: number | undefined
  /** Steps that were done. */
  steps: number
  epochs: number
  /** Rows a second, while it trained. */
  rate: number
  /** All of it: loading, training, measuring. */
  seconds: number
  /** Whether it was ended because its time was over. */
  isCut: boolean
  /** Whether its model is beside this file. */
  isKept: boolean
  /** Why it failed. */
  error?: string | undefined
}

const RECORD: Schema<TrialRecord> = object({
  ...{ score: optional(number()), devRows: optional(integer(1)), steps: integer(0), epochs: number() },
  ...{ rate: number(), seconds: number(), isCut: boolean, isKept: boolean, error: optional(text()) },
})

export const readTrial = async (folder: string): Promise<TrialRecord> =>
  parseJson(await readFile(join(folder, FILE)), join(folder, FILE), RECORD)

/** A training as planned. */
export interface TrialPlan {
  settings: TrialSettings
  steps: number
  /** Seconds after which it ends, whatever it has done. */
  most: number
  /** Whether it saves checkpoints to go on from: long ones. */
  saves: boolean
}

/** What all trainings of a search have in common. */
export interface TrialParts {
  run: RecipeRun
  kind: ModelKind
  train: Dataset
  load: () => Promise<RecipeModel>
  /** The recipe's own arguments, and the caller's over them. */
  args: PartialTrainingArguments
}

/** The run's own arguments for checkpoints are taken back. */
export const UNSAVED = { saveStrategy: 'no', saveSteps: undefined, saveTotalLimit: undefined } as const
const SAVING = { saveStrategy: 'steps', saveSteps: 0.25, saveTotalLimit: 1 } as const

/** Adds the seconds after which a training ends, and tells how fast it is. */
class Clock implements TrainerCallback {
  isCut = false
  readonly #most: number
  #start = 0
  #first: { at: number; step: number } | undefined
  #last = { at: 0, step: 0 }

  constructor(most: number) {
    this.#most = most
  }

  onTrainBegin(): void {
    this.#start = performance.now()
  }

  onStepEnd({ state, control }: Parameters<NonNullable<TrainerCallback['onStepEnd']>>[0]): void {
    const now = performance.now()
    this.#last = { at: now, step: state.globalStep }
    // The first step also makes buffers.
    this.#first ??= this.#last
    if (now - this.#start < this.#most * 1000 || state.globalStep >= state.maxSteps) return
    this.isCut = true
    control.shouldTrainingStop = true
  }

  /** Steps a second; of a single step that one. */
  get rate(): number {
    const { at, step } = this.#last
    const from = this.#first && this.#first.step < step ? this.#first : { at: this.#start, step: 0 }
    return (step - from.step) / Math.max(1e-3, (at - from.at) / 1000)
  }
}

/**
 * Trains, measures and writes the record. Of a loss that cannot take the rows, or that diverges, the record says so.
 * @param keeps told the score, whether the model is saved
 * @returns the model where it was kept, else undefined
 */
export async function runTrial(
  { run, kind, train, load, args }: TrialParts,
  { folder, isContinued }: StageWork,
  { settings, steps, most, saves }: TrialPlan,
  dev: { evaluator: RecipeEvaluator; rows?: number },
  keeps: (score: number) => boolean,
): Promise<RecipeModel | undefined> {
  const start = performance.now()
  const clock = new Clock(most)
  const model = await load()
  const record: TrialRecord = { steps: 0, epochs: 0, rate: 0, seconds: 0, isCut: false, isKept: false }
  try {
    const loss = await kind.makeLosses(settings.loss, (guide) => run.loadModel(() => SentenceTransformer.load(guide)))
    const own = { ...kind.batching(loss), ...args, ...settings.args, maxSteps: steps }
    const parts = run.training({}, { folder, args: { ...own, ...(saves ? SAVING : UNSAVED) }, isMeasured: false })
    const trainer = kind.trainer({ model, trainDataset: train, loss, ...parts, callbacks: [clock] })
    const resumeFromCheckpoint = isContinued && (await listCheckpoints(folder)).length > 0
    const { metrics, globalStep } = await trainer.train({ ...signalOf(run), resumeFromCheckpoint })
    const batch = settings.args.perDeviceTrainBatchSize ?? 1
    Object.assign(record, { steps: globalStep, epochs: metrics.epoch, rate: clock.rate * batch, isCut: clock.isCut })
    const found = await dev.evaluator.evaluate(model as never, signalOf(run))
    const score = primaryValue(found)
    if (Number.isFinite(score)) Object.assign(record, { score })
    else record.error = `${found.primaryMetric} is not a number`
    if (dev.rows !== undefined) record.devRows = dev.rows
  } catch (error) {
    if (!(error instanceof SentenceTorchError) || run.signal?.aborted || error.code === 'ERR_FILE_SYSTEM') throw error
    record.error = error.message
  }
  record.isKept = record.score !== undefined && keeps(record.score)
  if (record.isKept) {
    await model.save(stageModel(folder))
    if (model.trainingFacts) await writeFacts(folder, { baseModel: model.hubId, ...model.trainingFacts() })
  } else await model.dispose()
  await run.removeCheckpoints(folder, {})
  record.seconds = (performance.now() - start) / 1000
  await writeFileAtomic(join(folder, FILE), `${JSON.stringify({ settings, ...record }, null, 2)}\n`)
  return record.isKept ? model : undefined
}
