import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { makeFolder } from '../io/files.js'
import { openFile } from '../io/open-file.js'
import { systemError } from '../io/system-error.js'
import { unlessRefused } from '../io/unwritten.js'

/** Files with an unexpected header that a warning was given for. */
const warned = new Set<string>()

/**
 * Appends a row to an evaluator's CSV file. A new file gets the header first. Lines end in CR LF, as Python's `csv` writes
 * them, or in `lineEnd`, so both can append to one file. A file with another header gives one warning; it comes from an
 * evaluator with other metrics, for example of a model with another similarity. A file that cannot be written gives a
 * warning too, because the metrics do not depend on it.
 */
export async function appendCsv(
  folder: string,
  file: string,
  headers: readonly string[],
  row: readonly string[],
  lineEnd = '\r\n',
): Promise<void> {
  const path = join(folder, file)
  await unlessRefused(path, async () => {
    await makeFolder(folder)
    const line = (cells: readonly string[]) => cells.map(quote).join(',')
    const header = line(headers)
    const state = await headerState(path, header)
    if (state === 'other') warnOfHeader(path, header, headers[2])
    const lines = state === 'none' ? [header, line(row)] : [line(row)]
    await appendLines(path, lines, lineEnd)
  })
}

function warnOfHeader(path: string, header: string, name: string | undefined): void {
  const key = JSON.stringify([path, header])
  if (warned.has(key)) return
  warned.add(key)
  process.emitWarning(`The header of ${path} is not that of the rows that are appended now: …, ${name}, …`, {
    type: 'SentenceTorchWarning',
    code: 'WARN_CSV_HEADER',
    detail: 'Another name of the evaluator, or another output path, starts a file of its own',
  })
}

/** Appends whole lines or none. An incomplete last line is ended first. */
async function appendLines(path: string, lines: readonly string[], lineEnd: string): Promise<void> {
  const file = await open(path, 'a+')
  try {
    const { size } = await file.stat()
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1))
    const isCut = size > 0 && buffer.toString() !== '\n'
    const text = lines.map((line) => line + lineEnd).join('')
    try {
      await file.appendFile(isCut ? lineEnd + text : text)
    } catch (error) {
      // A full disk may have taken only a part.
      await file.truncate(size).catch(() => {})
      throw error
    }
  } finally {
    await file.close()
  }
}

/** Whether a file holds anything, and whether it begins with the line `header`. */
async function headerState(path: string, header: string): Promise<'none' | 'same' | 'other'> {
  const file = await openFile(path).catch((error: unknown) => {
    if (!(error instanceof SentenceTorchError) || error.code === 'ERR_FILE_SYSTEM') throw error
    if (error.code === 'ERR_NOT_FOUND') return undefined
    // A folder or a pipe at this path does not end the evaluation.
    throw new SentenceTorchError('ERR_FILE_SYSTEM', error.message, { cause: error })
  })
  if (file === undefined) return 'none'
  try {
    const expected = Buffer.from(header)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(expected.length + 1), 0, expected.length + 1, 0)
    if (bytesRead === 0) return 'none'
    // A line ends in CR LF or LF. After the end of the file there is 0.
    const ends = [0, 10, 13].includes(buffer[expected.length]!)
    return ends && buffer.subarray(0, expected.length).equals(expected) ? 'same' : 'other'
  } catch (error) {
    throw systemError(error, `read ${path}`)
  } finally {
    await file.close()
  }
}

function quote(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}

/** A double as Python prints it: `1.0`, `1e-05`, `nan`. */
export function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  const [digits, exponent] = value.toExponential().split('e') as [string, string]
  const power = Number(exponent)
  if (power < -4 || power >= 16) {
    return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
  }
  if (Number.isInteger(value)) return Object.is(value, -0) ? '-0.0' : `${value}.0`
  // Between 1e-6 and 1e-4 both languages write a plain number; below 1e16 JavaScript always does.
  return String(value)
}

/** A float32 as numpy prints it: the fewest digits that give the same float32 again. */
export function pythonFloat32(value: number): string {
  for (let digits = 1; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return pythonFloat(short)
  }
  return pythonFloat(value)
}
