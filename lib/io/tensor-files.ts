// Shared parts of files of weights, in any format.
import type { TensorEntry } from './safetensors-header.js'

/** Names of a model's weights. The first that exists is read, in transformers' order. */
export const WEIGHT_FILES = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
] as const

/** A position in an open file. */
export interface FilePlace {
  /** The descriptor. */
  file: number
  position: number
}

/** An open file of weights, or all shards of one model. Bytes are read on request. */
export interface TensorFile {
  /** The file, or the index of the shards. */
  readonly path: string
  /** dtype, shape and size of every tensor. */
  readonly tensors: ReadonlyMap<string, TensorEntry>
  /** `__metadata__` of a safetensors file (of all shards). */
  readonly metadata: Readonly<Record<string, string>>
  /** A copy of the bytes `start … end` (default all) of a tensor, little-endian and in the order of its indices. */
  read(name: string, start?: number, end?: number): Promise<Uint8Array>
  /** Fills `target` with the bytes of a tensor from `start`. */
  readInto(name: string, start: number, target: Uint8Array): Promise<void>
  /** Where the bytes of a tensor are, if they are in an open file as `read` gives them. The file ends with `close`. */
  place?(name: string): FilePlace
  /** Closes the files; reads then fail. Idempotent. */
  close(): Promise<void>
}

/** Ending of the shards' names in an index. */
export function extensionOfShards(path: string): '.safetensors' | '.bin' {
  return /\.bin(\.index\.json)?$/.test(path) ? '.bin' : '.safetensors'
}
