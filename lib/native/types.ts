/**
 * The whole boundary between TypeScript and C++, types only. Reviewed whenever it grows.
 *
 * TypeScript allocates every buffer that crosses. Batches are copied at the call; tensor ranges, rows that are searched and
 * outputs are borrowed until the promise settles: they lie in ArrayBuffers of fixed size (others are refused) that no caller of
 * the package can reach before that. Rejections carry a `code` of lib/errors.ts. No tensor handle reaches JavaScript;
 * those of {@link NativeTensors} are numbers that the caller chooses.
 */

/** int8: float32 with the weights of linear layers in 8 bits, for encoding alone. */
export type DType = 'float32' | 'bfloat16' | 'float64' | 'int8'

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
  /** Tokens from the first on of each row that others attend to; those behind them attend to these, and nobody to them. All when
   *  absent. */
  attended?: Int32Array
  /** 1 for rows that are queries: modules over tokens may treat these in another way. None when absent. */
  queries?: Int32Array
  /** Number of text columns; divides the number of rows. */
  columns: number
  /** One label (or one vector of labels) per row of the first column. */
  labels?: Float32Array | Int32Array
  /** Shape of `labels`; `[labels.length]` when absent. */
  labelShape?: number[]
  /** Ragged lists (a query's documents): rows `lists[q]` … `lists[q + 1] - 1` belong to query q; only with one column. */
  lists?: Int32Array
  /** Embeddings of every row by a guide model: rows × `guideDimension`. */
  guide?: Float32Array
  guideDimension?: number
  /** A number for every row; equal numbers are equal texts. */
  textIds?: Int32Array
  /** By which of the encoder's routes each column goes: [columns]. Default: all by the first. */
  routes?: Int32Array
  /** Values that a SparseAutoEncoder gives of a row at most. Default: its `k`. */
  activeDims?: number
  /** Tokens that the loss predicts, packed like `ids` and `offsets`: the original texts of a denoising autoencoder (one row
   *  per row of the first column), or, for masked language modelling, a token for every one of `ids`, -100 = not predicted. */
  targets?: { ids: Int32Array; offsets: Int32Array }
}

export interface TensorInfo {
  name: string
  shape: number[]
  /** Which optimiser range the tensor lies in; `frozen` tensors (pooler) are never trained. */
  group: 'decay' | 'no_decay' | 'frozen'
  /**
   * Second name of the block that this tensor is a part of, where other files have the whole block as one tensor: its parts, in the
   * order of `tensors()`, one below the other. `load` and `dump` take ranges of the block under this name, too.
   */
  block?: string
  /** Present where it is the matrix of a linear layer, or a part of one: what an adapter can add to. */
  linear?: true
}

/** Elements `start …` of tensor `name`, as many as `data` holds in `dtype`. `load` reads `data`, `dump` fills it. */
export interface TensorRange {
  name: string
  start: number
  dtype: 'F64' | 'F32' | 'F16' | 'BF16' | 'I64'
  data: Uint8Array
}

/** {@link TensorRange} with its bytes in a file, from `position`. */
export interface FileRange extends Omit<TensorRange, 'data'> {
  position: number
  bytes: number
}

/** A module after the transformer: `{ type: 'Pooling', modes: ['mean'], includePrompt: true }`, `{ type: 'Normalize' }`,
 *  `{ type: 'Dense', inFeatures, outFeatures, bias, activation }` with activation identity, tanh, relu, gelu, gelu_new, sigmoid or
 *  silu. Tensor names start with the module's index + '.'. `{ type: 'SequenceClassification', numLabels }` is the architecture's own
 *  classifier, alone after the transformer; its tensors start with `0.`. `{ type: 'LogitScore', trueTokenId, falseTokenId }`, alone
 *  too, is the logit of one token after a row, less that of the other (null: of one alone). */
export interface ModuleSpec extends ConfigObject {
  type: string
}

/** How files name the tensors of an architecture. */
export interface CheckpointNames {
  /** Under which files keep the bare transformer, the longest first. What follows them is a bare name. */
  prefixes: string[]
  /** From bare names to the engine's, one after the other: `#` stands for a number and `*` for any text, in `to` for what the same
   *  sign stood for, in order. */
  renames: { from: string; to: string }[]
  /** Bare names, before renaming, of tensors that count where a file also has another one for the same. */
  preferred: string[]
  /** Patterns (as above) of bare names, after renaming, of what an encoder does not need. */
  leftOut: string[]
  /** First parts of bare names that belong to heads of other tasks. */
  heads: string[]
  /** In front of the number of a layer: `encoder.layer.`. */
  layer: string
  /** The tensors of a pooler, which a file has or has not as a whole; empty: there is none. */
  pooler: string[]
}

/** A tensor that a bare transformer does not bring. */
export interface NewTensor {
  /** Without the number of the module. */
  name: string
  /** Checkpoints keep it beside the transformer, without its prefix. */
  outside: boolean
}

/** The module `SequenceClassification` of an architecture. */
export interface ClassifierDescription {
  /** Of transformers: `BertForSequenceClassification`. */
  className: string
  /** Under which its checkpoints keep the transformer: `bert.`. */
  prefix: string
  tensors: NewTensor[]
}

/** The masked language model of an architecture, as transformers has it. */
export interface LanguageModelDescription {
  /** Of transformers: `BertForMaskedLM`. */
  className: string
  /** Under which its checkpoints keep the transformer: `bert.`. */
  prefix: string
  /** The head's tensors. */
  tensors: Pick<TensorInfo, 'name' | 'shape'>[]
  /** The one of the last layer in whose place a head that is tied has `table`, the transformer's word embeddings. */
  matrix: string
  table: string
  /** The last layer's bias, one of `tensors`, and a second name that files may have for it; null: there is none. */
  bias: { name: string; second: string | null } | null
}

/** The model for text to text of which an architecture is the encoder, as transformers has it. */
export interface GeneratorDescription {
  /** Of transformers: `T5ForConditionalGeneration`. */
  className: string
  /** Of the decoder, what config.json calls them, and what stands in front of the number of one: `decoder.block.`. */
  layers: number
  layersKey: string
  layer: string
  /** Takes the place of {@link CheckpointNames.leftOut} where the decoder is loaded. */
  leftOut: string[]
  /** The matrix of the last layer. Where a file lacks it, or repeats `table` under this name, the table of words is in its
   *  place; else the encoder is made with `ownHead`. */
  head: string
  table: string
  /** Further bare names under which files repeat `table`. Other values under them are no model that is built. */
  copies: string[]
  /** Tokens of config.json; null: it has none. */
  decoderStart: number | null
  padding: number | null
  /** Tokens that end a text. */
  ends: number[]
}

/** The model for the next token of which an architecture is the body, as transformers has it. */
export interface CausalDescription {
  /** Of transformers: `Qwen3ForCausalLM`. */
  className: string
  /** Under which its checkpoints keep the body: `model.`. */
  prefix: string
  /** Takes the place of {@link CheckpointNames.leftOut} where the last layer is loaded. */
  leftOut: string[]
  /** The matrix of the last layer, and the table of words that is in its place where the two are tied. */
  head: string
  table: string
  /** Whether config.json says that they are; files that have both, with different values, know better. */
  tied: boolean
}

/** What an architecture says of a config.json before any weight is read: all that TypeScript knows of it. */
export interface Description {
  /** Of a token embedding. */
  width: number
  /** The longest row that the model takes; null: without limit. */
  positions: number | null
  vocabulary: number
  /** 0 or 1: the types of tokens are not used. */
  tokenTypes: number
  layers: number
  /** What config.json calls `layers`. */
  layersKey: string
  names: CheckpointNames
  /** Null: not built. */
  classifier: ClassifierDescription | null
  languageModel: LanguageModelDescription | null
  /** Null: it is not the encoder of an encoder-decoder model. */
  generator: GeneratorDescription | null
  /** Null: not built. */
  causal: CausalDescription | null
}

export interface NetworkSpec {
  /** `model_type` of config.json. */
  architecture: string
  /** config.json as read. */
  config: ConfigObject
  /** The modules after the transformer, in order: index 1, 2, … */
  modules: ModuleSpec[]
  /** Whether the transformer has its pooler (`0.pooler.dense.*`): kept frozen, used by `pooler_output` alone. */
  pooler: boolean
  /** Whether the last layer of the decoder, or that which `LogitScore` reads, has a matrix of its own (`0.lm_head.weight`), not the
   *  table of words. Default false. */
  ownHead?: boolean
  /** Ways through the modules, each with their numbers (from 0) in order. Default: one way through all. */
  routes?: number[][]
}

export interface EncoderSpec extends NetworkSpec {
  /** Further transformers, each with modules of its own. Their routes are counted on, and the names of their tensors begin with their
   *  number: `1:0.encoder.layer.0.…`. All routes end in embeddings of one width. */
  others?: NetworkSpec[]
  /** With the decoder of the architecture's model for text to text: `0.decoder.…`. Its modules may be empty. Default false. */
  decoder?: boolean
  device: string
  dtype: DType
}

/** Low-rank additions to matrices of the transformer, as PEFT's LoRA: alpha / rank · B A, or alpha / √rank · B A. */
export interface AdapterSpec {
  name: string
  /** Of the input of A, in training. */
  dropout: number
  rankStabilized: boolean
  /** `name`: a tensor with `linear`, or the second name of a block of them. */
  targets: { name: string; rank: number; alpha: number }[]
}

/** One of `integer`, `number` (a float) and `integers`. */
export interface OnnxNodeAttribute {
  name: string
  integer?: number
  number?: number
  integers?: number[]
}

/** An operator of ONNX (https://onnx.ai/onnx/operators). Tensors have names; '' is an input that is left out. */
export interface OnnxNode {
  op: string
  inputs: string[]
  outputs: string[]
  attributes: OnnxNodeAttribute[]
}

/** An input or output, int64 or float32. A size that has a name is known when the graph runs. */
export interface OnnxPort {
  name: string
  integer: boolean
  shape: (string | number)[]
}

/** Numbers of the graph's own, int64 or float32; shape [] is one number. */
export interface OnnxConstant {
  name: string
  integer: boolean
  shape: number[]
  values: number[]
}

/** A tensor of the encoder, for `dump`, or the transpose of a matrix: `shape` is that of what the graph reads. */
export interface OnnxWeight {
  name: string
  tensor: string
  shape: number[]
  transposed: boolean
}

/** What an encoder computes, over rows with padding, as a graph of ONNX operators: all that its file holds but the weights' values. */
export interface OnnxGraph {
  opset: number
  inputs: OnnxPort[]
  outputs: OnnxPort[]
  /** Every node stands behind those that it reads. */
  nodes: OnnxNode[]
  constants: OnnxConstant[]
  weights: OnnxWeight[]
}

export interface EncodeJobOptions {
  /**
   * A query goes before bulk work, also inside of a running job where that lets it: between two layers of another encoder's step, or
   * of an encode. It does not overtake an earlier job that may change its encoder's weights. Default `bulk`.
   */
  lane?: 'query' | 'bulk'
  /** A number from 1 on by which {@link NativeEncoder.drop} knows the job. */
  ticket?: number
}

export type EncoderOutput = 'sentence_embedding' | 'token_embeddings' | 'pooler_output' | 'hidden_states'

export interface NativeEncoder {
  /** Width of a sentence embedding after the last module. */
  readonly embeddingDimension: number
  /** Width of a token embedding (hidden size). */
  readonly tokenDimension: number
  /** Memory that a training pass keeps for each token, in bytes: what `miniBatchTokens` trades against time. */
  readonly trainingBytesPerToken: number
  /** All tensors, names as in the transformers checkpoint with the module's index in front: `0.encoder.layer.0.…`. */
  tensors(): TensorInfo[]
  /** The graph of `encode`: `last_hidden_state` and `sentence_embedding` (which a Pooling without the prompt's tokens lacks), or the
   *  `logits` of a head for a task. Throws ERR_NOT_IMPLEMENTED for what is not built. */
  graph(): OnnxGraph
  /**
   * Adds an adapter with PEFT's initial values, which becomes the active one. While there are adapters, the transformer is frozen
   * (in bfloat16 its matrices lose their float32 values), and a trainer trains the active adapter and the modules behind the
   * transformer. This and the next three reject with ERR_BUSY while there is a trainer.
   */
  addAdapter(spec: AdapterSpec, seed: number): Promise<void>
  /** @param name the one that takes part from now on; '' for none */
  setAdapter(name: string): Promise<void>
  deleteAdapter(name: string): Promise<void>
  /** Adds it to the weights, and deletes it. */
  mergeAdapter(name: string): Promise<void>
  /** `adapter.<adapter>.<target without .weight>.lora_A.weight` and `….lora_B.weight`, for `load` and `dump`. */
  adapterTensors(name: string): TensorInfo[]
  /** @param last false when more ranges follow at once: what is derived from the weights is made with the last ones. */
  load(ranges: TensorRange[], last?: boolean): Promise<void>
  /** `load` of bytes of an open file, which the job reads. ERR_FILE_SYSTEM and ERR_INVALID_FILE where it cannot.
   *  @param file its descriptor, which stays open until the promise settles */
  loadFile(file: number, ranges: FileRange[], last?: boolean): Promise<void>
  /** @param merged with what the active adapter adds to them */
  dump(ranges: TensorRange[], merged?: boolean): Promise<void>
  /** Gives these tensors the values of a new model, as transformers draws them; the same seed gives the same values. */
  initialize(names: string[], seed: number): Promise<void>
  /** `out`: rows × embeddingDimension; tokens × tokenDimension for token_embeddings; rows × tokenDimension for pooler_output;
   *  (layers + 1) × tokens × tokenDimension for hidden_states. */
  encode(batch: PackedBatch, out: Float32Array, output?: EncoderOutput, options?: EncodeJobOptions): Promise<void>
  /** Of a model with a vector for each token, whose `embeddingDimension` is that of a vector: `out` has tokens × embeddingDimension
   *  numbers, of which the vectors of all rows come first, one row after the other; `counts` gets how many each row has. */
  encodeVectors(batch: PackedBatch, out: Float32Array, counts: Int32Array, options?: EncodeJobOptions): Promise<void>
  /** Takes queued jobs with this ticket out of the queue; they reject with ERR_ABORTED. Returns whether there was one. */
  drop(ticket: number): boolean
  /** Idempotent; runs after the jobs that are queued. */
  dispose(): Promise<void>
}

export interface LossSpec extends ConfigObject {
  type: string
}

export type OptimizerSpec =
  | { type: 'adamw'; beta1: number; beta2: number; epsilon: number }
  | { type: 'sgd' }
  | { type: 'rmsprop'; alpha: number; epsilon: number }

export interface TrainerSpec {
  /** `{ name: '', spec: { type: 'MultipleNegativesRankingLoss', scale: 20, … } }`: one loss without a name, or several with
   *  names, which stand in their tensors' names: `loss.<name>.classifier.weight`. Checked again by the native registry. */
  losses: {
    name: string
    spec: LossSpec
    /** With `ranks`: the loss sees the embeddings of all processes. */
    gathers?: boolean
  }[]
  optimizer: OptimizerSpec
  /** Of group 0; see {@link NativeTrainer.setGroups}. */
  weightDecay: number
  /** 0 = no clipping. */
  maxGradNorm: number
  /** What the encoder computes in while this trainer lives; as it was made when absent. float64 encoders stay float64. */
  precision?: 'float32' | 'bfloat16' | 'float16'
  /** Multiply losses by a scale that follows the gradients, as torch.amp.GradScaler with its defaults. A skipped update then delays the
   *  rates of all updates after it: the n-th one that is made gets the n-th rate that was given. Default false. */
  lossScaler?: boolean
  /** Keep the inputs of layers alone and compute the rest again in the backward pass: same results. Default false. */
  activationCheckpointing?: boolean
  /** Gradients of parameters that losses own are never zeroed and not clipped, as in sentence-transformers 6.0.1. */
  compatLossGradients?: boolean
  /** The processes that train this model together, which this one has joined: each with all weights and an equal part of the rows of
   *  every batch. All of them make the same steps and updates. On a GPU only after `useDevice` of theirs. */
  ranks?: NativeCollective
  /** Of the dropout masks, of what losses draw and of the initial values of parameters that the losses own. */
  seed: number
}

export interface StepOptions {
  /** One rate, or one per group. */
  lr: number | Float64Array
  /** Factor of this batch's loss in the gradient (1 / accumulated batches). Default 1. */
  lossScale?: number
  /** Clip, update and zero the gradients after this batch. Default true. */
  update?: boolean
  /** Answer with what was gathered since the last report. Default false. */
  report?: boolean
  /** Which of the losses. Default 0. */
  loss?: number
  /** Gradient caching: rows (of all columns) or tokens that pass the encoder at once; the loss sees the whole batch, the
   *  gradients are the same up to rounding. Default: all at once. At most one of the two. */
  miniBatchRows?: number
  miniBatchTokens?: number
  /** As `activationCheckpointing` of the trainer, for this batch. Default false. */
  recompute?: boolean
  /** With `ranks`: numbers from 0, equally many on all of them, whose sums are reported. */
  requests?: number[]
}

export interface StepReport {
  /** Mean unscaled loss of the `batches` since the last report whose loss was finite. */
  loss: number
  batches: number
  /** Means of what the losses log beside their value, over the batches that had it, since the last report. */
  components: Record<string, number>
  /** Global gradient norm before clipping, of the last update; NaN before the first. */
  gradNorm: number
  /** Updates done since the last report. */
  updates: number
  /** Updates skipped because of a non-finite gradient, since the last report. */
  skipped: number
  /** Milliseconds since the last report, on the executor: forward (with the loss; recorded steps whole), backward, optimiser, with the
   *  queries that ran inside of them. */
  times: { forward: number; backward: number; optimizer: number }
  /** Tokens since the last report. With several processes, loss, components and tokens are those of all of them. */
  tokens: number
  /** With several processes: the sums of all requests since the last report. An update after which one is above 0 brings a report in any
   *  case. */
  requests?: number[]
  /** With several processes: milliseconds since the last report of waiting for sums of gradients. */
  communication?: number
  /** With several processes: milliseconds since the last report in which such sums passed beside the backward pass. */
  hidden?: number
  /** Mean cosine of different rows of the last batch's first column: near 1 where embeddings collapse. NaN for one row. */
  meanCosine: number
  /**
   * Steps since the trainer was made, where they are recorded and repeated (SENTENCE_TORCH_CUDA_GRAPHS=1): `repeated`, `warm-up` and
   * `eager: <why>`; `recorded` counts recordings.
   */
  graphs?: Record<string, number>
  /** With `lossScaler`: the scale of the next loss. */
  lossScale?: number
}

/** Bytes that training takes beside the model, at most. */
export interface TrainingMemory {
  /** Gradients, moments, copies of weights. */
  fixed: number
  /** Of each token that passes the encoder at once. */
  perToken: number
  /** The same with `recompute`. */
  perTokenRecomputed: number
  /** Of the loss of a whole batch. */
  loss: number
}

/** As in the `state_dict()` of torch.amp.GradScaler. */
export interface LossScalerState {
  scale: number
  /** Updates since the last one that was skipped, or since the scale grew. */
  growthTracker: number
}

/** Value and gradients of a loss that is computed in TypeScript. */
export interface ExternalLoss {
  loss: number
  /** rows × embeddingDimension, of the unscaled loss. */
  embeddings: Float32Array
  /** Of the loss's own tensors, by full name (`loss.w`). */
  parameters?: Record<string, Float32Array>
  /** Logged like the components of other losses. */
  components?: Record<string, number>
}

export interface NativeTrainer {
  /** Tensors owned by the losses (`loss.classifier.weight`, `loss.model1.…`), then, for every trained tensor, `grad.<name>`
   *  and the optimiser's state: `exp_avg.<name>`, `exp_avg_sq.<name>` (adamw), `square_avg.<name>` (rmsprop). */
  tensors(): TensorInfo[]
  /** Groups of parameters, each with a weight decay and a learning rate of its own. `groups` maps names of trained tensors
   *  to an index of `weightDecays`, or to -1 = frozen; absent ones keep theirs: 0 (decay) or 1 (no_decay). Default:
   *  `[weightDecay, 0]`. Before the first job only. */
  setGroups(weightDecays: number[], groups: Record<string, number>): void
  /** What training takes with batches of so many columns, and rows in each. Before the first job only. Throws ERR_NOT_IMPLEMENTED on a
   *  GPU, and for losses that read more than embeddings. */
  memory(columns: number, rows: number): TrainingMemory
  load(ranges: TensorRange[]): Promise<void>
  dump(ranges: TensorRange[]): Promise<void>
  step(batch: PackedBatch, options: StepOptions): Promise<StepReport | undefined>
  /** First half of a step with a loss of type `Custom`: embeds with dropout and keeps what the second half needs. `out`:
   *  rows × embeddingDimension. Only the members `loss`, `miniBatchRows` and `miniBatchTokens` of the options are read. */
  embed(batch: PackedBatch, out: Float32Array, options: StepOptions): Promise<void>
  /** The second half. Whatever comes in between (encoding, evaluation, a dump) has the weights as they are and changes nothing of
   *  the step; a `load` of encoder or trainer is ERR_BUSY; another `embed` or `step` takes the place of the first half. */
  apply(external: ExternalLoss, options: StepOptions): Promise<StepReport | undefined>
  /** For a loss that is written with tensors (type `Custom`): embeds with dropout; column c becomes the tensor `out[c]`, [rows,
   *  embeddingDimension] in float32 on the CPU, through which `backward` adds to the encoder's gradients. Several passes may be under
   *  way; a graph that holds one keeps its activations. A failure is that of the tensors, and settles the promise without error. */
  forward(batch: PackedBatch, tensors: NativeTensors, out: number[], options: StepOptions): Promise<void>
  /** The loss's own tensors, by full name (`loss.w`), take the values of these tensors, which are the parameters from then on. */
  bind(tensors: NativeTensors, parameters: Record<string, number>): Promise<void>
  /** Clips, updates and zeroes the gradients. Only `lr` of the options is read. */
  update(options: StepOptions): Promise<StepReport>
  zeroGradients(): Promise<void>
  /** The loss of a batch, without dropout, gradient or update. */
  evaluate(batch: PackedBatch, loss?: number): Promise<{ loss: number; components: Record<string, number> }>
  /** With `ranks`: gives all of them the weights of rank 0, and the parameters of its losses. */
  copyWeights(): Promise<void>
  /** How many steps and updates were done: with the tensors, all that a later trainer needs to go on bit for bit. */
  counters(): Promise<number[]>
  setCounters(counters: number[]): Promise<void>
  /** Undefined without `lossScaler`. */
  lossScaler(): Promise<LossScalerState | undefined>
  setLossScaler(state: LossScalerState): Promise<void>
  dispose(): Promise<void>
}

/** How processes find each other. */
export interface CollectiveSpec {
  rank: number
  size: number
  /** Of the store where they meet. */
  host: string
  port: number
  /** Whether a launcher serves the store; else rank 0 does. */
  hosted: boolean
  /** Of the store's keys. */
  prefix: string
  /** Of the network; default: loopback if the store is there, else that by which `host` is reached. */
  interface?: string
  /** Until all processes have to be there. */
  joinSeconds: number
  /** Until a process that is waited for counts as lost. */
  timeoutSeconds: number
}

/** One of several processes that compute together. Jobs of the executor, which wait for the same calls of the others. Where one is
 *  missing, all others reject with ERR_DISTRIBUTED, which names it. */
export interface NativeCollective {
  /** Once, before anything else. Rejects with ERR_NOT_IMPLEMENTED where LibTorch has no c10d. */
  join(): Promise<void>
  /** On which device this process trains: `cpu`, `cuda:1`. All call it. Rejects with ERR_DISTRIBUTED unless all train on CPUs or each on a
   *  card of its own, and with ERR_NOT_IMPLEMENTED for a GPU where the addon was built without NCCL. */
  useDevice(device: string): Promise<void>
  /** The texts of all processes, by rank. */
  exchange(text: string): Promise<string[]>
  /** The text of rank 0, on all of them. */
  share(text: string): Promise<string>
  /** Fills `all` with the bytes of all processes, by rank. They are equally many, at least one. */
  gather(own: Uint8Array, all: Uint8Array): Promise<void>
  /** Replaces at least one value by their sums over all processes. */
  sum(values: Float32Array): Promise<void>
  /** @param why this process ends, which the others then say; '' when its work is done */
  leave(why: string): Promise<void>
}

/** How a decoder writes texts. The names in brackets are those of transformers' GenerationConfig. */
export interface GenerationOptions {
  /** The token that each text begins with, not a part of the answer. */
  start: number
  /** Tokens that end a text [eos_token_id]; may be empty. */
  ends: Int32Array
  /** Of an answer, with its end [max_new_tokens]. */
  mostTokens: number
  /** Before an end [min_new_tokens]. Default 0. */
  leastTokens?: number
  /** Draw tokens by their probability instead of taking the best [do_sample]. Default false. */
  sample?: boolean
  /** Above 0. Default 1. */
  temperature?: number
  /** 0 = all tokens. Default 0. */
  topK?: number
  /** Above 0 and at most 1. Default 1. */
  topP?: number
  /** [num_beams] At most the vocabulary's size. Default 1. */
  beams?: number
  /** Default 1. */
  lengthPenalty?: number
  /** Default false. */
  earlyStopping?: boolean | 'never'
  /** To each prompt [num_return_sequences]: one unless there are beams (at most as many) or draws. Default 1. */
  answers?: number
  /** [no_repeat_ngram_size] Default 0. */
  noRepeatNgram?: number
  /** What is drawn is a function of the seed and of the prompt's number. Default 0. */
  seed?: number
  /** Number of the batch's first prompt in the whole. Default 0. */
  firstPrompt?: number
}

export interface GeneratedAnswer {
  /** Row of the batch. */
  prompt: number
  /** From 0 to `answers` - 1; of beams the best first. */
  number: number
  /** With its end, if it has one. */
  ids: Int32Array
}

/** Texts that an encoder with its decoder writes. The weights must not change before they are done. */
export interface NativeGeneration {
  /** Of the keys and values that are kept from the first `next` to the last: known before they are taken. */
  readonly bytes: number
  /** One short job: a block of prompts, or as many tokens of all texts as fit into some 40 ms, at least one. `answers` are those
   *  that it finished; those of one prompt come in order. */
  next(): Promise<{ answers: GeneratedAnswer[]; done: boolean }>
  /** Frees the memory; also in between. Idempotent. */
  dispose(): Promise<void>
}

/** `out` becomes what the operation makes of the tensors `in`; `free` forgets `in`. Names and options: native/engine/tensor_ops.cpp. */
export interface TensorStep {
  op: string
  out: number
  in: number[]
  options?: ConfigObject
}

export type TensorData = Float32Array | Float64Array | Int32Array | Uint8Array

/** Tensors with gradients by autograd, on the CPU; the caller numbers them. */
export interface NativeTensors {
  /** Runs operations one after the other. A failure is that of the result, and of all that is made of it: `read` and `backward` of
   *  those reject. `arrays`: values for the operation `data`, copied at the call. */
  run(steps: TensorStep[], arrays: TensorData[]): Promise<void>
  /** Borrows `out`: Float32Array for float32, Float64Array for float64, Int32Array for int64, Uint8Array for bool. */
  read(id: number, out: TensorData): Promise<void>
  /** Of a tensor with one element. */
  backward(id: number): Promise<void>
  /** How many there are. */
  count(): Promise<number>
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
  /** dtypes that run at full speed on the CPU; bfloat16 elsewhere is emulated, int8 refused. */
  fastDTypes: DType[]
  /** Processor features that matter here: avx2, avx512f, avx512_bf16, amx_bf16, … */
  cpuFeatures: string[]
  /** The kernel path chosen at run time: portable, avx2, avx512, amx (avx512 with products of tiles). */
  cpuKernels: string
  threads: number
}

export type Metric = 'cosine' | 'dot' | 'euclidean' | 'manhattan'

/** Vectors of texts: text r has those from `offsets[r]` up to `offsets[r + 1]`. The data are borrowed. */
export interface GivenVectors {
  data: Float32Array
  offsets: Int32Array
}

/** The same in few bits. Of int8 a number is `code * scales[d] + shifts[d]`; bits are -1 and 1. */
export interface GivenCodes {
  codes: Uint8Array
  precision: 'float16' | 'int8' | 'binary'
  scales?: Float32Array
  shifts?: Float32Array
  offsets: Int32Array
}

/** How queries and documents are compared. */
export interface MaxSimOptions {
  /** Divides by the number of a query's vectors. */
  mean?: boolean
  /** XTR: of each query vector only so many products with vectors of all documents count. */
  topK?: number
  /** Compares query r with document r alone. */
  byRow?: boolean
}

/** What was computed between `profileStart` and `profileStop`, on all threads of the process. */
export interface NativeProfile {
  wallMs: number
  /** `ownMs`: without the parts inside it. */
  parts: { name: string; calls: number; totalMs: number; ownMs: number }[]
  /** Four numbers each: index into `parts`, thread, start in microseconds since `profileStart`, duration in microseconds. */
  events: Float64Array
  /** Events that are in `parts` but not in `events`, which are at most 2^20. */
  dropped: number
}

/** What the machine can do with the executor's threads. */
export interface MachineRates {
  /** [m, k] · [k, n], 2·m·k·n operations each, by LibTorch and by the engine's own kernels (0 where it has none). */
  gemms: { dtype: DType; m: number; k: number; n: number; gflops: number; ownGflops: number }[]
  /** Memory: bytes read and written. */
  copyGBs: number
  /** A product of two arrays that lie in the caches: bytes read and written. */
  elementwiseGBs: number
  /** LibTorch's own, an element. */
  geluNs: number
  layerNormNs: number
  dropoutNs: number
}

/** Rows of few values: those of row r, and their rising columns, from `offsets[r]` to `offsets[r + 1]`. */
export interface SparseArrays {
  indices: Int32Array
  values: Float32Array
  /** rows + 1 */
  offsets: Int32Array
}

/** The same by columns: those of column c, and their rising rows, from `offsets[c]` to `offsets[c + 1]`. */
export interface PostingArrays {
  documents: Int32Array
  values: Float32Array
  /** dimension + 1 */
  offsets: Int32Array
  /** Of each row: the sum of the squares of its values, and of their sizes. */
  squares: Float64Array
  magnitudes: Float64Array
}

export interface NativeAddon {
  runtime(): RuntimeInfo
  /** False where a profile is running already. */
  profileStart(): boolean
  profileStop(): NativeProfile
  /** Takes about `seconds` for each of some twenty measurements. */
  measureMachine(dtypes: readonly DType[], seconds: number): Promise<MachineRates>
  /** Threads of the executor; takes effect with the next job that does not run inside of another. */
  setThreads(threads: number): void
  /**
   * Checks a config.json of `model_type` `architecture` and describes its model; nothing is allocated.
   * @throws ERR_INVALID_MODEL for what no such model has, ERR_NOT_IMPLEMENTED and ERR_UNSUPPORTED for what is not built, naming key
   * and value; the message says `config.json` for the file
   */
  describe(architecture: string, config: ConfigObject): Description
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
  /** Candidates: the `k` rows of `codes` that differ from a query in the fewest bits, nearest first, for every row of `queries`;
   *  `indices` is [queries, k]. `width`: bytes of a row, a multiple of 8. Needs k ≤ rows. */
  nearestBits(queries: Uint8Array, codes: Uint8Array, width: number, k: number, indices: Int32Array): Promise<void>
  /** Candidates by `factors[r]` × (query · row r of `codes`): signed bytes [rows, dim]. Needs k ≤ rows. */
  nearestBytes(
    queries: Float32Array,
    codes: Uint8Array,
    factors: Float32Array,
    dim: number,
    k: number,
    indices: Int32Array,
  ): Promise<void>
  /** MaxSim of queries and documents with vectors of `dim` numbers: `scores` is [queries, documents], or [queries] with `byRow`. */
  maxSim(
    queries: GivenVectors | GivenCodes,
    documents: GivenVectors | GivenCodes,
    dim: number,
    options: MaxSimOptions,
    scores: Float32Array,
  ): Promise<void>
  /** Joins vectors of every text as HierarchicalTokenPooling does. `out` has the room of the old ones, and the new ones come first in
   *  it; `counts` gets how many each text has. */
  poolTokens(
    vectors: GivenVectors,
    dim: number,
    options: { poolFactor: number; numProtectedTokens: number; normalizeEmbeddings: boolean },
    out: Float32Array,
    counts: Int32Array,
  ): Promise<void>
  /** Fills the inverted index of `rows` of width `dimension`: `postings` has room for as many values, and a sum for every row. */
  invertSparse(rows: SparseArrays, dimension: number, postings: PostingArrays): Promise<void>
  /** `topK` over an inverted index. A score is a sum in double precision by rising column. Needs k ≤ documents. */
  sparseTopK(
    queries: SparseArrays,
    dimension: number,
    postings: PostingArrays,
    k: number,
    metric: Metric,
    scores: Float32Array,
    indices: Int32Array,
  ): Promise<void>
  Encoder: new (spec: EncoderSpec) => NativeEncoder
  Trainer: new (encoder: NativeEncoder, spec: TrainerSpec) => NativeTrainer
  Collective: new (spec: CollectiveSpec) => NativeCollective
  Tensors: new () => NativeTensors
  /** Writes answers to the rows of a batch. The encoder was made with `decoder`. */
  Generation: new (
    encoder: NativeEncoder,
    prompts: PackedBatch,
    options: GenerationOptions,
  ) => NativeGeneration
}
