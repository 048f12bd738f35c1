import { SentenceTorchError } from '../../errors.js'
import { optimizerSpec } from './optimizer.js'
import { makeSchedule } from './schedule.js'
import { ARGUMENTS } from './table/index.js'
import type { TrainingArguments } from './types.js'

/**
 * Checks every argument by itself, as the table says, and then those that have to fit each other.
 * @throws ERR_INVALID_ARGUMENT, ERR_NOT_IMPLEMENTED
 */
export function checkArguments(args: TrainingArguments): void {
  for (const [name, argument] of Object.entries(ARGUMENTS)) {
    argument.check(name, args[name as keyof TrainingArguments])
  }
  // What these refuse is refused here, before anything is loaded.
  makeSchedule({ ...scheduleOf(args), warmupSteps: 1, totalSteps: 2 })
  optimizerSpec(args)
  if (args.miniBatchSize !== null && args.miniBatchTokens !== null) {
    throw conflict('miniBatchSize and miniBatchTokens exclude each other')
  }
  if (args.memoryLimit !== null && (args.miniBatchSize !== null || args.miniBatchTokens !== null)) {
    throw conflict('memoryLimit chooses mini-batches: give neither miniBatchSize nor miniBatchTokens')
  }
  if (args.bf16 && args.fp16) throw conflict('bf16 and fp16 exclude each other')
  if (args.fp16 && args.compat !== null) throw conflict('compat and fp16 exclude each other')
  checkBest(args)
}

/** What of the arguments makes the schedule. */
export function scheduleOf({ lrSchedulerType, lrSchedulerKwargs, learningRate }: Readonly<TrainingArguments>) {
  return { type: lrSchedulerType, learningRate, kwargs: lrSchedulerKwargs ?? {} }
}

/** Source: transformers `TrainingArguments.__post_init__` and `Trainer._validate_args`. */
function checkBest(args: TrainingArguments): void {
  const { loadBestModelAtEnd, saveStrategy, evalStrategy, saveSteps, evalSteps } = args
  if (saveStrategy === 'best' && !loadBestModelAtEnd && args.metricForBestModel === null) {
    throw conflict("saveStrategy 'best' needs metricForBestModel (or loadBestModelAtEnd, for the loss)")
  }
  if (saveStrategy === 'best' && evalStrategy === 'no') throw conflict("saveStrategy 'best' needs an evalStrategy")
  if (!loadBestModelAtEnd || saveStrategy === 'best') return
  if (saveStrategy !== evalStrategy || evalStrategy === 'no') {
    throw conflict(
      "loadBestModelAtEnd needs an evalStrategy and the same saveStrategy (or 'best'), but evalStrategy is " +
        `'${evalStrategy}' and saveStrategy '${saveStrategy}'`,
    )
  }
  const multiple = Math.round((saveSteps / evalSteps) * 1e9) / 1e9
  if (evalStrategy === 'steps' && (!Number.isInteger(multiple) || saveSteps < 1 !== evalSteps < 1)) {
    throw conflict(`loadBestModelAtEnd needs saveSteps (${saveSteps}) to be a multiple of evalSteps (${evalSteps})`)
  }
}

function conflict(message: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}
