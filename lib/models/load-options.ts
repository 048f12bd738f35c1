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
 * `auto` is a device of the kind that comes first in the build; the engine says whether it has the one that is named. Where the caller
 * names none, `SENTENCE_TORCH_DEVICE` does. Of several processes on one machine each takes a GPU of its own for `cuda` and `auto`.
 */
export function chooseDevice(
  named: string | undefined,
  runtime: Pick<RuntimeInfo, 'devices'>,
  env: NodeJS.ProcessEnv = process.env,
): string {
  const device = named ?? (env.SENTENCE_TORCH_DEVICE || 'cpu')
  if (device === 'auto') return ownGpu(runtime, env) ?? 'cpu'
  if (device === 'cuda') return ownGpu(runtime, env) ?? 'cuda'
  if (device === 'cpu' || /^cuda:\d+$/.test(device)) return device
  if (/^(mps|xpu|hpu|npu)(:\d+)?$/.test(device)) {
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', `The device ${device} is not built yet; there are cpu and cuda`)
  }
  throw invalidArgument('device', '"cpu", "cuda", "cuda:N" or "auto"', device)
}

/** Where launchers say which of the processes on its machine this is. Those of srun count in a step alone, as SLURM_PROCID does. */
const LOCAL_RANKS = ['LOCAL_RANK', 'OMPI_COMM_WORLD_LOCAL_RANK', 'MPI_LOCALRANKID', 'SLURM_LOCALID'] as const

/**
 * The GPU of this process among those that a launcher has started on this machine; undefined where there is none. Who sees one GPU was
 * given it by the launcher.
 * @throws ERR_UNSUPPORTED where there are fewer GPUs than processes
 */
function ownGpu({ devices }: Pick<RuntimeInfo, 'devices'>, env: NodeJS.ProcessEnv): string | undefined {
  const gpus = devices.map(({ name }) => name).filter((name) => name.startsWith('cuda'))
  if (gpus.length <= 1 || env.SENTENCE_TORCH_DISTRIBUTED === '0') return gpus[0]
  const name = LOCAL_RANKS.find((each) => env[each] && (each !== 'SLURM_LOCALID' || env.SLURM_STEP_ID))
  const rank = name === undefined ? 0 : Number(env[name])
  const own = gpus[rank]
  if (own !== undefined) return own
  const remedy = "start as many processes as there are, or name one (device: 'cuda:0')"
  const message = `${name} is ${env[name!]}, but this process sees ${gpus.length} GPUs: ${remedy}`
  throw new SentenceTorchError('ERR_UNSUPPORTED', message)
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
