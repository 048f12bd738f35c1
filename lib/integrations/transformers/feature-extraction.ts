import { SentenceTorchError } from '../../errors.js'
import { type Embeddings, normalizeRows } from '../../models/embeddings.js'
import { Pooling, type PoolingMode } from '../../models/modules/pooling.js'
import { Transformer } from '../../models/modules/transformer.js'
import { SentenceTransformer } from '../../models/sentence-transformer.js'
import { checkOneOf, checkOptions, checkType } from '../../options.js'
import { quantizeEmbeddings } from '../../search/quantize.js'
import { loadingOf, type PipelineOptions } from './options.js'
import { Tensor } from './tensor.js'

/** transformers.js' names. One forward pass gives all three, side by side. */
const POOLING = { cls: 0, first_token: 0, mean: 1, last_token: 2, eos: 2 } as const
const MODES: readonly PoolingMode[] = ['cls', 'mean', 'lasttoken']

export interface FeatureExtractionOptions {
  /** Default `none`: the embeddings of all tokens. */
  pooling?: 'none' | keyof typeof POOLING
  /** Divide by the Euclidean length in the last dimension. Default false. */
  normalize?: boolean
  /** One bit for each dimension, after pooling. Default false. */
  quantize?: boolean
  /** Of the bytes: `binary` has int8 (default), `ubinary` uint8. */
  precision?: 'binary' | 'ubinary'
}

/** `FeatureExtractionPipeline` of @huggingface/transformers: a function. */
export interface FeatureExtractionPipeline {
  /**
   * Embeddings of texts: [texts, longest, width] without pooling, zeros behind the shorter ones; else [texts, width], or
   * [texts, width / 8] in bytes.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_DISPOSED
   */
  (texts: string | readonly string[], options?: FeatureExtractionOptions): Promise<Tensor>
  readonly task: 'feature-extraction'
  /** The transformer, with three poolings side by side. */
  readonly model: SentenceTransformer
  dispose(): Promise<void>
}

export async function featureExtraction(name: string, given: PipelineOptions): Promise<FeatureExtractionPipeline> {
  const { source, model: options } = loadingOf(name, given)
  const transformer = await Transformer.load(name, source)
  // Of a folder of sentence-transformers, transformers.js reads the transformer alone, and cuts texts where the tokenizer says.
  const model = await SentenceTransformer.fromModules([transformer, new Pooling(MODES)], options)
  model.maxSeqLength = transformer.tokenizerLimit
  given.progress_callback?.({ status: 'ready', task: 'feature-extraction', model: name })
  const run = async (texts: string | readonly string[], call: FeatureExtractionOptions = {}) => {
    checkCall(call)
    return extract(model, typeof texts === 'string' ? [texts] : texts, { ...call })
  }
  return Object.assign(run, { task: 'feature-extraction' as const, model, dispose: () => model.dispose() })
}

function checkCall(options: FeatureExtractionOptions): void {
  checkOptions('feature-extraction', options, ['pooling', 'normalize', 'quantize', 'precision'])
  checkOneOf('pooling', options.pooling, ['none', ...Object.keys(POOLING)])
  checkType('normalize', options.normalize, 'boolean')
  checkType('quantize', options.quantize, 'boolean')
  checkOneOf('precision', options.precision, ['binary', 'ubinary'])
  if (options.precision !== undefined && !options.quantize) {
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', 'precision needs quantize: true')
  }
  if (options.quantize && (options.pooling ?? 'none') === 'none') {
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', 'quantize needs a pooling: it takes one row for each text')
  }
}

async function extract(
  model: SentenceTransformer,
  texts: readonly string[],
  { pooling = 'none', normalize = false, quantize = false, precision = 'binary' }: FeatureExtractionOptions,
): Promise<Tensor> {
  if (pooling === 'none') {
    const rows = await model.encode(texts, { outputValue: 'token_embeddings' })
    const padded = pad(rows, model.embeddingDimension / MODES.length)
    return normalize ? padded.normalize(2, -1) : padded
  }
  const { data: all, shape } = await model.encode(texts)
  const width = shape[1] / MODES.length
  const pooled = part(all, shape[0], shape[1], POOLING[pooling] * width, width)
  const data = normalize ? normalizeRows(pooled, width) : pooled
  if (!quantize) return new Tensor('float32', data, [shape[0], width])
  if (width % 8 !== 0) {
    const message = `quantize needs a width that 8 divides, but the model's is ${width}`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  const rows = { data, shape: [shape[0], width] as [number, number] }
  const packed = await quantizeEmbeddings(rows, precision, { copy: false })
  return new Tensor(precision === 'binary' ? 'int8' : 'uint8', packed.data, packed.shape)
}

/** Columns `start` to `start + width` of rows. */
function part(all: Float32Array, rows: number, stride: number, start: number, width: number): Float32Array {
  const data = new Float32Array(rows * width)
  for (let i = 0; i < rows; i++) {
    data.set(all.subarray(i * stride + start, i * stride + start + width), i * width)
  }
  return data
}

function pad(rows: readonly Embeddings[], width: number): Tensor<'float32'> {
  const longest = rows.reduce((most, { shape }) => Math.max(most, shape[0]), 0)
  const data = new Float32Array(rows.length * longest * width)
  for (const [i, row] of rows.entries()) data.set(row.data, i * longest * width)
  return new Tensor('float32', data, [rows.length, longest, width])
}
