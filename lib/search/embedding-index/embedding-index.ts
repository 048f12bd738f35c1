import { invalidArgument, SentenceTorchError } from '../../errors.js'
import type { MaxSimName } from '../../models/multi-vector/folder.js'
import { SparseEmbeddings } from '../../models/sparse-embeddings.js'
import { TokenEmbeddings } from '../../models/token-embeddings.js'
import { loadAddon } from '../../native/load.js'
import type { Metric } from '../../native/types.js'
import { checkInteger, checkOptions, checkSignal, checkType } from '../../options.js'
import type { SearchEngine } from '../blocks.js'
import type { SparseEngine } from '../inverted-index.js'
import type { ScoreFunction } from '../score-function.js'
import type { SearchHit } from '../semantic-search.js'
import { type CodeEngine, CodeStore } from './code-store.js'
import type { IndexPrecision, IndexSettings, RowKind } from './format.js'
import { IndexFile } from './index-file.js'
import { checkIdentity, type IndexModel, identityOf } from './model-identity.js'
import { rankRows } from './rank-rows.js'
import {
  checkFiniteRows,
  checkPrecision,
  checkRows,
  countOf,
  dimensionOf,
  type IndexRowsLike,
  KIND_NAMES,
  kindOf,
  type OwnRows,
  ownRows,
  scoreOf,
} from './row-kinds.js'
import { type IndexSearch, searchIndex } from './search.js'
import { segmentOf } from './segment-data.js'
import { SparseStore } from './sparse-store.js'
import { readTextOf } from './text-store.js'
import { TokenStore } from './token-store.js'
import { VectorStore } from './vector-store.js'

export type { IndexPrecision, RowKind } from './format.js'
export type { IndexRowsLike } from './row-kinds.js'

/** What a search is asked for, with its defaults. */
interface Wanted extends Pick<IndexSearchOptions, 'signal' | 'among'> {
  k: number
  topK: number
  rescoreMultiplier: number
}

/** Rows of an index. */
export interface IndexRows {
  /** [rows, dim]; or those of a SparseEncoder, or of a MultiVectorEncoder. All rows of an index are of one kind. */
  embeddings: IndexRowsLike
  /** What you call the rows. All rows of an index have ids, or none. */
  ids?: readonly string[]
  /** The texts of the rows. All rows of an index have texts, or none. */
  texts?: readonly string[]
}

export interface CreateIndexOptions extends IndexRows {
  /**
   * How rows are compared first: `float32` with all numbers, `int8` with a byte, `binary` with a bit for each number. The candidates are
   * then scored by their full vectors. Of vectors of tokens: how they are stored and compared, also `float16`. Default: that of the
   * vectors, `float32`.
   */
  precision?: IndexPrecision
  /**
   * How rows are compared; with `int8` and `binary` cosine or dot. Default `cosine`; of sparse rows `dot`; of vectors of tokens
   * `maxsim`, or `meanmaxsim`.
   */
  scoreFunction?: ScoreFunction | MaxSimName
  /** The model of the embeddings: the index remembers it, and `checkModel` refuses others. Default: none. */
  model?: IndexModel
  /** What you call the model, for messages. */
  modelName?: string
}

export interface IndexSearchOptions {
  /** Entries per query; fewer when the index is smaller. Default 10. */
  topK?: number
  /**
   * Of `int8` and `binary`: candidates for each entry, which are scored by their full vectors. Default 4 for `int8`, 20 for `binary`.
   */
  rescoreMultiplier?: number
  /**
   * Of vectors of tokens: the rows to rank for each query, such as the hits of a search of embeddings; the others are not read.
   * Default: all rows.
   */
  among?: readonly (readonly number[])[]
  /** Stops between two jobs of the engine; the promise rejects with ERR_ABORTED. */
  signal?: AbortSignal
}

/** One found row. */
export interface IndexHit extends SearchHit {
  /** Where the index has ids. */
  id?: string
  /** Where the index has texts. */
  text?: string
}

type Engine = SearchEngine & CodeEngine & SparseEngine

/**
 * Embeddings, ids and texts in one file, which can be searched and added to.
 *
 * ```ts
 * const embeddings = await model.encodeDocument(texts)
 * const index = await EmbeddingIndex.create('docs.index', { embeddings, texts, precision: 'binary', model })
 * const [hits] = await index.search(await model.encodeQuery(['a question']), { topK: 5 })   // [{ corpusId, score, text }, …]
 * await index.add({ embeddings: more, texts: moreTexts })
 * await index.close()
 * ```
 *
 * Sparse rows are in memory as an inverted index while the index is open. Vectors of tokens are read block by block, at most 64 MB at a
 * time, and every text is compared, by the numbers that the precision of the index keeps.
 */
export class EmbeddingIndex {
  readonly #file: IndexFile
  readonly #codes: CodeStore
  readonly #vectors: VectorStore
  readonly #sparse: SparseStore
  readonly #tokens: TokenStore
  readonly #addon: () => Engine
  /** Additions, one after the other. */
  #adding: Promise<void> = Promise.resolve()
  #closed = false

  private constructor(file: IndexFile, addon: () => Engine, keptBytes?: number) {
    this.#file = file
    this.#addon = addon
    const isDense = (file.head.kind ?? 'dense') === 'dense'
    this.#codes = new CodeStore(isDense ? file.head : { ...file.head, precision: 'float32' })
    this.#vectors = new VectorStore(file, keptBytes)
    this.#sparse = new SparseStore(addon)
    this.#tokens = new TokenStore(file)
  }

  /**
   * Writes a new index. The file appears when it is complete; one that is there is replaced. Without rows (`shape` [0, dim]) the
   * index is empty, and gets its rows by `add`.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT; ERR_INVALID_DATA for a row that is not finite, by its number; ERR_FILE_SYSTEM
   */
  static async create(path: string, options: CreateIndexOptions): Promise<EmbeddingIndex> {
    checkPath(path)
    checkOptions('EmbeddingIndex.create', options, [
      ...['embeddings', 'ids', 'texts', 'precision', 'scoreFunction', 'model', 'modelName'],
    ])
    const { embeddings: given, model, modelName } = options
    const { precision = given instanceof TokenEmbeddings ? given.precision : 'float32' } = options
    checkType('modelName', modelName, 'string')
    if (model === undefined) {
      if (modelName !== undefined) throw invalidArgument('modelName', 'a model beside it', modelName)
    } else checkModelKind(model)
    const kind = kindOf(given)
    const scoreFunction = scoreOf(kind, options.scoreFunction)
    checkPrecision(kind, precision, scoreFunction)
    const embeddings = ownRows(given, 'embeddings')
    const settings: IndexSettings = {
      ...{ dimension: dimensionOf(embeddings), precision, scoreFunction },
      ...(kind !== 'dense' && { kind }),
      ...{ hasIds: options.ids !== undefined, hasTexts: options.texts !== undefined },
    }
    if (settings.dimension === 0) throw invalidArgument('embeddings', 'rows of at least one number', given)
    if (model) settings.model = await identityOf(model, settings.dimension, modelName)
    const data = await segmentOf(settings, { ...options, embeddings })
    return EmbeddingIndex.#loaded(await IndexFile.create(path, settings, data))
  }

  /**
   * Opens an index. Codes of `int8` and `binary` are read into memory and compared with their checksums.
   * @throws SentenceTorchError ERR_NOT_FOUND; ERR_INVALID_FILE for another, a damaged or a truncated file, naming what is wrong;
   * ERR_UNSUPPORTED for the format of a newer version
   */
  static async open(path: string): Promise<EmbeddingIndex> {
    checkPath(path)
    return EmbeddingIndex.#loaded(await IndexFile.open(path))
  }

  /** @internal `open` with another limit of bytes that are kept in memory, for tests. */
  static async openWith(path: string, keptBytes: number): Promise<EmbeddingIndex> {
    return EmbeddingIndex.#loaded(await IndexFile.open(path), keptBytes)
  }

  static async #loaded(file: IndexFile, keptBytes?: number): Promise<EmbeddingIndex> {
    const index = new EmbeddingIndex(file, loadAddon, keptBytes)
    try {
      await index.#read()
    } catch (error) {
      await file.close()
      throw error
    }
    return index
  }

  /** The number of rows. */
  get length(): number {
    return this.#codes.rows
  }

  /** Numbers in a row. */
  get dimension(): number {
    return this.#file.head.dimension
  }

  get precision(): IndexPrecision {
    return this.#file.head.precision
  }

  /** What the rows are: embeddings, sparse ones, or texts with a vector for each token. */
  get kind(): RowKind {
    return this.#file.head.kind ?? 'dense'
  }

  get scoreFunction(): Metric | MaxSimName {
    return this.#file.head.scoreFunction
  }

  /** Whether rows have ids, and texts. */
  get hasIds(): boolean {
    return this.#file.head.hasIds
  }

  get hasTexts(): boolean {
    return this.#file.head.hasTexts
  }

  /** What the model of the rows was called, where the index knows it. */
  get modelName(): string | undefined {
    return this.#file.head.model?.name
  }

  /**
   * Compares a model with that of the rows, by what both make of one text.
   * @param name of the model, for the message
   * @returns false where the index does not know its model, so that nothing could be compared
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT for another model; what `encode` throws
   */
  async checkModel(model: IndexModel, name = 'the given model'): Promise<boolean> {
    this.#use()
    checkModelKind(model)
    const { model: own, dimension } = this.#file.head
    if (own === undefined) return false
    await checkIdentity(this.#file.path, own, model, dimension, name)
    return true
  }

  /**
   * The most similar rows for every query [q, dim], best first; equal scores by rising number. With `float32` the result is that of
   * `util.semanticSearch`; with `int8` and `binary` the scores are, of the rows that are among the candidates.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_INVALID_DATA (a query that is not finite), ERR_ABORTED, ERR_DISPOSED,
   * ERR_INVALID_FILE (the file was damaged meanwhile)
   */
  async search(queries: IndexRowsLike, options: IndexSearchOptions = {}): Promise<IndexHit[][]> {
    this.#use()
    checkOptions('search', options, ['topK', 'rescoreMultiplier', 'among', 'signal'])
    const { precision, hasIds, hasTexts } = this.#file.head
    const { rows } = this.#codes
    const { topK = 10, rescoreMultiplier = precision === 'binary' ? 20 : 4, signal } = options
    checkInteger('topK', topK, 1)
    checkInteger('rescoreMultiplier', options.rescoreMultiplier, 1)
    checkSignal(signal)
    if ((precision === 'float32' || this.kind !== 'dense') && options.rescoreMultiplier !== undefined) {
      const message = `rescoreMultiplier is for embeddings in int8 and binary: an index of ${KIND_NAMES[this.kind]} in ${precision} scores each row once`
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    const asked = ownRows(queries, 'queries')
    checkRows('queries', asked, this.#file.head)
    checkFiniteRows(asked, 'queries')
    const k = Math.min(topK, rows)
    const found = await this.#found(asked, { k, topK, rescoreMultiplier, signal, among: options.among })
    if (!hasIds && !hasTexts) return found
    const named: IndexHit[][] = []
    for (const hits of found) named.push(await Promise.all(hits.map((hit) => this.#named(hit))))
    return named
  }

  async #found(asked: OwnRows, { k, topK, rescoreMultiplier, signal, among }: Wanted): Promise<SearchHit[][]> {
    const { precision, scoreFunction } = this.#file.head
    const { rows } = this.#codes
    if (among !== undefined && this.kind !== 'tokens')
      throw invalidArgument('among', `none, since the rows are ${KIND_NAMES[this.kind]}`, among)
    if (k === 0 || countOf(asked) === 0) return Array.from({ length: countOf(asked) }, () => [])
    if (asked instanceof SparseEmbeddings)
      return (await this.#sparse.search(asked, scoreFunction as Metric, k, signal)).lists()
    if (asked instanceof TokenEmbeddings) {
      const similarity = scoreFunction as MaxSimName
      if (among === undefined) return (await this.#tokens.search(asked, similarity, k, signal)).lists()
      return rankRows(this.#tokens, asked, among, { similarity, topK, rows, signal })
    }
    const search: IndexSearch = {
      ...{ addon: this.#addon, codes: this.#codes, vectors: this.#vectors },
      ...{ rows, metric: scoreFunction as Metric, k, signal },
      candidates: precision === 'float32' ? undefined : Math.min(topK * rescoreMultiplier, rows),
    }
    return searchIndex(search, asked)
  }

  /** Reads what is new in the file. */
  async #read(): Promise<void> {
    if (this.kind === 'sparse') await this.#sparse.add(this.#file)
    if (this.kind === 'tokens') await this.#tokens.add()
    await this.#codes.add(this.#file)
  }

  /**
   * Adds rows behind the others. The file is the old index until all of them are on the disk. Other objects that have it open see
   * them when they open it again. Additions of one object wait for each other.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_INVALID_DATA; ERR_BUSY while another process adds; ERR_FILE_SYSTEM; the index
   * is then as it was
   */
  async add(rows: IndexRows): Promise<void> {
    this.#use()
    checkOptions('add', rows, ['embeddings', 'ids', 'texts'])
    const settings = this.#file.head
    const embeddings = ownRows(rows.embeddings, 'embeddings')
    checkRows('embeddings', embeddings, settings)
    const [ids, texts] = [rows.ids?.slice(), rows.texts?.slice()]
    const own = { embeddings, ...(ids && { ids }), ...(texts && { texts }) }
    const before = this.#adding
    const adding = (async () => {
      const data = await segmentOf(settings, own)
      await before.catch(() => {})
      if (data === undefined) return
      await this.#file.append(data)
      await this.#read()
    })()
    this.#adding = adding
    await adding
  }

  /** Compares the whole file with its checksums. @throws SentenceTorchError ERR_INVALID_FILE that names the rows and what of them */
  async verify(): Promise<void> {
    this.#use()
    await this.#file.verify()
  }

  /** Closes the file; later calls throw ERR_DISPOSED. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#adding.catch(() => {})
    await this.#file.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #named(hit: SearchHit): Promise<IndexHit> {
    const { hasIds, hasTexts } = this.#file.head
    return {
      ...hit,
      ...(hasIds && { id: await readTextOf(this.#file, hit.corpusId, 'id') }),
      ...(hasTexts && { text: await readTextOf(this.#file, hit.corpusId, 'text') }),
    }
  }

  #use(): void {
    if (this.#closed) throw new SentenceTorchError('ERR_DISPOSED', `The index ${this.#file.path} has been closed`)
  }
}

function checkModelKind(model: unknown): void {
  if (typeof (model as IndexModel | null)?.encode !== 'function')
    throw invalidArgument('model', 'a SentenceTransformer, a SparseEncoder or a MultiVectorEncoder', model)
}

function checkPath(path: unknown): void {
  if (typeof path !== 'string' || path === '') throw invalidArgument('path', 'the path of a file', path)
}
