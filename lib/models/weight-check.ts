import { SentenceTorchError } from '../errors.js'
import type { TensorFile } from '../io/tensor-file.js'
import type { Description, TensorInfo } from '../native/types.js'
import { isCount, NamesOfFiles } from './checkpoint-names.js'

/** Bytes per element of the dtypes that the engine converts. */
export const FLOAT_BYTES = { F64: 8, F32: 4, F16: 2, BF16: 2 } as const
export type FloatDType = keyof typeof FLOAT_BYTES
/** The same with that of counts. */
export const ELEMENT_BYTES = { ...FLOAT_BYTES, I64: 8 } as const
export type ElementDType = keyof typeof ELEMENT_BYTES

/** Tensors that a message names. */
const MOST_SHOWN = 200

/** A tensor in one of a model's files. */
export interface StoredTensor {
  file: TensorFile
  /** Path of the file, and the tensor's name in it. */
  path: string
  name: string
  /** The name without the prefix under which the file keeps the transformer. */
  bare: string
  dtype: string
  shape: readonly number[]
}

/** What the engine has room for under one name: a tensor, or a block of several. */
export interface Place {
  shape: readonly number[]
  /** The dtypes that it takes. */
  dtypes: readonly string[]
  /** The tensors that it consists of. */
  parts: readonly string[]
}

/** The engine's tensors, and its blocks by their second names. */
export function placesOf(tensors: readonly TensorInfo[]): Map<string, Place> {
  const places = new Map<string, Place>()
  const floats = Object.keys(FLOAT_BYTES)
  for (const { name, shape, block } of tensors) {
    const dtypes = isCount(name) ? ['I64'] : floats
    places.set(name, { shape, dtypes, parts: [name] })
    if (block === undefined) continue
    const begun = places.get(block)
    const [rows = 0, ...rest] = begun?.shape ?? []
    const whole = begun ? [rows + shape[0]!, ...rest] : shape
    places.set(block, { shape: whole, dtypes, parts: [...(begun?.parts ?? []), name] })
  }
  return places
}

/**
 * Takes away heads of other tasks and layers that the model does not have, with one warning: as transformers, which leaves out
 * everything that it does not know.
 * @param stored by the engine's names
 */
export function leaveOutSurplus(
  stored: Map<string, StoredTensor>,
  tensors: readonly TensorInfo[],
  { layers, names }: Description,
  path: string,
): void {
  const places = placesOf(tensors)
  const naming = new NamesOfFiles(names)
  const left = { head: new Set<string>(), layer: new Set<string>() }
  // A classifier that does not read the pooler has no place for it.
  const pooler = names.pooler.map((name) => `0.${name}`)
  const idle = new Set(pooler.every((name) => stored.has(name) && !places.has(name)) ? pooler : [])
  for (const [known, { name }] of stored) {
    if (places.has(known) || !known.startsWith('0.')) continue
    const own = known.slice('0.'.length)
    const surplus = idle.has(known) ? 'head' : naming.surplus(own, layers)
    if (surplus === undefined) continue
    left[surplus].add(surplus === 'layer' ? name.replace(RegExp(`(\\.${naming.layer(own)}\\.).*`), '$1*') : name)
    stored.delete(known)
  }
  const parts = [
    ...(left.head.size > 0 ? [`heads of other tasks (${briefly([...left.head], ', ')})`] : []),
    ...(left.layer.size > 0 ? [`layers beyond the ${layers} of config.json (${briefly([...left.layer], ', ')})`] : []),
  ]
  if (parts.length === 0) return
  const message = `Tensors in ${path} that the model has no place for are left out: ${parts.join('; ')}`
  process.emitWarning(message, 'SentenceTorchWarning')
}

/**
 * Compares names, shapes and dtypes of files with what the engine has room for.
 * @param stored by the engine's names
 * @throws SentenceTorchError ERR_INVALID_TENSORS: one error that lists all that is missing, unknown or unfit
 */
export function checkTensors(
  stored: ReadonlyMap<string, StoredTensor>,
  tensors: readonly TensorInfo[],
  options: { duplicates: readonly string[]; mayLack: ReadonlySet<string>; description: Description },
): void {
  const problems = [...options.duplicates]
  const places = placesOf(tensors)
  const filled = new Map<string, string>()
  for (const [known, { name, path }] of stored) {
    for (const part of places.get(known)?.parts ?? []) {
      const twin = filled.get(part)
      if (twin !== undefined) problems.push(`${twin} and ${name} in ${path} are the same tensor`)
      filled.set(part, name)
    }
  }
  let surplus = problems.length > 0
  problems.push(...missing(tensors, filled, options))
  for (const [known, { name, path, dtype, shape }] of stored) {
    const place = places.get(known)
    if (!place) {
      surplus = true
      problems.push(`unknown: ${name} [${shape}] in ${path}`)
    } else if (place.shape.length !== shape.length || place.shape.some((n, i) => n !== shape[i])) {
      problems.push(`wrong shape: ${name} is [${shape}] in ${path}, expected [${place.shape}]`)
    } else if (!place.dtypes.includes(dtype)) {
      problems.push(`wrong dtype: ${name} is ${dtype} in ${path}, expected ${place.dtypes.join(', ')}`)
    }
  }
  if (problems.length === 0) return
  const what = problems.length === 1 ? 'One tensor does' : `${problems.length} tensors do`
  const remedy = surplus
    ? '\nIf the model is complete without some of them, name those by ignoreTensors: [pattern, …]'
    : ''
  throw new SentenceTorchError(
    'ERR_INVALID_TENSORS',
    `${what} not fit the model:\n  ${briefly(problems, '\n  ')}${remedy}`,
  )
}

/** Tensors that nothing fills; layers of which the files have none are one line. */
function missing(
  tensors: readonly TensorInfo[],
  filled: ReadonlyMap<string, string>,
  { mayLack, description }: { mayLack: ReadonlySet<string>; description: Description },
): string[] {
  const { layers, layersKey, names } = description
  const naming = new NamesOfFiles(names)
  const layerOf = (name: string) => (name.startsWith('0.') ? naming.layer(name.slice('0.'.length)) : undefined)
  const found = new Set([...filled.keys()].map(layerOf))
  const lacking = tensors.filter(({ name }) => !filled.has(name) && !mayLack.has(name))
  const absent = new Set(lacking.map(({ name }) => layerOf(name)).filter((n) => n !== undefined && !found.has(n)))
  const list = lacking
    .filter(({ name }) => !absent.has(layerOf(name)))
    .map(({ name, shape }) => `missing: ${name} [${shape}]`)
  if (absent.size === 0) return list
  const first = `0.${names.layer}${Math.min(...(absent as Set<number>))}`
  const of = `${layersKey} is ${layers} in config.json, but there are tensors of ${layers - absent.size} layers`
  return [...list, `${of}; missing: ${first}.*${absent.size > 1 ? ` and ${absent.size - 1} layers more` : ''}`]
}

/** The beginning of a list that may have as many entries as a file has tensors. */
function briefly(list: readonly string[], separator: string): string {
  const more = list.length - MOST_SHOWN
  return [...list.slice(0, MOST_SHOWN), ...(more > 0 ? [`and ${more} more`] : [])].join(separator)
}
