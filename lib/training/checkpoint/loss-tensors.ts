import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fromNative, invalidArgument, SentenceTorchError } from '../../errors.js'
import { openSafetensors, writeSafetensors } from '../../io/safetensors.js'
import { failedTo } from '../../io/system-error.js'
import type { Loss } from '../../losses/loss.js'
import type { NativeTrainer, TensorInfo } from '../../native/types.js'
import { isPlainObject } from '../../options.js'

export interface LossTensor {
  readonly shape: readonly number[]
  /** The elements, row by row. */
  readonly data: Float32Array
}

/** The parameters that a loss owns, by name: `classifier.weight`, `classifier.bias`. Most losses own none. */
export type LossTensors = Readonly<Record<string, LossTensor>>

const FILE = 'loss.safetensors'
const PREFIX = 'loss.'
/** Elements per transfer to or from the engine: 64 MiB. */
const RANGE_ELEMENTS = 16 * 1024 * 1024

/** The current parameters of the losses. */
export async function dumpLossTensors(native: Pick<NativeTrainer, 'tensors' | 'dump'>): Promise<LossTensors> {
  const tensors: Record<string, LossTensor> = {}
  for (const { name, shape } of ownedTensors(native)) {
    const data = new Float32Array(elements(shape))
    await dumpParts(native, PREFIX + name, data)
    tensors[name] = { shape, data }
  }
  return tensors
}

/**
 * Loads the parameters of the losses: all of them, or none if anything does not fit.
 * @throws ERR_INVALID_TENSORS: one error that lists everything that is missing, unknown or of another shape
 */
export async function loadLossTensors(
  native: Pick<NativeTrainer, 'tensors' | 'load'>,
  given: LossTensors,
): Promise<void> {
  const owned = ownedTensors(native)
  const problems = owned.flatMap(({ name, shape }) => {
    const found = Object.hasOwn(given, name) ? given[name] : undefined
    if (found === undefined) return [`${name} is missing`]
    if (String(found.shape) !== String(shape) || found.data.length !== elements(shape)) {
      return [`${name} has shape [${found.shape}] and ${found.data.length} elements, expected [${shape}]`]
    }
    const wrong = found.data.findIndex((value) => !Number.isFinite(value))
    return wrong === -1 ? [] : [`${name} is ${found.data[wrong]} at element ${wrong}`]
  })
  const names = owned.map(({ name }) => name)
  for (const name of Object.keys(given)) {
    if (!names.includes(name)) problems.push(`${name} is unknown (the loss owns ${names.join(', ') || 'no tensors'})`)
  }
  if (problems.length > 0) {
    throw new SentenceTorchError('ERR_INVALID_TENSORS', `lossTensors do not fit the loss: ${problems.join('; ')}`)
  }
  for (const name of names) {
    await loadParts(native, PREFIX + name, given[name]!.data)
  }
}

/** Gives the parameters of losses in TypeScript their initial values. */
export async function loadInitialParameters(
  native: Pick<NativeTrainer, 'load'>,
  losses: readonly { name: string; loss: Pick<Loss, 'computed'> }[],
): Promise<void> {
  for (const { name: dataset, loss } of losses) {
    for (const [name, { shape, init = 0 }] of Object.entries(loss.computed?.parameters ?? {})) {
      const data = typeof init === 'number' ? new Float32Array(elements(shape)).fill(init) : init
      const full = PREFIX + (dataset === '' ? '' : `${dataset}.`) + name
      await loadParts(native, full, data)
    }
  }
}

/** Writes `loss.safetensors` into a checkpoint. If the losses own nothing, removes an older one. */
export async function saveLossTensors(folder: string, tensors: LossTensors): Promise<void> {
  const path = join(folder, FILE)
  const entries = Object.entries(tensors)
  if (entries.length === 0) return rm(path, { force: true })
  const sources = entries.map(([name, { shape, data }]) => ({
    name,
    dtype: 'F32' as const,
    shape,
    data: bytesOf(data),
  }))
  await writeSafetensors(path, sources, { format: 'pt' })
}

/**
 * Reads a `loss.safetensors`.
 * @param given the file, or a checkpoint. A checkpoint without that file gives no tensors
 * @throws ERR_NOT_FOUND, ERR_INVALID_FILE, ERR_INVALID_TENSORS (a dtype other than F32)
 */
export async function readLossTensors(given: string): Promise<LossTensors> {
  const isFolder = await stat(given).then(
    (found) => found.isDirectory(),
    () => false,
  )
  const names = isFolder ? await readdir(given).catch(failedTo(`read ${given}`)) : [FILE]
  if (!names.includes(FILE)) return {}
  const path = isFolder ? join(given, FILE) : given
  const file = await openSafetensors(path)
  try {
    const tensors: Record<string, LossTensor> = {}
    for (const [name, { dtype, shape }] of file.tensors) {
      if (dtype !== 'F32') {
        throw new SentenceTorchError('ERR_INVALID_TENSORS', `Expected F32 for ${name} in ${path}, found ${dtype}`)
      }
      const data = new Float32Array(elements(shape))
      await file.readInto(name, 0, bytesOf(data))
      tensors[name] = { shape, data }
    }
    return tensors
  } finally {
    await file.close()
  }
}

/**
 * Checks the type of a caller's `lossTensors`. Names and shapes are checked when they are loaded, because the engine knows
 * them.
 */
export function checkLossTensors(given: unknown): void {
  if (given === undefined || (typeof given === 'string' && given !== '')) return
  const fits = (tensor: unknown): boolean => {
    const { shape, data } = (tensor ?? {}) as Partial<LossTensor>
    return Array.isArray(shape) && data instanceof Float32Array
  }
  if (!isPlainObject(given)) {
    throw invalidArgument('lossTensors', 'tensors by name, or the path of a loss.safetensors', given)
  }
  for (const [name, tensor] of Object.entries(given)) {
    if (!fits(tensor)) {
      throw invalidArgument(`lossTensors.${name}`, '{ shape, data: Float32Array }', tensor)
    }
  }
}

export function copyLossTensors(given: LossTensors): LossTensors {
  const copies = Object.entries(given).map(([name, { shape, data }]) => [
    name,
    { shape: [...shape], data: data.slice() },
  ])
  return Object.fromEntries(copies)
}

/** The tensors that the losses own, by their own names. */
function ownedTensors(native: Pick<NativeTrainer, 'tensors'>): Pick<TensorInfo, 'name' | 'shape'>[] {
  return native
    .tensors()
    .filter(({ name }) => name.startsWith(PREFIX))
    .map(({ name, shape }) => ({ name: name.slice(PREFIX.length), shape }))
}

/** Loads copies of the parts, because callers can change `data`, or transfer its memory, while the engine works. */
async function loadParts(native: Pick<NativeTrainer, 'load'>, name: string, data: Float32Array): Promise<void> {
  const { length } = data
  for (let start = 0; start < length; start += RANGE_ELEMENTS) {
    if (data.length !== length) {
      throw new SentenceTorchError('ERR_INVALID_TENSORS', `The memory of ${name} was taken away while it was loaded`)
    }
    const part = bytesOf(data.slice(start, start + RANGE_ELEMENTS))
    await transferred('Trainer.load', native.load([{ name, start, dtype: 'F32', data: part }]))
  }
}

async function dumpParts(native: Pick<NativeTrainer, 'dump'>, name: string, data: Float32Array): Promise<void> {
  for (let start = 0; start < data.length; start += RANGE_ELEMENTS) {
    const part = bytesOf(data.subarray(start, start + RANGE_ELEMENTS))
    await transferred('Trainer.dump', native.dump([{ name, start, dtype: 'F32', data: part }]))
  }
}

/** Waits for a transfer to or from the engine. */
async function transferred(where: string, job: Promise<void>): Promise<void> {
  try {
    await job
  } catch (error) {
    throw fromNative(error, where)
  }
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

function bytesOf(data: Float32Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}
