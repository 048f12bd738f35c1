/** What every chat template may call. Source: transformers 5.24, utils/chat_template_utils.py. */

/** As in the sandbox of Python's Jinja. */
const LONGEST_RANGE = 100_000

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = [
  ...['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November'],
  'December',
]

/** Python's strftime in the C locale. @throws Error for what templates of models do not use */
export function strftime(date: Date, format: string): string {
  const padded = (value: number, width = 2) => String(value).padStart(width, '0')
  const parts: Record<string, () => string> = {
    Y: () => padded(date.getFullYear(), 4),
    y: () => padded(date.getFullYear() % 100),
    m: () => padded(date.getMonth() + 1),
    d: () => padded(date.getDate()),
    H: () => padded(date.getHours()),
    I: () => padded(date.getHours() % 12 || 12),
    M: () => padded(date.getMinutes()),
    S: () => padded(date.getSeconds()),
    p: () => (date.getHours() < 12 ? 'AM' : 'PM'),
    A: () => DAYS[date.getDay()]!,
    a: () => DAYS[date.getDay()]!.slice(0, 3),
    B: () => MONTHS[date.getMonth()]!,
    b: () => MONTHS[date.getMonth()]!.slice(0, 3),
    '%': () => '%',
  }
  return format.replace(/%(.)/gs, (whole, sign: string) => {
    if (Object.hasOwn(parts, sign)) return parts[sign]!()
    throw new Error(`strftime_now takes no ${whole}`)
  })
}

function range(start: number, stop?: number, step = 1): number[] {
  const [first, end] = stop === undefined ? [0, start] : [start, stop]
  if (step === 0) throw new Error('range() takes no step of 0')
  const length = Math.max(0, Math.ceil((end - first) / step))
  if (length > LONGEST_RANGE) throw new Error(`range() gives at most ${LONGEST_RANGE} numbers, here ${length}`)
  return Array.from({ length }, (_, i) => first + i * step)
}

export const GLOBALS: Readonly<Record<string, unknown>> = {
  ...{ true: true, True: true, false: false, False: false, none: null, None: null },
  range,
  strftime_now: (format: string) => strftime(new Date(), format),
  raise_exception: (message: unknown) => {
    throw new Error(String(message))
  },
}
