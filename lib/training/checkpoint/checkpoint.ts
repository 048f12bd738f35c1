import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DataFeed } from '../../data/feed.js'
import { fromNative } from '../../errors.js'
import { saveFolder } from '../../io/rescue.js'
import type { LossScalerState, NativeTrainer } from '../../native/types.js'
import { isDeciding, type TrainingArguments } from '../arguments/arguments.js'
import type { RunPlan } from '../arguments/run-plan.js'
import type { MiniBatch } from '../batches/mini-batch.js'
import type { Ranks } from '../distributed/ranks.js'
import { dumpLossTensors, saveLossTensors } from './loss-tensors.js'
import { saveOptimizer } from './optimizer-tensors.js'
import { listCheckpoints } from './rotation.js'
import type { SavedRun } from './saved-run.js'

/** The sources of a checkpoint. */
export interface CheckpointParts {
  args: Readonly<TrainingArguments>
  native: Pick<NativeTrainer, 'tensors' | 'dump' | 'counters' | 'lossScaler'>
  /** Writes the model's files into an empty folder, which will be renamed to `target`. */
  save(folder: string, target: string): Promise<void>
  train: { feed: Pick<DataFeed, 'length'> }
  /** Locks the output folder for this run. */
  claim?: (() => Promise<void>) | undefined
  /** The processes that train together. */
  ranks?: Pick<Ranks, 'size'> | undefined
  /** By loss: how batches are cut for gradient caching in this run. */
  miniBatches?: readonly MiniBatch[] | undefined
}

/** The name of this package's own block in trainer_state.json. It is under `stateful_callbacks`, where transformers allows any name. */
export const OWN_BLOCK = 'sentence_torch'

/** The block of trainer_state.json that only this package reads. */
export interface OwnState extends SavedRun {
  format: 1
  /** Steps and updates of the engine; absent in checkpoints without optimiser. */
  counters?: number[]
  /** Of `fp16`; as `counters`. */
  lossScaler?: LossScalerState
  miniBatch: readonly MiniBatch[]
  /** Rows of a batch, of all processes together; absent: `perDeviceTrainBatchSize`. */
  batchRows?: number | undefined
  /** Undefined for a stream of unknown length. */
  batchesPerEpoch?: number | undefined
  /** The arguments that decide the results of the run. */
  args: Record<string, unknown>
}

/** The arguments that decide the results of a run, as JSON. */
export function decidingArguments(args: Readonly<TrainingArguments>): Record<string, unknown> {
  const plain = (_: string, value: unknown) =>
    value instanceof RegExp ? String(value) : typeof value === 'function' ? `function ${value.name}` : value
  const rest = Object.entries(args).filter(([name]) => isDeciding(name))
  return JSON.parse(JSON.stringify(Object.fromEntries(rest), plain)) as Record<string, unknown>
}

/**
 * Writes `checkpoint-N` in the output folder: a loadable model folder with `loss.safetensors` (if losses own parameters),
 * `optimizer.safetensors` (unless `saveOnlyModel`) and `trainer_state.json`. It appears there whole or not at all: see
 * `replaceFolder`.
 *
 * @returns the folder
 * @throws NotSavedError when it could not be written there; the whole checkpoint is then in a temporary folder
 */
export async function saveCheckpoint(
  parts: CheckpointParts,
  plan: Pick<RunPlan, 'loggingSteps' | 'evalSteps' | 'saveSteps'>,
  run: SavedRun,
): Promise<string> {
  const { args, native, save } = parts
  const { state } = run
  const name = `checkpoint-${state.globalStep}`
  const folder = join(args.outputDir, name)
  await parts.claim?.()
  if (state.bestGlobalStep !== null) {
    const best = `checkpoint-${state.bestGlobalStep}`
    const isThere = best === name || (await listCheckpoints(args.outputDir)).includes(best)
    if (isThere) Object.assign(state, { bestModelCheckpoint: join(args.outputDir, best) })
  }
  await saveFolder(
    folder,
    async (temporary) => {
      await save(temporary, folder)
      await saveLossTensors(temporary, await dumpLossTensors(native))
      if (!args.saveOnlyModel) await saveOptimizer(temporary, native, args.compat !== null)
      const own: OwnState = {
        format: 1,
        ...run,
        ...(!args.saveOnlyModel && (await engineState(native))),
        miniBatch: parts.miniBatches ?? [],
        ...(parts.ranks && { batchRows: args.perDeviceTrainBatchSize * parts.ranks.size }),
        batchesPerEpoch: parts.train.feed.length,
        args: decidingArguments(args),
      }
      const text = JSON.stringify(trainerState(args, plan, own), null, 2)
      await writeFile(join(temporary, 'trainer_state.json'), `${text}\n`)
    },
    { keepUnknown: false },
  )
  return folder
}

/** The JSON of transformers' `TrainerState`, which transformers reads too. */
function trainerState(
  args: Readonly<TrainingArguments>,
  plan: Pick<RunPlan, 'loggingSteps' | 'evalSteps' | 'saveSteps'>,
  own: OwnState,
): object {
  const { logHistory, ...state } = own.state
  return {
    best_global_step: state.bestGlobalStep,
    best_metric: state.bestMetric,
    best_model_checkpoint: state.bestModelCheckpoint,
    epoch: state.epoch,
    eval_steps: plan.evalSteps,
    global_step: state.globalStep,
    is_hyper_param_search: false,
    is_local_process_zero: true,
    is_world_process_zero: true,
    log_history: logHistory,
    logging_steps: plan.loggingSteps,
    max_steps: state.maxSteps,
    num_input_tokens_seen: 0,
    num_train_epochs: state.numTrainEpochs,
    save_steps: plan.saveSteps,
    stateful_callbacks: { ...own.callbacks, [OWN_BLOCK]: { ...own, state, callbacks: undefined } },
    total_flos: 0,
    train_batch_size: args.perDeviceTrainBatchSize,
    trial_name: null,
    trial_params: null,
  }
}

async function engineState(
  native: Pick<NativeTrainer, 'counters' | 'lossScaler'>,
): Promise<Pick<OwnState, 'counters' | 'lossScaler'>> {
  try {
    const lossScaler = await native.lossScaler()
    return { counters: await native.counters(), ...(lossScaler && { lossScaler }) }
  } catch (error) {
    throw fromNative(error, 'Trainer.counters')
  }
}
