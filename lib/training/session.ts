import { createFeed, type DataSource, isDataStream, isDataset, sourcesOf } from '../data/feed.js'
import { fromNative } from '../errors.js'
import type { NativeTrainer } from '../native/types.js'
import type { TrainingArguments } from './arguments.js'
import type { BaseLoss, BaseTrainerOptions, BatchMaking, TrainableModel, TrainerKind } from './base-trainer.js'
import type { BatchSource } from './batches.js'
import type { TrainerCallback } from './callbacks.js'
import type { MiniBatch } from './checkpoint.js'
import { ComputedStep } from './computed-loss.js'
import type { EvaluationData } from './evaluation-record.js'
import type { Gate } from './gate.js'
import { HealthMonitor } from './health/monitor.js'
import type { LossSet } from './loss-set.js'
import { loadInitialParameters, loadLossTensors, readLossTensors } from './loss-tensors.js'
import { chooseMiniBatches, freeMemory } from './mini-batch.js'
import { loadOptimizer } from './optimizer-tensors.js'
import { parameterGroups, trainableTensors } from './parameter-groups.js'
import { resumingTraining, runningTraining, trainedParameters } from './reporting/messages.js'
import type { Timings } from './reporting/timings.js'
import { type Checkpoint, checkpointFolder, readCheckpoint } from './resume.js'
import { TrainingRun } from './run.js'

/** Everything of one `train()`. */
export interface SessionParts<M extends TrainableModel, L extends BaseLoss>
  extends Pick<BaseTrainerOptions<M, L>, 'model' | 'trainDataset' | 'evalDataset' | 'evaluator' | 'lossTensors'> {
  args: Readonly<TrainingArguments>
  /** As the caller gave them. */
  given: Readonly<Partial<TrainingArguments>>
  kind: TrainerKind<M, L>
  losses: LossSet<L>
  native: NativeTrainer
  signal: AbortSignal | undefined
  callbacks: readonly TrainerCallback[]
  say: (text: string) => void
  timings: Timings | undefined
  gate: Gate
}

/** Puts a run together: data, groups of parameters, what a checkpoint holds. */
export class TrainerSession<M extends TrainableModel, L extends BaseLoss> {
  readonly #parts: SessionParts<M, L>
  readonly #computed: readonly (ComputedStep | undefined)[]
  readonly #makers: BatchMaking[] = []

  constructor(parts: SessionParts<M, L>) {
    this.#parts = parts
    const { native, model, losses } = parts
    this.#computed = losses.all.map(({ name, loss }) => {
      const prefix = name === '' ? 'loss.' : `loss.${name}.`
      return loss.computed && new ComputedStep(native, model.encoder, loss.computed, prefix)
    })
  }

  /** A run that is ready to begin, at the start or where a checkpoint was written. */
  async begin(resume: boolean | string | null): Promise<TrainingRun> {
    const { args, model, native, losses, evaluator, evalDataset, kind } = this.#parts
    const { callbacks, signal, say, timings, gate } = this.#parts
    const trained = trainableTensors(model.encoder, native)
    const groups = parameterGroups(args, trained, losses.all[0]!.name)
    if (groups !== undefined) setGroups(native, groups)
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
      save: (target) => model.save(target),
      loadBest: (best) => this.#loadModel(best),
      reportsAreFree: model.device === 'cpu',
      groupRates: groups?.rates,
      miniBatch: (loss) => miniBatch[loss]!,
      chosenMiniBatch: miniBatch,
      callbacks,
      signal,
      say,
      timings,
      health: new HealthMonitor(this.#facts()),
      gate,
    })
    const parameters = trainedParameters(trained.filter(({ name }) => groups?.groups[name] !== -1))
    say(runningTraining({ args, examples: rowsOf(this.#parts.trainDataset), parameters, ...run.plan }))
    if (checkpoint === undefined) {
      await loadInitialParameters(native, losses.all)
      await this.#loadLossTensors()
    } else {
      await this.#resume(checkpoint)
      run.restore(checkpoint.own)
      say(resumingTraining(run.position.epoch, run.state.globalStep, run.position.batches))
      warnOfChanges(checkpoint, kind.name)
    }
    return run
  }

  /** Ends what the batches were made with. */
  async close(): Promise<void> {
    for (const maker of this.#makers) await maker.close?.()
  }

  #facts(): ConstructorParameters<typeof HealthMonitor>[0] {
    const { args, given, kind, losses, model, trainDataset, evalDataset } = this.#parts
    const inMemory = (source: DataSource) =>
      sourcesOf(source).flatMap(([name, dataset]) => (isDataset(dataset) ? [{ name, dataset }] : []))
    return {
      args,
      given,
      losses: losses.all.map(({ name, loss }) => ({
        name,
        type: loss.type,
        spec: loss.spec(model.encoder.embeddingDimension, model.config),
        readsLabels: loss.requirements?.labels !== 'none',
        inBatchNegatives: loss.requirements?.inBatchNegatives === true,
      })),
      train: inMemory(trainDataset),
      evaluation: evalDataset === undefined ? [] : inMemory(evalDataset),
      ...(kind.modelFacts?.(model, args) ?? { isNormalized: false }),
    }
  }

  async #loadLossTensors(): Promise<void> {
    const { lossTensors, native } = this.#parts
    if (lossTensors === undefined) return
    await loadLossTensors(native, typeof lossTensors === 'string' ? await readLossTensors(lossTensors) : lossTensors)
  }

  async #resume({ folder, own }: Checkpoint): Promise<void> {
    const { native, args } = this.#parts
    await this.#loadModel(folder)
    await loadOptimizer(folder, native, args.compat !== null)
    try {
      await native.setCounters(own.counters!)
    } catch (error) {
      throw fromNative(error, 'Trainer.setCounters')
    }
  }

  /** Weights of the model and parameters of the losses. */
  async #loadModel(folder: string): Promise<void> {
    const { model, native } = this.#parts
    await model.loadWeights(folder)
    await loadLossTensors(native, await readLossTensors(folder))
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

  #source(source: DataSource, batchSize: number, which: string, keepAll = false): BatchSource {
    const { args, model, losses, kind, signal, timings } = this.#parts
    const makers = new Map<string, BatchMaking>()
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
        batchSampler: args.batchSampler,
        multiDatasetBatchSampler: args.multiDatasetBatchSampler,
        batchSize,
        seed: args.dataSeed ?? args.seed,
        dropLast: args.dataloaderDropLast && !keepAll,
        compat: args.compat !== null,
      }),
      prepare: async ({ name, dataset, rows }, position) => {
        const streamed = isDataset(source) ? false : isDataStream(source) || isDataStream(source[name])
        if (streamed) kind.checkData(dataset, losses.of(name), name === '' ? which : `${which}.${name}`)
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
