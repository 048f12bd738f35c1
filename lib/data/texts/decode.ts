import { isUtf8 } from 'node:buffer'
import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { explain, openFile } from '../../io/open-file.js'

const CHUNK_BYTES = 1 << 16
/** Bytes that a character of UTF-8 has at most. */
const LONGEST_CHARACTER = 4

/** Files that are not texts, by their first bytes. */
const FORMATS: readonly (readonly [string | readonly number[], string])[] = [
  ['%PDF-', 'PDF: convert it, for example with `pdftotext`'],
  [[0xff, 0xfe], 'UTF-16: save it as UTF-8'],
  [[0xfe, 0xff], 'UTF-16: save it as UTF-8'],
  [[0x1f, 0x8b], 'gzip data: unpack it'],
  [[0x50, 0x4b, 0x03, 0x04], 'a zip archive (.docx, .odt and .epub files are some): convert it to text'],
]

/**
 * The text of a UTF-8 file in pieces, without a byte-order mark at its start.
 * @throws SentenceTorchError ERR_NOT_FOUND; ERR_INVALID_DATA that names the file and the position of the first byte that
 * is not UTF-8, or of a NUL, which no text has
 */
export async function* readPieces(path: string): AsyncGenerator<string, void, undefined> {
  const file = await openFile(path)
  try {
    let rest: Buffer = Buffer.alloc(0)
    let position = 0
    // The stream closes the file.
    for await (const chunk of file.createReadStream({ highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>) {
      const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
      if (position === 0) refuseFormats(bytes, path)
      const end = wholeCharacters(bytes)
      const text = decode(bytes.subarray(0, end), path, position)
      yield position === 0 && text.startsWith('\ufeff') ? text.slice(1) : text
      // A copy, because the stream may use its memory again.
      rest = Buffer.from(bytes.subarray(end))
      position += end
    }
    if (rest.length > 0) throw notUtf8(rest, 0, path, position)
  } catch (error) {
    throw explain(error, path)
  }
}

function refuseFormats(head: Buffer, path: string): void {
  const [, found] =
    FORMATS.find(([magic]) => {
      const bytes = Buffer.from(magic as string)
      return head.subarray(0, bytes.length).equals(bytes)
    }) ?? []
  if (found === undefined) return
  throw new SentenceTorchError('ERR_INVALID_DATA', `Expected UTF-8 in ${path}, found ${found}`)
}

/** The number of bytes up to the last character, which may not have ended. */
function wholeCharacters(bytes: Buffer): number {
  for (let back = 1; back < LONGEST_CHARACTER && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!
    const isContinuation = byte >> 6 === 0b10
    if (isContinuation) continue
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return length > back ? bytes.length - back : bytes.length
  }
  return bytes.length
}

/** @param position of the bytes in the file */
function decode(bytes: Buffer, path: string, position: number): string {
  if (!isUtf8(bytes)) throw notUtf8(bytes, firstWrong(bytes), path, position)
  const nul = bytes.indexOf(0)
  if (nul === -1) return bytes.toString('utf8')
  const message = `Expected text in ${path}, found a NUL at byte ${position + nul}: binary data, or UTF-16 without its mark`
  throw new SentenceTorchError('ERR_INVALID_DATA', message)
}

/** The index of the first byte that begins no character. */
function firstWrong(bytes: Buffer): number {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let start = 0
  for (let at = 0; at < bytes.length; at++) {
    try {
      if (decoder.decode(bytes.subarray(at, at + 1), { stream: true }) !== '') start = at + 1
    } catch {
      return start
    }
  }
  return start
}

function notUtf8(bytes: Buffer, wrong: number, path: string, position: number): SentenceTorchError {
  const found = `0x${bytes[wrong]!.toString(16).toUpperCase().padStart(2, '0')}`
  return new SentenceTorchError(
    'ERR_INVALID_DATA',
    `Expected UTF-8 in ${path}, found the byte ${found} at byte ${position + wrong}: convert the file, for example with ` +
      '`iconv -f WINDOWS-1252 -t UTF-8`',
  )
}

/** @throws ERR_INVALID_ARGUMENT */
export function checkPath(path: unknown): asserts path is string {
  if (typeof path !== 'string' || path === '') throw invalidArgument('paths', 'a file, a folder, or several', path)
}
