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
  /** Why tensors are missing: the engine refused the whole job that makes them. By their numbers. */
  readonly #refused = new Map<number, unknown>()

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
      for (const { op, out } of steps) if (op !== 'free') this.#refused.set(out, error)
    })
  }

  /** Begins a job that makes the tensors `ids`, behind all that was written down; whoever waits for them hears of its failure. */
  later(ids: readonly number[], run: (native: NativeTensors) => Promise<unknown>): void {
    this.flush()
    run(this.native).catch((error: unknown) => {
      for (const id of ids) this.#refused.set(id, error)
    })
  }

  /** Runs a job behind all that was written down. */
  async job<T>(what: string, run: (native: NativeTensors) => Promise<T>): Promise<T> {
    this.flush()
    try {
      return await run(this.native)
    } catch (error) {
      const missing = /^The tensor (\d+) was disposed of$/.exec((error as Error).message)
      throw fromNative((missing && this.#refused.get(Number(missing[1]))) ?? error, what)
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
