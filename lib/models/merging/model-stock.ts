import type { TimeSlice } from '../../data/time-slice.js'
import { type Floats, inStrides, type MergeMethod } from './method.js'

/**
 * t · mean(x) + (1 − t) b with t = n c / (1 + (n − 1) c), where c is the mean cosine between the task vectors (xᵢ − b) of the n
 * models: of the whole tensor, or with `filterWise` of each row of its last dimension.
 * Source: Jang et al. 2024, "Model Stock", arXiv:2403.19522.
 */
export const modelStock: MergeMethod = {
  base: 'required',
  least: 3,
  most: Number.POSITIVE_INFINITY,
  parameters: { filterWise: false },
  async merge({ models, base, shape }, { filterWise }, slice) {
    const [out] = models
    const width = filterWise && shape.length > 1 ? shape.at(-1)! : out!.length
    for (let first = 0; first < out!.length; first += width) {
      const share = interpolation(models.length, await meanCosine(models, base!, first, width, slice))
      await average(models, base!, { first, width, share }, slice)
    }
    return out!
  },
}

/** Vectors in opposite directions have no common one: then the base is what is left. */
function interpolation(n: number, cosine: number): number {
  const divisor = 1 + (n - 1) * cosine
  return divisor === 0 ? 0 : (n * cosine) / divisor
}

async function meanCosine(
  models: readonly Floats[],
  base: Floats,
  first: number,
  width: number,
  slice: TimeSlice,
): Promise<number> {
  const n = models.length
  const products = new Float64Array(n * n)
  const vector = new (base.constructor as Float32ArrayConstructor)(n)
  await inStrides(width, slice, (start, end) => {
    for (let i = first + start; i < first + end; i++) {
      for (let k = 0; k < n; k++) vector[k] = models[k]![i]! - base[i]!
      for (let k = 0; k < n; k++) for (let j = 0; j <= k; j++) products[k * n + j]! += vector[k]! * vector[j]!
    }
  })
  let sum = 0
  for (let k = 0; k < n; k++) {
    for (let j = 0; j < k; j++) {
      const lengths = Math.sqrt(products[k * n + k]!) * Math.sqrt(products[j * n + j]!)
      // A model that equals the base has no direction.
      if (lengths > 0) sum += products[k * n + j]! / lengths
    }
  }
  return sum / ((n * (n - 1)) / 2)
}

/** share · mean + (1 − share) · base, in the array of the first model. */
function average(
  models: readonly Floats[],
  base: Floats,
  { first, width, share }: { first: number; width: number; share: number },
  slice: TimeSlice,
): Promise<void> {
  const [out, ...others] = models
  return inStrides(width, slice, (start, end) => {
    for (const values of others) for (let i = first + start; i < first + end; i++) out![i]! += values[i]!
    for (let i = first + start; i < first + end; i++) {
      out![i] = share * (out![i]! / models.length) + (1 - share) * base[i]!
    }
  })
}
