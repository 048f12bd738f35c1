/** Durations as a config says them: `90s`, `10m`, `1.5h`, or seconds. */
import { invalidArgument } from '../../errors.js'
import { option } from '../../options/kinds.js'

const UNITS = { s: 1, m: 60, h: 3600 } as const
const EXPECTED = "a duration such as '90s', '10m' or '1.5h', or a number of seconds"

/** Seconds. @throws ERR_INVALID_ARGUMENT */
export function secondsOf(name: string, value: unknown): number {
  const parts = typeof value === 'string' ? /^(\d+(?:\.\d+)?)(s|m|h)?$/.exec(value) : undefined
  const seconds = parts ? Number(parts[1]) * UNITS[(parts[2] ?? 's') as keyof typeof UNITS] : value
  if (typeof seconds === 'number' && Number.isFinite(seconds) && seconds > 0) return seconds
  throw invalidArgument(name, EXPECTED, value)
}

/** An option that takes a duration. */
export const duration = option<string | number, undefined>({
  type: 'string | number',
  default: undefined,
  expected: EXPECTED,
  check: (name, value) => void secondsOf(name, value),
})

/** `75 s`, `12 min`, for people. */
export function durationText(seconds: number): string {
  return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`
}
