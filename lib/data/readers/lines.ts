import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { SentenceTorchError } from '../../errors.js'
import { explain, openFile } from '../../io/open-file.js'
import { MAX_CHARACTERS, MOST_CHARACTERS, tooMuch } from './json-text.js'

/** Bytes that are decoded at once. Few enough to free the event loop after some milliseconds. */
const chunkBytes = 1 << 18

/**
 * A .gz file may unpack to this many times its size, or to a size that is harmless. Texts shrink to a tenth at best.
 */
const gzipRatio = 100
const gzipBytes = 2 ** 27

const newline = 0x0a
const carriageReturn = 0x0d

/** A "\r" that ends a line by itself. At the end of a text, "\n" was cut off. */
const loneReturn = /\r(?!\n|$)/g
const anyReturn = /\r/g

/**
 * The lines of a UTF-8 file (plain or .gz), several at a time, each with a mark of its line end: none for "\n", "\r"
 * for "\r\n", "\r\r" for a single "\r" (see withoutReturn, withLineEnd). A byte-order mark is dropped at the start of
 * the file only. A last line without a line end counts. A line end at the end of the file starts no further line.
 * @throws SentenceTorchError ERR_NOT_FOUND, ERR_INVALID_DATA naming the line that is not UTF-8, ERR_INVALID_FILE naming
 * one that is longer than 500 MB.
 */
export async function* readLines(path: string): AsyncGenerator<string[], void, undefined> {
  // ignoreBOM keeps U+FEFF, which is an ordinary character inside a text.
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let lineNumber = 1
  let rest: Buffer[] = []
  let restBytes = 0
  const decode = (parts: readonly Buffer[], lone = loneReturn): string[] => {
    let text = decodeText(decoder, Buffer.concat(parts), path, lineNumber)
    if (lone === anyReturn || hasLoneReturn(text)) text = text.replace(lone, '\r\r\n')
    const lines = text.split('\n')
    if (lineNumber === 1 && lines[0]!.startsWith('\ufeff')) lines[0] = lines[0]!.slice(1)
    lineNumber += lines.length
    return lines
  }
  /** The line that continues in the next bytes. */
  const keep = (bytes: Buffer) => {
    rest.push(bytes)
    restBytes += bytes.length
    if (restBytes > MAX_CHARACTERS) throw tooMuch(`${MOST_CHARACTERS} of text`, `line ${lineNumber} of ${path}`)
  }
  try {
    for await (const chunk of openBytes(path)) {
      let end = chunk.lastIndexOf(newline)
      // Files of old Macs end lines with "\r". A "\n" may follow a "\r" at the very end of a piece, so wait for the
      // next one.
      const ofReturns = end === -1
      if (ofReturns) end = chunk.length < 2 ? -1 : chunk.lastIndexOf(carriageReturn, chunk.length - 2)
      if (end === -1) {
        keep(chunk)
        continue
      }
      const whole = [...rest, chunk.subarray(0, end)]
      rest = []
      restBytes = 0
      const lines = decode(whole, ofReturns ? anyReturn : loneReturn)
      if (ofReturns) lines[lines.length - 1] += '\r\r'
      if (end + 1 < chunk.length) keep(chunk.subarray(end + 1))
      yield lines
    }
  } catch (error) {
    throw explain(error, path)
  }
  if (rest.length > 0) {
    const last = decode(rest)
    if (last.length > 1 || last[0] !== '') yield last
  }
}

/**
 * The text of a UTF-8 file (plain or .gz) in pieces of any length, without the byte-order mark at its start.
 * @throws SentenceTorchError ERR_NOT_FOUND, or ERR_INVALID_DATA for a file that is not UTF-8.
 */
export async function* readText(path: string): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const decode = (bytes?: Buffer): string => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined })
    } catch (cause) {
      throw notUtf8(path, 'in', bytes, cause)
    }
  }
  try {
    for await (const chunk of openBytes(path)) yield decode(chunk)
    yield decode()
  } catch (error) {
    throw explain(error, path)
  }
}

async function* openBytes(path: string): AsyncGenerator<Buffer, void, undefined> {
  const file = await openFile(path)
  const { size } = await file.stat()
  // The stream closes the file.
  const packed = file.createReadStream({ highWaterMark: chunkBytes })
  if (!path.toLowerCase().endsWith('.gz')) {
    yield* packed
    return
  }
  try {
    const most = size * gzipRatio + gzipBytes
    let bytes = 0
    // The pipeline passes errors of the file to its reader, so nothing is to be done here.
    const unpacked: AsyncIterable<Buffer> = pipeline(packed, createGunzip({ chunkSize: chunkBytes }), () => {})
    for await (const chunk of unpacked) {
      bytes += chunk.length
      if (bytes > most) throw tooMuch(`${gzipRatio} times its size and ${gzipBytes / 2 ** 20} MB, unpacked,`, path)
      yield chunk
    }
  } catch (error) {
    throw isDamage(error) ? notGzip(path, error) : error
  }
}

const isDamage = (error: unknown): error is Error => (error as NodeJS.ErrnoException).code?.startsWith('Z_') === true

function notGzip(path: string, cause: Error): SentenceTorchError {
  const hint = cause.message.includes('header') ? '; a file that is not compressed has no .gz in its name' : ''
  const message = `Expected whole gzip data in ${path}: ${cause.message}${hint}`
  return new SentenceTorchError('ERR_INVALID_FILE', message, { cause })
}

function decodeText(decoder: InstanceType<typeof TextDecoder>, bytes: Buffer, path: string, firstLine: number): string {
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    let start = 0
    for (let line = firstLine; ; line++) {
      const end = lineEnd(bytes, start)
      try {
        decoder.decode(bytes.subarray(start, end))
      } catch {
        throw notUtf8(path, `in line ${line} of`, firstLine === 1 ? bytes : undefined, cause)
      }
      start = bytes[end] === carriageReturn && bytes[end + 1] === newline ? end + 2 : end + 1
    }
  }
}

/** The index of the first line end after `start`. */
function lineEnd(bytes: Buffer, start: number): number {
  const ends = [bytes.indexOf(newline, start), bytes.indexOf(carriageReturn, start)].filter((end) => end !== -1)
  return Math.min(bytes.length, ...ends)
}

/** @param head the file's first bytes, which may show its type */
function notUtf8(path: string, where: string, head: Buffer | undefined, cause: unknown): SentenceTorchError {
  const found = formats.find(([magic]) => head?.subarray(0, magic.length).equals(Buffer.from(magic)))?.[1]
  const message = `Expected UTF-8 ${where} ${path}, found ${found ?? 'other bytes'}`
  return new SentenceTorchError('ERR_INVALID_DATA', message, { cause })
}

/** Types of files that are mistaken for text files, by their first bytes. */
const formats: [number[], string][] = [
  [[0x1f, 0x8b], 'gzip data: its name must end in .gz'],
  [[0xff, 0xfe], 'UTF-16: save it as UTF-8'],
  [[0xfe, 0xff], 'UTF-16: save it as UTF-8'],
  [[0x50, 0x41, 0x52, 0x31], 'Parquet: its name must end in .parquet'],
  [[0x50, 0x4b, 0x03, 0x04], 'a zip archive (also what .xlsx files are): unpack it, or save it as .csv'],
]

/** Whether `loneReturn` can match. Many times faster than the search where it cannot. */
function hasLoneReturn(text: string): boolean {
  for (let at = text.indexOf('\r'); at !== -1; at = text.indexOf('\r', at + 1)) {
    if (at + 1 < text.length && text.charCodeAt(at + 1) !== newline) return true
  }
  return false
}

/** `line` without the mark of its line end. */
export function withoutReturn(line: string): string {
  const last = line.length - 1
  if (line.charCodeAt(last) !== carriageReturn) return line
  return line.slice(0, line.charCodeAt(last - 1) === carriageReturn ? -2 : -1)
}

/** `line` with the line end that the file has. Not for the last line. */
export function withLineEnd(line: string): string {
  return line.endsWith('\r\r') ? line.slice(0, -1) : `${line}\n`
}

/** Whether a line is empty or holds only `blanks`. */
export function isBlank(line: string, blanks: string): boolean {
  if (line.charCodeAt(0) > 0x20) return false
  for (let at = 0; at < line.length; at++) if (line[at] !== '\r' && !blanks.includes(line[at]!)) return false
  return true
}
