/** Successive halving within a time: how many trials, and how long each of them trains at every rung. */

/** Of each rung this part goes on: the best third. */
export const REDUCTION = 3
/** Rungs at most; more would begin with 81 trials. */
const MOST_RUNGS = 4
/** Fewer steps say nothing of a loss or a rate. */
const LEAST_STEPS = 8

export interface Bracket {
  /** Trials of the first rung. */
  trials: number
  rungs: number
}

/** What a training costs on this machine, in seconds. */
export interface Costs {
  /** Of a training beside its steps: the model is loaded, and measured on dev. */
  perTraining: number
  /** Of a step. */
  perStep: number
}

/**
 * The bracket with the most rungs whose first trainings still have enough steps, and at least as much time for steps as for all
 * else. Every rung gets the same time. Undefined where not even one training fits.
 * Papers: Jamieson and Talwalkar 2016, https://arxiv.org/abs/1502.07943; Li et al. 2018, https://arxiv.org/abs/1603.06560.
 * @param seconds for all of it
 */
export function planBracket(seconds: number, { perTraining, perStep }: Costs): Bracket | undefined {
  for (let rungs = MOST_RUNGS; rungs >= 1; rungs--) {
    const trials = REDUCTION ** (rungs - 1)
    const first = trainingSeconds(seconds, rungs, 0, trials, perTraining)
    if (first >= Math.max(LEAST_STEPS * perStep, rungs > 1 ? perTraining : 0)) return { trials, rungs }
  }
  return undefined
}

/**
 * Seconds of steps for each of `trials` at a rung. It is computed again before every rung from the time that is left, so that a
 * rung that took longer shortens those that follow.
 * @param seconds left for this rung and those that follow
 */
export function trainingSeconds(
  seconds: number,
  rungs: number,
  rung: number,
  trials: number,
  perTraining: number,
): number {
  return seconds / (rungs - rung) / trials - perTraining
}

/** How many of `trials` go on to the next rung. */
export function survivors(trials: number): number {
  return Math.max(1, Math.floor(trials / REDUCTION))
}
