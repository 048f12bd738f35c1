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

/** Bytes that are copied at once of rows that are not copied as a whole. So many stay in the caches of the processor. */
const PART_BYTES = 2 ** 25

/** Rows that the engine compares others with. It reads no memory that anybody else can change. */
export interface SearchedRows {
  readonly shape: [rows: number, width: number]
  /** Rows that `part` gives at most. */
  readonly partRows: number
  /** Some rows from `first` on. The result of an earlier call is no longer valid. */
  part(first: number): Embeddings
  /** All rows, as queries: a part of them is copied before the engine reads it. */
  readonly all: Embeddings
}

/** @param most rows of a part at most */
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
 * Rows of a caller. They are copied here; where they are many or must not be copied as a whole, part by part when their turn comes.
 * @param most rows of a part at most
 * @param copiedBytes what is copied here at most
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
    // The first part is the largest; no job reads it any more when the next one comes.
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

/** The embeddings of a model, in memory that nobody else can change. A SentenceTransformer gives such memory; of any other model a
 *  copy is made. */
export function ownOf(model: object, given: Embeddings, name: string): Embeddings {
  return Object.getPrototypeOf(model) === SentenceTransformer.prototype ? given : ownEmbeddings(given, name)
}
