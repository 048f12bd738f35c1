import * as fsPromises from 'node:fs/promises'
import { dirname } from 'node:path'
import { type FileOperations, hasCode, makeFolder } from '../../io/files.js'
import { failedTo } from '../../io/system-error.js'
import { warnUnwritten } from '../../io/unwritten.js'

/** Pieces that may wait to be written before a writer has to. */
const BACKLOG = 64
/** Bytes that may wait while the disk refuses them; what comes after that is lost. */
const MOST_WAITING = 1 << 20
/** No time will make these places fit for writing. */
const HOPELESS = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR', 'EEXIST', 'ELOOP', 'ENAMETOOLONG']

export interface AppendOptions {
  /** Whether the file has lines: one that a process began and did not end is ended first. Default false. */
  lines?: boolean
  /** What every new file begins with. */
  head?: () => Uint8Array | string
  /** For tests. */
  operations?: FileOperations
}

/**
 * A log file that grows piece by piece without training waiting for the disk. A disk that refuses to take more (it is full, the
 * folder has vanished) is a warning; pieces wait then, and are written when there is room again: a piece that was written in
 * part goes on where it was cut off.
 */
export class AppendFile {
  readonly path: string
  readonly #lines: boolean
  readonly #head: () => Uint8Array | string
  readonly #fs: FileOperations
  #file: fsPromises.FileHandle | undefined
  #waiting: Uint8Array[] = []
  #bytes = 0
  /** Bytes of the first piece that are in the file already. */
  #begun = 0
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
   * Makes the file and its folder, or opens it to go on at its end.
   * @throws ERR_FILE_SYSTEM for a place that can never be written; a full disk is a warning
   */
  async open(): Promise<void> {
    try {
      await this.#open()
    } catch (error) {
      if (hasCode(error, ...HOPELESS)) failedTo(`write the log ${this.path}`)(error)
      this.warn(error)
    }
  }

  /** Says, once, that the file cannot be written. */
  warn(error: unknown): void {
    if (!this.#warned) warnUnwritten(this.path, error)
    this.#warned = true
  }

  /** Takes a piece; waits only where many wait already. Never fails. */
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

  /** Writes what waits. @returns whether everything is with the operating system */
  async flush(): Promise<boolean> {
    await this.#writing
    if (this.#waiting.length > 0) await this.#start()
    return this.#waiting.length === 0
  }

  /**
   * Writes what waits, as far as that is possible, and closes the file; it can be opened again. Never fails. Idempotent.
   * @param others records that never came here
   */
  async close(others = 0): Promise<void> {
    if (!(await this.flush())) await this.#takeBack()
    await this.#drop()
    const lost = this.#lost + this.#waiting.length + others
    this.#lost = 0
    this.#waiting = []
    this.#bytes = 0
    this.#begun = 0
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
      // A file that is full takes more later; any other trouble may end with a new one.
      if (!hasCode(error, 'ENOSPC', 'EDQUOT')) await this.#drop()
    }
    this.#writing = undefined
  }

  /** Writes `block`, which is all that waits, and takes out what has been written, also where that is not all. */
  async #writeOut(block: Uint8Array): Promise<void> {
    let done = this.#begun
    try {
      while (done < block.length) done += (await this.#file!.write(block, done)).bytesWritten
    } finally {
      while (this.#waiting.length > 0 && this.#waiting[0]!.length <= done) {
        const { length } = this.#waiting.shift()!
        this.#bytes -= length
        done -= length
      }
      this.#begun = done
    }
  }

  /** Opens the file if it is not open, and anew if it is no longer in any folder. */
  async #ready(): Promise<void> {
    if (this.#file !== undefined && (await this.#file.stat()).nlink === 0) {
      process.emitWarning(`The log ${this.path} was removed; a new one is begun`, 'SentenceTorchWarning')
      await this.#drop()
    }
    if (this.#file === undefined) await this.#open()
  }

  async #open(): Promise<void> {
    await makeFolder(dirname(this.path), this.#fs)
    const file = await this.#fs.open(this.path, 'a+')
    this.#file = file
    const { size } = await file.stat()
    if (size === 0) {
      this.#begun = 0
      const head = this.#head()
      if (head.length > 0) this.#put(typeof head === 'string' ? Buffer.from(head) : head, true)
    } else if (this.#lines && this.#begun === 0) {
      const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1)
      if (buffer.toString() !== '\n') this.#put(Buffer.from('\n'), true)
    }
  }

  /** Takes a piece that has been written in part out of the file, unless somebody else has written there since. */
  async #takeBack(): Promise<void> {
    const size = (await this.#file?.stat().catch(() => undefined))?.size
    if (this.#begun > 0 && size === this.#cutAt) await this.#file?.truncate(size - this.#begun).catch(() => {})
  }

  async #drop(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close().catch(() => {})
  }
}
