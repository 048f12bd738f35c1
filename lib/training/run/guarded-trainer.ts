import { guardOf, type WeightGuard } from '../../models/weight-guard.js'
import type { NativeEncoder, NativeTrainer, StepReport } from '../../native/types.js'

/**
 * An engine's trainer whose jobs that change what the model gives wait while somebody holds its weights (see WeightGuard): a save
 * or an evaluation beside the training.
 *
 * The first half of a step (`embed`) changes nothing of the model, and what `load` writes is the training's own: the state of
 * the optimiser and the parameters of losses.
 */
export class GuardedTrainer implements NativeTrainer {
  readonly #native: NativeTrainer
  readonly #guard: WeightGuard
  readonly #changesPrecision: boolean
  #trains = false

  /** @param changesPrecision whether the model computes in another precision as long as the trainer lives */
  constructor(native: NativeTrainer, encoder: NativeEncoder, changesPrecision: boolean) {
    this.#native = native
    this.#guard = guardOf(encoder)
    this.#changesPrecision = changesPrecision
  }

  /** Before the first job of a training, which changes the precision: those who hold the model see one. */
  async begin(): Promise<void> {
    this.#trains = true
    if (this.#changesPrecision) await this.#guard.change(() => this.#native.counters())
  }

  /**
   * Before an evaluation outside a training. It changes no weights, and waits for nobody: who holds the model may be waiting for
   * it. The precision becomes the trainer's for whoever encodes meanwhile.
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

  dispose(): Promise<void> {
    const waits = this.#changesPrecision && this.#trains
    return waits ? this.#guard.change(() => this.#native.dispose()) : this.#native.dispose()
  }

  tensors: NativeTrainer['tensors'] = () => this.#native.tensors()
  setGroups: NativeTrainer['setGroups'] = (...given) => this.#native.setGroups(...given)
  load: NativeTrainer['load'] = (ranges) => this.#native.load(ranges)
  dump: NativeTrainer['dump'] = (ranges) => this.#native.dump(ranges)
  embed: NativeTrainer['embed'] = (...given) => this.#native.embed(...given)
  evaluate: NativeTrainer['evaluate'] = (...given) => this.#native.evaluate(...given)
  counters: NativeTrainer['counters'] = () => this.#native.counters()
  setCounters: NativeTrainer['setCounters'] = (counters) => this.#native.setCounters(counters)
}
