import { invalidArgument, SentenceTorchError } from '../errors.js'
import type { RuntimeInfo } from '../native/types.js'
import { checkInteger, checkOneOf, checkOptions, checkSignal, checkType } from '../options.js'
import {
  ENCODE_NOT_BUILT,
  ENCODE_OPTIONS,
  type EncodeOptions,
  LOAD_NOT_BUILT,
  LOAD_OPTIONS,
  type LoadOptions,
  type ModelOptions,
  type SourceOptions,
} from './types.js'

/** Checks types and ranges of everything that does not depend on the model. */
export function checkLoadOptions(options: LoadOptions): void {
  checkOptions('SentenceTransformer.load', options, LOAD_OPTIONS, LOAD_NOT_BUILT)
  checkSourceOptions(options)
  checkModelOptions(options)
  checkPatterns('ignoreTensors', options.ignoreTensors)
}

/** How a model computes, and its settings. */
export function checkModelOptions(options: ModelOptions): void {
  checkRunOptions(options)
  checkInteger('truncateDim', options.truncateDim, 1)
  checkSimilarity(options.similarityFnName)
}

/** What runs a model, and its prompts: the same for all kinds of models. */
export function checkRunOptions(
  options: Omit<ModelOptions, 'truncateDim' | 'similarityFnName' | 'maxSeqLength'>,
): void {
  checkType('device', options.device, 'string')
  checkOneOf('dtype', options.dtype, ['float32', 'bfloat16', 'int8', 'auto'])
  checkType('defaultPromptName', options.defaultPromptName, 'string')
  checkType('prompts', options.prompts, 'object')
  for (const [name, text] of Object.entries(options.prompts ?? {})) {
    if (typeof text !== 'string') throw invalidArgument(`prompts.${name}`, 'a string', text)
  }
  checkInteger('threads', options.threads, 1)
}

/** Where a model comes from. */
export function checkSourceOptions(options: SourceOptions): void {
  for (const name of ['revision', 'cacheFolder'] as const) checkType(name, options[name], 'string')
  if (options.token !== false) checkType('token', options.token, 'string')
  checkType('localFilesOnly', options.localFilesOnly, 'boolean')
  checkType('onProgress', options.onProgress, 'function')
  checkSignal(options.signal)
}

export function checkPatterns(name: string, patterns: unknown): void {
  if (patterns === undefined) return
  if (!Array.isArray(patterns)) throw invalidArgument(name, 'an array of texts and regular expressions', patterns)
  for (const [i, pattern] of patterns.entries()) {
    const expected = 'a text or a regular expression'
    if (typeof pattern !== 'string' && !(pattern instanceof RegExp)) {
      throw invalidArgument(`${name}[${i}]`, expected, pattern)
    }
    try {
      new RegExp(pattern)
    } catch (error) {
      throw invalidArgument(`${name}[${i}]`, `${expected} (${(error as Error).message})`, pattern)
    }
  }
}

export function checkEncodeOptions(options: EncodeOptions): void {
  checkOptions('encode', options, ENCODE_OPTIONS, ENCODE_NOT_BUILT)
  checkInteger('batchSize', options.batchSize, 1)
  checkType('normalizeEmbeddings', options.normalizeEmbeddings, 'boolean')
  checkInteger('truncateDim', options.truncateDim, 1)
  checkType('prompt', options.prompt, 'string')
  checkType('promptName', options.promptName, 'string')
  checkType('task', options.task, 'string')
  checkOneOf('outputValue', options.outputValue, ['sentence_embedding', 'token_embeddings', 'pooler_output'])
  checkType('showProgressBar', options.showProgressBar, 'boolean')
  checkSignal(options.signal)
  checkPriority(options)
}

export function checkPriority(options: Pick<EncodeOptions, 'priority' | 'maxBatchTokens'>): void {
  checkOneOf('priority', options.priority, ['query', 'bulk'])
  checkInteger('maxBatchTokens', options.maxBatchTokens, 1)
}

export function checkSimilarity(value: unknown): void {
  checkOneOf('similarityFnName', value, ['cosine', 'dot', 'euclidean', 'manhattan'])
}

/**
 * `auto` is the first device of the build; the engine says whether it has the one that is named. Where the caller names none,
 * `SENTENCE_TORCH_DEVICE` does.
 */
export function chooseDevice(
  device: string = process.env.SENTENCE_TORCH_DEVICE || 'cpu',
  runtime: RuntimeInfo,
): string {
  if (device === 'auto') return runtime.devices[0]?.name ?? 'cpu'
  if (device === 'cpu' || /^cuda(:\d+)?$/.test(device)) return device
  if (/^(mps|xpu|hpu|npu)(:\d+)?$/.test(device)) {
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', `The device ${device} is not built yet; there are cpu and cuda`)
  }
  throw invalidArgument('device', '"cpu", "cuda", "cuda:N" or "auto"', device)
}

/** `auto` is bfloat16 where the processor computes with it; asked for by name elsewhere, it works and warns. */
export function chooseDType(
  dtype: LoadOptions['dtype'] = 'float32',
  runtime: RuntimeInfo,
  device: string,
): 'float32' | 'bfloat16' | 'int8' {
  const fast = device !== 'cpu' || runtime.fastDTypes.includes('bfloat16')
  if (dtype === 'auto') return fast ? 'bfloat16' : 'float32'
  if (dtype === 'int8' && !(device === 'cpu' && runtime.fastDTypes.includes('int8'))) {
    const message = `dtype int8 needs a processor with AVX512-VNNI, on the device cpu; found ${device} with ${runtime.cpuKernels} kernels`
    throw new SentenceTorchError('ERR_UNSUPPORTED', message)
  }
  if (dtype === 'bfloat16' && !fast) {
    process.emitWarning(
      'This processor has neither AMX nor AVX512-BF16: bfloat16 is emulated and slower than float32',
      'SentenceTorchWarning',
    )
  }
  return dtype
}
