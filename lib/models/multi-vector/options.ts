import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { checkInteger, checkOneOf, checkOptions, checkSignal, checkType } from '../../options.js'
import { checkPatterns, checkPriority, checkRunOptions, checkSourceOptions } from '../load-options.js'
import { HierarchicalTokenPooling } from '../modules/hierarchical-token-pooling.js'
import type { Task } from '../modules/multi-vector-mask.js'
import { type EncodeOptions, type ModelOptions, SOURCE_OPTIONS, type SourceOptions } from '../types.js'
import { MAX_SIM_NAMES, type MaxSimName } from './folder.js'
import { LambdaTokenPooling } from './lambda-token-pooling.js'
import { TOKEN_PRECISIONS, type TokenPrecision } from './precision.js'
import { type QueryExpansion, readQueryExpansion } from './query-expansion.js'

/** How the vectors of a text become fewer. */
export type TokenPooling = HierarchicalTokenPooling | LambdaTokenPooling

export interface MultiVectorLoadOptions extends Omit<ModelOptions, 'similarityFnName' | 'truncateDim'>, SourceOptions {
  /** What `similarity` computes. Default: the model's, else `maxsim`. */
  similarityFnName?: MaxSimName
  /** Tokens to which queries are cut, special tokens included. Default: the model's. */
  queryLength?: number | null
  /** Tokens to which documents are cut, special tokens included. Default: the model's. */
  documentLength?: number | null
  /** How queries are filled up; null: not at all. Default: the model's. */
  queryExpansion?: QueryExpansion | null
  /** Patterns of names in the weight files that count as if the files did not have them. */
  ignoreTensors?: readonly (string | RegExp)[]
  /** Of the values of a new projection. Default 0. */
  seed?: number
}

/** `P`: the number type of the vectors. */
export interface MultiVectorEncodeOptions<P extends TokenPrecision = 'float32'>
  extends Pick<
    EncodeOptions,
    'batchSize' | 'prompt' | 'promptName' | 'showProgressBar' | 'signal' | 'priority' | 'maxBatchTokens'
  > {
  /** Divide every vector by its length. Default false: models have a module for it. */
  normalizeEmbeddings?: boolean
  /** Joins vectors of a text, behind the model's own modules. */
  tokenPooling?: TokenPooling
  /** What the texts are: queries are expanded, and each kind has its length and skip list. Default: neither. */
  task?: Task
  /**
   * Of several texts: the number type of their vectors, as `TokenEmbeddings.toPrecision` has them: a half (`float16`), a quarter (`int8`)
   * or a thirty-second (`binary`) of the bytes. Default `float32`.
   */
  precision?: P
}

const LOAD_OPTIONS = [
  ...['device', 'dtype', 'prompts', 'defaultPromptName', 'similarityFnName', 'maxSeqLength', 'threads'],
  ...['queryLength', 'documentLength', 'queryExpansion', 'ignoreTensors', 'seed', ...SOURCE_OPTIONS],
]
const LOAD_NOT_BUILT = {
  modules: {},
  trustRemoteCode: { harmless: [false], instead: "a model's own Python code cannot run in Node" },
  modelKwargs: { instead: 'use dtype and device' },
  processorKwargs: { instead: 'use maxSeqLength, queryLength and documentLength' },
  configKwargs: { instead: 'edit config.json of a local folder' },
  modelCardData: { instead: 'edit README.md of the saved folder' },
  backend: { harmless: ['torch'], instead: 'LibTorch is the only one' },
}

/** Checks types and ranges of everything that does not depend on the model. */
export function checkMultiVectorLoadOptions(options: MultiVectorLoadOptions): void {
  checkOptions('MultiVectorEncoder.load', options, LOAD_OPTIONS, LOAD_NOT_BUILT)
  checkSourceOptions(options)
  checkRunOptions(options)
  checkMaxSimName(options.similarityFnName)
  for (const name of ['queryLength', 'documentLength'] as const) checkInteger(name, options[name] ?? undefined, 1)
  readQueryExpansion(options.queryExpansion, 'queryExpansion', 'ERR_INVALID_ARGUMENT')
  checkPatterns('ignoreTensors', options.ignoreTensors)
  checkInteger('seed', options.seed, 0)
}

/** @throws ERR_INVALID_ARGUMENT */
export function checkMaxSimName(name: unknown): void {
  if (name === 'xtr') {
    const message =
      'Expected maxsim or meanmaxsim for similarityFnName: xtr compares all documents of a batch, so that a score depends on it. ' +
      "A loss takes it as `similarityFct: 'xtr_scores'`"
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  checkOneOf('similarityFnName', name, MAX_SIM_NAMES)
}

const ENCODE_OPTIONS = [
  ...['batchSize', 'prompt', 'promptName', 'showProgressBar', 'signal', 'priority', 'maxBatchTokens'],
  ...['normalizeEmbeddings', 'tokenPooling', 'task', 'precision'],
]
const ENCODE_NOT_BUILT = {
  outputValue: { harmless: ['token_embeddings'] },
  truncateDim: {},
  convertToNumpy: { harmless: [true], instead: 'the result is always TokenEmbeddings' },
  convertToTensor: { harmless: [false], instead: 'texts have different numbers of vectors' },
  device: { instead: 'choose it in MultiVectorEncoder.load' },
  pool: { instead: 'one engine uses all cores' },
  chunkSize: { instead: 'one engine uses all cores' },
}

export function checkMultiVectorEncodeOptions(options: MultiVectorEncodeOptions<TokenPrecision>): void {
  checkOptions('encode', options, ENCODE_OPTIONS, ENCODE_NOT_BUILT)
  checkInteger('batchSize', options.batchSize, 1)
  checkType('normalizeEmbeddings', options.normalizeEmbeddings, 'boolean')
  checkType('prompt', options.prompt, 'string')
  checkType('promptName', options.promptName, 'string')
  checkType('showProgressBar', options.showProgressBar, 'boolean')
  checkOneOf('task', options.task, ['query', 'document'])
  checkOneOf('precision', options.precision, TOKEN_PRECISIONS)
  checkSignal(options.signal)
  checkPriority(options)
  checkPooling(options.tokenPooling)
}

function checkPooling(pooling: unknown): void {
  if (pooling === undefined || pooling instanceof HierarchicalTokenPooling || pooling instanceof LambdaTokenPooling)
    return
  throw invalidArgument('tokenPooling', 'a HierarchicalTokenPooling or a LambdaTokenPooling', pooling)
}
