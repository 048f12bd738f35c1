import type { Dataset } from '../../data/dataset.js'
import { type DataSource, isDataset, readsByRank, sourcesOf } from '../../data/feed.js'
import type { DataStream } from '../../data/stream.js'
import { fromNative } from '../../errors.js'
import type { EvaluationContext, EvaluationResult } from '../../evaluation/evaluator.js'
import type { TrainingArguments } from '../arguments/arguments.js'
import { type ParameterGroups, parameterGroups, trainableTensors } from '../arguments/parameter-groups.js'
import { taskOf } from '../arguments/routes.js'
import type { TrainableLoss } from '../batches/loss-set.js'
import { planMemory } from '../batches/memory-plan.js'
import { chooseMiniBatches, freeMemory } from '../batches/mini-batch.js'
import { BatchSources, countRows } from '../batches/source.js'
import { CallbackHandler } from '../callbacks/callback-handler.js'
import type { CallbackContext, LogRecord, TrainerCallback } from '../callbacks/callbacks.js'
import { CardRecorder } from '../card/recorder.js'
import { loadInitialParameters, loadLossTensors, readLossTensors } from '../checkpoint/loss-tensors.js'
import {
  type Checkpoint,
  checkpointFolder,
  loadCheckpoint,
  loadModelAndLosses,
  readCheckpoint,
} from '../checkpoint/resume.js'
import { SharedModel } from '../distributed/shared-model.js'
import { HealthMonitor } from '../health/monitor.js'
import { emitProcessWarning } from '../health/warning.js'
import { resumingTraining, runningTraining, trainedParameters } from '../reporting/messages.js'
import { Reporting } from '../reporting/reporting.js'
import { Timings } from '../reporting/timings.js'
import { ComputedStep } from './computed-loss.js'
import { runEvaluation } from './evaluation.js'
import type { EvaluatorOf } from './evaluator-choice.js'
import { createTrainer, type GuardedTrainer } from './guarded-trainer.js'
import { LossWeights } from './loss-weights.js'
import { PretrainedLosses } from './pretrained.js'
import { TrainingRun } from './run.js'
import { runFacts } from './run-facts.js'
import type { SessionParts } from './session-parts.js'
import type { TrainableModel } from './trainable-model.js'

/** An engine's trainer with all that one `train()` or `evaluate()` needs around it. */
export class TrainerSession<M extends TrainableModel, L extends TrainableLoss> {
  readonly #parts: SessionParts<M, L>
  readonly #reporting: Reporting
  readonly #pretrained: PretrainedLosses
  readonly #native: GuardedTrainer
  readonly #callbacks: readonly TrainerCallback[]
  readonly #computed: readonly (ComputedStep | undefined)[]
  readonly #timings: Timings | undefined
  readonly #health: HealthMonitor
  readonly #sources: BatchSources<L>
  readonly #shared: SharedModel<M> | undefined
  #run: TrainingRun | undefined
  #card: CardRecorder | undefined

  static async open<M extends TrainableModel, L extends TrainableLoss>(
    parts: SessionParts<M, L>,
  ): Promise<TrainerSession<M, L>> {
    const { model, args, losses, openPretrained, progress, signal } = parts
    const reporting = new Reporting(args, progress, undefined, { modelConfig: model.config, signal })
    let pretrained: PretrainedLosses | undefined
    try {
      pretrained = await PretrainedLosses.open(model, losses, openPretrained)
      return new TrainerSession(
        parts,
        reporting,
        pretrained,
        createTrainer(model, args, pretrained.specs, parts.ranks?.native),
      )
    } catch (error) {
      await pretrained?.close()
      await reporting.close()
      throw error
    }
  }

  private constructor(
    parts: SessionParts<M, L>,
    reporting: Reporting,
    pretrained: PretrainedLosses,
    native: GuardedTrainer,
  ) {
    const { args, model, losses, names, signal, batchMaker, checkDataset } = parts
    this.#parts = parts
    this.#reporting = reporting
    this.#pretrained = pretrained
    this.#native = native
    this.#shared = parts.ranks && new SharedModel(model, parts.ranks)
    this.#callbacks = [...parts.callbacks, ...reporting.callbacks]
    this.#computed = losses.all.map(({ name, loss }) => {
      const prefix = name === '' ? 'loss.' : `loss.${name}.`
      return loss.computed && new ComputedStep(native, model.encoder, loss.computed, prefix)
    })
    this.#timings = args.logTimings ? new Timings() : undefined
    this.#health = new HealthMonitor(runFacts(parts, pretrained.specs))
    const onNewStream = async (which: string, name: string, firstBatch: Dataset) => {
      for (const warning of this.#health.checkColumns(which, name, firstBatch)) {
        // An evaluation outside a training has no run whose callbacks would hear of it.
        if (this.#run === undefined) emitProcessWarning(warning)
        else await this.#run.handler.warn(warning)
      }
    }
    const timings = this.#timings
    this.#sources = new BatchSources({
      ...{ args, losses, names, signal, timings, batchMaker, checkDataset, onNewStream },
      ranks: parts.ranks,
    })
  }

  /** A run that is ready to begin, at the start or at a checkpoint. */
  async begin(resume: boolean | string | null): Promise<TrainingRun> {
    const { args, model, losses, signal, gate, claim, ranks, agreement } = this.#parts
    const native = this.#native
    const say = (text: string) => this.#reporting.say(text)
    const tensors = trainableTensors(model.encoder, native)
    const pathOf = model.parameterPath && ((name: string) => model.parameterPath!(name))
    const groups = parameterGroups(args, tensors, losses.all[0]!.name, pathOf)
    if (groups !== undefined) setGroups(native, groups)
    const limited = args.memoryLimit === null ? undefined : this.#fitIntoMemory(args.memoryLimit)
    await native.begin()
    const card = await this.#recordCard()
    const find = async () => (await checkpointFolder(resume, args.outputDir)) ?? null
    const folder = (await (ranks ? ranks.fromMain(find) : find())) ?? undefined
    const train = this.#sources.training(this.#parts.trainDataset)
    const read = (from: string) =>
      readCheckpoint(from, args, train.feed.length, ranks?.size, readsByRank(this.#parts.trainDataset))
    const checkpoint = folder === undefined ? undefined : await read(folder)
    // Other cuts are other sums: a run that goes on within the same limit keeps its own.
    const hasNewLimit = args.memoryLimit !== checkpoint?.own.args.memoryLimit
    const run = new TrainingRun({
      ...{ args, native, train, signal, say, gate, claim, ranks, agreement },
      ...this.#evaluationParts(this.#parts.evalDataset),
      save: (temporary, target) => model.writeFiles(temporary, target),
      loadBest: async (best) => {
        await loadModelAndLosses(best, { model, native })
        if (card) card.bestStep = run.state.bestGlobalStep ?? undefined
      },
      weights: losses.all.map(({ name, loss }) => {
        const prefix = name === '' ? 'loss.' : `loss.${name}.`
        return loss.weights && new LossWeights(native, loss, prefix)
      }),
      scheduledWeights: () => Object.assign({}, ...losses.all.map(({ loss }) => loss.weights?.())),
      reportsAreFree: model.device === 'cpu',
      groupRates: groups?.rates,
      miniBatches: (hasNewLimit ? limited : undefined) ?? checkpoint?.own.miniBatch ?? this.#chooseMiniBatches(),
      callbacks: this.#callbacks,
      timings: this.#timings,
      health: ranks?.isMain === false ? undefined : this.#health,
    })
    this.#run = run
    if (card) model.trainingFacts = () => card.facts(run.state.logHistory)
    const parameters = trainedParameters(tensors.filter(({ name }) => groups?.groups[name] !== -1))
    say(
      runningTraining({
        ...{ args, parameters, processes: ranks?.size ?? 1, ...run.plan },
        examples: countRows(this.#parts.trainDataset),
      }),
    )
    if (checkpoint === undefined) {
      await this.#initializeLosses()
    } else {
      await loadCheckpoint(checkpoint, { model, native }, args)
      run.restore(checkpoint.own)
      const { epoch, batches } = run.steps.position
      say(resumingTraining(epoch, run.state.globalStep, batches))
      warnOfChanges(checkpoint, this.#parts.trainerName)
    }
    await this.#pretrained.close()
    return run
  }

  /** Evaluates the model as it is. The losses' own parameters are those of `lossTensors`. */
  async evaluate(evalDataset: DataSource | undefined, context: CallbackContext): Promise<LogRecord> {
    const { args, signal } = this.#parts
    const native = this.#native
    await native.beginEvaluation()
    await this.#initializeLosses()
    const say = (text: string) => this.#reporting.say(text)
    const parts = { args, native, signal, say, ...this.#evaluationParts(evalDataset) }
    return runEvaluation(parts, new CallbackHandler(this.#callbacks, context))
  }

  /** Closes everything, whatever fails. @throws the last error */
  async close(): Promise<void> {
    try {
      await this.#pretrained.close()
      await this.#sources.close()
    } finally {
      try {
        await this.#native.dispose()
      } finally {
        await this.#reporting.close()
      }
    }
  }

  #evaluationParts(evalDataset: DataSource | undefined) {
    const { evaluator } = this.#parts
    return {
      shared: this.#shared,
      computed: this.#computed,
      evalData: evalDataset && this.#sources.evaluation(evalDataset),
      evaluate: evaluator && ((context: EvaluationContext) => this.#evaluate(evaluator, context)),
    }
  }

  async #evaluate(evaluator: EvaluatorOf<M>, context: EvaluationContext): Promise<EvaluationResult> {
    const result = await evaluator.evaluate(this.#shared?.model ?? this.#parts.model, context)
    this.#card?.evaluated(evaluator, result)
    return result
  }

  /** Begins to keep what the model's card will say, unless this kind of model has no such card. */
  async #recordCard(): Promise<CardRecorder | undefined> {
    const { model, args, losses, trainDataset, evalDataset } = this.#parts
    if (model.cardKind === undefined) return undefined
    const lengthsOf = async (texts: readonly string[], dataset: string, column: string) => {
      try {
        const { tokenizer } = model.route?.(taskOf(args.routerMapping, dataset, column)) ?? model
        const { offsets } = await tokenizer.encodeAll(texts)
        return texts.map((_, i) => offsets[i + 1]! - offsets[i]!)
      } catch {
        // A text that the model refuses is no reason not to train: the column may not be used.
        return undefined
      }
    }
    const hasPairs = model.cardKind === 'pairs'
    this.#card = await CardRecorder.of({ args, losses, trainDataset, evalDataset, lengthsOf, hasPairs })
    return this.#card
  }

  #chooseMiniBatches() {
    const { args, model, losses } = this.#parts
    const all = losses.all.map(({ loss }) => loss)
    return chooseMiniBatches(args, all, model.encoder, freeMemory(model.device))
  }

  /** How batches are cut so that the process stays below `limit`. @throws ERR_INVALID_ARGUMENT, ERR_NOT_IMPLEMENTED */
  #fitIntoMemory(limit: number) {
    const { args, model, losses, trainDataset, ranks } = this.#parts
    const rows = args.perDeviceTrainBatchSize
    const columns = Math.max(...sourcesOf(trainDataset).map(([, source]) => textColumnsOf(source)))
    const longestText = longestOf(args.maxSeqLength) ?? model.maxSeqLength ?? model.maxLength ?? USUAL_LENGTH
    try {
      // A loss may see the rows of all processes.
      const training = this.#native.memory(columns, rows * (ranks?.size ?? 1))
      const plan = planMemory(limit, {
        ...{ resident: process.memoryUsage.rss(), training, longestText },
        batchTokens: columns * rows * longestText,
        recomputes: args.gradientCheckpointing || args.activationCheckpointing,
      })
      return losses.all.map(() => plan)
    } catch (error) {
      throw fromNative(error, 'Trainer.memory')
    }
  }

  /** Gives the losses' own parameters their first values. */
  async #initializeLosses(): Promise<void> {
    const { losses, lossTensors } = this.#parts
    if (lossTensors !== undefined) {
      const tensors = typeof lossTensors === 'string' ? await readLossTensors(lossTensors) : lossTensors
      return loadLossTensors(this.#native, tensors)
    }
    await this.#pretrained.load(this.#native)
    await loadInitialParameters(this.#native, losses.all)
  }
}

/** Tokens of a text at most where neither arguments nor model say it. */
const USUAL_LENGTH = 512

function longestOf(maxSeqLength: TrainingArguments['maxSeqLength']): number | undefined {
  if (maxSeqLength === null) return undefined
  return typeof maxSeqLength === 'number' ? maxSeqLength : Math.max(...Object.values(maxSeqLength))
}

/** Of a stream, as many as losses usually take. */
function textColumnsOf(source: Dataset | DataStream): number {
  return isDataset(source) ? source.textColumns.length : 3
}

function setGroups(native: GuardedTrainer, { weightDecays, groups }: ParameterGroups): void {
  try {
    native.setGroups(weightDecays, groups)
  } catch (error) {
    throw fromNative(error, 'Trainer.setGroups')
  }
}

function warnOfChanges({ folder, changed }: Checkpoint, trainer: string): void {
  if (changed.length === 0) return
  process.emitWarning(
    `${trainer}: ${changed.join(', ')} differ from those that ${folder} was trained with; training goes on otherwise than it would have`,
    'SentenceTorchWarning',
  )
}
