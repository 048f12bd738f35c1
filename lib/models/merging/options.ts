import { invalidArgument, SentenceTorchError } from '../../errors.js'
import type { FloatDType } from '../../io/floats.js'
import { checkOneOf, checkOptions, checkType } from '../../options.js'
import { checkSourceOptions } from '../load-options.js'
import { SOURCE_OPTIONS, type SourceOptions } from '../types.js'
import type { MergeMethod, MergeSettings } from './method.js'
import { METHODS, METHODS_NOT_BUILT, type MergeMethodName } from './methods.js'
import { type MergeParameters, readParameters } from './parameters.js'

/** How models are merged. `Model`: their class. */
export interface MergeOptions<Model> extends SourceOptions {
  /**
   * What the others are compared with: one of the models, or another one. `task_arithmetic`, `ties` and `model_stock` need it;
   * `slerp` takes the first model without it; `linear` has none.
   */
  baseModel?: string | Model
  /** Parameters of the method. */
  parameters?: MergeParameters
  /** In which numbers are computed with. Default `float32`. */
  dtype?: 'float32' | 'float64'
  /** In which the merged model is written. Default: `dtype`. A loaded model always has float32. */
  outDtype?: 'float32' | 'float64' | 'float16' | 'bfloat16'
  /** Folder of the merged model, which is replaced as by `save`. Default: none, the model is only loaded. */
  outputPath?: string
}

const FILE_DTYPES = { float32: 'F32', float64: 'F64', float16: 'F16', bfloat16: 'BF16' } as const

/** A merge, checked as far as that needs no model. */
export interface MergePlan<Loaded> {
  /** What is merged, by path, hub id or as loaded; a base that is none of the models is the last. */
  models: readonly (string | Loaded)[]
  /** Place of the base among them. */
  base: number | undefined
  /** How to call them in messages. */
  labels: readonly string[]
  method: MergeMethod
  settings: MergeSettings
  dtype: 'F32' | 'F64'
  outDtype: FloatDType
  outputPath: string | undefined
}

/**
 * @param partsOf of a model of the class; undefined for what is none
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED
 */
export function planMerge<Model, Loaded>(
  models: readonly (string | Model)[],
  name: MergeMethodName,
  options: MergeOptions<Model>,
  partsOf: (value: unknown) => Loaded | undefined,
): MergePlan<Loaded> {
  checkOneOf('method', name ?? null, Object.keys(METHODS), METHODS_NOT_BUILT)
  const own = ['baseModel', 'parameters', 'dtype', 'outDtype', 'outputPath']
  checkOptions('merge', options, [...own, ...SOURCE_OPTIONS], {
    device: { harmless: ['cpu'], instead: 'give outputPath, and load that folder on the device' },
    batchOptions: { instead: 'models are merged tensor by tensor' },
  })
  checkSourceOptions(options)
  checkType('parameters', options.parameters, 'object')
  const half = 'halves lose what is merged: outDtype rounds the result'
  if (['float16', 'bfloat16', null].includes((options.dtype ?? '') as string)) {
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', `dtype ${options.dtype} is not built; ${half}`)
  }
  checkOneOf('dtype', options.dtype, ['float32', 'float64'])
  checkOneOf('outDtype', options.outDtype, Object.keys(FILE_DTYPES))
  if (options.outputPath !== undefined && (typeof options.outputPath !== 'string' || options.outputPath === '')) {
    throw invalidArgument('outputPath', 'the path of a folder', options.outputPath)
  }
  if (!Array.isArray(models) || models.length < 2)
    throw invalidArgument('models', 'an array of at least two models', models)
  const { baseModel, dtype = 'float32', outDtype = dtype } = options
  const all: (string | Model)[] = [...models]
  const method: MergeMethod = METHODS[name]
  const base = placeOfBase(all, name, method, baseModel)
  const labels = all.map((_, i) => (i < models.length ? `models[${i}]` : 'baseModel'))
  const loaded = all.map((model, i) => {
    const found = typeof model === 'string' && model !== '' ? model : partsOf(model)
    if (found === undefined) throw invalidArgument(labels[i]!, 'a folder, a hub id or a model of this class', model)
    if (typeof model === 'string') labels[i] += ` (${model})`
    return found
  })
  if (all.length < method.least || all.length > method.most) {
    const expected = method.least === method.most ? `${method.least}` : `at least ${method.least}`
    const message = `The method ${name} takes ${expected} models, the base among them, but received ${all.length}`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  const places = all.map((_, i) => i).filter((i) => i !== base)
  const settings = readParameters(name, method, options.parameters ?? {}, places)
  return {
    ...{ models: loaded, base, labels, method, settings, outputPath: options.outputPath },
    dtype: FILE_DTYPES[dtype],
    outDtype: FILE_DTYPES[outDtype],
  }
}

/** Adds a base that is none of the models. */
function placeOfBase<Model>(
  models: (string | Model)[],
  name: string,
  { base }: MergeMethod,
  given: string | Model | undefined,
): number | undefined {
  if (base === 'ignored') {
    if (given === undefined) return undefined
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', `The method ${name} has no baseModel`)
  }
  if (given === undefined && name !== 'slerp')
    throw invalidArgument(`baseModel of the method ${name}`, 'a model', given)
  const found = given === undefined ? 0 : models.indexOf(given)
  if (found !== -1) return found
  models.push(given!)
  return models.length - 1
}
