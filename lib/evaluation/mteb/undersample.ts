import { MersenneTwister } from './mersenne-twister.js'

/**
 * The training rows of each experiment: the first `samplesPerLabel` of every label in a shuffled order. As in MTEB, every
 * experiment shuffles the order of the previous one, with the same random numbers.
 * @param labels label of every row
 */
export function undersample(
  labels: readonly unknown[],
  experiments: number,
  samplesPerLabel: number,
  seed: number,
): number[][] {
  const order = Int32Array.from({ length: labels.length }, (_, i) => i)
  return Array.from({ length: experiments }, () => {
    new MersenneTwister(seed).shuffle(order)
    const taken = new Map<unknown, number>()
    const rows: number[] = []
    for (const row of order) {
      const count = taken.get(labels[row]) ?? 0
      if (count === samplesPerLabel) continue
      taken.set(labels[row], count + 1)
      rows.push(row)
    }
    return rows
  })
}
