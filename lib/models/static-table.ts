import { SentenceTorchError } from '../errors.js'
import { floatsOf } from '../io/floats.js'
import type { TensorEntry } from '../io/safetensors-header.js'
import { openTensorFile, type TensorFile } from '../io/tensor-file.js'
import { FLOAT_BYTES } from './weight-check.js'

/** The engine's name of the table; Model2Vec calls it `embeddings`. */
const TABLE = 'embedding.weight'
const MODEL2VEC = 'embeddings'

/** Numbers of a table that is made in memory: 8 GB. */
const MOST_NUMBERS = 2 ** 31

type Numbers = Float32Array | Float64Array | Int8Array | Uint8Array | Int32Array | BigInt64Array

/** How the elements of a tensor are read that the engine does not convert itself. */
const READERS: Readonly<Record<string, (bytes: Uint8Array) => Numbers>> = {
  F64: (bytes) => floatsOf(bytes, 'F64'),
  F32: (bytes) => floatsOf(bytes, 'F32'),
  F16: (bytes) => floatsOf(bytes, 'F16'),
  BF16: (bytes) => floatsOf(bytes, 'BF16'),
  I8: (bytes) => new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length),
  U8: (bytes) => bytes,
  I32: (bytes) => new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4),
  I64: (bytes) => new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8),
}

/**
 * The weights of a StaticEmbedding as one tensor of floats, `embedding.weight`: its row of token t is
 * `embeddings[mapping[t]] * weights[t]` where the file is Model2Vec's; tables of 8 bits become float32.
 * Source: sentence-transformers `StaticEmbedding.load`.
 * @throws SentenceTorchError ERR_INVALID_MODEL that names file and tensor
 */
export async function openStaticTable(path: string): Promise<TensorFile> {
  const file = await openTensorFile(path)
  try {
    const { name, rows, width, mapping, weights } = planTable(file)
    const isFloat = Object.hasOwn(FLOAT_BYTES, file.tensors.get(name)!.dtype)
    if (isFloat && !mapping && !weights) return file
    const read = async (tensor: string) => READERS[file.tensors.get(tensor)!.dtype]!(await file.read(tensor))
    const table = (await read(name)) as Exclude<Numbers, BigInt64Array>
    const places = mapping && (await read('mapping'))
    const factors = weights && ((await read('weights')) as Float32Array)
    const stored = table.length / width
    const out = new Float32Array(rows * width)
    for (let token = 0; token < rows; token++) {
      const row = places ? Number(places[token]) : token
      if (!(row >= 0 && row < stored)) {
        throw invalid(path, `has ${row} in mapping, but its table has ${stored} rows`)
      }
      const factor = factors ? factors[token]! : 1
      for (let i = 0; i < width; i++) out[token * width + i] = table[row * width + i]! * factor
    }
    await file.close()
    return inMemory(path, out, [rows, width])
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Rows and width of the table that `openStaticTable` gives. @throws as `openStaticTable` */
export async function staticShape(path: string): Promise<[number, number]> {
  const file = await openTensorFile(path)
  try {
    const { rows, width } = planTable(file)
    return [rows, width]
  } finally {
    await file.close()
  }
}

function planTable({ path, tensors }: TensorFile) {
  const name = [TABLE, `0.${TABLE}`, MODEL2VEC].find((candidate) => tensors.has(candidate))
  if (name === undefined) {
    throw invalid(path, `has no tensor ${TABLE} or ${MODEL2VEC}, found ${[...tensors.keys()].slice(0, 10).join(', ')}`)
  }
  const { shape } = tensors.get(name)!
  checkTensor(path, name, tensors.get(name)!, 2, ['F64', 'F32', 'F16', 'BF16', 'I8', 'U8'])
  const extra = (key: string, dtypes: string[]): TensorEntry | undefined => {
    const found = name === MODEL2VEC ? tensors.get(key) : undefined
    if (found) checkTensor(path, key, found, 1, dtypes)
    return found
  }
  const mapping = extra('mapping', ['I64', 'I32'])
  const weights = extra('weights', ['F64', 'F32', 'F16', 'BF16'])
  const rows = mapping?.shape[0] ?? shape[0]!
  if (rows * shape[1]! > MOST_NUMBERS) {
    throw invalid(
      path,
      `has a table of ${rows} tokens and ${shape[1]} dimensions; expected at most ${MOST_NUMBERS} numbers`,
    )
  }
  if (weights && weights.shape[0] !== rows) {
    throw invalid(path, `has ${weights.shape[0]} weights for ${rows} tokens`)
  }
  return { name, rows, width: shape[1]!, mapping, weights }
}

function checkTensor(path: string, name: string, { dtype, shape }: TensorEntry, rank: number, dtypes: string[]): void {
  if (!dtypes.includes(dtype)) throw invalid(path, `has ${name} as ${dtype}; expected ${dtypes.join(', ')}`)
  if (shape.length !== rank || shape.some((size) => size < 1)) {
    throw invalid(
      path,
      `has ${name} of shape [${shape.join(', ')}]; expected ${rank === 2 ? '[tokens, width]' : '[tokens]'}`,
    )
  }
}

function invalid(path: string, what: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_MODEL', `${path} ${what}`)
}

/** One float32 tensor as if it lay in a file. */
function inMemory(path: string, values: Float32Array, shape: number[]): TensorFile {
  const bytes = new Uint8Array(values.buffer)
  return {
    path,
    tensors: new Map([[TABLE, { dtype: 'F32', shape, byteLength: bytes.length }]]),
    metadata: {},
    read: async (_name, start = 0, end = bytes.length) => bytes.slice(start, end),
    readInto: async (_name, start, target) => target.set(bytes.subarray(start, start + target.length)),
    close: async () => {},
  }
}
