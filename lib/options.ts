/** Checks of what callers pass as options, shared by everything that takes some. */
import { invalidArgument, SentenceTorchError, suggestion } from './errors.js'

/** An option known from sentence-transformers that is not built yet. */
export interface NotBuilt {
  /** Values that are fine all the same, because they ask for what happens anyway. */
  harmless?: readonly unknown[]
  /** What to do instead, for the message. */
  instead?: string
}

/**
 * Refuses option names that nothing reads, so that no option is accepted and ignored. `undefined` means absent.
 *
 * @param where what takes the options, for the message: `MultipleNegativesRankingLoss`
 * @param options the object as the caller gave it
 * @param built names that are read
 * @param notBuilt names known from sentence-transformers that are not
 * @throws ERR_INVALID_ARGUMENT when `options` is no plain object, ERR_NOT_IMPLEMENTED for a name that is not built yet,
 *   ERR_UNKNOWN_OPTION for any other name, with the closest known one
 */
export function checkOptions(
  where: string,
  options: unknown,
  built: readonly string[],
  notBuilt: Readonly<Record<string, NotBuilt>> = {},
): void {
  if (!isPlainObject(options)) throw invalidArgument(`the options of ${where}`, 'an object', options)
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || built.includes(name)) continue
    if (Object.hasOwn(notBuilt, name)) {
      const { harmless = [], instead } = notBuilt[name]!
      if (harmless.some((fine) => isSame(fine, value))) continue
      const only =
        harmless.length === 0 ? '' : ` (except as ${harmless.map((fine) => JSON.stringify(fine)).join(', ')})`
      throw new SentenceTorchError(
        'ERR_NOT_IMPLEMENTED',
        `${where}: the option ${name} is known from sentence-transformers but not built yet${only}` +
          (instead === undefined ? '' : `; ${instead}`),
      )
    }
    const close = suggestion(name, [...built, ...Object.keys(notBuilt)])
    const known = `; it has: ${built.join(', ') || 'none'}`
    throw new SentenceTorchError(
      'ERR_UNKNOWN_OPTION',
      `${where} has no option ${JSON.stringify(name)}${close === undefined ? known : `; did you mean ${close}?`}`,
    )
  }
}

/**
 * Names that are given as a list; a text is a list of one.
 * @throws ERR_INVALID_ARGUMENT
 */
export function listOfNames(name: string, value: string | readonly string[]): readonly string[] {
  if (typeof value === 'string') return [value]
  if (!Array.isArray(value)) throw invalidArgument(name, 'a name or an array of names', value)
  for (const entry of value) if (typeof entry !== 'string') throw invalidArgument(name, 'names', entry)
  return value
}

/**
 * Whether `value` is an object as a literal makes it. Instances of classes, Maps and arrays are not: what they hold are no
 * enumerable keys of their own, or others than names.
 */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  // Objects of another realm (a vm context, as test runners use) have another Object.prototype, which has no prototype either.
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/**
 * Refuses names of what does not exist, so that nothing that is given by name is ignored.
 *
 * @param where what gives something by name: `datasetWeights`
 * @param names the names that it gives
 * @param what they are names of: `dataset`
 * @param known all there are
 * @throws ERR_INVALID_ARGUMENT with the closest known name
 */
export function checkNames(where: string, names: Iterable<string>, what: string, known: readonly string[]): void {
  for (const name of names) {
    if (known.includes(name)) continue
    const close = suggestion(name, known)
    throw new SentenceTorchError(
      'ERR_INVALID_ARGUMENT',
      `${where} names the ${what} ${JSON.stringify(name)}, but there ` +
        (known.length === 0 ? 'is none with a name' : `${known.length === 1 ? 'is' : 'are'} ${known.join(', ')}`) +
        (close === undefined ? '' : `; did you mean ${close}?`),
    )
  }
}

/**
 * A copy of what a caller gave, for use after the call: of its arrays, plain objects, maps and sets, at every depth. Everything
 * else (texts, functions, models, datasets, typed arrays) is what was given.
 */
export function ownCopy<T>(given: T): T {
  if (typeof given !== 'object' || given === null) return given
  if (Array.isArray(given)) return given.map((value) => ownCopy(value)) as T
  if (given instanceof Map) return new Map([...given].map(([key, value]) => [key, ownCopy(value)])) as T
  if (given instanceof Set) return new Set(given) as T
  if (!isPlainObject(given)) return given
  return Object.fromEntries(Object.entries(given).map(([key, value]) => [key, ownCopy(value)])) as T
}

/** Checks that `value`, if given, is an integer from `min` to `max`. */
export function checkInteger(name: string, value: unknown, min: number, max = Number.MAX_SAFE_INTEGER): void {
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
  const fits = Number.isInteger(value) && (value as number) >= min && (value as number) <= max
  if (value !== undefined && !fits) throw invalidArgument(name, `an integer ${range}`, value)
}

/** Checks that `value`, if given, is a finite number above 0. */
export function checkPositive(name: string, value: unknown): void {
  const fits = typeof value === 'number' && Number.isFinite(value) && value > 0
  if (value !== undefined && !fits) throw invalidArgument(name, 'a positive number', value)
}

/** Checks that `value`, if given, is a finite number. */
export function checkFinite(name: string, value: unknown): void {
  if (value !== undefined && !Number.isFinite(value)) throw invalidArgument(name, 'a finite number', value)
}

/** Checks that `value`, if given, is one of `allowed`; `notBuilt`: values of sentence-transformers that are not there yet. */
export function checkOneOf(
  name: string,
  value: unknown,
  allowed: readonly string[],
  notBuilt: readonly string[] = [],
): void {
  if (value === undefined || allowed.includes(value as string)) return
  if (notBuilt.includes(value as string)) {
    throw new SentenceTorchError(
      'ERR_NOT_IMPLEMENTED',
      `${name} ${JSON.stringify(value)} is known from sentence-transformers but not built yet; there are: ${allowed.join(', ')}`,
    )
  }
  const close = typeof value === 'string' ? suggestion(value, allowed) : undefined
  const expected = `one of ${allowed.map((entry) => JSON.stringify(entry)).join(', ')}`
  throw invalidArgument(name, close === undefined ? expected : `${expected} (did you mean ${close}?)`, value)
}

/** Checks that `value`, if given, is an AbortSignal. */
export function checkSignal(value: unknown): void {
  if (value !== undefined && !(value instanceof AbortSignal)) throw invalidArgument('signal', 'an AbortSignal', value)
}

/** Checks that `value`, if given, is of the type that `typeof` calls `type`; of objects, a plain one. */
export function checkType(name: string, value: unknown, type: 'string' | 'boolean' | 'function' | 'object'): void {
  if (value === undefined || (type === 'object' ? isPlainObject(value) : typeof value === type)) return
  throw invalidArgument(name, type === 'boolean' ? 'true or false' : `${type === 'object' ? 'an' : 'a'} ${type}`, value)
}

function isSame(a: unknown, b: unknown): boolean {
  return Object.is(a, b) || (typeof a === 'object' && JSON.stringify(a) === JSON.stringify(b))
}
