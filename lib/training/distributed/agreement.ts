import type { TrainerControl } from '../callbacks/callbacks.js'
import type { Ranks } from './ranks.js'

const FLAGS = ['shouldTrainingStop', 'shouldEpochStop', 'shouldLog', 'shouldEvaluate', 'shouldSave'] as const

/**
 * What several processes do together on the request of one: a callback's flags, and the end by a signal. Requests go with the sums of
 * every step, and every process follows them after that step.
 */
export class Agreement {
  readonly #ranks: Ranks
  readonly #stop = new AbortController()
  readonly #wanted: AbortSignal | undefined

  /** @param wanted the caller's signal on this process */
  constructor(ranks: Ranks, wanted: AbortSignal | undefined) {
    this.#ranks = ranks
    this.#wanted = wanted
  }

  /** Fires on all processes after the same step. */
  get signal(): AbortSignal {
    return this.#stop.signal
  }

  /** Takes what the callbacks of this process ask for, as numbers that are summed over all processes. */
  take(own: TrainerControl): number[] {
    const requests = FLAGS.map((flag) => Number(own[flag]))
    for (const flag of FLAGS) own[flag] = false
    return [...requests, Number(this.#wanted?.aborted === true)]
  }

  /** @param sums of what all processes took */
  follow(sums: readonly number[], agreed: TrainerControl): void {
    for (const [i, flag] of FLAGS.entries()) if (sums[i]! > 0) agreed[flag] = true
    if (sums[FLAGS.length]! === 0) return
    this.#stop.abort(
      this.#wanted?.aborted ? this.#wanted.reason : new Error('Another process of the training was told to stop'),
    )
  }

  /** At once, where no step follows that would bring it. */
  async now(own: TrainerControl, agreed: TrainerControl): Promise<void> {
    const all = await this.#ranks.exchange(this.take(own))
    this.follow(
      all.reduce((sums, each) => sums.map((sum, i) => sum + each[i]!)),
      agreed,
    )
  }
}
