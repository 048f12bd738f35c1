import type { FileHandle } from 'node:fs/promises'
import type { EncodedRows } from '../rows.js'

/** Where bytes go: a file, or stdout. */
export interface Sink {
  write(bytes: Uint8Array | string): Promise<void>
  /** Overwrites bytes from the start of the file; stdout has none. */
  patch?(bytes: Uint8Array): Promise<void>
}

/** Writes rows in one format. */
export interface RowWriter {
  /** @param texts of the rows */
  add(rows: EncodedRows, texts: readonly string[]): Promise<void>
  end(): Promise<void>
  close(): Promise<void>
}

/** A sink of a file. */
export function fileSink(file: FileHandle): Sink {
  return {
    write: (bytes) => file.writeFile(bytes),
    async patch(bytes) {
      for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at, at)).bytesWritten
    },
  }
}
