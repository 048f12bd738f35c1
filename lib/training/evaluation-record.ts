import { join } from 'node:path'
import { prefetch } from '../data/prefetch.js'
import { fromNative } from '../errors.js'
import type { EvaluationContext, EvaluationResult } from '../evaluation/evaluator.js'
import type { NativeTrainer } from '../native/types.js'
import type { TrainingArguments } from './arguments.js'
import { type BatchSource, batchGroups, rowsOf } from './batches.js'
import type { LogRecord, TrainerState } from './callbacks.js'
import { roundTo } from './result.js'

/** What an evaluation during training works with; at least one of `evalData` and `evaluate`. */
export interface EvaluationParts {
  args: Readonly<TrainingArguments>
  native: Pick<NativeTrainer, 'evaluate'>
  evalData?: BatchSource | undefined
  /** Runs the evaluator on the model. */
  evaluate?: ((context: EvaluationContext) => Promise<EvaluationResult>) | undefined
  signal?: AbortSignal | undefined
}

/** `eval_loss` (mean over the rows), the evaluator's metrics with `eval_` in front, and how long it took. */
export async function evaluationRecord(
  parts: EvaluationParts,
  state: Readonly<TrainerState>,
  onBatch: () => Promise<void> = async () => {},
): Promise<LogRecord> {
  const { args, evalData, evaluate, signal } = parts
  const started = performance.now()
  const loss = evalData && (await evaluationLoss(parts, evalData, onBatch))
  const result = await evaluate?.({
    outputPath: join(args.outputDir, 'eval'),
    epoch: state.epoch,
    steps: state.globalStep,
    ...(signal && { signal }),
  })
  const seconds = (performance.now() - started) / 1000
  return {
    ...(loss && { eval_loss: loss.mean }),
    ...Object.fromEntries(Object.entries(result?.metrics ?? {}).map(([name, value]) => [`eval_${name}`, value])),
    eval_runtime: roundTo(seconds, 4),
    ...(loss && {
      eval_samples_per_second: roundTo(loss.rows / seconds, 3),
      eval_steps_per_second: roundTo(loss.batches / seconds, 3),
    }),
    epoch: state.epoch,
  }
}

async function evaluationLoss({ native, signal }: EvaluationParts, data: BatchSource, onBatch: () => Promise<void>) {
  let sum = 0
  let rows = 0
  let batches = 0
  // Always epoch 0: every evaluation sees the same batches.
  for await (const [batch] of prefetch(batchGroups(data, 0, 1), 2)) {
    signal?.throwIfAborted()
    try {
      sum += (await native.evaluate(batch!)).loss * rowsOf(batch!)
    } catch (error) {
      throw fromNative(error, 'Trainer.evaluate')
    }
    rows += rowsOf(batch!)
    batches++
    await onBatch()
  }
  return { mean: sum / rows, rows, batches }
}
