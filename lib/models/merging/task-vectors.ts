import type { TimeSlice } from '../../data/time-slice.js'
import { type Floats, inStrides, type MergeMethod, type MergeSettings, roundingOf, sumOf } from './method.js'
import { trim } from './trim.js'

/**
 * b + λ Σ wᵢ (xᵢ − b), with `normalize` divided by Σ wᵢ. Source: Ilharco et al. 2023, "Editing Models with Task Arithmetic",
 * arXiv:2212.04089.
 */
export const taskArithmetic: MergeMethod = {
  base: 'required',
  least: 2,
  most: Number.POSITIVE_INFINITY,
  parameters: { weight: [], normalize: false, lambda: 1 },
  async merge({ models, base }, settings, slice) {
    await weightedVectors(models, base!, settings, slice)
    const [sum, ...others] = models
    for (const vector of others) await each(sum!, slice, (i) => (sum![i]! += vector[i]!))
    const divisor = settings.normalize ? sumOf(settings.weight, base!) : 1
    await each(sum!, slice, (i) => (sum![i]! /= divisor))
    return addTo(base!, sum!, settings.lambda, slice)
  },
}

/**
 * As task arithmetic, of what is left after two steps: of each task vector (xᵢ − b) the share `density` of the largest numbers
 * is kept; and of the vectors only those numbers count whose sign is that of the weighted sum. `normalize` divides each number
 * by the weights that count there. `rescale` first gives a trimmed vector the sum of sizes that it had.
 * Source: Yadav et al. 2023, "TIES-Merging", arXiv:2306.01708.
 */
export const ties: MergeMethod = {
  base: 'required',
  least: 2,
  most: Number.POSITIVE_INFINITY,
  parameters: { weight: [], density: [], normalize: true, rescale: false, lambda: 1 },
  async merge({ models, base }, settings, slice) {
    await weightedVectors(models, base!, settings, slice)
    const weight = settings.weight.map(roundingOf(base!))
    const [out] = models
    const sums = new (out!.constructor as Float32ArrayConstructor)(3)
    await each(out!, slice, (i) => {
      sums.fill(0)
      for (const vector of models) sums[0]! += vector[i]!
      const sign = sums[0]! >= 0 ? 1 : -1
      for (const [k, vector] of models.entries()) {
        if (Math.sign(vector[i]!) !== sign) continue
        sums[1]! += vector[i]!
        sums[2]! += weight[k]!
      }
      out![i] = settings.normalize && sums[2] !== 0 ? sums[1]! / sums[2]! : sums[1]!
    })
    return addTo(base!, out!, settings.lambda, slice)
  },
}

/** Makes of each model its task vector, trimmed and weighted. */
async function weightedVectors(
  models: readonly Floats[],
  base: Floats,
  { weight, density, rescale }: MergeSettings,
  slice: TimeSlice,
): Promise<void> {
  for (const [k, values] of models.entries()) {
    const factor = roundingOf(base)(weight[k]!)
    await each(values, slice, (i) => (values[i]! -= base[i]!))
    await trim(values, density[k]!, rescale, slice)
    await each(values, slice, (i) => (values[i]! *= factor))
  }
}

/** base + λ · change, in the array of the change. */
async function addTo(base: Floats, change: Floats, lambda: number, slice: TimeSlice): Promise<Floats> {
  const factor = roundingOf(base)(lambda)
  await each(change, slice, (i) => {
    change[i]! *= factor
    change[i]! += base[i]!
  })
  return change
}

function each(values: Floats, slice: TimeSlice, work: (i: number) => void): Promise<void> {
  return inStrides(values.length, slice, (start, end) => {
    for (let i = start; i < end; i++) work(i)
  })
}
