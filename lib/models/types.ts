import type { EncoderOutput, Metric } from '../native/types.js'
import type { Priority } from './batcher.js'
import type { DownloadProgress } from './hub.js'
import type { PoolingMode } from './modules/pooling.js'

/** How a model computes, and its settings. */
export interface ModelOptions {
  /** `cpu`, `cuda`, `cuda:1`, … or `auto`: the first device of this build. Default `cpu`. */
  device?: string
  /**
   * Number type of the computation; weights are kept in float32, but for those of files in bfloat16 until they are trained. `auto`:
   * bfloat16 where the processor has it. `int8`: weights of
   * linear layers in 8 bits, each output with a scale of its own, and inputs quantised token by token; for encoding alone, on
   * processors with AVX512-VNNI. Default `float32`.
   */
  dtype?: 'float32' | 'bfloat16' | 'int8' | 'auto'
  /** Prompts by name, over those of the model. */
  prompts?: Record<string, string>
  /** The prompt that `encode` uses when none is asked for. */
  defaultPromptName?: string
  /** Keep only the first dimensions of every embedding. */
  truncateDim?: number
  /** What `similarity` computes. Default: the model's, else `cosine`. */
  similarityFnName?: Metric
  /** Tokens to which texts are cut, special tokens included. Default: the model's. */
  maxSeqLength?: number
  /** Threads of the engine, which all models of the process share. */
  threads?: number
}

/** Where a model comes from. */
export interface SourceOptions {
  /** Branch, tag or commit of a hub model. Default `main`. */
  revision?: string
  /** The Hugging Face cache. Default `HF_HUB_CACHE`, else `HF_HOME/hub`, else `~/.cache/huggingface/hub`. */
  cacheFolder?: string
  /** Access token for private models. Default `HF_TOKEN`; false for none. Never logged. */
  token?: string | false
  /** Never touch the network. Default: whether `HF_HUB_OFFLINE` is set. */
  localFilesOnly?: boolean
  /** Called while files are downloaded. */
  onProgress?: (progress: DownloadProgress) => void
  /** Stops downloading and loading; the promise rejects with ERR_ABORTED, and nothing half done is left. */
  signal?: AbortSignal
}

export interface LoadOptions extends ModelOptions, SourceOptions {
  /** How a folder without modules.json pools: `cls`, `mean`, … or several. Default `mean`. */
  pooling?: PoolingMode | readonly PoolingMode[]
  /**
   * Patterns of names in the weight files (text is a regular expression) that count as if the files did not have them: the way to
   * load a model beside whose tensors there are others that this package does not know.
   */
  ignoreTensors?: readonly (string | RegExp)[]
}

export interface TaskOptions {
  /**
   * What the texts are for, `query` or `document`: a model with a Router chooses the route by it (default: its default route). Other
   * models encode all texts in one way.
   */
  task?: string
}

export interface EncodeOptions extends TaskOptions {
  /** Texts that the engine computes together, where they are not so short that more fit into 2,048
   * tokens; changes speed and memory, not the result. Default 32; for many texts of a static model as many as `maxBatchTokens` lets. */
  batchSize?: number
  /** Divide every embedding by its length (token embeddings are left alone). Default false. */
  normalizeEmbeddings?: boolean
  /** Keep only the first dimensions of every sentence embedding. Default: the model's `truncateDim`. */
  truncateDim?: number
  /** Put in front of every text. */
  prompt?: string
  /** Name of one of the model's prompts. Default: the model's `defaultPromptName`. */
  promptName?: string
  /**
   * `sentence_embedding` (default), `token_embeddings` (one [tokens, width] per text), or `pooler_output` (the transformer's
   * own pooler, [n, hidden size], for models that have it).
   */
  outputValue?: Exclude<EncoderOutput, 'hidden_states'>
  /** Show progress on stderr. Default false. */
  showProgressBar?: boolean
  /** Stops between two jobs of the engine, and drops those that have not begun; the promise rejects with ERR_ABORTED. */
  signal?: AbortSignal
  /**
   * `query`: before other work of the engine, also inside of a training step of another model; `bulk`: in turn. Default: `query` for
   * up to 8 texts of together up to 1,024 tokens. Changes when the result comes, not the result.
   */
  priority?: Priority
  /**
   * Tokens that the engine computes together at most, those of other calls of this model included, which share its jobs; a longer
   * text is computed alone. Default 2,048 for queries, else 16,384.
   */
  maxBatchTokens?: number
}

export const MODEL_OPTIONS = [
  ...['device', 'dtype', 'prompts', 'defaultPromptName', 'truncateDim', 'similarityFnName', 'maxSeqLength', 'threads'],
]
export const SOURCE_OPTIONS = ['revision', 'cacheFolder', 'token', 'localFilesOnly', 'onProgress', 'signal']
export const LOAD_OPTIONS = [...MODEL_OPTIONS, ...SOURCE_OPTIONS, 'pooling', 'ignoreTensors']

/** Arguments of Python's SentenceTransformer(...) that have no equal here yet. */
export const LOAD_NOT_BUILT = {
  modules: { instead: 'use SentenceTransformer.fromModules' },
  trustRemoteCode: { harmless: [false], instead: "a model's own Python code cannot run in Node" },
  modelKwargs: { instead: 'use dtype and device' },
  processorKwargs: { instead: 'use maxSeqLength, or edit tokenizer_config.json of a local folder' },
  tokenizerKwargs: { instead: 'use maxSeqLength, or edit tokenizer_config.json of a local folder' },
  configKwargs: { instead: 'edit config.json of a local folder' },
  modelCardData: { instead: 'edit README.md of the saved folder' },
  backend: { harmless: ['torch'], instead: 'LibTorch is the only one' },
}

export const ENCODE_OPTIONS = [
  ...[
    'batchSize',
    'normalizeEmbeddings',
    'truncateDim',
    'prompt',
    'promptName',
    'outputValue',
    'showProgressBar',
    'signal',
    'priority',
    'maxBatchTokens',
    'task',
  ],
]

/** Arguments of Python's encode(...) that have no equal here yet. */
export const ENCODE_NOT_BUILT = {
  precision: { harmless: ['float32'], instead: 'quantise the result with util.quantizeEmbeddings' },
  convertToNumpy: { harmless: [true], instead: 'the result is always a Float32Array' },
  convertToTensor: { harmless: [false], instead: 'the result is always a Float32Array' },
  device: { instead: 'choose it in SentenceTransformer.load' },
  pool: { instead: 'one engine uses all cores' },
  chunkSize: { instead: 'one engine uses all cores' },
}
