import type { NativeEncoder } from '../native/types.js'

/**
 * Keeps the weights of a model as they are while something that takes several jobs of the engine reads them: a save, an
 * evaluation. Jobs that change weights (training steps, loads) wait until nobody holds them.
 *
 * No lock is held between two jobs that change weights, so that whoever holds them may be called by the training itself: a
 * callback, an evaluator, the function of a `Custom` loss.
 */
export class WeightGuard {
  #holders = 0
  readonly #running = new Set<Promise<unknown>>()
  /** What holders keep waiting, in its order. */
  #waiting: (() => void)[] = []

  /** Runs `work` while the weights are those between two changes. Several at a time, and one inside another. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    this.#holders++
    try {
      // How they end concerns those who began them.
      await Promise.allSettled(this.#running)
      return await work()
    } finally {
      if (--this.#holders === 0) for (const begin of this.#waiting.splice(0)) begin()
    }
  }

  /** Runs a job that changes the weights: at once if nobody holds them. Those that wait keep their order. */
  change<T>(job: () => Promise<T>): Promise<T> {
    if (this.#holders === 0) return this.#run(job)
    return new Promise((resolve) => {
      this.#waiting.push(() => resolve(this.#run(job)))
    })
  }

  #run<T>(job: () => Promise<T>): Promise<T> {
    const running = begun(job)
    this.#running.add(running)
    const end = () => void this.#running.delete(running)
    running.then(end, end)
    return running
  }
}

/** Begins at once, and throws nothing. */
async function begun<T>(job: () => Promise<T>): Promise<T> {
  return job()
}

const guards = new WeakMap<NativeEncoder, WeightGuard>()

/** The guard of a model, by its encoder: trainers, saves and evaluators meet there. */
export function guardOf(encoder: NativeEncoder): WeightGuard {
  let guard = guards.get(encoder)
  if (guard === undefined) {
    guard = new WeightGuard()
    guards.set(encoder, guard)
  }
  return guard
}
