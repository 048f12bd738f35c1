import { invalidArgument, SentenceTorchError, suggestion } from '../errors.js'

/** Python's names of options that are known and not built, with what to do instead. */
export type NotBuilt = Record<string, string>

/** Refuses options that `known` does not list: those of sentence-transformers by name, others with a suggestion. */
export function checkOptionNames(
  where: string,
  options: object,
  known: readonly string[],
  notBuilt: NotBuilt = {},
): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalidArgument(`the options of ${where}`, 'an object', options)
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || known.includes(name)) continue
    if (Object.hasOwn(notBuilt, name)) {
      throw new SentenceTorchError(
        'ERR_NOT_IMPLEMENTED',
        `${where}: the option ${name} is not built yet; ${notBuilt[name]}`,
      )
    }
    const near = suggestion(name, known)
    throw new SentenceTorchError(
      'ERR_UNKNOWN_OPTION',
      `${where} has no option ${JSON.stringify(name)}${near ? `; did you mean ${near}?` : `; it has: ${known.join(', ')}`}`,
    )
  }
}

/** Checks that `value`, if given, is an integer from `min` to `max`. */
export function checkInteger(name: string, value: unknown, min: number, max = Number.MAX_SAFE_INTEGER): void {
  if (value === undefined || (Number.isInteger(value) && (value as number) >= min && (value as number) <= max)) return
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
  throw invalidArgument(name, `an integer ${range}`, value)
}

/** Checks that `value`, if given, is one of `allowed`. */
export function checkOneOf(name: string, value: unknown, allowed: readonly unknown[]): void {
  if (value === undefined || allowed.includes(value)) return
  throw invalidArgument(name, `one of ${allowed.map((a) => JSON.stringify(a)).join(', ')}`, value)
}

/** Checks that `value`, if given, is of the type that `typeof` calls `type`. */
export function checkType(name: string, value: unknown, type: 'string' | 'boolean' | 'function' | 'object'): void {
  if (value === undefined || (typeof value === type && value !== null)) return
  throw invalidArgument(name, `a ${type}`, value)
}
