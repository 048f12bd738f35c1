import { inStrides, type MergeMethod, roundingOf, sumOf } from './method.js'

/** Σ wᵢ xᵢ, with `normalize` divided by Σ wᵢ. Source: Wortsman et al. 2022, "Model soups", arXiv:2203.05482. */
export const linear: MergeMethod = {
  base: 'ignored',
  least: 2,
  most: Number.POSITIVE_INFINITY,
  parameters: { weight: [], normalize: true },
  async merge({ models }, { weight, normalize }, slice) {
    const [out, ...others] = models
    const [first, ...weights] = weight.map(roundingOf(out!))
    const divisor = normalize ? sumOf(weight, out!) : 1
    await inStrides(out!.length, slice, (start, end) => {
      for (let i = start; i < end; i++) out![i]! *= first!
      for (const [k, values] of others.entries()) {
        const factor = weights[k]!
        // The product is not rounded: torch adds it by a fused operation.
        for (let i = start; i < end; i++) out![i]! += values[i]! * factor
      }
      for (let i = start; i < end && normalize; i++) out![i]! /= divisor
    })
    return out!
  },
}
