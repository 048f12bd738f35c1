import { appendFile, mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Appends a row to an evaluator's CSV file and writes the header first when the file is new; lines end as Python's `csv`
 * ends them (CR LF) unless `lineEnd` says otherwise, so that both sides can go on with each other's file.
 */
export async function appendCsv(
  folder: string,
  file: string,
  headers: readonly string[],
  row: readonly string[],
  lineEnd = '\r\n',
): Promise<void> {
  await mkdir(folder, { recursive: true })
  const path = join(folder, file)
  const isNew = await stat(path).then(
    () => false,
    () => true,
  )
  const lines = isNew ? [headers, row] : [row]
  await appendFile(path, lines.map((cells) => cells.map(quote).join(',') + lineEnd).join(''))
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
