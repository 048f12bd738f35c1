/** MaxSim of token embeddings, by the engine. */
import { fromNative, invalidArgument, SentenceTorchError } from '../../errors.js'
import { loadAddon } from '../../native/load.js'
import type { GivenCodes, GivenVectors, MaxSimOptions, NativeAddon } from '../../native/types.js'
import { copyOf, type Embeddings, embeddings } from '../embeddings.js'
import type { HierarchicalTokenPooling } from '../modules/hierarchical-token-pooling.js'
import { type AnyTokenEmbeddings, TokenEmbeddings } from '../token-embeddings.js'
import type { MaxSimName } from './folder.js'
import { scalesOf } from './precision.js'

/** What functions that compare texts take: the vectors of several, in any precision, or those of one, [tokens, dimension]. */
export type TokenEmbeddingsLike = AnyTokenEmbeddings | Pick<Embeddings, 'data' | 'shape'>

function asTokens(value: TokenEmbeddingsLike, name: string): AnyTokenEmbeddings {
  if (value instanceof TokenEmbeddings) return value
  const { data, shape } = (value ?? {}) as Embeddings
  if (
    data instanceof Float32Array &&
    Array.isArray(shape) &&
    shape.length === 2 &&
    data.length === shape[0] * shape[1]
  ) {
    return new TokenEmbeddings(data, Int32Array.of(0, shape[0]), shape[1])
  }
  throw invalidArgument(name, 'TokenEmbeddings, or the embeddings of one text', value)
}

/** In memory of its own, so that nothing that happens to the caller's meanwhile is seen. */
function owned(value: TokenEmbeddingsLike, name: string): AnyTokenEmbeddings {
  return asTokens(value, name).owned((data) => copyOf(data, name))
}

function given({ data, offsets, precision, ranges, dimension }: AnyTokenEmbeddings): GivenVectors | GivenCodes {
  if (precision === 'float32') return { data: data as Float32Array, offsets }
  const codes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return { codes, precision, offsets, ...(precision === 'int8' && scalesOf(ranges, dimension)) }
}

/** @param a queries in memory that nobody changes meanwhile @param b documents, as well */
async function compare(
  addon: NativeAddon,
  a: AnyTokenEmbeddings,
  b: AnyTokenEmbeddings,
  options: MaxSimOptions,
): Promise<Embeddings> {
  if (a.dimension !== b.dimension) {
    const message = `Expected documents with vectors of ${a.dimension} numbers, as the queries have, but received ${b.dimension}`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  if (options.byRow && a.length !== b.length) {
    const message = `Expected as many documents as queries, ${a.length}, but received ${b.length}`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  const columns = options.byRow ? 1 : b.length
  const scores = new Float32Array(a.length * columns)
  try {
    await addon.maxSim(given(a), given(b), a.dimension, options, scores)
  } catch (error) {
    throw fromNative(error, 'maxSim')
  }
  return embeddings(scores, a.length, columns)
}

/**
 * Late interaction of every query with every document: [queries, documents]. A score is the sum, over the query's vectors, of the
 * largest product with one of the document's; `meanmaxsim` divides it by the number of the query's vectors. A document without
 * vectors scores -1e9. Computed off the JavaScript thread, in blocks. Vectors in few bits are compared as `toPrecision('float32')` has them;
 * bytes without ranges as numbers, as in Python.
 * Source: sentence-transformers `util.maxsim`, `util.mean_maxsim`.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT when the widths differ
 */
export function maxSimMatrix(
  name: MaxSimName,
  queries: TokenEmbeddingsLike,
  documents: TokenEmbeddingsLike,
  addon: NativeAddon = loadAddon(),
): Promise<Embeddings> {
  return compare(addon, owned(queries, 'queries'), owned(documents, 'documents'), { mean: name === 'meanmaxsim' })
}

/** @internal {@link maxSimMatrix} without a copy of the vectors, which nobody changes meanwhile. */
export function maxSimInPlace(
  name: MaxSimName,
  queries: AnyTokenEmbeddings,
  documents: AnyTokenEmbeddings,
  addon: NativeAddon,
): Promise<Embeddings> {
  return compare(addon, queries, documents, { mean: name === 'meanmaxsim' })
}

/**
 * The same for query i with document i: [queries].
 * Source: sentence-transformers `util.maxsim_pairwise`, `util.mean_maxsim_pairwise`.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT when numbers of texts, or widths, differ
 */
export async function maxSimPairs(
  name: MaxSimName,
  queries: TokenEmbeddingsLike,
  documents: TokenEmbeddingsLike,
  addon: NativeAddon = loadAddon(),
): Promise<Float32Array> {
  const options = { mean: name === 'meanmaxsim', byRow: true }
  return (await compare(addon, owned(queries, 'queries'), owned(documents, 'documents'), options)).data
}

/** Joins vectors of every text. */
export async function pooled(
  addon: NativeAddon,
  { data, offsets, dimension }: TokenEmbeddings,
  { poolFactor, numProtectedTokens, normalizeEmbeddings }: HierarchicalTokenPooling,
): Promise<TokenEmbeddings> {
  const out = new Float32Array(data.length)
  const counts = new Int32Array(offsets.length - 1)
  try {
    const options = { poolFactor, numProtectedTokens, normalizeEmbeddings }
    await addon.poolTokens({ data, offsets }, dimension, options, out, counts)
  } catch (error) {
    throw fromNative(error, 'poolTokens')
  }
  const ends = new Int32Array(offsets.length)
  for (const [i, count] of counts.entries()) ends[i + 1] = ends[i]! + count
  return new TokenEmbeddings(out.slice(0, ends[counts.length]! * dimension), ends, dimension)
}
