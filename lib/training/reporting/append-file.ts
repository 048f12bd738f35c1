import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Pieces that may wait to be written before a writer has to. */
const BACKLOG = 64

/**
 * A file that grows piece by piece without training waiting for the disk. An error of an earlier piece is thrown by the next
 * call.
 */
export class AppendFile {
  readonly path: string
  #file: FileHandle | undefined
  #waiting: Uint8Array[] = []
  #writing: Promise<void> | undefined
  #error: { cause: unknown } | undefined

  constructor(path: string) {
    this.path = path
  }

  /** Makes the file and its folder, or opens it to go on at its end. */
  async open(): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true })
    this.#file = await open(this.path, 'a+')
  }

  /** Ends a line that a process began and did not end. After `open`, for text files. */
  async endLine(): Promise<void> {
    const { size } = await this.#file!.stat()
    if (size === 0) return
    const { buffer } = await this.#file!.read(Buffer.alloc(1), 0, 1, size - 1)
    if (buffer.toString() !== '\n') await this.append('\n')
  }

  /** Takes a piece; waits only where many wait already. */
  async append(piece: string | Uint8Array): Promise<void> {
    this.#check()
    this.#waiting.push(typeof piece === 'string' ? Buffer.from(piece) : piece)
    this.#writing ??= this.#write()
    if (this.#waiting.length > BACKLOG) await this.flush()
  }

  /** Waits until everything is with the operating system. */
  async flush(): Promise<void> {
    await this.#writing
    this.#check()
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await this.#writing
    const file = this.#file
    this.#file = undefined
    await file?.close()
    this.#check()
  }

  async #write(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const pieces = this.#waiting
        this.#waiting = []
        await this.#file!.appendFile(Buffer.concat(pieces))
      }
    } catch (cause) {
      this.#error ??= { cause }
    }
    this.#writing = undefined
  }

  #check(): void {
    const error = this.#error
    this.#error = undefined
    if (error) throw error.cause
  }
}
