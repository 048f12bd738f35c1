import type { Tokenizer } from '../data/tokenizer.js'
import { fromNative, invalidArgument } from '../errors.js'
import type { Description, EncoderOutput, NativeEncoder, PackedBatch } from '../native/types.js'
import { checkOptions, checkType } from '../options.js'
import { type Embeddings, embeddings } from './embeddings.js'

/** Whole numbers for every token of every text, [texts, longest]. */
export interface TokenMatrix {
  /** Row by row. */
  data: Int32Array
  shape: [number, number]
}

/** What a model reads. */
export interface Features {
  inputIds: TokenMatrix
  /** 1 for tokens, 0 for padding, which may stand anywhere. */
  attentionMask: TokenMatrix
  tokenTypeIds?: TokenMatrix
}

/** Embeddings of every token of every text, [texts, longest, width]. */
export interface TokenTensor {
  data: Float32Array
  shape: [number, number, number]
}

export interface ForwardOutput {
  /** Zeros for padding. */
  tokenEmbeddings: TokenTensor
  sentenceEmbedding: Embeddings
  /** Before the first layer and after each. */
  allLayerEmbeddings?: TokenTensor[]
  /** What the transformer's own pooler makes of the first token. */
  poolerOutput?: Embeddings
}

export interface FeatureOptions {
  /** Give `allLayerEmbeddings`. Default false. */
  outputHiddenStates?: boolean
  /** Give `poolerOutput`; the model must have a pooler. Default false. */
  poolerOutput?: boolean
}

/** Token ids of texts, padded on the right with the tokenizer's padding token. */
export async function tokenize(tokenizer: Tokenizer, texts: readonly string[], types: boolean): Promise<Features> {
  const { ids, offsets } = await tokenizer.encodeAll(texts, tokenizer.maxSeqLength, { allowEmpty: true })
  const length = (row: number) => offsets[row + 1]! - offsets[row]!
  const longest = texts.reduce((most, _, row) => Math.max(most, length(row)), 0)
  const matrix = (fill = 0): TokenMatrix => ({
    data: new Int32Array(texts.length * longest).fill(fill),
    shape: [texts.length, longest],
  })
  const inputIds = matrix(tokenizer.padTokenId ?? 0)
  const attentionMask = matrix()
  for (let row = 0; row < texts.length; row++) {
    inputIds.data.set(ids.subarray(offsets[row], offsets[row + 1]), row * longest)
    attentionMask.data.fill(1, row * longest, row * longest + length(row))
  }
  return { inputIds, attentionMask, ...(types && { tokenTypeIds: matrix() }) }
}

/** What the modules make of features. */
export async function forward(
  encoder: NativeEncoder,
  { vocabulary, layers, width: tokenDimension }: Description,
  features: Features,
  options: FeatureOptions,
  route?: number,
): Promise<ForwardOutput> {
  checkOptions('forward', options, ['outputHiddenStates', 'poolerOutput'])
  checkType('outputHiddenStates', options.outputHiddenStates, 'boolean')
  checkType('poolerOutput', options.poolerOutput, 'boolean')
  const { batch, places } = packed(features, vocabulary)
  const { shape } = features.inputIds
  const [rows, longest] = shape
  const { embeddingDimension } = encoder
  const routed = { ...batch, ...(route !== undefined && { routes: Int32Array.of(route) }) }
  const run = async (output: EncoderOutput, size: number): Promise<Float32Array> => {
    const out = new Float32Array(size)
    try {
      if (rows > 0) await encoder.encode(routed, out, output)
    } catch (error) {
      throw fromNative(error, 'Encoder.encode')
    }
    return out
  }
  const tokens = batch.ids.length * tokenDimension
  const padded = (values: Float32Array): TokenTensor => {
    const data = new Float32Array(rows * longest * tokenDimension)
    places.forEach((place, i) => {
      data.set(values.subarray(i * tokenDimension, (i + 1) * tokenDimension), place * tokenDimension)
    })
    return { data, shape: [rows, longest, tokenDimension] }
  }
  const [sentence, embedded, hidden, pooler] = await Promise.all([
    run('sentence_embedding', rows * embeddingDimension),
    run('token_embeddings', tokens),
    options.outputHiddenStates ? run('hidden_states', (layers + 1) * tokens) : undefined,
    options.poolerOutput ? run('pooler_output', rows * tokenDimension) : undefined,
  ])
  const layer = (i: number) => padded(hidden!.subarray(i * tokens, (i + 1) * tokens))
  return {
    tokenEmbeddings: padded(embedded),
    sentenceEmbedding: embeddings(sentence, rows, embeddingDimension),
    ...(hidden && { allLayerEmbeddings: Array.from({ length: layers + 1 }, (_, i) => layer(i)) }),
    ...(pooler && { poolerOutput: embeddings(pooler, rows, tokenDimension) }),
  }
}

/** Features as the engine reads them; several: as the columns of a batch. @throws ERR_INVALID_ARGUMENT */
export function packColumns(columns: readonly Features[], vocabulary: number): PackedBatch {
  const batches = columns.map((features) => packed(features, vocabulary).batch)
  const rows = batches.map(({ offsets }) => offsets.length - 1)
  const other = rows.find((count) => count !== rows[0])
  if (other !== undefined) throw invalidArgument('features', 'as many texts in every column', `${rows[0]} and ${other}`)
  const starts = batches.map((_, c) => batches.slice(0, c).reduce((sum, { ids }) => sum + ids.length, 0))
  const offsets = batches.flatMap((batch, c) =>
    [...batch.offsets.subarray(c === 0 ? 0 : 1)].map((at) => at + starts[c]!),
  )
  const joined = (values: readonly Int32Array[]) => Int32Array.from(values.flatMap((each) => [...each]))
  const types = batches.map(({ ids, tokenTypes }) => tokenTypes ?? new Int32Array(ids.length))
  return {
    ids: joined(batches.map(({ ids }) => ids)),
    offsets: Int32Array.from(offsets),
    columns: columns.length,
    ...(batches.some(({ tokenTypes }) => tokenTypes) && { tokenTypes: joined(types) }),
  }
}

/** The tokens without padding, and where in the matrix each stood. */
function packed(features: Features, vocabulary: number): { batch: PackedBatch; places: Int32Array } {
  const { inputIds, attentionMask, tokenTypeIds } = features
  const shape = checkMatrix('inputIds', inputIds)
  for (const [name, matrix] of Object.entries({ attentionMask, ...(tokenTypeIds && { tokenTypeIds }) })) {
    const found = checkMatrix(name, matrix)
    if (found.join() !== shape.join()) throw invalidArgument(`features.${name}`, `a matrix of [${shape}]`, `[${found}]`)
  }
  const [rows, longest] = shape
  const places: number[] = []
  const offsets = new Int32Array(rows + 1)
  for (let row = 0; row < rows; row++) {
    for (let i = row * longest; i < (row + 1) * longest; i++) if (attentionMask.data[i] !== 0) places.push(i)
    offsets[row + 1] = places.length
  }
  const of = ({ data }: TokenMatrix) => Int32Array.from(places, (place) => data[place]!)
  const ids = of(inputIds)
  const wrong = ids.findIndex((id) => id < 0 || id >= vocabulary)
  if (wrong !== -1) {
    throw invalidArgument(`features.inputIds.data[${places[wrong]}]`, `an id from 0 to ${vocabulary - 1}`, ids[wrong])
  }
  const tokenTypes = tokenTypeIds && { tokenTypes: of(tokenTypeIds) }
  return { batch: { ids, offsets, columns: 1, ...tokenTypes }, places: Int32Array.from(places) }
}

function checkMatrix(name: string, matrix: TokenMatrix | undefined): [number, number] {
  const { data, shape } = matrix ?? ({} as Partial<TokenMatrix>)
  const fits =
    data instanceof Int32Array &&
    Array.isArray(shape) &&
    shape.length === 2 &&
    shape.every((size) => Number.isInteger(size) && size >= 0) &&
    data.length === shape[0]! * shape[1]!
  if (!fits) throw invalidArgument(`features.${name}`, 'a matrix { data: Int32Array, shape: [texts, longest] }', matrix)
  return shape as [number, number]
}
