import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Dataset } from '../data/dataset.js'
import type { Evaluator } from '../evaluation/evaluator.js'
import { throwIfAborted } from '../io/abort.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import type { Figure } from '../report/figures.js'
import type { RunData } from '../report/manifest.js'
import { RUN_FILES, type RunFolder } from '../report/run-folder.js'
import { writeReport } from '../report/write-report.js'
import { listCheckpoints } from '../training/checkpoint/rotation.js'
import type {
  PartialTrainingArguments,
  SentenceTransformerTrainerOptions,
  TrainOptions,
  TrainResult,
} from '../training/index.js'
import { loadData } from './load-data.js'
import { writeMeasuredCard } from './measured-card.js'
import {
  type Evaluators,
  MEASURED,
  type Measured,
  type MeasuredRole,
  measure,
  metricRows,
  primaryNumbers,
} from './metrics.js'
import type { RecipeModel } from './model-kind.js'
import type { DataOption, RecipeContext, RecipeMetric, RecipeOptions, RecipeResult } from './recipe.js'
import { dataFacts } from './run-facts.js'
import { RunFigures } from './run-figures.js'
import { Stages } from './stages.js'

/** What a trainer gets of a run. */
type OfRun = Required<Pick<SentenceTransformerTrainerOptions, 'args' | 'progress'>> &
  Pick<SentenceTransformerTrainerOptions, 'evaluator'>

export interface StagePlace {
  folder?: string
  args?: PartialTrainingArguments
  /** Whether the dev evaluator measures the model in training. Default true. */
  isMeasured?: boolean
}

/**
 * A running recipe: what it is made of, and what it measures. All that it says is written into the run folder. Its models are
 * disposed at the end.
 */
export class RecipeRun {
  readonly seed: number
  readonly signal: AbortSignal | undefined
  /** The stages of a long recipe. */
  readonly stages: Stages
  readonly #folder: RunFolder
  readonly #options: RecipeOptions
  readonly #context: RecipeContext
  readonly #evaluators: Evaluators
  readonly #models: RecipeModel[] = []
  readonly #data: RunData[] = []
  readonly #metrics: RecipeMetric[] = []
  readonly #notes: string[] = []
  readonly #counts: Record<string, number> = {}
  #before: Measured = {}
  readonly #figures = new RunFigures((name, figure) => this.figure(name, figure))

  /** @internal */
  constructor(folder: RunFolder, options: RecipeOptions, context: RecipeContext, evaluators: Evaluators) {
    this.#folder = folder
    this.#options = options
    this.#context = context
    this.seed = options.seed ?? 42
    this.signal = context.signal
    this.stages = new Stages(folder.path, { signal: this.signal, log: (line) => this.log(line) })
    this.#evaluators = evaluators
    for (const role of MEASURED) if (!this.#evaluators[role]) this.note(MISSING[role])
  }

  /** The run folder. */
  get folder(): string {
    return this.#folder.path
  }

  /** Tells what is done. */
  log(line: string): void {
    this.#context.log?.(line)
  }

  /** A sentence that belongs to the numbers. */
  note(sentence: string): void {
    this.#notes.push(sentence)
  }

  /** A number that belongs to the result, such as rows that were left out. */
  count(name: string, value: number): void {
    this.#counts[name] = value
    this.log(`${name}: ${value}`)
  }

  /** A metric that the recipe itself measures. */
  metric(metric: RecipeMetric): void {
    this.#metrics.push(metric)
  }

  /** A figure of the report. @param name of its file, with lower-case letters, digits and '-' */
  figure(name: string, figure: Figure): Promise<void> {
    return this.#folder.writeFigure(name, figure)
  }

  /** The rows of an option. @param name what they are called, where that is not their path */
  async data(given: DataOption, role: RunData['role'] = 'train', name?: string): Promise<Dataset> {
    throwIfAborted(this.signal, 'Reading the data')
    const { dataset, badRows, ...found } = await loadData(given, { where: role, signal: this.signal })
    if (badRows.count > 0) this.count('badRows', (this.#counts.badRows ?? 0) + badRows.count)
    for (const message of badRows.first) this.log(`left out: ${message}`)
    const source = name ?? found.source
    this.#data.push(await dataFacts(role, source, dataset))
    await this.#folder.writeManifest({ data: this.#data })
    this.#figures.data(role, dataset)
    this.log(`${role}: ${dataset.length} rows of ${source}`)
    return dataset
  }

  /** The rows of an option that takes one data set or several. */
  async datasets(given: DataOption | readonly DataOption[], role: RunData['role'] = 'train'): Promise<Dataset[]> {
    const datasets: Dataset[] = []
    for (const one of [given].flat() as DataOption[]) datasets.push(await this.data(one, role))
    return datasets
  }

  /** The rows of one data set or several with the same columns, one after the other. */
  async dataset(given: DataOption | readonly DataOption[], role: RunData['role'] = 'train'): Promise<Dataset> {
    return Dataset.concatenate(await this.datasets(given, role))
  }

  /** The model to start from. @param make makes it in another way than `SentenceTransformer.load` */
  loadModel(): Promise<SentenceTransformer>
  loadModel<M extends RecipeModel>(make: (source: string) => Promise<M>): Promise<M>
  async loadModel(make?: (source: string) => Promise<RecipeModel>): Promise<RecipeModel> {
    const { model: source } = this.#options
    const model = await (make?.(source) ?? SentenceTransformer.load(source, { signal: this.signal }))
    this.#models.push(model)
    await this.#folder.writeManifest({ tokenizerSha256: await model.tokenizer.fingerprint() })
    return model
  }

  /** Measures the model to start from. */
  async before(model: RecipeModel): Promise<Measured> {
    this.#before = await this.measure(model)
    this.log(`before: ${primaryNumbers(this.#before)}`)
    await this.#figures.before(model, this.#before)
    return this.#before
  }

  /** Saves the trained model and measures it. Its card gets the numbers when they are there: the model is safe before that. */
  async after(model: RecipeModel): Promise<Measured> {
    const path = join(this.folder, RUN_FILES.model)
    await model.save(path)
    await this.removeCheckpoints(this.folder)
    const facts = model.trainingFacts?.()
    const after = await this.measure(model)
    if (facts) await writeMeasuredCard(model, path, facts, this.#evaluators, after)
    this.log(`after: ${primaryNumbers(after)}`)
    await this.#figures.after(model, this.#before, after)
    const rows = await metricRows(this.#evaluators, this.#before, after)
    for (const { name } of rows.undefined) this.note(`${name} is not defined for this model.`)
    this.#metrics.unshift(...rows.defined)
    return after
  }

  /** Removes the checkpoints that a finished training does not need any more, unless the caller asked for some. */
  async removeCheckpoints(folder: string, { saveStrategy } = this.#options.args ?? {}): Promise<void> {
    if (saveStrategy !== undefined) return
    for (const name of await listCheckpoints(folder)) await rm(join(folder, name), { recursive: true, force: true })
  }

  /** What measures data of this role; undefined: nothing does. */
  evaluator(role: MeasuredRole): Evaluator | undefined {
    return this.#evaluators[role]
  }

  /** The evaluators' numbers of any model of the run. */
  measure(model: RecipeModel): Promise<Measured> {
    return measure(model, this.#evaluators, { outputPath: join(this.folder, 'eval'), signal: this.signal })
  }

  /**
   * What a trainer gets: arguments (the recipe's `own`, and those of the caller over them), the dev evaluator, and where progress is
   * shown.
   * @param stage of a recipe with several trainings: the folder of checkpoints and logs, and the caller's arguments for this one
   */
  training(own: PartialTrainingArguments, place: StagePlace = {}): OfRun {
    const { folder = this.folder, args = this.#options.args, isMeasured = true } = place
    const { dev, ...options } = { ...this.#options, args }
    return {
      args: trainingArguments({ ...options, ...(isMeasured && { dev }) }, own, folder),
      ...(isMeasured && this.#evaluators.dev && { evaluator: this.#evaluators.dev as Evaluator }),
      progress: this.#context.progress ?? false,
    }
  }

  /** Trains; a run that is resumed goes on from the newest checkpoint in its folder, if there is one. */
  async train(trainer: { train(options: TrainOptions): Promise<TrainResult> }): Promise<TrainResult> {
    const resumeFromCheckpoint = this.#context.resume === true && (await listCheckpoints(this.folder)).length > 0
    if (this.#context.resume) {
      this.log(resumeFromCheckpoint ? 'going on from the newest checkpoint' : 'there is no checkpoint: from the start')
    }
    return trainer.train({ signal: this.signal, ...(this.#context.resume && { resumeFromCheckpoint }) })
  }

  /** @internal */
  async finish(): Promise<RecipeResult> {
    const result = { metrics: this.#metrics, notes: this.#notes, counts: this.#counts }
    await this.#folder.writeResult(result)
    await this.#figures.finish()
    await this.#folder.writeManifest({ model: RUN_FILES.model })
    await this.#folder.finish()
    await writeReport(this.folder)
    return { folder: this.folder, model: join(this.folder, RUN_FILES.model), ...result }
  }

  /** @internal */
  async dispose(): Promise<void> {
    for (const model of this.#models) await model.dispose()
  }
}

/** The arguments of a training: what all recipes want, what this one does, what the caller does. */
export function trainingArguments(
  { args, dev, seed = 42 }: RecipeOptions,
  own: PartialTrainingArguments,
  folder: string,
): PartialTrainingArguments {
  const evaluation = dev ? ({ evalStrategy: 'steps', evalSteps: 0.25 } as const) : {}
  return {
    ...{ numTrainEpochs: 1, loggingSteps: 0.02, logTimings: true, reportTo: ['jsonl', 'tensorboard'], ...evaluation },
    ...SAVING,
    ...own,
    ...args,
    ...{ outputDir: folder, loggingDir: folder, seed },
  }
}

/** A checkpoint to go on from after an abort or a crash. */
const SAVING = { saveStrategy: 'steps', saveSteps: 0.25, saveTotalLimit: 1 } as const

const MISSING = {
  dev: 'The model was not measured during training: there is no dev evaluator.',
  test: 'The model was not measured on data that nothing else saw: there is no test evaluator.',
  outside: 'What the model forgets was not measured: there is no outside evaluator.',
}
