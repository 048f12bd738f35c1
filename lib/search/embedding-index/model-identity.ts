/** Which model made the rows of an index: its name, and what it makes of one text. */
import { SentenceTorchError } from '../../errors.js'
import { integer, misfit, object, optional, type Schema, text } from '../../io/schema.js'
import type { Embeddings } from '../../models/embeddings.js'
import { SparseEmbeddings } from '../../models/sparse-embeddings.js'
import { TokenEmbeddings } from '../../models/token-embeddings.js'

/** The part of a model that is needed. */
export interface IndexModel {
  encode(texts: readonly string[]): Promise<Embeddings | SparseEmbeddings | TokenEmbeddings>
}

export interface ModelIdentity {
  /** What the caller calls the model. */
  name?: string
  /** Numbers of the embedding of `PROBE`, at equal distances from the first on: float32 in base64. */
  probe: string
  /** Numbers of that embedding. */
  width: number
}

/** The head of an index has room for so much. */
const MOST_NAME = 300
/** Numbers that are kept. Models that differ at all differ in these. */
const MOST_NUMBERS = 256
/**
 * The least cosine of two probes of one model. Number types differ by 0.001 (bfloat16) to 0.01 (int8); a model that was trained further
 * for long, or another one, by much more.
 */
const SAME = 0.98
/** Independent of prompts and of what the rows are about. */
const PROBE = 'The embedding of this sentence stands for the weights of the model.'

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/
const probeSchema: Schema<string> = (value, place) => {
  const probe = text(2048)(value, place)
  if (BASE64.test(probe) && Buffer.from(probe, 'base64').length % 4 === 0) return probe
  throw misfit(place, 'numbers in base64', value)
}
export const identitySchema: Schema<ModelIdentity | undefined> = optional(
  object({
    name: optional(text(MOST_NAME)),
    probe: probeSchema,
    width: integer(1, 1_000_000),
  }) as Schema<ModelIdentity>,
)

/** @param dimension of the rows, to which a model's wider embeddings were truncated */
export async function identityOf(model: IndexModel, dimension: number, name?: string): Promise<ModelIdentity> {
  const { numbers, width } = numbersOfProbe(await model.encode([PROBE]), dimension)
  const probe = Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength).toString('base64')
  return { ...(name !== undefined && { name: name.slice(-MOST_NAME) }), probe, width }
}

/** @throws ERR_INVALID_ARGUMENT where the rows of the index are those of another model */
export async function checkIdentity(
  path: string,
  own: ModelIdentity,
  model: IndexModel,
  dimension: number,
  name: string,
): Promise<void> {
  const how = identityDifference(own, await identityOf(model, dimension), name)
  if (how === undefined) return
  const made = own.name === undefined ? 'another model' : `another model, ${own.name}`
  const message = `${path} was made with ${made}: ${how}. Use that model, or make the index again with ${name}`
  throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}

/** How two models differ, in words; undefined where they do not. @param name of the other one */
export function identityDifference(own: ModelIdentity, other: ModelIdentity, name: string): string | undefined {
  if (own.width !== other.width) return `its embeddings have ${own.width} numbers, those of ${name} ${other.width}`
  const found = cosine(numbersOf(own), numbersOf(other))
  return found >= SAME ? undefined : `the cosine of both models' embeddings of one text is ${found.toFixed(3)}`
}

/** Sparse values are added up by column, and vectors of tokens all together, so that few numbers stand for all. */
function numbersOfProbe(
  rows: Embeddings | SparseEmbeddings | TokenEmbeddings,
  dimension: number,
): { numbers: Float32Array; width: number } {
  if (rows instanceof SparseEmbeddings) {
    const numbers = new Float32Array(MOST_NUMBERS)
    const { indices, values } = rows.row(0)
    for (const [i, column] of indices.entries()) numbers[column % MOST_NUMBERS]! += values[i]!
    return { numbers, width: rows.dimension }
  }
  if (rows instanceof TokenEmbeddings) {
    const sum = new Float32Array(rows.dimension)
    for (const [i, value] of rows.data.entries()) sum[i % rows.dimension]! += value
    return { numbers: spread(sum), width: rows.dimension }
  }
  const width = Math.min(rows.shape[1], dimension)
  return { numbers: spread(rows.data.subarray(0, width)), width }
}

function numbersOf({ probe }: ModelIdentity): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(probe, 'base64'))
  return new Float32Array(bytes.buffer)
}

function spread(values: Float32Array): Float32Array {
  const step = Math.ceil(values.length / MOST_NUMBERS)
  return values.filter((_, i) => i % step === 0)
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [product, left, right] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    product += a[i]! * (b[i] ?? Number.NaN)
    left += a[i]! ** 2
    right += (b[i] ?? Number.NaN) ** 2
  }
  const lengths = Math.sqrt(left * right)
  // A static model that knows no token of the text makes zeros of it.
  return lengths === 0 ? Number(left === right) : product / lengths
}
