// What files of weights have in common, in whatever format.
import type { TensorEntry } from './safetensors-header.js'

/** The files that hold a model's weights, the first one that is there: the order of transformers. */
export const WEIGHT_FILES = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
] as const

/** An open file of weights, or all shards of one model; bytes are read when asked for. */
export interface TensorFile {
  /** The file, or the index of the shards. */
  readonly path: string
  /** dtype, shape and size of every tensor. */
  readonly tensors: ReadonlyMap<string, TensorEntry>
  /** `__metadata__` of a safetensors file (of all shards). */
  readonly metadata: Readonly<Record<string, string>>
  /** The bytes `start …end` (default all) of a tensor, little-endian and in the order of its indices, in memory of their own. */
  read(name: string, start?: number, end?: number): Promise<Uint8Array>
  /** Fills `target` with the bytes of a tensor from `start` on. */
  readInto(name: string, start: number, target: Uint8Array): Promise<void>
  /** Closes the files; reads then fail. Idempotent. */
  close(): Promise<void>
}

/** What the names of the shards of an index end with. */
export function extensionOfShards(path: string): '.safetensors' | '.bin' {
  return /\.bin(\.index\.json)?$/.test(path) ? '.bin' : '.safetensors'
}
