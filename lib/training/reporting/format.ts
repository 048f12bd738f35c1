import type { LogRecord } from '../callbacks/callbacks.js'

/** `f"{value:.4g}"` of Python: four significant digits, `5e-05` for small and `1.234e+04` for large numbers. */
export function fourDigits(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  const [digits, power] = value.toExponential(3).split('e') as [string, string]
  const exponent = Number(power)
  if (exponent >= -4 && exponent < 4) return trimZeros(value.toFixed(3 - exponent))
  return `${trimZeros(digits)}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
}

function trimZeros(digits: string): string {
  return digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits
}

/** A record as transformers prints it: `{'loss': '2.96', 'learning_rate': '5e-05', 'epoch': '0.2'}`. */
export function pythonLine(record: Readonly<LogRecord>): string {
  return `{${Object.entries(record)
    .map(([name, value]) => `'${name}': '${fourDigits(value)}'`)
    .join(', ')}}`
}

/** `value` with at most `digits` decimals. */
export function roundTo(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}

/** A whole number with commas between thousands: `1,234`. */
export function withCommas(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ',')
}

/** `perDeviceTrainBatchSize` is `per_device_train_batch_size` in Python. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
