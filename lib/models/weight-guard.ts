import { AsyncLocalStorage } from 'node:async_hooks'
import type { NativeEncoder } from '../native/types.js'

/** The work of a holder that is not inside that of another one. */
interface Holder {
  open: boolean
}

/**
 * Tells whether a holder is called by another one's work. Node follows every promise for that, so it does only while somebody
 * holds weights.
 */
const holding = new AsyncLocalStorage<Holder>()
let holders = 0

/** The longest that a holder waits for changes, in ms: so long an evaluation beside it may take. */
const LONGEST_WAIT = 60_000

/**
 * Keeps the weights of a model as they are while something that takes several jobs of the engine reads them: a save, an
 * evaluation. Jobs that change weights (training steps, loads) wait until nobody holds them.
 *
 * No lock is held between two jobs that change weights, so that whoever holds them may be called by the training itself: a
 * callback, an evaluator, the function of a `Custom` loss.
 *
 * Holders that overlap without end would leave a training no turn. So who comes while changes wait lets them go first, but
 * never longer than they have waited already. All holders that are there have ended by then at the latest when the changes have
 * waited as long as the longest of them takes. Two kinds must not stand still: who comes from the work of a holder, of any model,
 * never waits, since the changes wait for it; and who belongs to such work in a way that nobody sees (through a queue, an
 * event) is late and then goes on.
 */
export class WeightGuard {
  #holders = 0
  readonly #running = new Set<Promise<unknown>>()
  /** What holders keep waiting, in its order. */
  #waiting: (() => void)[] = []
  /** When the first of them came. */
  #waitingSince = 0
  /** Holders that let them go first. */
  #newcomers: (() => void)[] = []

  /** Runs `work` while the weights are those between two changes. Several at a time, and one inside another. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    const isInside = holding.getStore()?.open === true
    if (!isInside && this.#waiting.length > 0) await this.#letChangesGoFirst()
    this.#holders++
    holders++
    const holder: Holder = { open: true }
    try {
      // How they end concerns those who began them.
      await Promise.allSettled(this.#running)
      return await (isInside ? work() : holding.run(holder, work))
    } finally {
      holder.open = false
      if (--holders === 0) holding.disable()
      if (--this.#holders === 0) {
        for (const begin of this.#waiting.splice(0)) begin()
        for (const enter of this.#newcomers.splice(0)) enter()
      }
    }
  }

  #letChangesGoFirst(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(performance.now() - this.#waitingSince, LONGEST_WAIT))
      this.#newcomers.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  /** Runs a job that changes the weights: at once if nobody holds them. Those that wait keep their order. */
  change<T>(job: () => Promise<T>): Promise<T> {
    if (this.#holders === 0) return this.#run(job)
    if (this.#waiting.length === 0) this.#waitingSince = performance.now()
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
