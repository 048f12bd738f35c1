import type { Tokenized } from '../data/pack.js'
import type { Tokenizer } from '../data/tokenizer.js'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { loadAddon } from '../native/load.js'
import type { Metric, NativeAddon } from '../native/types.js'
import { checkInteger, checkOptions } from '../options.js'
import type { SavedAdapter } from './adapters/config.js'
import { BaseModel } from './base-model.js'
import type { FullCard } from './card/full-card.js'
import { sparseEncoderKind, sparseWords } from './card/sparse-encoder-card.js'
import type { Embeddings } from './embeddings.js'
import { type EncodeSettings, encodeTexts, encodeTokens, throwIfAborted } from './encode.js'
import { encodeParts, type TextSource } from './encode-stream.js'
import { evaluateModel, type ModelEvaluator } from './evaluate-model.js'
import { type Features, forward, packColumns, tokenize } from './features.js'
import { checkSimilarity } from './load-options.js'
import { mostPositions } from './load-parts.js'
import { fullModelCard } from './model-card.js'
import { sparseText } from './model-text.js'
import type { ModuleName } from './modules/index.js'
import { EncodeProgress, progressOf } from './progress.js'
import { replaceNetworks } from './router/load.js'
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
import { openSparseNetworks } from './router/sparse.js'
import { sparseModuleList, writeSparseFolder } from './save-sparse.js'
import type { ModuleDescription } from './sentence-transformer.js'
import { SparseEmbeddings, type SparseRow } from './sparse-embeddings.js'
import { endsInAutoEncoder, readSparseFolder } from './sparse-folder.js'
import {
  type SparseEncoderModules,
  type SparseFromModulesOptions,
  sparsePartsOfModules,
} from './sparse-from-modules.js'
import { loadSparseParts, openSparseWeights, type SparseParts } from './sparse-load.js'
import { checkSparseEncodeOptions, type SparseEncodeOptions, type SparseLoadOptions } from './sparse-options.js'
import {
  checkDimensions,
  checkSparse,
  intersectRows,
  pairwiseSparseSimilarity,
  sparseRow,
  sparseSimilarity,
} from './sparse-similarity.js'
import { copyTexts, withPromptOf } from './text-inputs.js'
import type { TaskOptions } from './types.js'
import type { WeightFiles } from './weights.js'

/** A word of an embedding, and how much it belongs to the text. */
export interface WeightedToken {
  token: string
  weight: number
}

/** How sparse embeddings are. */
export interface Sparsity {
  /** Values that are not 0: mean over the rows. */
  activeDims: number
  /** The share of zeros. */
  sparsityRatio: number
}

/** Numbers of the dense rows that a job of the engine gives at most: 16 MB. */
const JOB_NUMBERS = 2 ** 22

let create: (parts: SparseParts) => SparseEncoder

/**
 * A model that turns texts into sparse vectors. They are as wide as its vocabulary (SPLADE: the head of a masked language model with
 * SpladePooling behind it), or have the latents of a {@link SparseAutoEncoder} behind a model of dense embeddings (CSR).
 *
 * ```ts
 * const model = await SparseEncoder.load('naver/splade-v3')
 * const queries = await model.encodeQuery(['how do vaccines work'])
 * const documents = await model.encodeDocument(['Vaccines train the immune system.', 'The sun is a star.'])
 * model.similarity(queries, documents)        // [1, 2], dot products
 * model.decode(queries, 5)                    // the words with the highest weights
 * ```
 * Source: sentence-transformers `SparseEncoder`.
 */
export class SparseEncoder extends BaseModel<SparseParts> {
  static {
    create = (parts) => new SparseEncoder(parts)
  }

  private constructor(parts: SparseParts) {
    super('SparseEncoder', parts)
  }

  /**
   * Loads a model from a local folder, the Hugging Face cache, or the Hugging Face hub, in this order. Folders of SparseEncoder of
   * sentence-transformers 5.x and 6.x and plain …ForMaskedLM folders are understood.
   * @param idOrPath a folder, or a hub id; a bare name means one of `sparse-encoder/`.
   * @throws SentenceTorchError ERR_NOT_FOUND, ERR_INVALID_MODEL (also for the folder of another class, which it names),
   * ERR_INVALID_TENSORS, ERR_NOT_IMPLEMENTED, ERR_UNSUPPORTED, ERR_NETWORK, ERR_ADDON_LOAD, ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
   */
  static async load(idOrPath: string, options: SparseLoadOptions = {}): Promise<SparseEncoder> {
    return loadWith(loadAddon, idOrPath, options)
  }

  /**
   * Puts a model together of a first module and those behind it: a transformer with `transformerTask: 'fill-mask'` and SpladePooling;
   * the modules of a SentenceTransformer and a SparseAutoEncoder; a SparseStaticEmbedding; or a Router of such lists.
   *
   * ```ts
   * const transformer = await Transformer.load('sentence-transformers/all-MiniLM-L6-v2')
   * const latents = new SparseAutoEncoder({ hiddenDim: 1536, k: 96, kAux: 192 })
   * const model = await SparseEncoder.fromModules([transformer, new Pooling('mean'), new Normalize(), latents])
   * ```
   * Source: sentence-transformers `SparseEncoder(modules=…)`.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT for modules that cannot stand behind each other; as `load`
   */
  static async fromModules(
    modules: SparseEncoderModules,
    options: SparseFromModulesOptions = {},
  ): Promise<SparseEncoder> {
    return create(await sparsePartsOfModules(loadAddon, modules, options))
  }

  /** Width of an embedding: the words of the vocabulary, or latents. */
  get embeddingDimension(): number {
    return this.use().encoder.embeddingDimension
  }

  /** Tokens to which texts are cut, special tokens included. Settable, up to the number of position embeddings. */
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

  /** What `similarity` computes: `cosine`, `dot`, `euclidean` or `manhattan`; `dot` where it is not set. Settable. */
  get similarityFnName(): Metric {
    return this.parts.folder.similarityFnName ?? 'dot'
  }

  set similarityFnName(value: Metric) {
    checkSimilarity(value ?? null)
    this.parts.folder.similarityFnName = value
  }

  /** Values that are kept of every embedding, those furthest from 0; null for all. Settable. */
  get maxActiveDims(): number | null {
    return this.parts.folder.maxActiveDims
  }

  set maxActiveDims(value: number | null) {
    if (value !== null) checkInteger('maxActiveDims', value, 1)
    this.parts.folder.maxActiveDims = value
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
    return sparseText(this.parts.folder)
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }

  /**
   * Token ids of texts, padded to the longest: `inputIds`, `attentionMask` (1 for tokens, 0 for padding) and, for models with several
   * token types, `tokenTypeIds`, each [texts, longest].
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT for a text that is no string, by its index
   */
  async tokenize(texts: readonly string[], options: TaskOptions = {}): Promise<Features> {
    checkOptions('tokenize', options, ['task'])
    const { tokenizer, description } = this.route(options.task)
    return tokenize(tokenizer, copyTexts(texts), description.tokenTypes > 1)
  }

  /**
   * What the modules make of features: `sentenceEmbedding`, dense [texts, dimension], and the transformer's states of the tokens,
   * `tokenEmbeddings` [texts, longest, hidden size]. Python has the logits of all tokens there, which never stand whole here.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT for features that do not fit
   */
  async forward(features: Features, options: TaskOptions = {}): Promise<Awaited<ReturnType<typeof forward>>> {
    checkOptions('forward', options, ['task'])
    const { description, number } = this.route(options.task)
    return forward(this.use().encoder, description, features, {}, number)
  }

  /** @internal Features of each column as the engine reads them, for training. */
  packFeatures(columns: readonly Features[]): ReturnType<typeof packColumns> {
    const { folder } = this.use()
    if (folder.router) throw notForRouters('A loop by hand')
    return packColumns(columns, folder.description.vocabulary)
  }

  /**
   * Embeds texts, one or several: a row for each, in their order. Computed in batches sorted by length, off the JavaScript thread;
   * several calls may run at once. Texts, options and settings are those at the call, whatever happens to them later.
   * Source: sentence-transformers `SparseEncoder.encode`.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT (a text that is no string, by its index), ERR_INVALID_DATA (a text without tokens),
   * ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED, ERR_ABORTED, ERR_DISPOSED
   */
  async encode(input: string | readonly string[], given: SparseEncodeOptions = {}): Promise<SparseEmbeddings> {
    const texts = typeof input === 'string' ? [input] : copyTexts(input)
    checkSparseEncodeOptions(given)
    const options = { ...given }
    const prompt = this.promptOf(options)
    const { tokenizer } = this.route(options.task)
    return this.#encode(texts.length, options, (settings) => encodeTexts({ ...settings, tokenizer, texts, prompt }))
  }

  /** @internal `encode` for texts that were tokenised: a row of tokens each, with the prompt and special ones. */
  async encodeTokens(tokens: Tokenized, options: SparseEncodeOptions): Promise<SparseEmbeddings> {
    return this.#encode(tokens.offsets.length - 1, options, (settings) => encodeTokens({ ...settings, tokens }))
  }

  async #encode(
    count: number,
    options: SparseEncodeOptions,
    run: (settings: EncodeSettings) => Promise<void>,
  ): Promise<SparseEmbeddings> {
    const { encoder } = this.use()
    const { modules, number } = this.route(options.task)
    const { embeddingDimension } = encoder
    const { maxActiveDims = this.maxActiveDims, batchSize = 32, signal, priority, maxBatchTokens } = options
    throwIfAborted(signal)
    const progress = options.showProgressBar && count > 0 ? new EncodeProgress(count) : undefined
    const latents = endsInAutoEncoder(modules)
    if (latents && maxActiveDims !== null) checkInteger('maxActiveDims', maxActiveDims, 1, embeddingDimension)
    const rows = new Array<SparseRow>(count)
    // Equal texts have one row, from the same values.
    let last: { values: Float32Array; row: SparseRow } | undefined
    await run({
      ...{ encoder, output: 'sentence_embedding' as const },
      ...{ batchSize, priority, maxBatchTokens, maxRows: Math.max(1, Math.floor(JOB_NUMBERS / embeddingDimension)) },
      // A weight for each token: of none, zeros.
      zerosWhenEmpty: modules.length === 0,
      ...(number === undefined ? {} : { route: number }),
      ...(latents && maxActiveDims !== null && { activeDims: maxActiveDims }),
      ...(signal ? { signal } : {}),
      ...(progress ? progressOf(progress) : {}),
      put: (index, values) => {
        if (last?.values !== values) last = { values, row: sparseRow(values, maxActiveDims) }
        rows[index] = last.row
      },
    })
    return SparseEmbeddings.fromRows(rows, embeddingDimension)
  }

  /**
   * Embeds the texts of a source one by one, in its order, with memory for some thousand texts: indices and values of each. Texts are read
   * as the engine needs them; where the source keeps it waiting, those that have come are computed. Ending the loop ends the source, too.
   *
   * ```ts
   * for await (const { indices, values } of model.encodeStream(lines)) await store(indices, values)
   * ```
   * @param texts an async iterable, or an iterable, of strings
   * @throws SentenceTorchError as `encode`; what the source throws
   */
  async *encodeStream(texts: TextSource, given: SparseEncodeOptions = {}): AsyncGenerator<SparseRow, void, undefined> {
    checkSparseEncodeOptions(given)
    const options: SparseEncodeOptions = { priority: 'bulk', ...given }
    const encode = async (part: string[]) => {
      const found = await this.encode(part, options)
      return part.map((_, i) => found.row(i))
    }
    yield* encodeParts(texts, encode, options.signal)
  }

  /** `encode` with the prompt named `query`, unless another is given. Source: `SparseEncoder.encode_query`. */
  async encodeQuery(input: string | readonly string[], options: SparseEncodeOptions = {}): Promise<SparseEmbeddings> {
    return this.encode(input, { task: 'query', ...withPromptOf(this.prompts, options, 'query') })
  }

  /**
   * `encode` with the first prompt there is of `document`, `passage`, `corpus`, unless another is given. As in Python, every
   * model has `document`, '' unless set. Source: `SparseEncoder.encode_document`.
   */
  async encodeDocument(
    input: string | readonly string[],
    options: SparseEncodeOptions = {},
  ): Promise<SparseEmbeddings> {
    return this.encode(input, { task: 'document', ...withPromptOf(this.prompts, options, 'document') })
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
    return false
  }

  /** @internal The name of a tensor in Python's `named_parameters()`. */
  parameterPath(name: string): string {
    return parameterPath(this.use().folder, name)
  }

  override async loadWeights(path: string): Promise<void> {
    const { addon, encoder, folder } = this.use()
    if (!folder.router) return super.loadWeights(path)
    const { router } = await readSparseFolder(path, () => addon)
    const opened = await openSparseNetworks(path, checkedTwin(folder.router, router, path).networks)
    try {
      await replaceNetworks(
        opened.map(({ weights }) => weights),
        encoder,
      )
    } finally {
      for (const { weights } of opened) await weights.close()
    }
  }

  /** @internal What `encodeQuery` or `encodeDocument` puts in front of every text. */
  promptFor(side: 'query' | 'document'): string {
    return this.promptOf(withPromptOf(this.prompts, {}, side))
  }

  /**
   * Similarity (`similarityFnName`) of every row of `a` with every row of `b`: [rows of a, rows of b].
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT when the dimensions differ
   */
  similarity(a: SparseEmbeddings, b: SparseEmbeddings): Embeddings {
    return sparseSimilarity(this.similarityFnName, a, b)
  }

  /**
   * Similarity (`similarityFnName`) of row i of `a` with row i of `b`, for every i: [rows].
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT when the dimensions or the numbers of rows differ
   */
  similarityPairwise(a: SparseEmbeddings, b: SparseEmbeddings): Float32Array {
    return pairwiseSparseSimilarity(this.similarityFnName, a, b)
  }

  /**
   * The words of each row with their weights, the highest first (of equal ones the first in the vocabulary).
   * @param topK words of a row at most; default: all
   * Source: sentence-transformers `SparseEncoder.decode`.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT for embeddings of another dimension; ERR_UNSUPPORTED for a model whose values are those
   * of latents (SparseAutoEncoder)
   */
  decode(embeddings: SparseEmbeddings, topK?: number): WeightedToken[][] {
    const { tokenizer, folder } = this.use()
    if (endsInAutoEncoder(folder.modules)) {
      const message =
        'decode: the values of a model with SparseAutoEncoder are those of latents, which stand for no words'
      throw new SentenceTorchError('ERR_UNSUPPORTED', message)
    }
    checkInteger('topK', topK, 1)
    checkSparse('embeddings', embeddings)
    const { embeddingDimension } = this
    if (embeddings.dimension !== embeddingDimension)
      throw invalidArgument('embeddings', `embeddings of dimension ${embeddingDimension}`, embeddings.dimension)
    return Array.from({ length: embeddings.length }, (_, i) => {
      const { indices, values } = embeddings.row(i)
      const order = Array.from(indices, (_, k) => k).sort((a, b) => values[b]! - values[a]! || a - b)
      const kept = order.slice(0, topK)
      const tokens = tokenizer.tokensOf(kept.map((k) => indices[k]!))
      return kept.map((k, n) => ({ token: tokens[n] ?? '', weight: values[k]! }))
    })
  }

  /** How many values of embeddings are not 0. Source: sentence-transformers `SparseEncoder.sparsity`. */
  static sparsity(embeddings: SparseEmbeddings): Sparsity {
    checkSparse('embeddings', embeddings)
    const { length, dimension, indices } = embeddings
    if (length === 0) return { activeDims: 0, sparsityRatio: 1 }
    const activeDims = indices.length / length
    return { activeDims, sparsityRatio: 1 - activeDims / dimension }
  }

  /**
   * What one text and others have in common: the products of their values, where they are above 0.
   * @param one a single row
   * Source: sentence-transformers `SparseEncoder.intersection`.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT for several rows as `one`, and for another dimension
   */
  static intersection(one: SparseEmbeddings, others: SparseEmbeddings): SparseEmbeddings {
    checkDimensions(one, others)
    if (one.length !== 1) throw invalidArgument('embeddings1', 'one row', one.length)
    const row = one.row(0)
    const rows = Array.from({ length: others.length }, (_, i) => intersectRows(row, others.row(i)))
    return SparseEmbeddings.fromRows(rows, one.dimension)
  }

  /** {@link SparseEncoder.sparsity} */
  sparsity(embeddings: SparseEmbeddings): Sparsity {
    return SparseEncoder.sparsity(embeddings)
  }

  /** {@link SparseEncoder.intersection} */
  intersection(one: SparseEmbeddings, others: SparseEmbeddings): SparseEmbeddings {
    return SparseEncoder.intersection(one, others)
  }

  /**
   * The metrics of an evaluator; `evaluator.evaluate(model)` also says which is the primary one.
   * @param outputPath folder for the evaluator's CSV file; none is written without it
   * Source: sentence-transformers `SparseEncoder.evaluate`.
   */
  async evaluate(evaluator: ModelEvaluator<SparseEncoder>, outputPath?: string): Promise<Record<string, number>> {
    return evaluateModel(this, evaluator, outputPath)
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
    const { tokenizer, id, folder } = this.parts
    const training = this.trainingFacts?.()
    const baseModel = id ?? training?.baseModel
    const kind = sparseEncoderKind(this, sparseWords(folder), target)
    return training && { kind, baseModel, maxSeqLength: tokenizer.maxSeqLength, modelText: this.toString(), training }
  }

  protected savedModules(): { type: ModuleName; path: string }[] {
    const { folder } = this.parts
    const { paths } = sparseModuleList(folder)
    return folder.modules.map(({ type }, i) => ({ type, path: paths[i]! }))
  }

  protected writer(target: string, adapter: SavedAdapter | undefined): (folder: string) => Promise<void> {
    const { folder, encoder, names, tokenizer, tokenizers, addon, id, ownHead, ownHeads } = this.use()
    const lengths = tokenizers?.map((one) => one.maxSeqLength)
    const settings = {
      ...{ ...folder, prompts: { ...folder.prompts }, maxSeqLength: tokenizer.maxSeqLength },
      ...(folder.router && { router: withLengths(folder.router, lengths!) }),
    }
    const card = {
      target,
      ...(id === undefined ? {} : { baseModel: id }),
      embeddingDimension: this.embeddingDimension,
      similarityFnName: this.similarityFnName,
      version: addon.runtime().addonVersion,
      full: this.#fullCard(target),
    }
    return (path) => writeSparseFolder(path, settings, { encoder, names, ownHead, ownHeads }, card, adapter)
  }

  protected async openWeights(path: string): Promise<WeightFiles> {
    const { addon } = this.parts
    const folder = await readSparseFolder(path, () => addon)
    return (await openSparseWeights(folder)).weights
  }
}

/** @internal `SparseEncoder.load` with another engine; the tests' entrance. */
export async function loadWith(
  getAddon: () => NativeAddon,
  idOrPath: string,
  options: SparseLoadOptions,
): Promise<SparseEncoder> {
  return create(await loadSparseParts(getAddon, idOrPath, options))
}
