import { createFeed, type DataSource, isDataStream, isDataset, sourcesOf } from '../data/feed.js'
import { fromNative, SentenceTorchError } from '../errors.js'
import type { EvaluationContext } from '../evaluation/evaluator.js'
import type { NativeTrainer } from '../native/types.js'
import type { TrainingArguments } from './arguments.js'
import type {
  BaseLoss,
  BaseTrainerOptions,
  BatchMaking,
  EvaluatorOf,
  TrainableModel,
  TrainerKind,
} from './base-trainer.js'
import type { BatchSource } from './batches.js'
import type { CallbackContext, LogRecord, TrainerCallback } from './callbacks.js'
import type { NamesOfArguments } from './check-names.js'
import type { MiniBatch } from './checkpoint.js'
import { ComputedStep } from './computed-loss.js'
import { type EvaluationData, evaluateAndTell } from './evaluation-record.js'
import type { Gate } from './gate.js'
import type { GuardedTrainer } from './guarded-trainer.js'
import { HealthMonitor } from './health/monitor.js'
import { emitProcessWarning } from './health/warning.js'
import type { LossSet } from './loss-set.js'
import { loadInitialParameters, loadLossTensors, readLossTensors } from './loss-tensors.js'
import { chooseMiniBatches, freeMemory } from './mini-batch.js'
import { loadOptimizer } from './optimizer-tensors.js'
import { parameterGroups, trainableTensors } from './parameter-groups.js'
import type { PretrainedLosses } from './pretrained.js'
import { resumingTraining, runningTraining, trainedParameters } from './reporting/messages.js'
import type { Timings } from './reporting/timings.js'
import { type Checkpoint, checkpointFolder, readCheckpoint } from './resume.js'
import { TrainingRun } from './run.js'

/** Everything of one `train()`. */
export interface SessionParts<M extends TrainableModel, L extends BaseLoss>
  extends Pick<BaseTrainerOptions<M, L>, 'model' | 'trainDataset' | 'evalDataset'> {
  evaluator: EvaluatorOf<M> | undefined
  lossTensors: BaseTrainerOptions<M, L>['lossTensors'] | undefined
  args: Readonly<TrainingArguments>
  /** As the caller gave them. */
  given: Readonly<Partial<TrainingArguments>>
  kind: TrainerKind<M, L>
  losses: LossSet<L>
  names: NamesOfArguments
  pretrained: PretrainedLosses
  native: GuardedTrainer
  signal: AbortSignal | undefined
  callbacks: readonly TrainerCallback[]
  say: (text: string) => void
  timings: Timings | undefined
  gate: Gate
  /** Takes the output folder for a run that writes a checkpoint. */
  claim?: (() => Promise<void>) | undefined
}

/** Puts a run together: data, groups of parameters, what a checkpoint holds. */
export class TrainerSession<M extends TrainableModel, L extends BaseLoss> {
  readonly #parts: SessionParts<M, L>
  readonly #computed: readonly (ComputedStep | undefined)[]
  readonly #makers: BatchMaking[] = []
  readonly #health: HealthMonitor
  #run: TrainingRun | undefined

  constructor(parts: SessionParts<M, L>) {
    this.#parts = parts
    const { native, model, losses } = parts
    this.#health = new HealthMonitor(this.#facts())
    this.#computed = losses.all.map(({ name, loss }) => {
      const prefix = name === '' ? 'loss.' : `loss.${name}.`
      return loss.computed && new ComputedStep(native, model.encoder, loss.computed, prefix)
    })
  }

  /** A run that is ready to begin, at the start or where a checkpoint was written. */
  async begin(resume: boolean | string | null): Promise<TrainingRun> {
    const { args, model, native, losses, evaluator, evalDataset, kind, pretrained } = this.#parts
    const { callbacks, signal, say, timings, gate, claim } = this.#parts
    const trained = trainableTensors(model.encoder, native)
    const groups = parameterGroups(args, trained, losses.all[0]!.name)
    if (groups !== undefined) setGroups(native, groups)
    await native.begin()
    const folder = await checkpointFolder(resume, args.outputDir)
    const train = this.#source(this.#parts.trainDataset, args.perDeviceTrainBatchSize, 'trainDataset')
    const checkpoint = folder === undefined ? undefined : await readCheckpoint(folder, args, train.feed.length)
    const choose = () =>
      chooseMiniBatches(
        args,
        losses.all.map(({ loss }) => loss),
        model.encoder,
        freeMemory(model.device),
      )
    const miniBatch: readonly MiniBatch[] = checkpoint?.own.miniBatch ?? choose()
    const run = new TrainingRun({
      args,
      native,
      train,
      evalData: evalDataset && this.#evaluationSources(evalDataset),
      evaluate: evaluator && ((context) => evaluator.evaluate(model, context)),
      save: (folder, target) => model.writeFiles(folder, target),
      loadBest: (best) => this.#loadModel(best),
      reportsAreFree: model.device === 'cpu',
      groupRates: groups?.rates,
      miniBatch: (loss) => miniBatch[loss]!,
      chosenMiniBatch: miniBatch,
      callbacks,
      signal,
      say,
      timings,
      health: this.#health,
      gate,
      claim,
    })
    this.#run = run
    const parameters = trainedParameters(trained.filter(({ name }) => groups?.groups[name] !== -1))
    say(runningTraining({ args, examples: rowsOf(this.#parts.trainDataset), parameters, ...run.plan }))
    if (checkpoint === undefined) {
      await this.#startLosses()
    } else {
      await this.#resume(checkpoint)
      run.restore(checkpoint.own)
      say(resumingTraining(run.position.epoch, run.state.globalStep, run.position.batches))
      warnOfChanges(checkpoint, kind.name)
    }
    await pretrained.close()
    return run
  }

  /** Evaluates the model as it is. The losses' own parameters are those of `lossTensors`. */
  async evaluate(evalDataset: DataSource | undefined, context: CallbackContext): Promise<LogRecord> {
    const { args, model, native, evaluator, callbacks, signal, say } = this.#parts
    await native.beginEvaluation()
    await this.#startLosses()
    const parts = {
      ...{ args, native, callbacks, signal, say },
      evalData: evalDataset && this.#evaluationSources(evalDataset),
      evaluate: evaluator && ((evaluation: EvaluationContext) => evaluator.evaluate(model, evaluation)),
    }
    return evaluateAndTell(parts, context)
  }

  /** Ends what the batches were made with. */
  async close(): Promise<void> {
    for (const maker of this.#makers) await maker.close?.()
  }

  #facts(): ConstructorParameters<typeof HealthMonitor>[0] {
    const { args, given, kind, losses, model, pretrained, trainDataset, evalDataset, evaluator } = this.#parts
    const inMemory = (source: DataSource) =>
      sourcesOf(source).flatMap(([name, dataset]) => (isDataset(dataset) ? [{ name, dataset }] : []))
    return {
      args,
      given,
      device: model.device,
      hasEvaluation: evalDataset !== undefined || evaluator !== undefined,
      losses: losses.all.map(({ name, loss }, i) => ({
        name,
        type: loss.type,
        spec: pretrained.specs[i]!.spec,
        readsLabels: loss.requirements?.labels !== 'none',
        inBatchNegatives: loss.requirements?.inBatchNegatives === true,
      })),
      train: inMemory(trainDataset),
      evaluation: evalDataset === undefined ? [] : inMemory(evalDataset),
      ...(kind.modelFacts?.(model, args) ?? { isNormalized: false }),
    }
  }

  /** Gives the parameters of losses what they start from. */
  async #startLosses(): Promise<void> {
    const { losses, lossTensors, native, pretrained } = this.#parts
    // What the caller gives are the values of all of them.
    if (lossTensors !== undefined) {
      await loadLossTensors(native, typeof lossTensors === 'string' ? await readLossTensors(lossTensors) : lossTensors)
      return
    }
    await pretrained.load(native)
    await loadInitialParameters(native, losses.all)
  }

  async #resume({ folder, own }: Checkpoint): Promise<void> {
    const { native, args } = this.#parts
    await loadOptimizer(folder, native, args.compat !== null)
    try {
      await native.setCounters(own.counters!)
    } catch (cause) {
      const { code, message } = cause as SentenceTorchError
      if (code !== 'ERR_INVALID_ARGUMENT') throw fromNative(cause, 'Trainer.setCounters')
      const text = `${folder} does not fit this trainer, counters in trainer_state.json: ${message}`
      throw new SentenceTorchError('ERR_INVALID_FILE', text, { cause })
    }
    await this.#loadModel(folder)
  }

  /** Weights of the model and parameters of the losses. The model comes last: it is the caller's, and stays as it was where anything fails. */
  async #loadModel(folder: string): Promise<void> {
    const { model, native } = this.#parts
    await loadLossTensors(native, await readLossTensors(folder))
    await model.loadWeights(folder)
  }

  #evaluationSources(source: DataSource): EvaluationData[] {
    const size = this.#parts.args.perDeviceEvalBatchSize
    if (isDataset(source) || isDataStream(source)) {
      return [{ name: '', source: this.#source(source, size, 'evalDataset', true), rows: rowsOf(source) }]
    }
    return Object.entries(source).map(([name, dataset]) => ({
      name,
      source: this.#source({ [name]: dataset }, size, 'evalDataset', true),
      rows: rowsOf(dataset),
    }))
  }

  #source(source: DataSource, batchSize: number, which: 'trainDataset' | 'evalDataset', keepAll = false): BatchSource {
    const { args, model, losses, names, kind, signal, timings } = this.#parts
    const makers = new Map<string, BatchMaking>()
    const streams = new Set<string>()
    const makerOf = (dataset: string) => {
      let maker = makers.get(dataset)
      if (maker === undefined) {
        const ofTraining = keepAll ? {} : { timings }
        maker = kind.batchMaker({ model, loss: losses.of(dataset), dataset, args, signal, ...ofTraining })
        makers.set(dataset, maker)
        this.#makers.push(maker)
      }
      return maker
    }
    // All of them now, since they read settings of the model when they are made.
    for (const [name] of sourcesOf(source)) makerOf(name)
    return {
      feed: createFeed(source, {
        batchSampler: samplersOf(source, args.batchSampler),
        multiDatasetBatchSampler: args.multiDatasetBatchSampler,
        batchSize,
        seed: args.dataSeed ?? args.seed,
        dropLast: args.dataloaderDropLast && !keepAll,
        compat: args.compat !== null,
      }),
      prepare: async ({ name, dataset, rows }, position) => {
        const streamed = isDataset(source) ? false : isDataStream(source) || isDataStream(source[name])
        if (streamed) {
          names.learn(which, name, dataset)
          kind.checkData(dataset, losses.of(name), name === '' ? which : `${which}.${name}`)
          if (!streams.has(name)) {
            streams.add(name)
            for (const warning of this.#health.lookAtColumns(which, name, dataset)) {
              // An evaluation beside training has no run, whose callbacks would hear of it.
              if (this.#run === undefined) emitProcessWarning(warning)
              else await this.#run.warn(warning)
            }
          }
        }
        const numbers = streamed ? rows.map((row) => position.index * batchSize + row) : undefined
        return {
          batch: await makerOf(name).make({ dataset, rows, numbers }, position),
          loss: losses.indexOf(name),
          weight: args.datasetWeights?.[name] ?? 1,
          rows: rows.length,
          computed: this.#computed[losses.indexOf(name)],
        }
      },
    }
  }
}

/** Rows of all datasets; undefined where a stream does not tell. */
function rowsOf(source: DataSource): number | undefined {
  const lengths = sourcesOf(source).map(([, { length }]) => length)
  return lengths.some((length) => length === undefined) ? undefined : lengths.reduce<number>((sum, n) => sum + n!, 0)
}

/** Of batch samplers by dataset those of `source`: others are of datasets that are read elsewhere. */
function samplersOf(
  source: DataSource,
  samplers: TrainingArguments['batchSampler'],
): TrainingArguments['batchSampler'] {
  if (typeof samplers !== 'object') return samplers
  const own = sourcesOf(source).flatMap(([name]) => (Object.hasOwn(samplers, name) ? [[name, samplers[name]!]] : []))
  return Object.fromEntries(own)
}

function setGroups(
  native: NativeTrainer,
  { weightDecays, groups }: { weightDecays: number[]; groups: Record<string, number> },
): void {
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
