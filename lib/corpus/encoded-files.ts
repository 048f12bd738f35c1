import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import { damaged } from '../io/damaged.js'
import { fileSha256 } from '../io/file-hash.js'
import { failedTo } from '../io/system-error.js'
import type { MaxSimName } from '../models/multi-vector/folder.js'
import type { Metric } from '../native/types.js'
import { checkInteger, checkOptions, checkSignal } from '../options.js'
import type { RowKind } from '../search/embedding-index/format.js'
import { checkIdentity, type IndexModel } from '../search/embedding-index/model-identity.js'
import {
  checkFiniteRows,
  checkRows,
  countOf,
  type IndexRowsLike,
  ownRows,
} from '../search/embedding-index/row-kinds.js'
import { hitsOf } from '../search/hits.js'
import type { Precision } from '../search/quantize.js'
import type { SearchHit } from '../search/search-options.js'
import { readManifest } from './folder.js'
import { type FileRecord, MANIFEST, type Manifest } from './manifest.js'
import type { RowBlock } from './readers/block.js'
import { npyBlocks } from './readers/npy.js'
import { parquetBlocks, parquetTexts } from './readers/parquet.js'
import { safetensorsBlocks } from './readers/safetensors.js'
import { lengthOfRows, type RowLayout, widthOf } from './rows.js'

export type { RowBlock } from './readers/block.js'

export interface EncodedSearchOptions {
  /** Rows per query; fewer where there are fewer. Default 10. */
  topK?: number
  /** Stops between two blocks; the promise rejects with ERR_ABORTED. */
  signal?: AbortSignal
}

/** One found row. */
export interface EncodedHit extends SearchHit {
  /** Where the files have texts. */
  text?: string
}

/**
 * The rows that `encodeFiles` has written, in the order of the texts. They are read block by block, so that memory does not grow with
 * them.
 *
 * ```ts
 * const vectors = await EncodedFiles.open('vectors')
 * for await (const { first, rows, texts } of vectors.blocks()) await store(first, rows, texts)
 * const [hits] = await vectors.search(await model.encodeQuery(['a question']), { topK: 5 })
 * ```
 */
export class EncodedFiles {
  readonly #manifest: Manifest & { files: FileRecord[] }

  private constructor(
    /** The folder. */
    readonly path: string,
    manifest: Manifest & { files: FileRecord[] },
  ) {
    this.#manifest = manifest
  }

  /**
   * Opens a folder in which all files are there, with their sizes.
   * @throws SentenceTorchError ERR_NOT_FOUND; ERR_INVALID_DATA for a folder that is not complete; ERR_INVALID_FILE for a damaged one
   */
  static async open(path: string): Promise<EncodedFiles> {
    if (typeof path !== 'string' || path === '') throw invalidArgument('path', 'the path of a folder', path)
    const manifest = await readManifest(path)
    const { files, rows } = manifest
    if (files === undefined) {
      const there = (await readdir(path)).filter((name) => /^part-\d+\.json$/.test(name)).length
      const message = `${path} is not complete: ${there} files are there, and not those of all shards. Run encodeFiles for each shard to its end`
      throw new SentenceTorchError('ERR_INVALID_DATA', message)
    }
    for (const [i, { file, first, end, bytes }] of files.entries()) {
      const place = join(path, file)
      if (first !== i * rows.perFile || end <= first || !file.endsWith(`.${rows.format}`))
        throw damaged(join(path, MANIFEST), `${file} has the rows ${first} to ${end}`)
      const { size } = await stat(place).catch(failedTo(`read ${place}`))
      if (size !== bytes) throw damaged(place, `it has ${size} bytes, and its manifest says ${bytes}`)
    }
    return new EncodedFiles(path, { ...manifest, files })
  }

  /** The number of rows. */
  get length(): number {
    return this.#manifest.files.at(-1)?.end ?? 0
  }

  /** Numbers of an embedding, before they were packed; words of a sparse one. */
  get dimension(): number {
    return this.#manifest.rows.dimension
  }

  /** What the rows are: embeddings, sparse ones, or texts with a vector for each token. */
  get kind(): RowKind {
    return this.#manifest.rows.kind
  }

  get precision(): Precision {
    return this.#manifest.rows.precision
  }

  /** How the model compares. */
  get similarityFnName(): Metric | MaxSimName {
    return this.#manifest.model.similarityFnName
  }

  get hasTexts(): boolean {
    return this.#manifest.rows.withTexts
  }

  /** What the model was called, if it was. */
  get modelName(): string | undefined {
    return this.#manifest.model.identity.name
  }

  /** @internal */
  get identity(): Manifest['model']['identity'] {
    return this.#manifest.model.identity
  }

  /** All rows, in order. */
  async *blocks(): AsyncGenerator<RowBlock & { first: number }, void, undefined> {
    for (const record of this.#manifest.files) {
      let first = record.first
      for await (const block of this.#read(record)) {
        yield { first, ...block }
        first += lengthOfRows(block.rows)
      }
      if (first === record.end) continue
      throw damaged(
        join(this.path, record.file),
        `it has ${first - record.first} rows, and its manifest says another number`,
      )
    }
  }

  #read({ file }: FileRecord): AsyncGenerator<RowBlock> {
    const path = join(this.path, file)
    const { kind, precision, dimension, format, withTexts } = this.#manifest.rows
    const layout: RowLayout = { kind, precision, width: widthOf(dimension, precision) }
    if (format === 'npy') return npyBlocks(path, layout)
    return format === 'parquet' ? parquetBlocks(path, layout, withTexts) : safetensorsBlocks(path, layout)
  }

  /**
   * Compares a model with the one that made the rows, by what both make of one text.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT for another model
   */
  async checkModel(model: IndexModel, name = 'the given model'): Promise<void> {
    await checkIdentity(this.path, this.identity, model, this.dimension, name)
  }

  /** Compares all files with their checksums. @throws SentenceTorchError ERR_INVALID_FILE that names the first that differs */
  async verify(): Promise<void> {
    for (const { file, sha256 } of this.#manifest.files) {
      const path = join(this.path, file)
      const found = await fileSha256(path).catch(failedTo(`read ${path}`))
      if (found !== sha256) throw damaged(path, 'it does not have its checksum')
    }
  }

  /**
   * The most similar rows for every query, best first; equal scores by rising number. All rows are read and compared, by the model's
   * similarity; they are of float32.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_INVALID_DATA, ERR_ABORTED
   */
  async search(queries: IndexRowsLike, options: EncodedSearchOptions = {}): Promise<EncodedHit[][]> {
    checkOptions('search', options, ['topK', 'signal'])
    const { topK = 10, signal } = options
    checkInteger('topK', topK, 1)
    checkSignal(signal)
    this.checkFull('search')
    const asked = ownRows(queries, 'queries')
    const { kind, dimension } = this
    checkRows('queries', asked, { kind, dimension })
    checkFiniteRows(asked, 'queries')
    if (countOf(asked) === 0) return []
    const hits = hitsOf(asked, this.similarityFnName, Math.min(topK, this.length))
    for await (const { first, rows } of this.blocks()) {
      throwIfAborted(signal, 'The search')
      await hits.add(rows as Parameters<typeof hits.add>[0], first, signal)
    }
    return this.#named(await hits.lists())
  }

  /** @internal @throws ERR_INVALID_ARGUMENT for rows in fewer bits */
  checkFull(what: string): void {
    if (this.precision !== 'float32')
      throw invalidArgument(`${what} of ${this.path}`, 'rows of float32', `rows of ${this.precision}`)
  }

  /** Adds texts: each file with hits is read once. */
  async #named(lists: SearchHit[][]): Promise<EncodedHit[][]> {
    if (!this.hasTexts) return lists
    const { perFile } = this.#manifest.rows
    const numbers = [...new Set(lists.flat().map(({ corpusId }) => corpusId))].sort((a, b) => a - b)
    const texts = new Map<number, string>()
    for (let at = 0; at < numbers.length; ) {
      const file = this.#manifest.files[Math.floor(numbers[at]! / perFile)]!
      const own = numbers.slice(at).filter((number) => number < file.end)
      const found = await parquetTexts(
        join(this.path, file.file),
        own.map((number) => number - file.first),
      )
      own.forEach((number, i) => {
        texts.set(number, found[i]!)
      })
      at += own.length
    }
    return lists.map((hits) => hits.map((hit) => ({ ...hit, text: texts.get(hit.corpusId)! })))
  }
}
