import { fromNative } from '../../errors.js'
import type { NativeTrainer } from '../../native/types.js'
import type { TrainableLoss } from '../batches/loss-set.js'

/** Gives the engine the weights that callbacks have changed. */
export class LossWeights {
  #sent: readonly number[] | undefined

  /** @param prefix of the loss's tensors in the engine: `loss.` or `loss.<name>.` */
  constructor(
    private readonly native: Pick<NativeTrainer, 'load'>,
    private readonly loss: Pick<TrainableLoss, 'weights'>,
    private readonly prefix: string,
  ) {}

  /** Steps that were given to the engine before have the weights of before. */
  async send(): Promise<void> {
    const weights = Object.values(this.loss.weights?.() ?? {})
    if (String(this.#sent) === String(weights)) return
    this.#sent = weights
    const data = new Uint8Array(Float32Array.from(weights).buffer)
    try {
      await this.native.load([{ name: `${this.prefix}regularizer_weights`, start: 0, dtype: 'F32', data }])
    } catch (error) {
      throw fromNative(error, 'Trainer.load')
    }
  }
}
