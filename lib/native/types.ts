/**
 * The whole boundary between TypeScript and C++, types only. Reviewed whenever it grows.
 *
 * TypeScript allocates every buffer that crosses. Batches are copied at the call; tensor ranges and outputs are borrowed
 * until the promise settles. Rejections carry a `code` of lib/errors.ts. No tensor handle reaches JavaScript.
 */

export type DType = 'float32' | 'bfloat16' | 'float64'

export type ConfigValue = string | number | boolean | null | ConfigValue[] | ConfigObject
export interface ConfigObject {
  [key: string]: ConfigValue
}

/** Rows of tokens without padding. Rows are column-major: all anchors, then all positives, ... */
export interface PackedBatch {
  /** Token ids of all rows, one after the other. */
  ids: Int32Array
  /** Where each row starts, then the end of the last: `rows + 1` rising values from 0 to `ids.length`. */
  offsets: Int32Array
  /** Segment ids, as long as `ids`; all 0 when absent. */
  tokenTypes?: Int32Array
  /** Leading tokens of each row that belong to its prompt (with the first special token); for `includePrompt: false`. */
  promptLengths?: Int32Array
  /** Number of text columns; divides the number of rows. */
  columns: number
  /** One label (or one vector of labels) per row of the first column. */
  labels?: Float32Array | Int32Array
  /** Shape of `labels`; `[labels.length]` when absent. */
  labelShape?: number[]
}

export interface TensorInfo {
  name: string
  shape: number[]
  /** Which optimiser range the tensor lies in; `frozen` tensors (pooler) are never trained. */
  group: 'decay' | 'no_decay' | 'frozen'
}

/** Elements `start …` of tensor `name`, as many as `data` holds in `dtype`. `load` reads `data`, `dump` fills it. */
export interface TensorRange {
  name: string
  start: number
  dtype: 'F64' | 'F32' | 'F16' | 'BF16'
  data: Uint8Array
}

/** A module after the transformer: `{ type: 'Pooling', modes: ['mean'], includePrompt: true }`, `{ type: 'Normalize' }`,
 *  `{ type: 'Dense', inFeatures, outFeatures, bias, activation }` with activation identity, tanh, relu, gelu, gelu_new, sigmoid or
 *  silu. Tensor names start with the module's index + '.'. */
export interface ModuleSpec extends ConfigObject {
  type: string
}

export interface EncoderSpec {
  /** `model_type` of config.json. */
  architecture: string
  /** config.json as read. */
  config: ConfigObject
  /** The modules after the transformer, in order: index 1, 2, … */
  modules: ModuleSpec[]
  /** Whether the transformer has its pooler (`0.pooler.dense.*`): kept frozen, used by `pooler_output` alone. */
  pooler: boolean
  device: string
  dtype: DType
}

export type EncoderOutput = 'sentence_embedding' | 'token_embeddings' | 'pooler_output'

export interface NativeEncoder {
  /** Width of a sentence embedding after the last module. */
  readonly embeddingDimension: number
  /** Width of a token embedding (hidden size). */
  readonly tokenDimension: number
  /** Longest row that the position embeddings allow. */
  readonly maxPositions: number
  /** All tensors, names as in the transformers checkpoint with the module's index in front: `0.encoder.layer.0.…`. */
  tensors(): TensorInfo[]
  load(ranges: TensorRange[]): Promise<void>
  dump(ranges: TensorRange[]): Promise<void>
  /** `out`: rows × embeddingDimension; tokens × tokenDimension for token_embeddings; rows × tokenDimension for pooler_output. */
  encode(batch: PackedBatch, out: Float32Array, output?: EncoderOutput): Promise<void>
  /** Idempotent; runs after the jobs that are queued. */
  dispose(): Promise<void>
}

export interface LossSpec extends ConfigObject {
  type: string
}

export interface TrainerSpec {
  /** `{ type: 'MultipleNegativesRankingLoss', scale: 20, … }`: checked again by the native registry. */
  loss: LossSpec
  weightDecay: number
  adamBeta1: number
  adamBeta2: number
  adamEpsilon: number
  /** 0 = no clipping. */
  maxGradNorm: number
  /** What the encoder computes in while this trainer lives; as it was made when absent. float64 encoders stay float64. */
  precision?: 'float32' | 'bfloat16'
  /** Of the dropout masks and of the initial values of parameters that the loss owns. */
  seed: number
}

export interface StepOptions {
  /** One rate, or one per group: [decay, no_decay]. */
  lr: number | Float64Array
  /** Factor of this batch's loss in the gradient (1 / accumulated batches). Default 1. */
  lossScale?: number
  /** Clip, update and zero the gradients after this batch. Default true. */
  update?: boolean
  /** Answer with what was gathered since the last report. Default false. */
  report?: boolean
}

export interface StepReport {
  /** Mean unscaled loss of the `batches` since the last report whose loss was finite. */
  loss: number
  batches: number
  /** Global gradient norm before clipping, of the last update; NaN before the first. */
  gradNorm: number
  /** Updates done since the last report. */
  updates: number
  /** Updates skipped because of a non-finite gradient, since the last report. */
  skipped: number
}

export interface NativeTrainer {
  /** Tensors owned by the loss (`loss.classifier.weight`), then, for every trained tensor, `grad.<name>`, `exp_avg.<name>`
   *  and `exp_avg_sq.<name>`. */
  tensors(): TensorInfo[]
  load(ranges: TensorRange[]): Promise<void>
  dump(ranges: TensorRange[]): Promise<void>
  step(batch: PackedBatch, options: StepOptions): Promise<StepReport | undefined>
  /** The loss of a batch, without dropout, gradient or update. */
  evaluate(batch: PackedBatch): Promise<number>
  dispose(): Promise<void>
}

export interface DeviceInfo {
  name: string
  description: string
}

export interface RuntimeInfo {
  addonVersion: string
  libtorchVersion: string
  /** CUDA version that the addon was built for, null in a CPU build. */
  cuda: string | null
  devices: DeviceInfo[]
  /** dtypes that run at full speed on the CPU; bfloat16 elsewhere is emulated. */
  fastDTypes: DType[]
  /** Processor features that matter here: avx2, avx512f, avx512_bf16, amx_bf16, … */
  cpuFeatures: string[]
  /** The kernel path chosen at run time: portable, avx2, avx512. */
  cpuKernels: string
  threads: number
}

export type Metric = 'cosine' | 'dot' | 'euclidean' | 'manhattan'

export interface NativeAddon {
  runtime(): RuntimeInfo
  /** Threads of the executor; takes effect with the next job. */
  setThreads(threads: number): void
  /** Exact search: the `k` best of `corpus` [n, dim] for every row of `queries` [q, dim], best first; `scores` and
   *  `indices` are [q, k]. euclidean and manhattan scores are negative distances. Needs k ≤ n. */
  topK(
    queries: Float32Array,
    corpus: Float32Array,
    dim: number,
    k: number,
    metric: Metric,
    scores: Float32Array,
    indices: Int32Array,
  ): Promise<void>
  Encoder: new (spec: EncoderSpec) => NativeEncoder
  Trainer: new (encoder: NativeEncoder, spec: TrainerSpec) => NativeTrainer
}
