import { fromNative, SentenceTorchError } from '../../errors.js'
import { guardOf, type WeightGuard } from '../../models/weight-guard.js'
import { loadAddon } from '../../native/load.js'
import type { NativeCollective, NativeEncoder, NativeTrainer, StepReport, TrainerSpec } from '../../native/types.js'
import type { TrainingArguments } from '../arguments/arguments.js'
import { optimizerSpec } from '../arguments/optimizer.js'
import { trainingPrecision } from '../arguments/precision.js'
import type { TrainableModel } from './trainable-model.js'

/**
 * The engine's trainer, except that jobs which change the model wait while its weights are held (see WeightGuard): by a save or
 * an evaluation beside the training.
 *
 * Others need not wait: `embed` and `forward`, the first half of a step, change nothing; `load`, `bind` and `zeroGradients` write only
 * the state of the optimiser and the parameters of losses.
 */
export class GuardedTrainer implements NativeTrainer {
  readonly #native: NativeTrainer
  readonly #guard: WeightGuard
  readonly #changesPrecision: boolean
  #trains = false

  /** @param changesPrecision whether the model computes in another precision until the trainer is disposed */
  constructor(native: NativeTrainer, encoder: NativeEncoder, changesPrecision: boolean) {
    this.#native = native
    this.#guard = guardOf(encoder)
    this.#changesPrecision = changesPrecision
  }

  /** Called before the first job of a training, which changes the precision. A holder of the weights sees one precision. */
  async begin(): Promise<void> {
    this.#trains = true
    if (this.#changesPrecision) await this.#guard.change(() => this.#native.counters())
  }

  /**
   * Called before an evaluation outside a training. An evaluation changes no weights, so it waits for no holder: the holder may be
   * waiting for it. `encode` computes in the trainer's precision meanwhile.
   */
  async beginEvaluation(): Promise<void> {
    if (this.#changesPrecision) await this.#native.counters()
  }

  step(...given: Parameters<NativeTrainer['step']>): Promise<StepReport | undefined> {
    return this.#guard.change(() => this.#native.step(...given))
  }

  apply(...given: Parameters<NativeTrainer['apply']>): Promise<StepReport | undefined> {
    return this.#guard.change(() => this.#native.apply(...given))
  }

  update(...given: Parameters<NativeTrainer['update']>): Promise<StepReport> {
    return this.#guard.change(() => this.#native.update(...given))
  }

  dispose(): Promise<void> {
    const waits = this.#changesPrecision && this.#trains
    return waits ? this.#guard.change(() => this.#native.dispose()) : this.#native.dispose()
  }

  tensors: NativeTrainer['tensors'] = () => this.#native.tensors()
  setGroups: NativeTrainer['setGroups'] = (...given) => this.#native.setGroups(...given)
  memory: NativeTrainer['memory'] = (...given) => this.#native.memory(...given)
  load: NativeTrainer['load'] = (ranges) => this.#native.load(ranges)
  dump: NativeTrainer['dump'] = (ranges) => this.#native.dump(ranges)
  embed: NativeTrainer['embed'] = (...given) => this.#native.embed(...given)
  forward: NativeTrainer['forward'] = (...given) => this.#native.forward(...given)
  bind: NativeTrainer['bind'] = (...given) => this.#native.bind(...given)
  zeroGradients: NativeTrainer['zeroGradients'] = () => this.#native.zeroGradients()
  evaluate: NativeTrainer['evaluate'] = (...given) => this.#native.evaluate(...given)
  copyWeights: NativeTrainer['copyWeights'] = () => this.#guard.change(() => this.#native.copyWeights())
  counters: NativeTrainer['counters'] = () => this.#native.counters()
  setCounters: NativeTrainer['setCounters'] = (counters) => this.#native.setCounters(counters)
  lossScaler: NativeTrainer['lossScaler'] = () => this.#native.lossScaler()
  setLossScaler: NativeTrainer['setLossScaler'] = (state) => this.#native.setLossScaler(state)
}

/** A trainer of the engine for `model`. @throws ERR_OUT_OF_MEMORY, ERR_INVALID_ARGUMENT, … as the engine reports it */
export function createTrainer(
  model: TrainableModel,
  args: Readonly<TrainingArguments>,
  losses: TrainerSpec['losses'],
  ranks?: NativeCollective,
): GuardedTrainer {
  const precision = trainingPrecision(args, model)
  const { Trainer } = loadAddon()
  try {
    const native = new Trainer(model.encoder, {
      losses,
      optimizer: optimizerSpec(args),
      weightDecay: args.weightDecay,
      maxGradNorm: args.maxGradNorm,
      seed: args.seed,
      ...((args.gradientCheckpointing || args.activationCheckpointing) && { activationCheckpointing: true }),
      ...(args.compat !== null && { compatLossGradients: true }),
      ...(precision && { precision, ...(precision === 'float16' && { lossScaler: true }) }),
      ...(ranks && { ranks }),
    })
    if (!native.tensors().some(({ name }) => name.startsWith('grad.'))) {
      void native.dispose()
      const message = 'Nothing of the model is trained: it has adapters, and none of them is active and enabled'
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    return new GuardedTrainer(native, model.encoder, precision !== undefined)
  } catch (error) {
    throw fromNative(error, 'Trainer')
  }
}
