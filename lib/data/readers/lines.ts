import { createReadStream } from 'node:fs'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { SentenceTorchError } from '../../errors.js'

/** Bytes that are decoded at a time: small enough that the event loop is free again after a few milliseconds. */
const chunkBytes = 1 << 18

const newline = 0x0a

/**
 * The lines of a UTF-8 file (plain or .gz), several at a time, without their "\n" (a "\r" before it stays). A byte-order mark
 * is dropped at the start of the file only. A last line without "\n" counts; nothing comes after a last "\n".
 * @throws SentenceTorchError ERR_NOT_FOUND, or ERR_INVALID_DATA naming the line that is not UTF-8.
 */
export async function* readLines(path: string): AsyncGenerator<string[], void, undefined> {
  // ignoreBOM: keep U+FEFF, which is an ordinary character inside a text.
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let lineNumber = 1
  let rest: Buffer[] = []
  const decode = (bytes: Buffer): string[] => {
    const lines = decodeText(decoder, bytes, path, lineNumber).split('\n')
    if (lineNumber === 1 && lines[0]!.startsWith('\ufeff')) lines[0] = lines[0]!.slice(1)
    lineNumber += lines.length
    return lines
  }
  try {
    for await (const chunk of openBytes(path) as AsyncIterable<Buffer>) {
      const end = chunk.lastIndexOf(newline)
      if (end === -1) {
        rest.push(chunk)
        continue
      }
      const bytes = Buffer.concat([...rest, chunk.subarray(0, end)])
      rest = end + 1 < chunk.length ? [chunk.subarray(end + 1)] : []
      yield decode(bytes)
    }
  } catch (error) {
    throw explain(error, path)
  }
  if (rest.length > 0) {
    const last = decode(Buffer.concat(rest))
    if (last.length > 1 || last[0] !== '') yield last
  }
}

/**
 * The text of a UTF-8 file (plain or .gz) in pieces that end anywhere, without a byte-order mark at its start.
 * @throws SentenceTorchError ERR_NOT_FOUND, or ERR_INVALID_DATA for a file that is not UTF-8.
 */
export async function* readText(path: string): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const decode = (bytes?: Buffer): string => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined })
    } catch (cause) {
      throw new SentenceTorchError('ERR_INVALID_DATA', `Expected UTF-8 in ${path}, found other bytes`, { cause })
    }
  }
  try {
    for await (const chunk of openBytes(path) as AsyncIterable<Buffer>) yield decode(chunk)
    yield decode()
  } catch (error) {
    throw explain(error, path)
  }
}

function openBytes(path: string): Readable {
  const file = createReadStream(path, { highWaterMark: chunkBytes })
  if (!path.toLowerCase().endsWith('.gz')) return file
  // The pipeline hands errors of the file on to the stream that is read; there is nothing more to do here.
  return pipeline(file, createGunzip({ chunkSize: chunkBytes }), () => {})
}

function decodeText(decoder: InstanceType<typeof TextDecoder>, bytes: Buffer, path: string, firstLine: number): string {
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    let start = 0
    for (let line = firstLine; ; line++) {
      const found = bytes.indexOf(newline, start)
      const end = found === -1 ? bytes.length : found
      try {
        decoder.decode(bytes.subarray(start, end))
      } catch {
        throw new SentenceTorchError(
          'ERR_INVALID_DATA',
          `Expected UTF-8 in line ${line} of ${path}, found other bytes`,
          {
            cause,
          },
        )
      }
      start = end + 1
    }
  }
}

export function explain(error: unknown, path: string): unknown {
  if (error instanceof SentenceTorchError) return error
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOENT') return new SentenceTorchError('ERR_NOT_FOUND', `There is no file ${path}`, { cause: error })
  if (code?.startsWith('Z_')) {
    const message = `Expected whole gzip data in ${path}: ${(error as Error).message}`
    return new SentenceTorchError('ERR_INVALID_FILE', message, { cause: error })
  }
  return error
}

/** `line` without the "\r" of a "\r\n". */
export function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line
}
