import { invalidArgument, SentenceTorchError, suggestion } from '../../errors.js'
import type { DownloadProgress } from '../../models/hub.js'
import type { ModelOptions, SourceOptions } from '../../models/types.js'
import { checkOneOf, checkOptions, checkType } from '../../options.js'

/** What a pipeline tells while it loads: bytes over all files, then that it is ready. */
export type ProgressInfo =
  | { status: 'progress_total'; name: string; file: string; progress: number; loaded: number; total: number }
  | { status: 'ready'; task: string; model: string }

/** transformers.js' names of number types, and those of this package. */
const DTYPES = {
  fp32: 'float32',
  auto: 'float32',
  q8: 'int8',
  int8: 'int8',
  uint8: 'int8',
  float32: 'float32',
  bfloat16: 'bfloat16',
} as const
const OTHER_DTYPES = ['fp16', 'q4', 'bnb4', 'q4f16', 'q2', 'q2f16', 'q1', 'q1f16']

const DEVICES = { cpu: 'cpu', wasm: 'cpu', auto: 'auto', gpu: 'cuda', cuda: 'cuda' } as const
const OTHER_DEVICES = ['webgpu', 'dml', 'coreml', 'webnn', 'webnn-npu', 'webnn-gpu', 'webnn-cpu']

/** Of ONNX files, with the values that ask for nothing. */
const OF_ONNX: Readonly<Record<string, readonly unknown[]>> = {
  config: [],
  subfolder: ['onnx'],
  use_external_data_format: [false],
  model_file_name: [],
  session_options: [],
}

export interface PipelineOptions {
  /**
   * `fp32` (default; so is `auto`), `q8` (also `int8`, `uint8`: linear layers in 8 bits, on processors with AVX512-VNNI) or `bfloat16`.
   */
  dtype?: keyof typeof DTYPES | null
  /** `cpu` (default), `wasm` (the same), `cuda` (so is `gpu`) or `auto`. */
  device?: keyof typeof DEVICES | null
  /** Branch, tag or commit of a hub model. Default `main`. */
  revision?: string
  /** The Hugging Face cache, which Python shares. Default: as `SentenceTransformer.load`. */
  cache_dir?: string | null
  /** Never touch the network. Default false, unless `HF_HUB_OFFLINE` is set. */
  local_files_only?: boolean
  progress_callback?: ((progress: ProgressInfo) => void) | null
}

const OPTIONS = ['dtype', 'device', 'revision', 'cache_dir', 'local_files_only', 'progress_callback']

/** What the options of a pipeline say in this package's words. @throws ERR_NOT_IMPLEMENTED, ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION */
export function loadingOf(name: string, given: PipelineOptions): { source: SourceOptions; model: ModelOptions } {
  // null is transformers.js' default of most options.
  const options = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null)) as {
    [K in keyof PipelineOptions]: Exclude<PipelineOptions[K], null>
  }
  refuseOnnx(options)
  checkOptions('pipeline', options, [...OPTIONS, ...Object.keys(OF_ONNX)])
  checkKnown('dtype', options.dtype, DTYPES, OTHER_DTYPES)
  checkKnown('device', options.device, DEVICES, OTHER_DEVICES)
  checkType('progress_callback', options.progress_callback, 'function')
  const { dtype, device, revision, cache_dir, local_files_only, progress_callback } = options
  return {
    source: {
      ...(revision !== undefined && { revision }),
      ...(cache_dir !== undefined && { cacheFolder: cache_dir }),
      // False is transformers.js' default: it says nothing against HF_HUB_OFFLINE.
      ...(local_files_only && { localFilesOnly: true }),
      ...(progress_callback && { onProgress: (progress) => progress_callback(progressOf(name, progress)) }),
    },
    model: {
      ...(dtype !== undefined && { dtype: DTYPES[dtype] }),
      ...(device !== undefined && { device: DEVICES[device] }),
    },
  }
}

function progressOf(name: string, { file, loaded, total }: DownloadProgress): ProgressInfo {
  return { status: 'progress_total', name, file, progress: total > 0 ? (100 * loaded) / total : 0, loaded, total }
}

function refuseOnnx(options: object): void {
  for (const [name, value] of Object.entries(options)) {
    const harmless = Object.hasOwn(OF_ONNX, name) ? OF_ONNX[name] : undefined
    if (harmless === undefined || value === undefined || harmless.includes(value)) continue
    const message = `pipeline: the option ${name} is about ONNX files; this package reads safetensors: leave it out`
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
  }
}

/** @param others values of transformers.js that are not built */
export function checkKnown(name: string, value: unknown, known: object, others: readonly string[]): void {
  if (others.includes(value as string)) {
    const message = `${name} ${JSON.stringify(value)} of transformers.js is not built; there are: ${Object.keys(known).join(', ')}`
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
  }
  checkOneOf(name, value, Object.keys(known))
}

/** The tasks of transformers.js that this package does not have, and what to use. */
const OTHER_TASKS: Readonly<Record<string, string>> = {
  'text-classification': 'TextClassifier or CrossEncoder of sentence-torch',
  'sentiment-analysis': 'TextClassifier or CrossEncoder of sentence-torch',
  summarization: 'Seq2SeqModel of sentence-torch',
  translation: 'Seq2SeqModel of sentence-torch',
  'text2text-generation': 'Seq2SeqModel of sentence-torch',
  ...Object.fromEntries(
    [
      ...['token-classification', 'ner', 'question-answering', 'fill-mask', 'text-generation'],
      ...['zero-shot-classification', 'audio-classification', 'zero-shot-audio-classification', 'asr'],
      ...['automatic-speech-recognition', 'text-to-audio', 'text-to-speech', 'image-to-text', 'image-classification'],
      ...['image-segmentation', 'background-removal', 'zero-shot-image-classification', 'object-detection'],
      ...['zero-shot-object-detection', 'document-question-answering', 'image-to-image', 'depth-estimation'],
      'image-feature-extraction',
    ].map((task) => [task, '']),
  ),
}

/** @throws ERR_NOT_IMPLEMENTED for another task of transformers.js, ERR_INVALID_ARGUMENT for what is none */
export function checkTask(task: unknown): void {
  if (task === 'feature-extraction' || task === 'embeddings') return
  if (typeof task !== 'string' || !Object.hasOwn(OTHER_TASKS, task)) {
    const close = typeof task === 'string' ? suggestion(task, ['feature-extraction', 'embeddings']) : undefined
    const expected = `"feature-extraction" (or "embeddings")${close === undefined ? '' : `; did you mean ${close}?`}`
    throw invalidArgument('task', expected, task)
  }
  const instead = OTHER_TASKS[task] === '' ? '' : `; use ${OTHER_TASKS[task]}`
  const message = `The pipeline ${task} of transformers.js is not built: there is feature-extraction${instead}`
  throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
}
