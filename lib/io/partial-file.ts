import { createHash, type Hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'

const READ_BYTES = 1024 * 1024

/** A file that arrives in parts, with the digest of the bytes so far. */
export class PartialFile {
  #hash: Hash
  #length = 0

  constructor(
    private readonly file: FileHandle,
    /** Bytes of the whole file. */
    readonly size: number,
    /** The expected digest: SHA-256, or git's SHA-1. */
    private readonly expected: string,
    private readonly onBytes: (bytes: number) => void,
  ) {
    this.#hash = this.#begun()
  }

  /** Bytes so far. */
  get length(): number {
    return this.#length
  }

  /** Reads the existing content. @returns whether there was any */
  async begin(): Promise<boolean> {
    const { size } = await this.file.stat()
    if (size > this.size) await this.restart()
    const buffer = Buffer.alloc(Math.min(READ_BYTES, this.size))
    while (this.#length < Math.min(size, this.size)) {
      const { bytesRead } = await this.file.read(buffer, 0, buffer.length, this.#length)
      if (bytesRead === 0) break
      this.#take(buffer.subarray(0, bytesRead))
    }
    return this.#length > 0
  }

  /** @param from where the bytes belong: after the existing ones, or at the beginning */
  async append(chunks: AsyncIterable<Uint8Array>, from: number): Promise<void> {
    if (from !== this.#length) await this.restart()
    for await (const chunk of chunks) {
      // On an almost full disk a write may be partial.
      for (let done = 0; done < chunk.length; ) {
        done += (await this.file.write(chunk, done, chunk.length - done, this.#length + done)).bytesWritten
      }
      this.#take(chunk)
    }
  }

  async restart(): Promise<void> {
    await this.file.truncate(0)
    this.onBytes(-this.#length)
    this.#length = 0
    this.#hash = this.#begun()
  }

  digest(): string {
    return this.#hash.copy().digest('hex')
  }

  #take(bytes: Uint8Array): void {
    this.#hash.update(bytes)
    this.#length += bytes.length
    this.onBytes(bytes.length)
  }

  #begun(): Hash {
    return this.expected.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${this.size}\0`)
  }
}
