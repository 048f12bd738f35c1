import type { Metric } from '../native/types.js'
import { checkInteger, checkOptions, checkSignal, checkType } from '../options.js'
import { checkPatterns, checkPriority, checkRunOptions, checkSimilarity, checkSourceOptions } from './load-options.js'
import { type EncodeOptions, LOAD_NOT_BUILT, type LoadOptions, SOURCE_OPTIONS } from './types.js'

export interface SparseLoadOptions extends Omit<LoadOptions, 'truncateDim' | 'pooling' | 'similarityFnName'> {
  /** What `similarity` computes. Default: the model's, else `dot`. */
  similarityFnName?: Metric
  /** Values that are kept of every embedding, those furthest from 0. Default: the model's, else all. */
  maxActiveDims?: number
}

/** What concerns no folder. */
export type SparseModelOptions = Pick<
  SparseLoadOptions,
  | 'device'
  | 'dtype'
  | 'threads'
  | 'prompts'
  | 'defaultPromptName'
  | 'similarityFnName'
  | 'maxActiveDims'
  | 'maxSeqLength'
>

export interface SparseEncodeOptions
  extends Pick<
    EncodeOptions,
    'task' | 'batchSize' | 'prompt' | 'promptName' | 'showProgressBar' | 'signal' | 'priority' | 'maxBatchTokens'
  > {
  /** Values that are kept of every embedding, those furthest from 0. Default: the model's `maxActiveDims`. */
  maxActiveDims?: number
}

const ENCODE = [
  ...[
    'task',
    'batchSize',
    'prompt',
    'promptName',
    'showProgressBar',
    'signal',
    'priority',
    'maxBatchTokens',
    'maxActiveDims',
  ],
]
const NOT_BUILT = {
  convertToTensor: { harmless: [true], instead: 'the result is always SparseEmbeddings' },
  convertToSparseTensor: { harmless: [true], instead: 'use toDense() of the result' },
  saveToCpu: { harmless: [true, false], instead: 'the result is always in memory' },
  device: { instead: 'choose it in SparseEncoder.load' },
  pool: { instead: 'one engine uses all cores' },
  chunkSize: { instead: 'one engine uses all cores' },
}

export const SPARSE_MODEL_OPTIONS = [
  ...[
    'device',
    'dtype',
    'threads',
    'similarityFnName',
    'maxActiveDims',
    'maxSeqLength',
    'prompts',
    'defaultPromptName',
  ],
]

export function checkSparseModelOptions(options: SparseModelOptions): void {
  checkRunOptions(options)
  checkSimilarity(options.similarityFnName)
  checkInteger('maxActiveDims', options.maxActiveDims, 1)
}

/** Checks types and ranges of everything that does not depend on the model. */
export function checkSparseLoadOptions(options: SparseLoadOptions): void {
  const own = [...SPARSE_MODEL_OPTIONS, 'ignoreTensors', ...SOURCE_OPTIONS]
  const modules = { instead: 'use SparseEncoder.fromModules' }
  checkOptions('SparseEncoder.load', options, own, { ...LOAD_NOT_BUILT, modules })
  checkSourceOptions(options)
  checkSparseModelOptions(options)
  checkPatterns('ignoreTensors', options.ignoreTensors)
}

export function checkSparseEncodeOptions(options: SparseEncodeOptions): void {
  checkOptions('encode', options, ENCODE, NOT_BUILT)
  checkInteger('batchSize', options.batchSize, 1)
  checkInteger('maxActiveDims', options.maxActiveDims, 1)
  checkType('prompt', options.prompt, 'string')
  checkType('promptName', options.promptName, 'string')
  checkType('task', options.task, 'string')
  checkType('showProgressBar', options.showProgressBar, 'boolean')
  checkSignal(options.signal)
  checkPriority(options)
}
