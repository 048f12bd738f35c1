import { join } from 'node:path'
import { prefetch } from '../../data/prefetch.js'
import { fromNative } from '../../errors.js'
import type { EvaluationContext, EvaluationResult } from '../../evaluation/evaluator.js'
import type { NativeTrainer } from '../../native/types.js'
import type { TrainingArguments } from '../arguments/arguments.js'
import type { TrainBatch } from '../batches/batch.js'
import type { BatchSource, EvaluationData } from '../batches/source.js'
import type { CallbackHandler } from '../callbacks/callback-handler.js'
import type { LogRecord, TrainerState } from '../callbacks/callbacks.js'
import type { SharedModel } from '../distributed/shared-model.js'
import { roundTo } from '../reporting/format.js'
import { LossMean } from '../reporting/loss-mean.js'
import { runningEvaluation } from '../reporting/messages.js'
import type { ComputedStep } from './computed-loss.js'

/** What an evaluation works with. At least one of `evalData` and `evaluate` is set. */
export interface EvaluationParts {
  args: Readonly<TrainingArguments>
  native: Pick<NativeTrainer, 'evaluate'>
  /** By loss: set where TypeScript computes it. */
  computed?: readonly (ComputedStep | undefined)[] | undefined
  /** The datasets. */
  evalData?: readonly EvaluationData[] | undefined
  /** Runs the evaluator on the model. */
  evaluate?: ((context: EvaluationContext) => Promise<EvaluationResult>) | undefined
  /** With several processes: rank 0 evaluates, and all encode for it. */
  shared?: Pick<SharedModel<object>, 'fromMain' | 'together' | 'exchange' | 'place'> | undefined
  signal?: AbortSignal | undefined
  /** Prints a message of level INFO if `logLevel` asks for it. */
  say?: ((text: string) => void) | undefined
}

interface EvaluationRecord {
  /** For `onEvaluate`. */
  metrics: LogRecord
  /** For the log: the metrics, and with a plain `eval_loss` also the components of the loss. */
  record: LogRecord
}

/**
 * One record per dataset: `eval_loss` (mean over the rows; with several datasets `eval_<dataset>_loss`), the evaluator's
 * metrics with `eval_` before their names (only in the first record), and the time.
 * Source: sentence-transformers `BaseTrainer.evaluation_loop` and `log`.
 */
async function* evaluationRecords(
  parts: EvaluationParts,
  state: Readonly<TrainerState>,
  onBatch: () => Promise<void>,
): AsyncGenerator<EvaluationRecord, void, undefined> {
  const { args, evalData = [], evaluate, signal } = parts
  const datasets = evalData.length === 0 ? [undefined] : evalData
  for (const [i, dataset] of datasets.entries()) {
    if (dataset !== undefined) parts.say?.(runningEvaluation(dataset.rows, args.perDeviceEvalBatchSize))
    const started = performance.now()
    const loss = dataset && (await evaluationLoss(parts, i, dataset.source, onBatch))
    const result =
      i === 0
        ? await evaluate?.({
            outputPath: join(args.outputDir, 'eval'),
            epoch: state.epoch,
            steps: state.globalStep,
            ...(signal && { signal }),
          })
        : undefined
    const seconds = (performance.now() - started) / 1000
    const prefix = dataset === undefined || dataset.name === '' ? 'eval' : `eval_${dataset.name}`
    const own: LogRecord = {
      ...(loss && { [`${prefix}_loss`]: loss.mean }),
      ...Object.fromEntries(Object.entries(result?.metrics ?? {}).map(([name, value]) => [`eval_${name}`, value])),
      [`${prefix}_runtime`]: roundTo(seconds, 4),
      ...(loss && {
        [`${prefix}_samples_per_second`]: roundTo(loss.rows / seconds, 3),
        [`${prefix}_steps_per_second`]: roundTo(loss.batches / seconds, 3),
      }),
    }
    const components = prefix === 'eval' ? loss?.components : undefined
    yield { metrics: { ...own, epoch: state.epoch }, record: { ...own, ...components, epoch: state.epoch } }
  }
}

/**
 * Evaluates, logs the records and calls the callbacks.
 * @returns the metrics of all datasets together
 */
export async function runEvaluation(parts: EvaluationParts, handler: CallbackHandler): Promise<LogRecord> {
  const { shared } = parts
  const all: LogRecord = {}
  const onBatch = () => handler.emit('onPredictionStep')
  const help = (dataset: number) => batchLosses(parts, parts.evalData![dataset]!.source, onBatch)
  const records = evaluationRecords(parts, handler.context.state, onBatch)
  for await (const { metrics, record } of shared ? await shared.fromMain(() => listOf(records), help) : records) {
    await handler.log(record)
    await handler.emit('onEvaluate', metrics)
    Object.assign(all, metrics)
  }
  return all
}

async function listOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

async function evaluationLoss(
  parts: EvaluationParts,
  dataset: number,
  data: BatchSource,
  onBatch: () => Promise<void>,
) {
  const own = () => batchLosses(parts, data, onBatch)
  const batches = await (parts.shared === undefined ? own() : parts.shared.together(dataset, own))
  const components = new Map<string, LossMean>()
  let sum = 0
  let rows = 0
  for (const value of batches) {
    sum += value.loss * value.rows
    rows += value.rows
    for (const [name, component] of Object.entries(value.components)) {
      const mean = components.get(name) ?? new LossMean()
      mean.add(component, 1)
      components.set(name, mean)
    }
  }
  const named = [...components].map(([name, mean]) => [`eval_${name}`, roundTo(mean.value, 4)] as const)
  return { mean: sum / rows, rows, batches: batches.length, components: Object.fromEntries(named) as LogRecord }
}

interface BatchLoss {
  loss: number
  rows: number
  components: Record<string, number>
}

/** The losses of all batches in their order. Several processes take turns to compute one. */
async function batchLosses(
  parts: EvaluationParts,
  data: BatchSource,
  onBatch: () => Promise<void>,
): Promise<BatchLoss[]> {
  const { rank, size } = parts.shared?.place ?? { rank: 0, size: 1 }
  const own: BatchLoss[] = []
  for await (const entry of prefetch(everyBatch(data, rank, size), 2)) {
    parts.signal?.throwIfAborted()
    const { loss, components } = await evaluateBatch(parts, entry)
    own.push({ loss, rows: entry.rows, components })
    await onBatch()
  }
  if (parts.shared === undefined) return own
  const all = await parts.shared.exchange(own)
  return Array.from(
    { length: all.reduce((sum, { length }) => sum + length, 0) },
    (_, i) => all[i % size]![Math.floor(i / size)]!,
  )
}

/** Of every `size` batches number `rank`. Always those of epoch 0: every evaluation sees the same batches. */
async function* everyBatch({ feed, prepare }: BatchSource, rank: number, size: number): AsyncGenerator<TrainBatch> {
  let index = -1
  for await (const batch of feed.batches(0)) {
    if (++index % size === rank) yield await prepare(batch, { epoch: 0, index })
  }
}

async function evaluateBatch({ native, computed }: EvaluationParts, { batch, loss }: TrainBatch) {
  try {
    const inTypeScript = computed?.[loss]
    return inTypeScript ? await inTypeScript.evaluate(batch) : await native.evaluate(batch, loss)
  } catch (error) {
    throw fromNative(error, 'Trainer.evaluate')
  }
}
