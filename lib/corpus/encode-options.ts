import { createHash } from 'node:crypto'
import { TimeSlice } from '../data/time-slice.js'
import { invalidArgument, type SentenceTorchError } from '../errors.js'
import { asEmbeddings, type Embeddings, type EmbeddingsLike, embeddings } from '../models/embeddings.js'
import { rangesOf } from '../models/row-codes.js'
import { checkInteger, checkOneOf, checkOptions, checkSignal, checkType, listOfNames } from '../options.js'
import { checkFinite } from '../search/blocks.js'
import type { Precision } from '../search/quantize.js'
import { classOf, isTextEncoder, type Side, type TextEncoder } from './model.js'
import { bytesOf } from './rows.js'

export const FILE_FORMATS = ['parquet', 'npy', 'safetensors'] as const
export type FileFormat = (typeof FILE_FORMATS)[number]

export const PRECISIONS = ['float32', 'int8', 'uint8', 'binary', 'ubinary'] as const satisfies readonly Precision[]

/** The files of one of several processes. */
export interface Shard {
  /** From 0 on, such as Kubernetes' JOB_COMPLETION_INDEX. */
  index: number
  /** Processes. */
  count: number
}

export interface EncodeFilesOptions {
  /**
   * Files of texts: .txt has a text in each line, .jsonl, .json, .csv, .tsv (all also with .gz) and .parquet have columns. In the same
   * order for every process and every run.
   */
  inputs: string | readonly string[]
  /** A folder for the files; one that is there is completed. */
  output: string
  /**
   * `npy` is for rows of one length. `safetensors` has `embeddings`, of a MultiVectorEncoder with `offsets`; of a SparseEncoder
   * `indices`, `values` and `offsets`. `parquet` has columns of lists. Default `parquet`.
   */
  format?: FileFormat
  /** Writes the files `index`, `index + count`, …, so that several processes share the work. Default: all. */
  shard?: Shard
  /** Rows of a file: what is lost at most when a process is stopped. Default 10,000. */
  rowsPerFile?: number
  /** The column of the texts. Default: `text`, else the only column of texts. */
  column?: string
  /** Writes the texts beside the rows, in `parquet`. Default false. */
  withTexts?: boolean
  /** What the texts are: `encodeQuery` or `encodeDocument` in place of `encode`. */
  task?: Side
  /** Put in front of every text. */
  prompt?: string
  /** Name of one of the model's prompts. */
  promptName?: string
  /** Divide every embedding by its length; not of a SparseEncoder. Default false. */
  normalizeEmbeddings?: boolean
  /** Keep only the first dimensions; of a SentenceTransformer. Default: the model's. */
  truncateDim?: number
  /** Values that are kept of a row; of a SparseEncoder. Default: the model's. */
  maxActiveDims?: number
  /** As of `util.quantizeEmbeddings`; of a SentenceTransformer. Default `float32`. */
  precision?: Precision
  /** Rows [n, dim] that give the ranges of `int8` and `uint8`, which need them; the same for every process and run. */
  calibrationEmbeddings?: EmbeddingsLike
  /** Texts that the engine computes together. Default 32. */
  batchSize?: number
  /** Tokens that the engine computes together at most. */
  maxBatchTokens?: number
  /** What the model is called, for messages and for those who read the files. */
  modelName?: string
  /** Leaves rows out that are no text; gets their errors. Default: the first one is thrown. */
  onBadRow?: (error: SentenceTorchError) => void
  /** Called with the number of rows that are done, of those that this call writes or finds. */
  onProgress?: (rows: number) => void
  /** Stops between two jobs of the engine. What is complete stays. */
  signal?: AbortSignal
}

/** Checked options. */
export interface EncodePlan extends EncodeFilesOptions {
  inputs: readonly string[]
  format: FileFormat
  shard: Shard
  rowsPerFile: number
  withTexts: boolean
  precision: Precision
  /** Lowest and highest values, [2, dim]. */
  ranges: Embeddings | undefined
}

const ROWS_PER_FILE = 10_000

const NAMES = [
  ...['inputs', 'output', 'format', 'shard', 'rowsPerFile', 'column', 'withTexts', 'task', 'prompt', 'promptName'],
  ...['normalizeEmbeddings', 'truncateDim', 'maxActiveDims', 'precision', 'calibrationEmbeddings', 'batchSize'],
  ...['maxBatchTokens', 'modelName', 'onBadRow', 'onProgress', 'signal'],
]

/** Options that not all classes have, with those that do. */
const OF_CLASS = {
  normalizeEmbeddings: ['SentenceTransformer', 'MultiVectorEncoder'],
  truncateDim: ['SentenceTransformer'],
  maxActiveDims: ['SparseEncoder'],
  precision: ['SentenceTransformer'],
} as const

/** @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION */
export async function planOf(model: TextEncoder, options: EncodeFilesOptions): Promise<EncodePlan> {
  if (!isTextEncoder(model))
    throw invalidArgument('model', 'a SentenceTransformer, a SparseEncoder or a MultiVectorEncoder', model)
  checkOptions('encodeFiles', options, NAMES)
  const { output, format = 'parquet', shard = { index: 0, count: 1 }, rowsPerFile = ROWS_PER_FILE } = options
  const inputs = listOfNames('inputs', options.inputs)
  if (inputs.length === 0) throw invalidArgument('inputs', 'a file, or several', inputs)
  if (typeof output !== 'string' || output === '') throw invalidArgument('output', 'the path of a folder', output)
  checkOneOf('format', format, FILE_FORMATS)
  checkShard(shard)
  checkInteger('rowsPerFile', rowsPerFile, 1)
  for (const name of ['column', 'prompt', 'promptName', 'modelName'] as const) checkType(name, options[name], 'string')
  checkType('withTexts', options.withTexts, 'boolean')
  checkType('normalizeEmbeddings', options.normalizeEmbeddings, 'boolean')
  for (const name of ['truncateDim', 'maxActiveDims', 'batchSize', 'maxBatchTokens'] as const)
    checkInteger(name, options[name], 1)
  for (const name of ['onBadRow', 'onProgress'] as const) checkType(name, options[name], 'function')
  checkOneOf('task', options.task, ['query', 'document'])
  checkOneOf('precision', options.precision, PRECISIONS)
  checkSignal(options.signal)
  checkOfClass(model, options)
  const { withTexts = false, precision = 'float32' } = options
  if (withTexts && format !== 'parquet') throw invalidArgument('format of files withTexts', 'parquet', format)
  if (format === 'npy' && classOf(model) !== 'SentenceTransformer')
    throw invalidArgument(`format of the rows of a ${classOf(model)}`, 'parquet or safetensors', format)
  const own = { inputs, output, format, shard: { ...shard }, rowsPerFile, withTexts, precision }
  return { ...options, ...own, ranges: await calibrated(options, precision, model.embeddingDimension) }
}

function checkShard(shard: Shard): void {
  checkType('shard', shard, 'object')
  const { index, count } = shard
  checkInteger('shard.count', count ?? null, 1)
  checkInteger('shard.index', index ?? null, 0, count - 1)
}

function checkOfClass(model: TextEncoder, options: EncodeFilesOptions): void {
  const own = classOf(model)
  for (const [name, classes] of Object.entries(OF_CLASS)) {
    const value = options[name as keyof typeof OF_CLASS]
    if (value === undefined || (classes as readonly string[]).includes(own) || value === 'float32') continue
    throw invalidArgument('the options of encodeFiles', `no ${name} for a ${own}`, value)
  }
}

/** Lowest and highest values of the calibration. */
async function calibrated(
  { calibrationEmbeddings: given, truncateDim }: EncodeFilesOptions,
  precision: Precision,
  dimension: number,
): Promise<Embeddings | undefined> {
  const needed = precision === 'int8' || precision === 'uint8'
  if (given === undefined) {
    if (needed) throw invalidArgument('calibrationEmbeddings', `rows that give the ranges of ${precision}`, given)
    return undefined
  }
  if (!needed) throw invalidArgument('calibrationEmbeddings', `none: ${precision} has no ranges`, given)
  const width = Math.min(truncateDim ?? dimension, dimension)
  const { data, shape } = asEmbeddings(given, 'calibrationEmbeddings')
  if (shape[0] === 0 || shape[1] !== width)
    throw invalidArgument('calibrationEmbeddings', `rows of ${width} numbers`, `${shape[0]} rows of ${shape[1]}`)
  checkFinite(embeddings(data, ...shape), 'calibrationEmbeddings')
  return rangesOf(data, width, new TimeSlice())
}

/** Ranges as a manifest tells them apart. */
export function rangesHash(ranges: Embeddings | undefined): string | undefined {
  return ranges && createHash('sha256').update(bytesOf(ranges.data)).digest('hex')
}
