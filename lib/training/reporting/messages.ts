import type { TensorInfo } from '../../native/types.js'
import type { TrainingArguments } from '../arguments/arguments.js'
import { withCommas } from './format.js'

/** The messages that transformers prints at level INFO, word for word. Source: transformers `trainer.py`. */

export interface TrainingFacts {
  args: Readonly<TrainingArguments>
  /** Rows of the training data; undefined for a stream. */
  examples: number | undefined
  epochs: number
  stepsPerEpoch: number
  maxSteps: number
  /** That train together. */
  processes: number
  /** Trained parameters: numbers in all tensors that are not frozen. */
  parameters: number
}

export function runningTraining({ args, ...facts }: TrainingFacts): string {
  const { perDeviceTrainBatchSize: batch, gradientAccumulationSteps: accumulation } = args
  const total = batch * facts.processes * accumulation
  const examples = facts.examples ?? facts.maxSteps * total
  return [
    '***** Running training *****',
    `  Num examples = ${withCommas(examples)}`,
    `  Num Epochs = ${withCommas(facts.epochs)}`,
    `  Num update steps per epoch = ${withCommas(facts.stepsPerEpoch)}`,
    `  Instantaneous batch size per device = ${withCommas(batch)}`,
    `  Total train batch size (w. parallel, distributed & accumulation) = ${withCommas(total)}`,
    `  Gradient Accumulation steps = ${accumulation}`,
    `  Total optimization steps = ${withCommas(facts.maxSteps)}`,
    `  Number of trainable parameters = ${withCommas(facts.parameters)}`,
  ].join('\n')
}

/** How many numbers the trained tensors have together. */
export function trainedParameters(tensors: readonly TensorInfo[]): number {
  return tensors
    .filter(({ group, name }) => group !== 'frozen' && !OPTIMIZER_STATE.test(name))
    .reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0)
}

const OPTIMIZER_STATE = /^(grad|exp_avg|exp_avg_sq|square_avg)\./

/** @param epoch finished epochs @param batches finished batches of the next epoch */
export function resumingTraining(epoch: number, step: number, batches: number): string {
  return [
    `  Resuming training from checkpoint with epoch ${epoch} and global step ${step}`,
    `  Fast-forwarding the dataloader past ${epoch} epochs and ${batches} batches to resume from the exact training state.`,
  ].join('\n')
}

/** @param examples undefined for a stream */
export function runningEvaluation(examples: number | undefined, batchSize: number): string {
  const count = examples === undefined ? '  Num examples: Unknown' : `  Num examples = ${examples}`
  return `\n***** Running Evaluation *****\n${count}\n  Batch size = ${batchSize}`
}

export function savingCheckpoint(folder: string): string {
  return `Saving model checkpoint to ${folder}`
}

export function deletingCheckpoint(folder: string): string {
  return `Deleting older checkpoint [${folder}] due to args.save_total_limit`
}

export function loadingBestModel(folder: string, score: number): string {
  return `Loading best model from ${folder} (score: ${score}).`
}

export const TRAINING_COMPLETED =
  '\n\nTraining completed. Do not forget to share your model on huggingface.co/models =)\n\n'
