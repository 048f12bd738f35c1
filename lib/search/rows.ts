import { SentenceTorchError } from '../errors.js'
import {
  asEmbeddings,
  copyOf,
  type Embeddings,
  type EmbeddingsLike,
  embeddings,
  ownEmbeddings,
} from '../models/embeddings.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'

/** Bytes that are copied at once when rows are not copied as a whole. They fit into the processor's caches. */
const PART_BYTES = 2 ** 25

/** Rows that the engine compares others with, in memory that nobody else can change. */
export interface SearchedRows {
  readonly shape: [rows: number, width: number]
  /** Limit of rows that `part` returns. */
  readonly partRows: number
  /** Some rows, starting at `first`. The result of an earlier call is no longer valid. */
  part(first: number): Embeddings
  /** All rows, as queries. A part of them is copied before the engine reads it. */
  readonly all: Embeddings
}

/** @param most limit of rows in a part */
export function rowsOf(all: Embeddings, name: string, most = Number.POSITIVE_INFINITY): SearchedRows {
  const [count, dim] = all.shape
  const partRows = Math.max(1, Math.min(most, count))
  const part = (first: number) => {
    const rows = Math.min(partRows, count - first)
    return embeddings(viewOf(all, first, rows, name), rows, dim)
  }
  return { shape: all.shape, partRows, part, all }
}

/**
 * A caller's rows. They are copied here, or, where they are many or must not be copied as a whole, part by part when
 * needed.
 * @param most limit of rows in a part
 * @param copiedBytes limit of bytes that are copied here
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT, also by `part` for rows that were taken away; ERR_OUT_OF_MEMORY
 */
export function searchedRows(
  value: EmbeddingsLike,
  name: string,
  copy = true,
  most = Number.POSITIVE_INFINITY,
  copiedBytes = Number.POSITIVE_INFINITY,
): SearchedRows {
  // A list of rows is joined in any case.
  if (Array.isArray(value)) return rowsOf(ownEmbeddings(value, name), name, most)
  const given = asEmbeddings(value, name)
  const bytes = copy ? copiedBytes : PART_BYTES
  if (copy && given.data.byteLength <= bytes) return rowsOf(ownEmbeddings(value, name), name, most)
  const dim = given.shape[1]
  const rows = rowsOf(given, name, Math.min(most, Math.max(1, Math.floor(bytes / (4 * dim)))))
  let room: Float32Array | undefined
  const part = (first: number): Embeddings => {
    const { data, shape } = rows.part(first)
    // The first part is the largest. No job reads it any more when the next part is copied.
    if (room === undefined) room = copyOf(data, name)
    else room.set(data)
    return embeddings(room.subarray(0, data.length), ...shape)
  }
  return { ...rows, part }
}

/**
 * Rows `first` … `first` + `count` − 1, without a copy.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT where their memory was transferred or has shrunk
 */
export function viewOf(
  { data, shape }: Pick<Embeddings, 'data' | 'shape'>,
  first: number,
  count: number,
  name: string,
) {
  const [start, end] = [first * shape[1], (first + count) * shape[1]]
  if (data.length >= end) return data.subarray(start, end)
  const message = `Expected ${name} to stay where it is until the search is over, but its memory was taken away`
  throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}

/**
 * The embeddings of a model, in memory that nobody else can change. A SentenceTransformer returns such memory. Those of any
 * other model are copied.
 */
export function ownOf(model: object, given: Embeddings, name: string): Embeddings {
  return Object.getPrototypeOf(model) === SentenceTransformer.prototype ? given : ownEmbeddings(given, name)
}
