import { appendFile, mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Appends a row to an evaluator's CSV file and writes the header first when the file is new; lines end as Python's `csv`
 * ends them (CR LF), so that both sides can go on with each other's file.
 */
export async function appendCsv(
  folder: string,
  file: string,
  headers: readonly string[],
  row: readonly string[],
): Promise<void> {
  await mkdir(folder, { recursive: true })
  const path = join(folder, file)
  const isNew = await stat(path).then(
    () => false,
    () => true,
  )
  const lines = isNew ? [headers, row] : [row]
  await appendFile(path, lines.map((cells) => `${cells.map(quote).join(',')}\r\n`).join(''))
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
