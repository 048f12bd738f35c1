import { mkdir, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TimeSlice } from '../../data/time-slice.js'
import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { throwIfAborted } from '../../io/abort.js'
import { replaceFolder } from '../../io/atomic.js'
import { bytesOf } from '../../io/floats.js'
import { systemError } from '../../io/system-error.js'
import { temporaryBeside, tidyFolder } from '../../io/temporary.js'
import type { NativeAddon } from '../../native/types.js'
import type { BaseParts } from '../base-model.js'
import { isForeign } from '../save-folder.js'
import type { SourceOptions } from '../types.js'
import { placesOf } from '../weight-check.js'
import { guardOf } from '../weight-guard.js'
import { checkAlike } from './compare.js'
import { type LoadedModel, type MergeInput, type OpenInputs, openInputs, readInput } from './input.js'
import type { KindFolder, ModelKind } from './kinds.js'
import { type Floats, inStrides } from './method.js'
import type { MergeMethodName } from './methods.js'
import { type MergeOptions, type MergePlan, planMerge } from './options.js'

/** What a merge works with. */
interface Merge<F> {
  kind: ModelKind<F & KindFolder>
  getAddon: () => NativeAddon
  plan: MergePlan<LoadedModel<F>>
  source: SourceOptions
}

/** A class of models, as merging uses it. `Parts`: what a loaded model of the class is made of. */
export interface MergedClass<F extends KindFolder, Parts extends BaseParts & { folder: F }, Model> {
  kind: ModelKind<F>
  getAddon: () => NativeAddon
  /** Undefined for what is no model of the class. */
  partsOf(value: unknown): Parts | undefined
  load(path: string): Promise<Parts>
  create(parts: Parts): Model
}

/**
 * Merges models into `outputPath`, or into a temporary folder, and loads what was written.
 * @throws SentenceTorchError as `SentenceTransformer.merge`
 */
export async function mergeModels<F extends KindFolder, Parts extends BaseParts & { folder: F }, Model>(
  { kind, getAddon, partsOf, load, create }: MergedClass<F, Parts, Model>,
  models: readonly (string | Model)[],
  method: MergeMethodName,
  options: MergeOptions<Model>,
): Promise<Model> {
  const plan = planMerge(models, method, options, (value) => {
    const parts = partsOf(value)
    // The length as it is now, which may not be that of the folder.
    return parts && { ...parts, folder: { ...parts.folder, maxSeqLength: parts.tokenizer.maxSeqLength } }
  })
  const merge: Merge<F> = { kind, getAddon, plan, source: options }
  if (plan.outputPath !== undefined) {
    await mergeInto(merge, plan.outputPath)
    return create(await load(plan.outputPath))
  }
  await tidyFolder(tmpdir())
  const folder = temporaryBeside(join(tmpdir(), 'sentence-torch-merge'), 'tmp')
  try {
    // Otherwise others could read it there.
    await mkdir(folder, { mode: 0o700 })
    const target = join(folder, 'merged')
    await mergeInto(merge, target)
    const parts = await load(target)
    return create({ ...parts, folder: { ...parts.folder, transformerPath: undefined } })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Merges tensor by tensor: memory holds one tensor of every model, and room for one model in the engine. */
async function mergeInto<F extends KindFolder>(merge: Merge<F>, target: string): Promise<void> {
  const { kind, getAddon, plan, source } = merge
  const inputs: MergeInput<F>[] = []
  for (const [i, model] of plan.models.entries()) {
    throwIfAborted(source.signal, 'Merging models')
    inputs.push(await readInput(kind, getAddon, model, plan.labels[i]!, source))
    if (i > 0) checkAlike(inputs[0]!, inputs[i]!, kind.settings)
  }
  await keepInputs(target, inputs)
  const addon = getAddon()
  await holding([...inputs], async () => {
    const opened = await openInputs(kind, addon, inputs)
    const { encoder, names } = opened
    const weights = { encoder, names, dtype: plan.outDtype, data: (name: string) => merged(merge, opened, name) }
    const settings = { ...inputs[0]!.folder }
    const { addonVersion } = addon.runtime()
    const fill = (folder: string) => kind.write(folder, settings, weights, target, addonVersion)
    try {
      await replaceFolder(target, fill, { keepUnknown: isForeign })
    } catch (error) {
      throw systemError(error, `write ${target}`)
    } finally {
      await opened.close()
    }
  })
}

/** @throws ERR_INVALID_ARGUMENT where the result would take the place of a model that it is made of */
async function keepInputs(target: string, inputs: readonly MergeInput<unknown>[]): Promise<void> {
  const place = await realpath(target).catch(() => undefined)
  for (const { path } of inputs) {
    if (place === undefined || path === undefined || (await realpath(path)) !== place) continue
    throw invalidArgument('outputPath', 'another folder than those of the models', target)
  }
}

/** Runs `work` while the weights of all loaded models stay as they are. */
function holding(inputs: MergeInput<unknown>[], work: () => Promise<void>): Promise<void> {
  const next = inputs.shift()
  if (next === undefined) return work()
  return next.loaded ? guardOf(next.loaded.encoder).hold(() => holding(inputs, work)) : holding(inputs, work)
}

/** The bytes of a merged tensor. */
async function* merged<F>(
  { plan, source }: Merge<F>,
  { encoder, readers }: OpenInputs,
  name: string,
): AsyncGenerator<Uint8Array> {
  throwIfAborted(source.signal, 'Merging models')
  const numbers = plan.dtype === 'F64' ? Float64Array : Float32Array
  const tensors: Floats[] = []
  for (const read of readers) {
    const values = await read(name)
    tensors.push(values instanceof numbers ? values : new numbers(values))
  }
  const base = plan.base === undefined ? undefined : tensors[plan.base]
  const models = tensors.filter((_, i) => i !== plan.base)
  const { shape } = placesOf(encoder.tensors()).get(name)!
  const slice = new TimeSlice()
  const result = await plan.method.merge({ shape, models, base }, plan.settings, slice)
  await inStrides(result.length, slice, (start, end) => {
    for (let i = start; i < end; i++) {
      if (Number.isFinite(result[i]!)) continue
      const message = `Merging the tensor ${name} gives ${result[i]}, from ${plan.labels.join(', ')}`
      throw new SentenceTorchError('ERR_INVALID_TENSORS', message)
    }
  })
  yield bytesOf(result, plan.outDtype)
}
