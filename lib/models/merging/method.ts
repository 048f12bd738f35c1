import type { TimeSlice } from '../../data/time-slice.js'

/** The numbers of one tensor in the type that is computed in. Each store into an array rounds to that type. */
export type Floats = Float32Array | Float64Array

/** One tensor of every model. A method may write into all arrays but `base`, and returns one of them. */
export interface MergeTensors {
  shape: readonly number[]
  /** Of the models, in their order; without that of the base where the method has one. */
  models: readonly Floats[]
  /** Of the base. */
  base: Floats | undefined
}

/** Parameters after their check, per model in the order of `MergeTensors.models`. */
export interface MergeSettings {
  weight: readonly number[]
  density: readonly number[]
  normalize: boolean
  rescale: boolean
  lambda: number
  t: number
  filterWise: boolean
}

export type ParameterName = keyof MergeSettings

/** A way to merge models. */
export interface MergeMethod {
  /** `ignored`: there is none. */
  base: 'ignored' | 'required'
  /** How many models it takes, the base among them. */
  least: number
  most: number
  /** The parameters that it reads, with their defaults where they are its own. */
  parameters: Partial<MergeSettings> & { [name in ParameterName]?: unknown }
  merge(tensors: MergeTensors, settings: MergeSettings, slice: TimeSlice): Promise<Floats>
}

/** Numbers between two looks at the clock: less than a millisecond. */
const STRIDE = 2 ** 17

/** Runs `work` over the numbers from 0 to `length`, and lets the event loop run in between. */
export async function inStrides(
  length: number,
  slice: TimeSlice,
  work: (start: number, end: number) => void,
): Promise<void> {
  for (let start = 0; start < length; start += STRIDE) {
    work(start, Math.min(start + STRIDE, length))
    await slice.yield()
  }
}

/** Rounds a number to the type of `like`. */
export function roundingOf(like: Floats): (value: number) => number {
  return like instanceof Float32Array ? Math.fround : (value) => value
}

/** Their sum, rounded after each addition as that of a tensor. */
export function sumOf(values: readonly number[], like: Floats): number {
  const round = roundingOf(like)
  return values.reduce((sum, value) => round(sum + round(value)), 0)
}

/** Product of two vectors, in double precision. */
export async function dotOf(a: Floats, b: Floats, slice: TimeSlice): Promise<number> {
  let sum = 0
  await inStrides(a.length, slice, (start, end) => {
    for (let i = start; i < end; i++) sum += a[i]! * b[i]!
  })
  return sum
}
