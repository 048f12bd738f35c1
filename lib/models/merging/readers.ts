import { fromNative } from '../../errors.js'
import { type FloatDType, floatsOf } from '../../io/floats.js'
import type { NativeEncoder } from '../../native/types.js'
import { type Place, placesOf, type StoredTensor } from '../weight-check.js'
import type { Floats } from './method.js'

/** Reads a tensor, or a block of tensors, by the engine's name. The numbers are the caller's own. */
export type TensorReader = (name: string) => Promise<Floats>

/** Numbers that come from the engine at once: 64 MB. */
const DUMPED = 2 ** 24

/** Tensors of a model in memory. */
export function readerOfEncoder(encoder: NativeEncoder): TensorReader {
  const places = placesOf(encoder.tensors())
  return async (name) => {
    const values = new Float32Array(elementsOf(places.get(name)!))
    for (let start = 0; start < values.length; start += DUMPED) {
      const part = new Float32Array(Math.min(DUMPED, values.length - start))
      try {
        await encoder.dump([{ name, start, dtype: 'F32', data: new Uint8Array(part.buffer) }])
      } catch (error) {
        throw fromNative(error, 'Encoder.dump')
      }
      values.set(part, start)
    }
    return values
  }
}

/**
 * Tensors of files. Some have a block as a whole where others have its parts.
 * @param encoder of the same architecture, for the places of its tensors
 */
export function readerOfFiles(tensors: ReadonlyMap<string, StoredTensor>, encoder: NativeEncoder): TensorReader {
  const places = placesOf(encoder.tensors())
  const read: TensorReader = async (name) => {
    const stored = tensors.get(name)
    if (stored !== undefined) return floatsOf(await stored.file.read(stored.name), stored.dtype as FloatDType)
    const { parts } = places.get(name)!
    return parts[0] === name ? partOfBlock(name) : joined(await Promise.all(parts.map(read)))
  }
  const partOfBlock: TensorReader = async (name) => {
    for (const [block, { parts }] of places) {
      if (!tensors.has(block) || parts[0] === block || !parts.includes(name)) continue
      const before = parts.slice(0, parts.indexOf(name)).reduce((sum, part) => sum + elementsOf(places.get(part)!), 0)
      return (await read(block)).slice(before, before + elementsOf(places.get(name)!))
    }
    throw new Error(`No file has ${name}, though all tensors were found`)
  }
  return read
}

function joined(parts: readonly Floats[]): Floats {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const whole = new (parts.some((part) => part instanceof Float64Array) ? Float64Array : Float32Array)(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function elementsOf({ shape }: Place): number {
  return shape.reduce((product, n) => product * n, 1)
}
