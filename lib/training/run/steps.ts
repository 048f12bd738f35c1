import { fromNative } from '../../errors.js'
import type { NativeTrainer, StepOptions, StepReport } from '../../native/types.js'
import type { TrainBatch } from '../batches/source.js'

interface RunningBatch<E> {
  promise: Promise<StepReport | undefined>
  /** Set on the batch that ends an optimiser step. */
  ends: E | undefined
  /** It must be done before the next one is given to the engine. */
  alone: boolean
}

/** Gives batches to the engine: two are in flight, so that the engine need not wait for JavaScript. */
export class StepQueue<E> {
  readonly #native: Pick<NativeTrainer, 'step'>
  readonly #onDone: (report: StepReport | undefined, ends: E | undefined) => Promise<void>
  /** The batch that was given to the engine last; with the one before it at most two are in flight. */
  #running: RunningBatch<E> | undefined

  /** @param onDone hears of every batch that is done, in order */
  constructor(
    native: Pick<NativeTrainer, 'step'>,
    onDone: (report: StepReport | undefined, ends: E | undefined) => Promise<void>,
  ) {
    this.#native = native
    this.#onDone = onDone
  }

  /** Gives a batch to the engine and waits for the one before it. */
  async add({ batch, computed }: TrainBatch, options: StepOptions, ends: E | undefined): Promise<void> {
    const alone = computed !== undefined
    if (alone || this.#running?.alone) await this.settle()
    const promise = computed === undefined ? this.#native.step(batch, options) : computed.step(batch, options)
    // Whoever waits for it handles a failure; a second failing step must not count as unhandled meanwhile.
    promise.catch(() => {})
    const previous = this.#running
    this.#running = { promise, ends, alone }
    if (previous !== undefined) await this.#finish(previous)
  }

  /** Waits for what is in flight. */
  async settle(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    if (running !== undefined) await this.#finish(running)
  }

  /** Waits for what is in flight without looking at it, after an error. */
  async abandon(): Promise<void> {
    await this.#running?.promise.catch(() => {})
    this.#running = undefined
  }

  async #finish({ promise, ends }: RunningBatch<E>): Promise<void> {
    let report: StepReport | undefined
    try {
      report = await promise
    } catch (error) {
      throw fromNative(error, 'Trainer.step')
    }
    await this.#onDone(report, ends)
  }
}
