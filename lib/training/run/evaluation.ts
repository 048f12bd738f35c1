import { join } from 'node:path'
import { prefetch } from '../../data/prefetch.js'
import { fromNative } from '../../errors.js'
import type { EvaluationContext, EvaluationResult } from '../../evaluation/evaluator.js'
import type { NativeTrainer } from '../../native/types.js'
import type { TrainingArguments } from '../arguments/arguments.js'
import { type BatchSource, batchGroups, type TrainBatch } from '../batches/source.js'
import {
  type CallbackContext,
  emit,
  type LogRecord,
  type TrainerCallback,
  type TrainerState,
} from '../callbacks/callbacks.js'
import { LossMean } from '../reporting/loss-mean.js'
import { runningEvaluation } from '../reporting/messages.js'
import { roundTo } from './result.js'

/** What an evaluation during training works with; at least one of `evalData` and `evaluate`. */
export interface EvaluationParts {
  args: Readonly<TrainingArguments>
  native: Pick<NativeTrainer, 'evaluate'>
  /** The datasets, by name; '' for a single one without a name. */
  evalData?: readonly EvaluationData[] | undefined
  /** Runs the evaluator on the model. */
  evaluate?: ((context: EvaluationContext) => Promise<EvaluationResult>) | undefined
  signal?: AbortSignal | undefined
  /** Prints a message of level INFO where `logLevel` asks for it. */
  say?: ((text: string) => void) | undefined
}

export interface EvaluationData {
  name: string
  source: BatchSource
  /** Unknown for a stream. */
  rows?: number | undefined
}

interface EvaluationRecord {
  /** For `onEvaluate`. */
  metrics: LogRecord
  /** For the log: also with the components of the loss, where there is a plain `eval_loss`. */
  record: LogRecord
}

/**
 * One record per dataset: `eval_loss` (mean over the rows; `eval_<dataset>_loss` with several), the evaluator's metrics with
 * `eval_` in front (in the first alone), and how long it took.
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
    const loss = dataset && (await evaluationLoss(parts, dataset.source, onBatch))
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
 * Evaluates, and tells the log and the callbacks.
 * @returns the metrics of all datasets together
 */
export async function evaluateAndTell(
  parts: EvaluationParts & { callbacks: readonly TrainerCallback[] },
  context: CallbackContext,
): Promise<LogRecord> {
  const { callbacks } = parts
  const all: LogRecord = {}
  const onBatch = () => emit(callbacks, 'onPredictionStep', context)
  for await (const { metrics, record } of evaluationRecords(parts, context.state, onBatch)) {
    await tellRecord(record, callbacks, context)
    await emit(callbacks, 'onEvaluate', metrics, context)
    Object.assign(all, metrics)
  }
  return all
}

/** Puts a record into the history and tells the callbacks. */
export async function tellRecord(
  record: LogRecord,
  callbacks: readonly TrainerCallback[],
  context: CallbackContext,
): Promise<void> {
  context.state.logHistory.push({ ...record, step: context.state.globalStep })
  await emit(callbacks, 'onLog', record, context)
}

async function evaluationLoss({ native, signal }: EvaluationParts, data: BatchSource, onBatch: () => Promise<void>) {
  const components = new Map<string, LossMean>()
  let sum = 0
  let rows = 0
  let batches = 0
  // Always epoch 0: every evaluation sees the same batches.
  for await (const [entry] of prefetch(batchGroups(data, 0, { size: 1 }), 2)) {
    signal?.throwIfAborted()
    const value = await evaluateBatch(native, entry!)
    sum += value.loss * entry!.rows
    rows += entry!.rows
    batches++
    for (const [name, component] of Object.entries(value.components)) {
      const mean = components.get(name) ?? new LossMean()
      mean.add(component, 1)
      components.set(name, mean)
    }
    await onBatch()
  }
  const named = [...components].map(([name, mean]) => [`eval_${name}`, roundTo(mean.value, 4)] as const)
  return { mean: sum / rows, rows, batches, components: Object.fromEntries(named) as LogRecord }
}

async function evaluateBatch(native: Pick<NativeTrainer, 'evaluate'>, { batch, loss, computed }: TrainBatch) {
  try {
    return computed ? await computed.evaluate(batch) : await native.evaluate(batch, loss)
  } catch (error) {
    throw fromNative(error, 'Trainer.evaluate')
  }
}
