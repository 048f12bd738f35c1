import { fromNative } from '../errors.js'
import { loadAddon } from '../native/load.js'
import type { ConfigObject, NativeTensors, TensorData, TensorStep } from '../native/types.js'

/** Operations are given to the engine at the latest when so many wait. */
const MOST_WAITING = 256

/**
 * The engine's tensors of this thread. Operations are written down and given to the engine together, at the end of the running
 * JavaScript, so that an operation costs no crossing; they are computed in their order on the engine's own thread.
 */
class Space {
  readonly native: NativeTensors = new (loadAddon().Tensors)()
  #steps: TensorStep[] = []
  #arrays: TensorData[] = []
  #last = 0
  #isScheduled = false
  /** Of a whole job, which the engine refused: its tensors are missing. */
  #failure: unknown

  /** @returns the number of the result */
  record(op: string, inputs: number[], options?: ConfigObject): number {
    const out = this.newId()
    this.#add({ op, out, in: inputs, ...(options && { options }) })
    return out
  }

  recordData(data: TensorData, options: ConfigObject): number {
    const out = this.newId()
    const array = this.#arrays.push(data) - 1
    this.#add({ op: 'data', out, in: [], options: { ...options, array } })
    return out
  }

  free(id: number): void {
    const last = this.#steps.at(-1)
    if (last?.op === 'free') last.in.push(id)
    else this.#add({ op: 'free', out: 0, in: [id] })
  }

  newId(): number {
    return ++this.#last
  }

  /** Gives everything to the engine. */
  flush(): void {
    const [steps, arrays] = [this.#steps, this.#arrays]
    if (steps.length === 0) return
    this.#steps = []
    this.#arrays = []
    this.native.run(steps, arrays).catch((error: unknown) => {
      this.#failure ??= error
    })
  }

  /** Begins a job behind all that was written down; whoever waits for its tensors hears of its failure. */
  later(run: (native: NativeTensors) => Promise<unknown>): void {
    this.flush()
    run(this.native).catch((error: unknown) => {
      this.#failure ??= error
    })
  }

  /** Runs a job behind all that was written down. */
  async job<T>(what: string, run: (native: NativeTensors) => Promise<T>): Promise<T> {
    this.flush()
    try {
      return await run(this.native)
    } catch (error) {
      const isMissing = (error as { code?: unknown }).code === 'ERR_DISPOSED'
      throw fromNative((isMissing && this.#failure) || error, what)
    }
  }

  #add(step: TensorStep): void {
    this.#steps.push(step)
    if (this.#steps.length >= MOST_WAITING) this.flush()
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.flush()
    })
  }
}

let space: Space | undefined

/** @throws ERR_ADDON_LOAD */
export function spaceOf(): Space {
  space ??= new Space()
  return space
}
