/**
 * Schemas of parsed JSON values. Values of a file, a server or an archive are checked when they are read. After that their
 * type is known. A value that does not fit is an error that names file, key, expected and found value.
 */
import { isAscii, isUtf8, transcode } from 'node:buffer'
import { describe, type ErrorCode, SentenceTorchError } from '../errors.js'

/** The place of a value. */
export interface Place {
  file: string
  /** `added_tokens[3].id`; empty for the whole file. */
  key: string
  code: ErrorCode
}

/** Returns the value with its type. @throws SentenceTorchError of the place's code */
export type Schema<T> = (value: unknown, place: Place) => T
export type TypeOf<S> = S extends Schema<infer T> ? T : never

export type JsonObject = Record<string, unknown>

/**
 * Limit of nesting. Deeper values end other programs, and JSON.stringify here. No file of a model or of data is as deep.
 */
export const MAX_DEPTH = 200
/** Bytes from which on a text is decoded in two steps. */
const LARGE = 1 << 20

/**
 * The value of a JSON text that fits `schema`.
 * @param file for messages
 * @throws SentenceTorchError of `code` for text that is not UTF-8, is not JSON, is nested deeper than 200 values, or does
 * not fit
 */
export function parseJson<T>(
  text: string | Uint8Array,
  file: string,
  schema: Schema<T>,
  code: ErrorCode = 'ERR_INVALID_FILE',
): T {
  const value = parseUnchecked(text, file, code)
  if (!isShallow(value, MAX_DEPTH)) {
    throw new SentenceTorchError(code, `${file} nests its values deeper than ${MAX_DEPTH}`)
  }
  return schema(value, { file, key: '', code })
}

/**
 * The value of any JSON text. For a text that is too large to be walked through twice, and whose own check limits the
 * depth.
 * @throws SentenceTorchError of `code` for text that is not UTF-8 or not JSON
 */
export function parseUnchecked(text: string | Uint8Array, file: string, code: ErrorCode): unknown {
  try {
    return JSON.parse(typeof text === 'string' ? text : decoded(text))
  } catch (cause) {
    // Texts beyond 512 MB are a RangeError. Bytes that are not UTF-8 are a TypeError.
    throw new SentenceTorchError(code, `${file} is not valid JSON: ${(cause as Error).message}`, { cause })
  }
}

/** The text of UTF-8, without a byte order mark. @throws TypeError for other bytes */
function decoded(bytes: Uint8Array): string {
  // Many characters outside ASCII, as in a vocabulary of many languages, take a TextDecoder twice the time.
  if (bytes.byteLength < LARGE || isAscii(bytes) || !isUtf8(bytes)) {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  }
  const text = transcode(bytes, 'utf8', 'utf16le').toString('utf16le')
  return text.startsWith('\ufeff') ? text.slice(1) : text
}

/** Whether a parsed value is nested at most `depth` deep. */
export function isShallow(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (depth === 0) return false
  if (Array.isArray(value)) return value.every((entry) => isShallow(entry, depth - 1))
  for (const key in value) if (!isShallow((value as JsonObject)[key], depth - 1)) return false
  return true
}

export function misfit({ file, key, code }: Place, expected: string, found: unknown): SentenceTorchError {
  const where = key === '' ? `in ${file}` : `as ${key.length > 200 ? `${key.slice(0, 200)}...` : key} in ${file}`
  const what = found === undefined ? 'nothing' : found === null ? 'null' : describe(found)
  return new SentenceTorchError(code, `Expected ${expected} ${where}, found ${what}`)
}

/** The place of a member. */
export function inside(place: Place, key: string | number): Place {
  const own = typeof key === 'number' ? `${place.key}[${key}]` : place.key === '' ? key : `${place.key}.${key}`
  return { ...place, key: own }
}

export const anything: Schema<unknown> = (value) => value

export const boolean: Schema<boolean> = (value, place) => {
  if (typeof value === 'boolean') return value
  throw misfit(place, 'true or false', value)
}

/** A text. @param maxLength in UTF-16 units */
export function text(maxLength = Number.POSITIVE_INFINITY): Schema<string> {
  return (value, place) => {
    if (typeof value !== 'string') throw misfit(place, 'a text', value)
    if (value.length > maxLength) throw misfit(place, `a text of at most ${maxLength} characters`, value)
    return value
  }
}

export function integer(min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER): Schema<number> {
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
  return (value, place) => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value
    throw misfit(place, min === Number.MIN_SAFE_INTEGER ? 'an integer' : `an integer ${range}`, value)
  }
}

/** A finite number within [min, max]. */
export function number(min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY): Schema<number> {
  const upper = max === Number.POSITIVE_INFINITY ? '' : ` and at most ${max}`
  const range = min === Number.NEGATIVE_INFINITY ? '' : ` of at least ${min}${upper}`
  return (value, place) => {
    if (typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max) return value
    throw misfit(place, `a number${range}`, value)
  }
}

export function oneOf<const T extends string | number | boolean | null>(...values: readonly T[]): Schema<T> {
  return (value, place) => {
    if (values.includes(value as T)) return value as T
    throw misfit(place, `one of ${values.map((one) => JSON.stringify(one)).join(', ')}`, value)
  }
}

/** undefined where the value is absent or null, like Python's None. */
export function optional<T>(schema: Schema<T>): Schema<T | undefined> {
  return (value, place) => (value === undefined || value === null ? undefined : schema(value, place))
}

export function arrayOf<T>(schema: Schema<T>, { min = 0, max = Number.MAX_SAFE_INTEGER } = {}): Schema<T[]> {
  return (value, place) => {
    if (!Array.isArray(value)) throw misfit(place, 'an array', value)
    if (value.length < min) throw misfit(place, `an array of at least ${min} values`, value)
    if (value.length > max) throw misfit(place, `an array of at most ${max} values`, value)
    return value.map((entry, i) => schema(entry, inside(place, i)))
  }
}

/** An object of any member names, whose values fit one schema. */
export function recordOf<T>(schema: Schema<T>, { max = Number.MAX_SAFE_INTEGER } = {}): Schema<Record<string, T>> {
  return (value, place) => {
    const members = Object.entries(plainObject(value, place))
    if (members.length > max) throw misfit(place, `an object of at most ${max} members`, value)
    return Object.fromEntries(members.map(([key, member]) => [key, schema(member, inside(place, key))]))
  }
}

/** An object with these members. Others are kept unchanged. */
export function object<S extends Record<string, Schema<unknown>>>(
  shape: S,
): Schema<{ [K in keyof S]: TypeOf<S[K]> } & JsonObject> {
  return (value, place) => {
    const given = plainObject(value, place)
    const checked = Object.entries(shape).map(([key, schema]) => {
      return [key, schema(Object.hasOwn(given, key) ? given[key] : undefined, inside(place, key))] as const
    })
    // Absent members stay absent.
    const found = checked.filter(([key, member]) => member !== undefined || Object.hasOwn(given, key))
    return { ...given, ...Object.fromEntries(found) } as { [K in keyof S]: TypeOf<S[K]> } & JsonObject
  }
}

/** The first schema that fits. If neither does, the second one's message counts. */
export function either<A, B>(first: Schema<A>, second: Schema<B>): Schema<A | B> {
  return (value, place) => {
    try {
      return first(value, place)
    } catch {
      return second(value, place)
    }
  }
}

function plainObject(value: unknown, place: Place): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject
  throw misfit(place, 'an object', value)
}
