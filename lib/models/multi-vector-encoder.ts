import { invalidArgument } from '../errors.js'
import { loadAddon } from '../native/load.js'
import type { NativeAddon } from '../native/types.js'
import { checkInteger, checkType } from '../options.js'
import type { SavedAdapter } from './adapters/config.js'
import { BaseModel } from './base-model.js'
import type { FullCard } from './card/full-card.js'
import { multiVectorKind } from './card/multi-vector-card.js'
import { type Embeddings, normalizeRows } from './embeddings.js'
import { encodeRows, throwIfAborted } from './encode.js'
import { evaluateModel, type ModelEvaluator } from './evaluate-model.js'
import type { MergeMethodName } from './merging/methods.js'
import type { MergeOptions } from './merging/options.js'
import { fullModelCard } from './model-card.js'
import { multiVectorText } from './model-text.js'
import type { ModuleName } from './modules/index.js'
import type { Task } from './modules/multi-vector-mask.js'
import { type MaxSimName, readMultiVectorFolder } from './multi-vector/folder.js'
import { LambdaTokenPooling } from './multi-vector/lambda-token-pooling.js'
import { loadMultiVectorParts, type MultiVectorParts, openMultiVectorWeights } from './multi-vector/load.js'
import {
  checkMaxSimName,
  checkMultiVectorEncodeOptions,
  type MultiVectorEncodeOptions,
  type MultiVectorLoadOptions,
} from './multi-vector/options.js'
import type { TokenPrecision } from './multi-vector/precision.js'
import { expansionId, type QueryExpansion, readQueryExpansion } from './multi-vector/query-expansion.js'
import { multiVectorModules, writeMultiVectorFolder } from './multi-vector/save.js'
import { maxSimMatrix, maxSimPairs, pooled, type TokenEmbeddingsLike } from './multi-vector/scores.js'
import { type TokenPlan, tokenPlan } from './multi-vector/token-plan.js'
import { EncodeProgress } from './progress.js'
import type { ModuleDescription } from './sentence-transformer.js'
import { copyTexts, withPromptOf } from './text-inputs.js'
import { type AnyTokenEmbeddings, TokenEmbeddings } from './token-embeddings.js'
import type { WeightFiles } from './weights.js'

/** A document, found by `rank`. */
export interface RankedVectors {
  /** Its number in the list. */
  corpusId: number
  score: number
  /** With `returnDocuments`. */
  text?: string
}

export interface MultiVectorRankOptions
  extends Omit<MultiVectorEncodeOptions<TokenPrecision>, 'prompt' | 'promptName' | 'task'> {
  /** How many are returned. Default all. */
  topK?: number
  /** Default false. */
  returnDocuments?: boolean
}

// The constructor is private; `multiVectorEncoderWith` at the end of this file is not a member.
let create: (parts: MultiVectorParts) => MultiVectorEncoder

/**
 * A model with a vector for each token (ColBERT): a transformer, a projection and a mask of the tokens that count. Queries and
 * documents are compared by late interaction: for each vector of the query the best of the document's, summed.
 *
 * ```ts
 * const model = await MultiVectorEncoder.load('lightonai/GTE-ModernColBERT-v1')
 * const queries = await model.encodeQuery(['What is the capital of France?'])
 * const documents = await model.encodeDocument(['Paris is the capital of France.', 'Berlin is a city.'])
 * const { data } = await model.similarity(queries, documents)
 * ```
 * Source: sentence-transformers `MultiVectorEncoder`.
 */
export class MultiVectorEncoder extends BaseModel<MultiVectorParts> {
  static {
    create = (parts) => new MultiVectorEncoder(parts)
  }

  private constructor(parts: MultiVectorParts) {
    super('MultiVectorEncoder', parts)
  }

  /**
   * Loads a model from a local folder, the Hugging Face cache, or the Hugging Face hub, in this order: folders of
   * sentence-transformers, of PyLate and of Stanford's ColBERT. A SentenceTransformer or a bare transformer gets a new projection to
   * 128 dimensions, which has to be trained.
   * @throws SentenceTorchError as `SentenceTransformer.load`
   */
  static async load(idOrPath: string, options: MultiVectorLoadOptions = {}): Promise<MultiVectorEncoder> {
    return multiVectorEncoderWith(loadAddon, idOrPath, options)
  }

  /**
   * Merges models of one architecture with the same modules, as `SentenceTransformer.merge`, their projections with the rest.
   * Source: sentence-transformers `MultiVectorEncoder.merge`.
   * @throws SentenceTorchError as `SentenceTransformer.merge`; ERR_NOT_IMPLEMENTED for a model whose projection has no file of its own
   */
  static async merge(
    models: readonly (string | MultiVectorEncoder)[],
    method: MergeMethodName = 'linear',
    options: MergeOptions<MultiVectorEncoder> = {},
  ): Promise<MultiVectorEncoder> {
    const { mergeModels, multiVectorEncoders } = await import('./merging/index.js')
    const kind = {
      kind: multiVectorEncoders,
      getAddon: loadAddon,
      partsOf: (value: unknown) => (value instanceof MultiVectorEncoder ? value.use() : undefined),
      load: (path: string) => loadMultiVectorParts(loadAddon, path, {}),
      create,
    }
    return mergeModels(kind, models, method, options)
  }

  /** Width of a vector. */
  get embeddingDimension(): number {
    return this.use().encoder.embeddingDimension
  }

  /** Tokens to which texts are cut, special tokens included, unless queries or documents have a length of their own. Settable. */
  get maxSeqLength(): number {
    return this.parts.tokenizer.maxSeqLength
  }

  set maxSeqLength(value: number) {
    const { tokenizer, folder } = this.use()
    checkInteger('maxSeqLength', value ?? null, 1, folder.description.positions ?? undefined)
    tokenizer.maxSeqLength = value
  }

  /** Tokens to which queries are cut; null: as all texts are. An expansion of strategy `fixed` has a length of its own. */
  get queryLength(): number | null {
    return this.parts.folder.queryLength
  }

  /** Tokens to which documents are cut; null: as all texts are. */
  get documentLength(): number | null {
    return this.parts.folder.documentLength
  }

  /** How queries are filled up; null: not at all. Settable. */
  get queryExpansion(): Readonly<Required<QueryExpansion>> | null {
    return this.parts.folder.queryExpansion
  }

  set queryExpansion(value: QueryExpansion | null) {
    const { folder, tokenizer } = this.use()
    const expansion = readQueryExpansion(value, 'queryExpansion', 'ERR_INVALID_ARGUMENT')
    if (expansion) expansionId(expansion, tokenizer)
    folder.queryExpansion = expansion
  }

  /** What `similarity` computes: `maxsim` or `meanmaxsim`. Settable. */
  get similarityFnName(): MaxSimName {
    return this.parts.folder.similarityFnName ?? 'maxsim'
  }

  set similarityFnName(value: MaxSimName) {
    checkMaxSimName(value ?? null)
    this.parts.folder.similarityFnName = value
  }

  /** The modules in order, with their settings. */
  get modules(): readonly ModuleDescription[] {
    const { folder, tokenizer } = this.parts
    const { layers, width } = folder.description
    const first = { type: folder.first, architecture: folder.architecture, maxSeqLength: tokenizer.maxSeqLength }
    return [{ ...first, layers, hiddenSize: width }, ...folder.modules.map(({ spec }) => ({ ...spec }))]
  }

  /** The modules as Python prints them; `console.log(model)` shows the same. */
  override toString(): string {
    return multiVectorText(this.parts.folder)
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }

  /**
   * The vectors of one text ([tokens, dim]) or of several ({ data, offsets, dimension, row(i) }, in the order of the texts).
   * Texts are neither queries nor documents unless `task` says so. Computed in batches sorted by length, off the JavaScript
   * thread.
   * Source: sentence-transformers `MultiVectorEncoder.encode`.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT (a text that is no string, by its index), ERR_UNKNOWN_OPTION,
   * ERR_NOT_IMPLEMENTED, ERR_ABORTED, ERR_DISPOSED
   */
  encode(text: string, options?: MultiVectorEncodeOptions): Promise<Embeddings>
  encode<P extends TokenPrecision = 'float32'>(
    texts: readonly string[],
    options?: MultiVectorEncodeOptions<P>,
  ): Promise<TokenEmbeddings<P>>
  encode(input: string | readonly string[], options?: MultiVectorEncodeOptions): Promise<Embeddings | TokenEmbeddings>
  async encode(
    input: string | readonly string[],
    given: MultiVectorEncodeOptions<TokenPrecision> = {},
  ): Promise<Embeddings | AnyTokenEmbeddings> {
    checkMultiVectorEncodeOptions(given)
    const { precision = 'float32', ...options } = given
    const isOne = typeof input === 'string'
    if (isOne && precision !== 'float32')
      throw invalidArgument('precision of one text', 'float32, or a list', precision)
    const found = await this.#encode(isOne ? [input] : copyTexts(input), options)
    return isOne ? found.row(0) : found.toPrecision(precision)
  }

  /** `encode` of queries, with the prompt named `query`, unless another is given. Source: `MultiVectorEncoder.encode_query`. */
  encodeQuery(text: string, options?: MultiVectorEncodeOptions): Promise<Embeddings>
  encodeQuery<P extends TokenPrecision = 'float32'>(
    texts: readonly string[],
    options?: MultiVectorEncodeOptions<P>,
  ): Promise<TokenEmbeddings<P>>
  encodeQuery(
    input: string | readonly string[],
    options?: MultiVectorEncodeOptions,
  ): Promise<Embeddings | TokenEmbeddings>
  async encodeQuery(
    input: string | readonly string[],
    options: MultiVectorEncodeOptions<TokenPrecision> = {},
  ): Promise<Embeddings | AnyTokenEmbeddings> {
    return this.encode(input as readonly string[], this.#withTask(options, 'query'))
  }

  /**
   * `encode` of documents, with the first prompt there is of `document`, `passage`, `corpus`, unless another is given.
   * Source: `MultiVectorEncoder.encode_document`.
   */
  encodeDocument(text: string, options?: MultiVectorEncodeOptions): Promise<Embeddings>
  encodeDocument<P extends TokenPrecision = 'float32'>(
    texts: readonly string[],
    options?: MultiVectorEncodeOptions<P>,
  ): Promise<TokenEmbeddings<P>>
  encodeDocument(
    input: string | readonly string[],
    options?: MultiVectorEncodeOptions,
  ): Promise<Embeddings | TokenEmbeddings>
  async encodeDocument(
    input: string | readonly string[],
    options: MultiVectorEncodeOptions<TokenPrecision> = {},
  ): Promise<Embeddings | AnyTokenEmbeddings> {
    return this.encode(input as readonly string[], this.#withTask(options, 'document'))
  }

  /**
   * Late interaction (`similarityFnName`) of every query with every document: [queries, documents]. A document without vectors
   * scores -1e9.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT when the widths differ
   */
  similarity(queries: TokenEmbeddingsLike, documents: TokenEmbeddingsLike): Promise<Embeddings> {
    return maxSimMatrix(this.similarityFnName, queries, documents, this.parts.addon)
  }

  /**
   * The same of query i with document i: [queries].
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT when numbers of texts, or widths, differ
   */
  similarityPairwise(queries: TokenEmbeddingsLike, documents: TokenEmbeddingsLike): Promise<Float32Array> {
    return maxSimPairs(this.similarityFnName, queries, documents, this.parts.addon)
  }

  /**
   * Documents by falling score with a query; equal scores keep the documents' order. What reranks the hits of another search.
   *
   * ```ts
   * const hits = await model.rank(query, documents, { topK: 10 })
   * ```
   * @throws SentenceTorchError as `encode`
   */
  async rank(
    query: string,
    documents: readonly string[],
    options: MultiVectorRankOptions = {},
  ): Promise<RankedVectors[]> {
    const { topK, returnDocuments = false, precision, ...encode } = options
    checkInteger('topK', topK, 1)
    checkType('returnDocuments', returnDocuments, 'boolean')
    if (typeof query !== 'string') throw invalidArgument('query', 'a string', query)
    const texts = typeof documents === 'string' ? [documents] : copyTexts(documents)
    const asked = await this.encodeQuery([query], encode)
    const ofDocuments = { ...encode, ...(precision !== undefined && { precision }) }
    const { data } = await this.similarity(asked, await this.encodeDocument(texts, ofDocuments))
    return Array.from(data, (score, corpusId) => ({ corpusId, score }))
      .sort((a, b) => Number(Number.isNaN(a.score)) - Number(Number.isNaN(b.score)) || b.score - a.score)
      .slice(0, topK)
      .map((hit) => (returnDocuments ? { ...hit, text: texts[hit.corpusId]! } : hit))
  }

  /**
   * The metrics of an evaluator; `evaluator.evaluate(model)` also says which is the primary one.
   * @param outputPath folder for the evaluator's CSV file; none is written without it
   * Source: sentence-transformers `MultiVectorEncoder.evaluate`.
   */
  async evaluate(evaluator: ModelEvaluator<MultiVectorEncoder>, outputPath?: string): Promise<Record<string, number>> {
    return evaluateModel(this, evaluator, outputPath)
  }

  protected savedModules(): { type: ModuleName; path: string }[] {
    const { folder } = this.parts
    const { paths } = multiVectorModules(folder)
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
    const kind = multiVectorKind(this.embeddingDimension, folder, target)
    return training && { kind, baseModel, maxSeqLength: tokenizer.maxSeqLength, modelText: this.toString(), training }
  }

  protected writer(target: string, adapter: SavedAdapter | undefined): (folder: string) => Promise<void> {
    const { folder, encoder, names, tokenizer, addon, id } = this.use()
    const settings = { ...folder, prompts: { ...folder.prompts }, maxSeqLength: tokenizer.maxSeqLength }
    const card = {
      ...{ target, dimension: this.embeddingDimension, version: addon.runtime().addonVersion },
      ...(id !== undefined && { baseModel: id }),
      full: this.#fullCard(target),
    }
    return (path) => writeMultiVectorFolder(path, settings, { encoder, names }, card, adapter)
  }

  protected async openWeights(path: string): Promise<WeightFiles> {
    const { addon } = this.parts
    return openMultiVectorWeights(await readMultiVectorFolder(path, () => addon))
  }

  /** @internal What `encodeQuery` or `encodeDocument` puts in front of every text. */
  promptFor(side: Task): string {
    return this.promptOf(this.#withTask({}, side))
  }

  /** @internal How texts of each kind are cut, and queries filled up, by the settings of this moment. */
  tokenPlan(): TokenPlan {
    const { tokenizer, folder } = this.use()
    return tokenPlan(folder, tokenizer)
  }

  #withTask<P extends TokenPrecision>(options: MultiVectorEncodeOptions<P>, task: Task): MultiVectorEncodeOptions<P> {
    return { ...withPromptOf(this.prompts, options, task), task }
  }

  async #encode(texts: readonly string[], options: MultiVectorEncodeOptions): Promise<TokenEmbeddings> {
    const { encoder, addon, tokenizer, folder } = this.use()
    const { batchSize = 32, signal, priority, maxBatchTokens, task, tokenPooling } = options
    const prompt = this.promptOf(options)
    throwIfAborted(signal)
    const width = encoder.embeddingDimension
    const rows = new Array<Float32Array>(texts.length)
    const progress = options.showProgressBar && texts.length > 0 ? new EncodeProgress(texts.length) : undefined
    const plan = tokenPlan(folder, tokenizer)
    const most = plan.most(task)
    await encodeRows({
      ...{
        encoder,
        count: texts.length,
        output: 'vectors',
        isQuery: task === 'query',
        batchSize,
        priority,
        maxBatchTokens,
      },
      tokenize: async (start, end) => {
        const slice = texts.slice(start, end)
        const prompted = prompt === '' ? slice : slice.map((text) => prompt + text)
        const nameOf = (i: number) => `texts[${start + i}]`
        const tokens = await tokenizer.encodeAll(prompted, most, {
          ...(signal && { signal }),
          nameOf,
          allowEmpty: true,
        })
        return task === 'query' ? plan.expand(tokens) : tokens
      },
      zerosWhenEmpty: true,
      ...(signal && { signal }),
      ...(progress && { onDone: (done: number) => progress.update(done) }),
      put: (i, values) => {
        rows[i] = values.slice()
      },
    })
    const found = joined(rows, width, options.normalizeEmbeddings === true)
    if (!tokenPooling?.appliesTo(task)) return found
    return tokenPooling instanceof LambdaTokenPooling ? tokenPooling.pool(found) : pooled(addon, found, tokenPooling)
  }
}

function joined(rows: readonly Float32Array[], width: number, normalized: boolean): TokenEmbeddings {
  const offsets = new Int32Array(rows.length + 1)
  for (const [i, row] of rows.entries()) offsets[i + 1] = offsets[i]! + row.length / width
  const data = new Float32Array(offsets[rows.length]! * width)
  for (const [i, row] of rows.entries()) data.set(row, offsets[i]! * width)
  return new TokenEmbeddings(normalized ? normalizeRows(data, width) : data, offsets, width)
}

/** @internal `MultiVectorEncoder.load` with another engine; the tests' entrance. */
export async function multiVectorEncoderWith(
  getAddon: () => NativeAddon,
  idOrPath: string,
  options: MultiVectorLoadOptions,
): Promise<MultiVectorEncoder> {
  return create(await loadMultiVectorParts(getAddon, idOrPath, options))
}
