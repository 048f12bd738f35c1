import { createHash } from 'node:crypto'
import { readSync } from 'node:fs'
import { copyFile, type FileHandle, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { invalidArgument } from '../errors.js'
import { makeFolder, syncFile } from '../io/files.js'
import { openFile } from '../io/open-file.js'
import { failedTo } from '../io/system-error.js'
import { newId, removeLeftOvers } from '../io/temporary.js'
import { checkInteger, checkOptions } from '../options.js'
import { TimeSlice } from './time-slice.js'
import { ABSENT, HEADER_BYTES, TokenIndex } from './token-cache-file.js'

export interface TokenCacheOptions {
  /** All texts of one column, in the order of the rows. */
  columnTexts: readonly string[]
  /** Changes whenever the tokenizer would give other ids: `Tokenizer.fingerprint()`, and the prompt if there is one. */
  tokenizerKey: string
  /** Limit of tokens in a text. */
  maxLength: number
}

/** Bytes that wait in memory before they are written. */
const WRITE_BYTES = 1 << 20
/** Texts that are hashed at once. */
const HASH_TEXTS = 256

/**
 * Token ids of one text column on disk, so that later epochs and runs never tokenise again. A file belongs to exactly these
 * texts, this tokenizer and this maximum length. A file with another key, or a damaged one, is replaced. A damaged row
 * counts as absent. Memory: 16 bytes a row, and a megabyte of rows that wait to be written.
 *
 * Rows can be read as soon as they were put. Later runs can read them after `finish`, which replaces the file as a whole.
 * Without `finish` the file stays as it was. If the disk fails, there is a warning, and work continues without the cache.
 */
export class TokenCache {
  readonly rows: number
  readonly #path: string
  readonly #key: Uint8Array
  #index: TokenIndex
  #file: FileHandle | undefined
  /** The position of the next row. */
  #end: number
  /** The growing file; undefined while nothing new was put. */
  #temporary: string | undefined
  #pending: { row: number; bytes: Uint8Array; place: number }[] = []
  #pendingBytes = 0
  /** Rows that wait or are being written, by number. */
  readonly #pendingRows = new Map<number, Int32Array>()
  #writing: Promise<void> = Promise.resolve()
  #failed = false
  #closed = false
  #known = 0

  private constructor(path: string, key: Uint8Array, rows: number) {
    this.rows = rows
    this.#path = path
    this.#key = key
    this.#index = new TokenIndex(rows)
    this.#end = HEADER_BYTES
  }

  /** Opens the cache of a column in `folder`, which is created if it is missing. */
  static async open(folder: string, options: TokenCacheOptions): Promise<TokenCache> {
    checkOptions('TokenCache.open', options, ['columnTexts', 'tokenizerKey', 'maxLength'])
    const { tokenizerKey, maxLength } = options
    const columnTexts = [...options.columnTexts]
    if (typeof tokenizerKey !== 'string') throw invalidArgument('tokenizerKey', 'a text', tokenizerKey)
    checkInteger('maxLength', maxLength ?? null, 1)
    const key = await keyOf(columnTexts, tokenizerKey, maxLength)
    await makeFolder(folder).catch(failedTo(`make the folder of the token cache ${folder}`))
    await removeLeftOvers(folder, (name) => /\.tokens\..+\.tmp$/.test(name))
    const path = join(folder, `${Buffer.from(key).toString('hex').slice(0, 32)}.tokens`)
    const cache = new TokenCache(path, key, columnTexts.length)
    await cache.#load()
    return cache
  }

  /** Number of rows in the cache. */
  get known(): number {
    return this.#known
  }

  /** Whether every row is in the cache. */
  get isComplete(): boolean {
    return this.#known === this.rows
  }

  /**
   * The token ids of a row; undefined when the row is absent. Reads some bytes from the disk; `read` does so without
   * blocking.
   */
  get(row: number): Int32Array | undefined {
    if (!this.#has(row)) return undefined
    const waiting = this.#pendingRows.get(row)
    if (waiting) return waiting
    const bytes = new Uint8Array(this.#index.bytesOf(row))
    try {
      const read = readSync(this.#file!.fd, bytes, 0, bytes.length, this.#index.places[row]!)
      return read === bytes.length ? this.#index.decode(row, bytes) : undefined
    } catch {
      // A row that the disk cannot read counts as absent.
      return undefined
    }
  }

  /** The token ids of several rows; undefined for absent ones. */
  async read(rows: ArrayLike<number>): Promise<(Int32Array | undefined)[]> {
    const found = Array.from(rows, async (row) => {
      if (!this.#has(row)) return undefined
      const waiting = this.#pendingRows.get(row)
      if (waiting) return waiting
      const bytes = new Uint8Array(this.#index.bytesOf(row))
      const read = this.#file!.read(bytes, 0, bytes.length, this.#index.places[row]!)
      const bytesRead = await read.then((result) => result.bytesRead).catch(() => -1)
      return bytesRead === bytes.length ? this.#index.decode(row, bytes) : undefined
    })
    return Promise.all(found)
  }

  /** Stores the token ids of a row. Waits when the disk is behind. */
  async put(row: number, ids: Int32Array): Promise<void> {
    checkInteger('row', row, 0, this.rows - 1)
    if (this.#failed || this.#closed) return
    // A damaged row that is put again gets a new position.
    if (this.#index.counts[row] === ABSENT) this.#known++
    const place = this.#end
    const bytes = this.#index.encode(row, ids, place)
    this.#end += bytes.length
    this.#pending.push({ row, bytes, place })
    this.#pendingBytes += bytes.length
    this.#pendingRows.set(row, ids.slice())
    if (this.#pendingBytes >= WRITE_BYTES) await this.#flush()
  }

  /** Makes the rows so far available to later runs. The cache can still be used. */
  async finish(): Promise<void> {
    await this.#flush()
    this.#writing = this.#writing.then(async () => {
      if (this.#temporary === undefined || this.#failed || this.#closed) return
      try {
        await this.#index.write(this.#file!, this.#key, this.#end)
        await syncFile(this.#file!)
        await rename(this.#temporary, this.#path)
        this.#temporary = undefined
      } catch (error) {
        await this.#fail(error)
      }
    })
    return this.#writing
  }

  /** Closes the file. Rows that were put since the last `finish` are lost. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#writing
    await this.#file?.close()
    this.#file = undefined
    this.#known = 0
    if (this.#temporary !== undefined) await rm(this.#temporary, { force: true })
  }

  async #load(): Promise<void> {
    const file = await openFile(this.#path).catch(() => undefined)
    if (file === undefined) return
    const found = await TokenIndex.read(file, this.#key, this.rows).catch(() => undefined)
    if (found === undefined) return file.close()
    this.#file = file
    this.#index = found.index
    this.#end = found.end
    for (const count of found.index.counts) if (count !== ABSENT) this.#known++
  }

  #has(row: number): boolean {
    return (
      !this.#closed &&
      (this.#index.counts[row] ?? ABSENT) !== ABSENT &&
      (this.#file !== undefined || this.#pendingRows.has(row))
    )
  }

  /** Writes the waiting rows, one call after another. */
  #flush(): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      const batch = this.#pending
      if (batch.length === 0 || this.#failed || this.#closed) return
      this.#pending = []
      this.#pendingBytes = 0
      try {
        if (this.#temporary === undefined) await this.#grow()
        const bytes = Buffer.concat(batch.map((entry) => entry.bytes))
        await this.#file!.write(bytes, 0, bytes.length, batch[0]!.place)
        for (const { row } of batch) this.#pendingRows.delete(row)
      } catch (error) {
        await this.#fail(error)
      }
    })
    return this.#writing
  }

  /** Starts a temporary file with the rows of the old one. */
  async #grow(): Promise<void> {
    const temporary = `${this.#path}.${newId()}.tmp`
    const old = this.#file
    if (old) await copyFile(this.#path, temporary)
    this.#file = await open(temporary, old ? 'r+' : 'w+')
    this.#temporary = temporary
    await old?.close()
  }

  async #fail(error: unknown): Promise<void> {
    this.#failed = true
    this.#pending = []
    this.#pendingRows.clear()
    this.#index.counts.fill(ABSENT)
    this.#known = 0
    if (this.#temporary !== undefined) await rm(this.#temporary, { force: true }).catch(() => {})
    process.emitWarning(
      `The token cache ${this.#path} cannot be written (${(error as Error).message}); texts are tokenised again instead`,
      'SentenceTorchWarning',
    )
  }
}

async function keyOf(texts: readonly string[], tokenizerKey: string, maxLength: number): Promise<Uint8Array> {
  const hash = createHash('sha256').update(JSON.stringify([tokenizerKey, maxLength, texts.length]))
  const slice = new TimeSlice()
  for (let start = 0; start < texts.length; start += HASH_TEXTS) {
    const part = texts.slice(start, start + HASH_TEXTS)
    // The lengths come first, so that "ab", "c" is not "a", "bc".
    hash.update(`${part.map((text) => text.length).join()}\n${part.join('')}`)
    await slice.yield()
  }
  return hash.digest()
}
