import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { checkFinite, checkOptions, checkType, isPlainObject } from '../../options.js'
import type { MergeMethod, MergeSettings } from './method.js'

/** One number for all models; one for each (without the base, in their order); or by place among `models`. */
export type PerModel = number | readonly number[] | Readonly<Record<number, number>>

/** Parameters of the methods; each takes only its own. */
export interface MergeParameters {
  /** `linear`, `task_arithmetic`, `ties`: how much a model counts. Default 1. */
  weight?: PerModel
  /** `linear`, `ties` (default true), `task_arithmetic` (default false): divide by the sum of the weights. */
  normalize?: boolean
  /** `slerp`: place between the base (0) and the other model (1). Default 0.5. */
  t?: number
  /** `task_arithmetic`, `ties`: factor of what is added to the base. Default 1. */
  lambda?: number
  /** `ties`: share of a task vector that is kept, 0 to 1. Default 1. */
  density?: PerModel
  /** `ties`: give a trimmed task vector the sum of sizes that it had. Default false. */
  rescale?: boolean
  /** `model_stock`: a cosine for each row of a tensor instead of one. Default false. */
  filterWise?: boolean
}

/** In Python it chooses the type of a mask, which changes memory and no number. */
const NOT_BUILT = { int8Mask: { harmless: [false], instead: 'it would only save memory in Python' } }

/**
 * The parameters of a method, checked and with its defaults.
 * @param places of the models without the base, among those that the caller named
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export function readParameters(
  name: string,
  method: MergeMethod,
  given: MergeParameters,
  places: readonly number[],
): MergeSettings {
  checkOptions(`the method ${name}`, given, Object.keys(method.parameters), NOT_BUILT)
  for (const key of ['normalize', 'rescale', 'filterWise'] as const) checkType(key, given[key], 'boolean')
  checkFinite('t', given.t)
  checkFinite('lambda', given.lambda)
  const settings: MergeSettings = {
    ...{ normalize: false, rescale: false, filterWise: false, t: 0.5, lambda: 1 },
    ...method.parameters,
    ...defined(given),
    weight: perModel('weight', given.weight, places),
    density: perModel('density', given.density, places),
  }
  const share = settings.density.find((density) => density < 0 || density > 1)
  if (share !== undefined) throw invalidArgument('density', 'numbers from 0 to 1', share)
  const usesSum = settings.normalize && 'weight' in method.parameters && !('density' in method.parameters)
  if (usesSum && Math.fround(settings.weight.reduce((sum, weight) => sum + weight, 0)) === 0) {
    const message = `The weights of ${name} sum to 0, so that normalize cannot divide by their sum: set normalize to false, or other weights`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  return settings
}

function defined(given: MergeParameters): Omit<MergeParameters, 'weight' | 'density'> {
  const { weight, density, ...others } = given
  return Object.fromEntries(Object.entries(others).filter(([, value]) => value !== undefined))
}

function perModel(name: string, value: PerModel = 1, places: readonly number[]): number[] {
  if (Array.isArray(value) && value.length !== places.length) {
    throw invalidArgument(name, `one number, or ${places.length}, one for each model but the base,`, value)
  }
  const numbers = places.map((place, i) => {
    if (Array.isArray(value)) return value[i] as unknown
    return isPlainObject(value) ? value[place] : value
  })
  for (const [i, number] of numbers.entries()) {
    if (!Number.isFinite(number)) throw invalidArgument(`${name} of models[${places[i]}]`, 'a finite number', number)
  }
  const stray = isPlainObject(value) && Object.keys(value).find((key) => !places.includes(Number(key)))
  if (typeof stray === 'string') throw invalidArgument(name, `places of models (${places.join(', ')})`, stray)
  return numbers as number[]
}
