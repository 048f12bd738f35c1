import type { Tokenized } from '../data/pack.js'
import type { Tokenizer } from '../data/tokenizer.js'
import { invalidArgument } from '../errors.js'
import { loadAddon } from '../native/load.js'
import type { Metric, NativeAddon, PackedBatch } from '../native/types.js'
import { checkInteger, checkOptions } from '../options.js'
import type { SavedAdapter } from './adapters/config.js'
import { BaseModel } from './base-model.js'
import type { FullCard } from './card/full-card.js'
import { sentenceTransformerKind } from './card/sentence-transformer-card.js'
import type { TeacherParts } from './distillation/distil.js'
import { type Embeddings, type EmbeddingsLike, embeddings, normalizeRows, truncateRows } from './embeddings.js'
import { type EncodeSettings, encodeTexts, encodeTokens, QUERY_TEXTS, throwIfAborted } from './encode.js'
import { encodeInOrder } from './encode-in-order.js'
import { encodeParts, type TextSource } from './encode-stream.js'
import { evaluateModel, type ModelEvaluator } from './evaluate-model.js'
import { type FeatureOptions, type Features, type ForwardOutput, forward, packColumns, tokenize } from './features.js'
import { type FromModulesOptions, type ModelModules, partsOfModules } from './from-modules.js'
import type { ModelSource } from './language-model.js'
import { checkEncodeOptions, checkSimilarity } from './load-options.js'
import { loadParts, mostPositions } from './load-parts.js'
import type { MergeMethodName } from './merging/methods.js'
import type { MergeOptions } from './merging/options.js'
import { fullModelCard } from './model-card.js'
import { readModelFolder } from './model-folder.js'
import { modelText } from './model-text.js'
import { type ModuleName, zerosWhenEmpty } from './modules/index.js'
import { EncodeProgress, progressOf } from './progress.js'
import { openNetworks, replaceNetworks } from './router/load.js'
import {
  checkedTwin,
  notForRouters,
  parameterPath,
  routeOf,
  routerDescriptions,
  type TextRoute,
  tokenLimits,
  withLengths,
} from './router/networks.js'
import { moduleList, writeModelFolder } from './save-folder.js'
import { type HeadTensors, saveLanguageModelFolder } from './save-language-model.js'
import { pairwiseSimilarity, similarityMatrix } from './similarity.js'
import type { Parts } from './start-engine.js'
import { copyTexts, withPromptOf } from './text-inputs.js'
import type { EncodeOptions, LoadOptions, TaskOptions } from './types.js'
import { WeightFiles } from './weights.js'

/** One module of a model, for people to read: its type and its settings. */
export interface ModuleDescription {
  readonly type: string
  readonly [setting: string]: unknown
}

type TokenOptions = EncodeOptions & { outputValue: 'token_embeddings' }
type RowOptions = EncodeOptions & { outputValue?: 'sentence_embedding' | 'pooler_output' }
/** Encodes the rows of a call. @param all where their sentence embeddings go, one after the other; it may be filled without `put` */
type Run = (settings: EncodeSettings, all?: Float32Array) => Promise<void>

// The constructor is private; `loadWith` at the end of this file is not a member.
let create: (parts: Parts) => SentenceTransformer

/**
 * A model that turns texts into vectors: a transformer, a pooling, and modules behind it such as Dense and Normalize; or a table of
 * word embeddings.
 *
 * ```ts
 * const model = await SentenceTransformer.load('sentence-transformers/all-MiniLM-L6-v2')
 * const { data, shape } = await model.encode(['one text', 'another'])   // shape [2, 384]
 * await model.dispose()
 * ```
 * Source: sentence-transformers `SentenceTransformer`.
 */
export class SentenceTransformer extends BaseModel<Parts> {
  static {
    create = (parts) => new SentenceTransformer(parts)
  }

  private constructor(parts: Parts) {
    super('SentenceTransformer', parts)
  }

  /**
   * Loads a model from a local folder, the Hugging Face cache, or the Hugging Face hub, in this order. Folders of
   * sentence-transformers 2.0 to 6.x and plain Hugging Face folders (with mean pooling) are understood.
   * @param idOrPath a folder, or a hub id; a bare name means one of `sentence-transformers/`.
   * @throws SentenceTorchError ERR_NOT_FOUND, ERR_INVALID_MODEL, ERR_INVALID_TENSORS, ERR_NOT_IMPLEMENTED, ERR_UNSUPPORTED,
   * ERR_NETWORK, ERR_ADDON_LOAD, ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
   */
  static async load(idOrPath: string, options: LoadOptions = {}): Promise<SentenceTransformer> {
    return loadWith(loadAddon, idOrPath, options)
  }

  /**
   * Puts a model together of a first module and those behind it, each of which takes its width from the one before.
   *
   * ```ts
   * const transformer = await Transformer.load('bert-base-uncased', { maxSeqLength: 256 })
   * const dense = new Dense({ outFeatures: 256 })
   * const model = await SentenceTransformer.fromModules([transformer, new Pooling('mean'), dense, new Normalize()])
   * ```
   * Source: sentence-transformers `SentenceTransformer(modules=…)`.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT for modules that cannot stand behind each other; as `load`
   */
  static async fromModules(modules: ModelModules, options: FromModulesOptions = {}): Promise<SentenceTransformer> {
    return new SentenceTransformer(await partsOfModules(loadAddon, modules, options))
  }

  /**
   * Merges models of one architecture, tensor by tensor, into a new one with the settings and the tokenizer of the first.
   *
   * ```ts
   * const merged = await SentenceTransformer.merge([a, b], 'slerp', { parameters: { t: 0.4 }, outputPath: 'models/merged' })
   * ```
   * Source: sentence-transformers `SentenceTransformer.merge`.
   * @param models folders, hub ids or loaded models, at least two
   * @returns the merged model, in float32 on the CPU
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT for models that differ in more than their weights, naming the first
   * difference; ERR_INVALID_TENSORS for a tensor that is not finite; as `load` and `save`
   */
  static async merge(
    models: readonly (string | SentenceTransformer)[],
    method: MergeMethodName = 'linear',
    options: MergeOptions<SentenceTransformer> = {},
  ): Promise<SentenceTransformer> {
    const { mergeModels, sentenceTransformers } = await import('./merging/index.js')
    const kind = {
      kind: sentenceTransformers,
      getAddon: loadAddon,
      partsOf: (value: unknown) => (value instanceof SentenceTransformer ? value.use() : undefined),
      load: (path: string) => loadParts(loadAddon, path, {}),
      create,
    }
    return mergeModels(kind, models, method, options)
  }

  /**
   * A new model with some layers of this one's transformer, and all of its other parts: what a distillation starts from.
   *
   * ```ts
   * const student = await teacher.withLayers([0, 2, 4])
   * await student.save('models/three-layers')
   * ```
   * Source: sentence-transformers `examples/…/distillation/model_distillation_layer_reduction.py`.
   * @param layers their numbers, from 0 on and rising; or how many, evenly spread from the first on: 4 of 12 are 0, 3, 6 and 9
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT; ERR_NOT_IMPLEMENTED where a layer would become one of another kind, such as a
   * ModernBERT's, of which each third sees all tokens; ERR_UNSUPPORTED for models without layers of their own (static embeddings, an
   * active adapter)
   */
  async withLayers(layers: number | readonly number[]): Promise<SentenceTransformer> {
    if (this.use().folder.router) throw notForRouters('withLayers')
    const { partsWithLayers } = await import('./with-layers.js')
    return new SentenceTransformer(await partsWithLayers(this.use(), layers))
  }

  /** Width of an embedding: of the last module, or `truncateDim` if that is less. */
  get embeddingDimension(): number {
    const full = this.use().encoder.embeddingDimension
    return Math.min(full, this.parts.folder.truncateDim ?? full)
  }

  /**
   * Tokens to which texts are cut, special tokens included. Settable, up to the number of position embeddings. Of a model with a
   * Router: the largest of its routes'; setting it sets those of all.
   */
  get maxSeqLength(): number {
    const { tokenizer, tokenizers = [tokenizer] } = this.parts
    return Math.max(...tokenizers.map((one) => one.maxSeqLength))
  }

  set maxSeqLength(value: number) {
    const { tokenizer, tokenizers = [tokenizer], folder } = this.use()
    checkInteger('maxSeqLength', value ?? null, 1, mostPositions(folder))
    tokenizers.forEach((one, i) => {
      const { description } = folder.router?.networks[i] ?? folder
      one.maxSeqLength = Math.min(value, description.positions ?? value)
    })
  }

  /** What `similarity` computes: `cosine`, `dot`, `euclidean` or `manhattan`. Settable. */
  get similarityFnName(): Metric {
    return this.parts.folder.similarityFnName
  }

  set similarityFnName(value: Metric) {
    checkSimilarity(value ?? null)
    this.parts.folder.similarityFnName = value
  }

  /** Dimensions that are kept of every embedding; null for all. */
  get truncateDim(): number | null {
    return this.parts.folder.truncateDim
  }

  /** The modules in order, with their settings. */
  get modules(): readonly ModuleDescription[] {
    const { folder, tokenizer } = this.parts
    if (folder.router) return routerDescriptions(folder.router)
    const { layers, width } = folder.description
    const first = { type: folder.first, architecture: folder.architecture, maxSeqLength: tokenizer.maxSeqLength }
    return [{ ...first, layers, hiddenSize: width }, ...folder.modules.map(({ spec }) => ({ ...spec }))]
  }

  /** The modules as Python prints them; `console.log(model)` shows the same. */
  override toString(): string {
    return modelText(this.parts.folder)
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }

  /**
   * Token ids of texts, padded to the longest: `inputIds`, `attentionMask` (1 for tokens, 0 for padding) and, for models with several
   * token types, `tokenTypeIds`, each [texts, longest].
   * Source: sentence-transformers `SentenceTransformer.tokenize`.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT for a text that is no string, by its index
   */
  async tokenize(texts: readonly string[], options: TaskOptions = {}): Promise<Features> {
    checkOptions('tokenize', options, ['task'])
    const { tokenizer, description } = this.route(options.task)
    return tokenize(tokenizer, copyTexts(texts), description.tokenTypes > 1)
  }

  /**
   * What the modules make of features: `tokenEmbeddings` [texts, longest, hidden size], with zeros for padding, and
   * `sentenceEmbedding` [texts, dim]; on request `allLayerEmbeddings`, before the first layer and after each (transformers'
   * `hidden_states`), and `poolerOutput` [texts, hidden size].
   * Source: sentence-transformers `SentenceTransformer.forward`.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT for features that do not fit
   */
  async forward(features: Features, options: FeatureOptions & TaskOptions = {}): Promise<ForwardOutput> {
    const { task, ...others } = options
    const { description, number } = this.route(task)
    return forward(this.use().encoder, description, features, others, number)
  }

  /** @internal Features of each column as the engine reads them, for training. */
  packFeatures(columns: readonly Features[]): PackedBatch {
    if (this.use().folder.router) throw notForRouters('A loop by hand')
    return packColumns(columns, this.use().folder.description.vocabulary)
  }

  /**
   * Embeds one text (Float32Array [dim]) or several ({ data: Float32Array, shape: [n, dim], row(i) }, in the order of the
   * texts; [0, dim] for none). Computed in batches sorted by length, off the JavaScript thread, equal texts once; several calls may run at once.
   * Many texts of a static model are computed in their order.
   * Texts, options and settings are those at the call, whatever happens to them later.
   * Truncation comes before normalisation. `outputValue: 'token_embeddings'` gives [tokens, width] per text, special tokens
   * included, those of `'pooler_output'` are [n, hidden size].
   * Beside a training the rows of many texts may come from several of its steps; inside of `hold` they come from one.
   * Source: sentence-transformers `SentenceTransformer.encode`.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT (a text that is no string, by its index), ERR_UNKNOWN_OPTION,
   * ERR_NOT_IMPLEMENTED, ERR_ABORTED, ERR_DISPOSED
   */
  encode(text: string, options: TokenOptions): Promise<Embeddings>
  encode(texts: readonly string[], options: TokenOptions): Promise<Embeddings[]>
  encode(text: string, options?: RowOptions): Promise<Float32Array>
  encode(texts: readonly string[], options?: RowOptions): Promise<Embeddings>
  encode(input: string | readonly string[], options?: EncodeOptions): Promise<Float32Array | Embeddings | Embeddings[]>
  async encode(
    input: string | readonly string[],
    given: EncodeOptions = {},
  ): Promise<Float32Array | Embeddings | Embeddings[]> {
    // Copies, and settings that are read before the first wait: what happens to either later is for later calls.
    const texts = typeof input === 'string' ? [input] : copyTexts(input)
    checkEncodeOptions(given)
    const options = { ...given }
    const prompt = this.promptOf(options)
    const { tokenizer } = this.route(options.task)
    const result = await this.#encode(texts.length, options, (settings, all) => {
      const request = { ...settings, tokenizer, texts, prompt }
      if (all === undefined || !this.isStatic || texts.length <= QUERY_TEXTS) return encodeTexts(request)
      return encodeInOrder({ ...request, batchSize: options.batchSize, out: all })
    })
    if (typeof input !== 'string') return result
    return Array.isArray(result) ? result[0]! : result.data
  }

  /**
   * @internal `encode` for texts that were tokenised: a row of tokens each, with the prompt and special ones, by the tokenizer of the
   * task's route.
   */
  encodeTokens(tokens: Tokenized, options: TokenOptions): Promise<Embeddings[]>
  encodeTokens(tokens: Tokenized, options: RowOptions): Promise<Embeddings>
  async encodeTokens(tokens: Tokenized, options: EncodeOptions): Promise<Embeddings | Embeddings[]> {
    return this.#encode(tokens.offsets.length - 1, options, (settings) => encodeTokens({ ...settings, tokens }))
  }

  /**
   * Embeds the texts of a source one by one, in its order, with memory for some thousand texts: a Float32Array [dim] for each (with
   * `outputValue: 'token_embeddings'` a matrix [tokens, width]). Texts are read as the engine needs them; where the source keeps it
   * waiting, those that have come are computed. Ending the loop ends the source, too.
   *
   * ```ts
   * for await (const embedding of model.encodeStream(lines)) await store(embedding)
   * ```
   * @param texts an async iterable, or an iterable, of strings
   * @throws SentenceTorchError as `encode`; what the source throws
   */
  encodeStream(texts: TextSource, options: TokenOptions): AsyncGenerator<Embeddings, void, undefined>
  encodeStream(texts: TextSource, options?: RowOptions): AsyncGenerator<Float32Array, void, undefined>
  async *encodeStream(
    texts: TextSource,
    given: EncodeOptions = {},
  ): AsyncGenerator<Float32Array | Embeddings, void, undefined> {
    checkEncodeOptions(given)
    const options: EncodeOptions = { priority: 'bulk', ...given }
    const encode = async (part: string[]): Promise<Iterable<Float32Array | Embeddings>> => {
      const found = await this.encode(part, options as RowOptions)
      return Array.isArray(found) ? found : part.map((_, i) => found.row(i))
    }
    yield* encodeParts(texts, encode, options.signal)
  }

  /** `encode` with the prompt named `query`, unless another is given. Source: `SentenceTransformer.encode_query`. */
  encodeQuery(text: string, options: TokenOptions): Promise<Embeddings>
  encodeQuery(texts: readonly string[], options: TokenOptions): Promise<Embeddings[]>
  encodeQuery(text: string, options?: RowOptions): Promise<Float32Array>
  encodeQuery(texts: readonly string[], options?: RowOptions): Promise<Embeddings>
  encodeQuery(
    input: string | readonly string[],
    options?: EncodeOptions,
  ): Promise<Float32Array | Embeddings | Embeddings[]>
  async encodeQuery(
    input: string | readonly string[],
    options: EncodeOptions = {},
  ): Promise<Float32Array | Embeddings | Embeddings[]> {
    return this.encode(input, this.#withSide(options, 'query'))
  }

  /**
   * `encode` with the first prompt there is of `document`, `passage`, `corpus`, unless another is given. As in Python, every
   * model has `document`, '' unless set. Source: `SentenceTransformer.encode_document`.
   */
  encodeDocument(text: string, options: TokenOptions): Promise<Embeddings>
  encodeDocument(texts: readonly string[], options: TokenOptions): Promise<Embeddings[]>
  encodeDocument(text: string, options?: RowOptions): Promise<Float32Array>
  encodeDocument(texts: readonly string[], options?: RowOptions): Promise<Embeddings>
  encodeDocument(
    input: string | readonly string[],
    options?: EncodeOptions,
  ): Promise<Float32Array | Embeddings | Embeddings[]>
  async encodeDocument(
    input: string | readonly string[],
    options: EncodeOptions = {},
  ): Promise<Float32Array | Embeddings | Embeddings[]> {
    return this.encode(input, this.#withSide(options, 'document'))
  }

  /**
   * Similarity (`similarityFnName`) of every row of `a` with every row of `b`: [rows of a, rows of b].
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT when the widths differ
   */
  similarity(a: EmbeddingsLike, b: EmbeddingsLike): Embeddings {
    return similarityMatrix(this.similarityFnName, a, b)
  }

  /**
   * Similarity (`similarityFnName`) of row i of `a` with row i of `b`, for every i: [rows].
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT when the shapes differ
   */
  similarityPairwise(a: EmbeddingsLike, b: EmbeddingsLike): Float32Array {
    return pairwiseSimilarity(this.similarityFnName, a, b)
  }

  /**
   * @internal How texts with this task are encoded: of a model without Router always in the same way.
   * @throws ERR_INVALID_ARGUMENT for a task without route
   */
  route(task?: string | null): TextRoute {
    return routeOf(this.use(), task)
  }

  /** @internal Of a model with a Router: the names of its routes. */
  get routes(): readonly string[] | undefined {
    return this.use().folder.router?.routes.map(({ name }) => name)
  }

  /** @internal Most tokens of a text, by tokenizer. */
  get tokenLimits(): ReadonlyMap<Tokenizer, number> {
    return tokenLimits(this.use())
  }

  /** @internal Whether a pooling leaves prompts out. */
  get leavesPromptsOut(): boolean {
    const { folder } = this.use()
    return (folder.router?.networks ?? [folder]).some(({ modules }) =>
      modules.some(({ spec }) => spec.includePrompt === false),
    )
  }

  /** @internal The name of a tensor in Python's `named_parameters()`. */
  parameterPath(name: string): string {
    return parameterPath(this.use().folder, name)
  }

  protected savedModules(): { type: ModuleName; path: string }[] {
    const { folder } = this.parts
    const { paths } = moduleList(folder)
    return folder.modules.map(({ type }, i) => ({ type, path: paths[i]! }))
  }

  /** @internal */
  get cardKind(): 'texts' {
    return 'texts'
  }

  /** @internal README.md of the model in the folder `target`; undefined where no training has told what to say. */
  async cardText(target: string): Promise<string | undefined> {
    const card = this.#fullCard(target)
    return card && fullModelCard(card)
  }

  #fullCard(target: string): FullCard | undefined {
    const { folder, tokenizer, id } = this.parts
    const training = this.trainingFacts?.()
    const baseModel = id ?? training?.baseModel
    const kind = sentenceTransformerKind(this.embeddingDimension, folder.similarityFnName, target)
    return training && { kind, baseModel, maxSeqLength: tokenizer.maxSeqLength, modelText: this.toString(), training }
  }

  protected writer(target: string, adapter: SavedAdapter | undefined): (folder: string) => Promise<void> {
    const { folder, encoder, names, tokenizer, addon, id } = this.use()
    const lengths = this.parts.tokenizers?.map((one) => one.maxSeqLength)
    const settings = {
      ...{ ...folder, prompts: { ...folder.prompts }, maxSeqLength: tokenizer.maxSeqLength },
      ...(folder.router && { router: withLengths(folder.router, lengths!) }),
    }
    const card = {
      target,
      ...(id === undefined ? {} : { baseModel: id }),
      maxSeqLength: tokenizer.maxSeqLength,
      embeddingDimension: this.embeddingDimension,
      similarityFnName: folder.similarityFnName,
      modules: this.modules.map((module) => module.type),
      version: addon.runtime().addonVersion,
      full: this.#fullCard(target),
    }
    return (path) => writeModelFolder(path, settings, { encoder, names }, card, adapter)
  }

  /**
   * The metrics of an evaluator; `evaluator.evaluate(model)` also says which is the primary one.
   * @param outputPath folder for the evaluator's CSV file; none is written without it
   * Source: sentence-transformers `SentenceTransformer.evaluate`.
   */
  async evaluate(evaluator: ModelEvaluator<SentenceTransformer>, outputPath?: string): Promise<Record<string, number>> {
    return evaluateModel(this, evaluator, outputPath)
  }

  /**
   * Saves the masked language model that `MaskedLanguageModelLoss` trained, as transformers has it (of a BERT: BertForMaskedLM):
   * this model's transformer with the loss's head, and the tokenizer. `AutoModelForMaskedLM.from_pretrained` and `load` read the
   * folder.
   * @param lossTensors of the result of that training
   * @throws SentenceTorchError ERR_INVALID_TENSORS, listing what of the head is missing or does not fit; as `save`
   */
  async saveMaskedLanguageModel(path: string, lossTensors: HeadTensors): Promise<void> {
    if (this.use().folder.router) throw notForRouters('saveMaskedLanguageModel')
    const { folder, encoder, names, tokenizer } = this.use()
    if (typeof path !== 'string' || path === '') throw invalidArgument('path', 'the path of a folder', path)
    const settings = { ...folder, maxSeqLength: tokenizer.maxSeqLength }
    await saveLanguageModelFolder(path, settings, { encoder, names }, lossTensors)
  }

  /** @internal Where the model came from, for losses that start from its checkpoint. */
  get source(): ModelSource {
    const { addon, folder, id } = this.parts
    return { transformerPath: folder.transformerPath, id, addon }
  }

  /** Whether the model is a table of word embeddings, without a transformer. */
  get isStatic(): boolean {
    const { first, router } = this.use().folder
    return first === 'StaticEmbedding' && !router
  }

  /** @internal What a distillation reads. */
  get teacher(): TeacherParts {
    if (this.use().folder.router) throw notForRouters('Distillation')
    return this.use()
  }

  protected async openWeights(path: string): Promise<WeightFiles> {
    const { addon } = this.parts
    return WeightFiles.open(await readModelFolder(path, () => addon))
  }

  override async loadWeights(path: string): Promise<void> {
    const { addon, encoder, folder } = this.use()
    if (!folder.router) return super.loadWeights(path)
    const { router } = await readModelFolder(path, () => addon)
    const weights = await openNetworks(path, checkedTwin(folder.router, router, path).networks)
    try {
      await replaceNetworks(weights, encoder)
    } finally {
      for (const files of weights) await files.close()
    }
  }

  /** @internal What `encodeQuery` or `encodeDocument` puts in front of every text. */
  promptFor(side: 'query' | 'document'): string {
    return this.promptOf(withPromptOf(this.prompts, {}, side))
  }

  /** What `encodeQuery` and `encodeDocument` add: the task, for a Router, and a prompt. */
  #withSide(options: EncodeOptions, side: 'query' | 'document'): EncodeOptions {
    return { task: side, ...withPromptOf(this.prompts, options, side) }
  }

  async #encode(count: number, options: EncodeOptions, run: Run): Promise<Embeddings | Embeddings[]> {
    const route = this.route(options.task)
    const isByToken = options.outputValue === 'token_embeddings'
    return isByToken ? this.#encodeByToken(count, options, route, run) : this.#encodeRows(count, options, route, run)
  }

  async #encodeRows(count: number, options: EncodeOptions, route: TextRoute, run: Run): Promise<Embeddings> {
    const { encoder, folder } = this.use()
    const pooler = options.outputValue === 'pooler_output'
    const full = pooler ? route.description.width : encoder.embeddingDimension
    const kept = pooler ? full : Math.min(full, options.truncateDim ?? folder.truncateDim ?? full)
    const all = new Float32Array(count * full)
    const put = (i: number, values: Float32Array) => all.set(values, i * full)
    await run(this.#settings(count, options, route, put), pooler ? undefined : all)
    const { data, width } = truncateRows(all, full, kept)
    return embeddings(options.normalizeEmbeddings ? normalizeRows(data, width) : data, count, width)
  }

  async #encodeByToken(count: number, options: EncodeOptions, route: TextRoute, run: Run): Promise<Embeddings[]> {
    const { width } = route.description
    const rows = new Array<Embeddings>(count)
    const put = (i: number, values: Float32Array, tokens: number) => {
      rows[i] = embeddings(values.slice(), tokens, width)
    }
    await run(this.#settings(count, options, route, put))
    return rows
  }

  #settings(
    count: number,
    options: EncodeOptions,
    { tokenizer, modules, description, number }: TextRoute,
    put: EncodeSettings['put'],
  ): EncodeSettings {
    const { batchSize = 32, outputValue = 'sentence_embedding', signal, priority, maxBatchTokens } = options
    throwIfAborted(signal)
    const prompt = this.promptOf(options)
    const progress = options.showProgressBar && count > 0 ? new EncodeProgress(count) : undefined
    const leaveOut = prompt !== '' && modules.some(({ spec }) => spec.includePrompt === false)
    return {
      encoder: this.use().encoder,
      output: outputValue,
      batchSize,
      priority,
      maxBatchTokens,
      zerosWhenEmpty:
        outputValue === 'token_embeddings' || (outputValue === 'sentence_embedding' && zerosWhenEmpty(modules)),
      ...(leaveOut ? { promptLength: tokenizer.promptLength(prompt) } : {}),
      ...(number === undefined ? {} : { route: number, tokenDimension: description.width }),
      ...(signal ? { signal } : {}),
      ...(progress ? progressOf(progress) : {}),
      put,
    }
  }
}

/** @internal `SentenceTransformer.load` with another engine; the tests' entrance. */
export async function loadWith(
  getAddon: () => NativeAddon,
  idOrPath: string,
  options: LoadOptions,
): Promise<SentenceTransformer> {
  return create(await loadParts(getAddon, idOrPath, options))
}
