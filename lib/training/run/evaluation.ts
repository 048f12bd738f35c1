import { join } from 'node:path'
import { prefetch } from '../../data/prefetch.js'
import { fromNative } from '../../errors.js'
import type { EvaluationContext, EvaluationResult } from '../../evaluation/evaluator.js'
import type { NativeTrainer } from '../../native/types.js'
import type { TrainingArguments } from '../arguments/arguments.js'
import type { TrainBatch } from '../batches/batch.js'
import { type BatchSource, batchGroups, type EvaluationData } from '../batches/source.js'
import type { CallbackHandler } from '../callbacks/callback-handler.js'
import type { LogRecord, TrainerState } from '../callbacks/callbacks.js'
import type { Ranks } from '../distributed/ranks.js'
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
 * Evaluates, logs the records and calls the callbacks.
 * @param ranks of several processes, one evaluates, and all get its records
 * @returns the metrics of all datasets together
 */
export async function runEvaluation(
  parts: EvaluationParts,
  handler: CallbackHandler,
  ranks?: Pick<Ranks, 'fromMain'>,
): Promise<LogRecord> {
  const all: LogRecord = {}
  const onBatch = () => handler.emit('onPredictionStep')
  const records = evaluationRecords(parts, handler.context.state, onBatch)
  for await (const { metrics, record } of ranks ? await ranks.fromMain(() => listOf(records)) : records) {
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

async function evaluationLoss(parts: EvaluationParts, data: BatchSource, onBatch: () => Promise<void>) {
  const components = new Map<string, LossMean>()
  let sum = 0
  let rows = 0
  let batches = 0
  // Always epoch 0: every evaluation sees the same batches.
  for await (const [entry] of prefetch(batchGroups(data, 0, { size: 1 }), 2)) {
    parts.signal?.throwIfAborted()
    const value = await evaluateBatch(parts, entry!)
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

async function evaluateBatch({ native, computed }: EvaluationParts, { batch, loss }: TrainBatch) {
  try {
    const inTypeScript = computed?.[loss]
    return inTypeScript ? await inTypeScript.evaluate(batch) : await native.evaluate(batch, loss)
  } catch (error) {
    throw fromNative(error, 'Trainer.evaluate')
  }
}
