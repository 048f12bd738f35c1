import * as fsPromises from 'node:fs/promises'
import { dirname } from 'node:path'
import { type FileOperations, hasCode, makeFolder } from '../../io/files.js'
import { failedTo } from '../../io/system-error.js'
import { warnUnwritten } from '../../io/unwritten.js'

/** With more pieces than this waiting, `append` waits for the disk. */
const BACKLOG = 64
/** Most bytes that wait while the disk refuses them. Further pieces are lost. */
const MOST_WAITING = 1 << 20
/** Errors that waiting does not mend. */
const HOPELESS = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR', 'EEXIST', 'ELOOP', 'ENAMETOOLONG']

export interface AppendOptions {
  /** Whether the file has lines. A line that another process left unfinished is ended first. Default false. */
  lines?: boolean
  /** The beginning of every new file. */
  head?: () => Uint8Array | string
  /** For tests. */
  operations?: FileOperations
}

/**
 * A log file that grows piece by piece, without training waiting for the disk. When the disk refuses a piece (it is full, or the
 * folder has vanished), there is a warning; the pieces wait and are written when there is room again. A piece that was written
 * in part is continued where it was cut off.
 */
export class AppendFile {
  readonly path: string
  readonly #lines: boolean
  readonly #head: () => Uint8Array | string
  readonly #fs: FileOperations
  #file: fsPromises.FileHandle | undefined
  #waiting: Uint8Array[] = []
  #bytes = 0
  /** Bytes of the first waiting piece that are in the file already. */
  #written = 0
  /** Size of the file when the disk refused the rest of that piece. */
  #cutAt = -1
  #lost = 0
  #warned = false
  #writing: Promise<void> | undefined

  constructor(path: string, { lines = false, head = () => '', operations = fsPromises }: AppendOptions = {}) {
    this.path = path
    this.#lines = lines
    this.#head = head
    this.#fs = operations
  }

  /**
   * Makes the file and its folder, or opens the file to append to it.
   * @throws ERR_FILE_SYSTEM for a place that can never be written; a full disk is only a warning
   */
  async open(): Promise<void> {
    try {
      await this.#open()
    } catch (error) {
      if (hasCode(error, ...HOPELESS)) failedTo(`write the log ${this.path}`)(error)
      this.warn(error)
    }
  }

  /** Warns once that the file cannot be written. */
  warn(error: unknown): void {
    if (!this.#warned) warnUnwritten(this.path, error)
    this.#warned = true
  }

  /** Adds a piece. Waits only if many pieces wait already. Never fails. */
  async append(piece: string | Uint8Array): Promise<void> {
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece
    if (this.#bytes + bytes.length > MOST_WAITING) {
      this.#lost++
      return
    }
    this.#put(bytes)
    const writing = this.#start()
    if (this.#waiting.length > BACKLOG) await writing
  }

  /** Writes what waits. @returns whether the operating system has taken everything */
  async flush(): Promise<boolean> {
    await this.#writing
    if (this.#waiting.length > 0) await this.#start()
    return this.#waiting.length === 0
  }

  /**
   * Writes what waits, as far as possible, and closes the file. It can be opened again. Never fails. Idempotent.
   * @param others records that were lost before they came here
   */
  async close(others = 0): Promise<void> {
    if (!(await this.flush())) await this.#removeCutPiece()
    await this.#closeFile()
    const lost = this.#lost + this.#waiting.length + others
    this.#lost = 0
    this.#waiting = []
    this.#bytes = 0
    this.#written = 0
    if (lost === 0) return
    process.emitWarning(`${lost} records of the log ${this.path} could not be written`, 'SentenceTorchWarning')
  }

  #put(bytes: Uint8Array, first = false): void {
    if (first) this.#waiting.unshift(bytes)
    else this.#waiting.push(bytes)
    this.#bytes += bytes.length
  }

  #start(): Promise<void> {
    this.#writing ??= this.#write()
    return this.#writing
  }

  async #write(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        await this.#ready()
        await this.#writeOut(Buffer.concat(this.#waiting))
      }
    } catch (error) {
      this.warn(error)
      this.#cutAt = (await this.#file?.stat().catch(() => undefined))?.size ?? -1
      // When the disk is full, the same file may accept more later. After other errors it is opened again.
      if (!hasCode(error, 'ENOSPC', 'EDQUOT')) await this.#closeFile()
    }
    this.#writing = undefined
  }

  /** Writes `block`, which is everything that waits, and removes from it what was written, even if that is not all. */
  async #writeOut(block: Uint8Array): Promise<void> {
    let done = this.#written
    try {
      while (done < block.length) done += (await this.#file!.write(block, done)).bytesWritten
    } finally {
      while (this.#waiting.length > 0 && this.#waiting[0]!.length <= done) {
        const { length } = this.#waiting.shift()!
        this.#bytes -= length
        done -= length
      }
      this.#written = done
    }
  }

  /** Opens the file if it is not open, or if it was deleted. */
  async #ready(): Promise<void> {
    if (this.#file !== undefined && (await this.#file.stat()).nlink === 0) {
      process.emitWarning(`The log ${this.path} was removed; a new one is begun`, 'SentenceTorchWarning')
      await this.#closeFile()
    }
    if (this.#file === undefined) await this.#open()
  }

  async #open(): Promise<void> {
    await makeFolder(dirname(this.path), this.#fs)
    const file = await this.#fs.open(this.path, 'a+')
    this.#file = file
    const { size } = await file.stat()
    if (size === 0) {
      this.#written = 0
      const head = this.#head()
      if (head.length > 0) this.#put(typeof head === 'string' ? Buffer.from(head) : head, true)
    } else if (this.#lines && this.#written === 0) {
      const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1)
      if (buffer.toString() !== '\n') this.#put(Buffer.from('\n'), true)
    }
  }

  /** Removes a piece that was written in part, unless somebody else has written to the file since. */
  async #removeCutPiece(): Promise<void> {
    const size = (await this.#file?.stat().catch(() => undefined))?.size
    if (this.#written > 0 && size === this.#cutAt) await this.#file?.truncate(size - this.#written).catch(() => {})
  }

  async #closeFile(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close().catch(() => {})
  }
}
