import { describe, SentenceTorchError, suggestion } from '../errors.js'

/**
 * Refuses option names that nothing reads, so that no option is accepted and ignored.
 *
 * @param where what is being built, for the message: `MultipleNegativesRankingLoss`
 * @param options the object as the caller gave it
 * @param built names that are read
 * @param planned names known from sentence-transformers that are not built yet, each with the one value that is fine
 *   because it means "off" (`undefined`: none is)
 * @throws ERR_INVALID_ARGUMENT when `options` is no object, ERR_NOT_IMPLEMENTED for a planned name at another value,
 *   ERR_UNKNOWN_OPTION for any other name, with the closest known one
 */
export function checkOptions(
  where: string,
  options: unknown,
  built: readonly string[],
  planned: Readonly<Record<string, unknown>> = {},
): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new SentenceTorchError(
      'ERR_INVALID_ARGUMENT',
      `Expected an object of options for ${where} but received ${describe(options)}`,
    )
  }
  for (const [name, value] of Object.entries(options)) {
    if (built.includes(name) || value === undefined) continue
    if (Object.hasOwn(planned, name)) {
      if (planned[name] !== undefined && JSON.stringify(value) === JSON.stringify(planned[name])) continue
      throw new SentenceTorchError(
        'ERR_NOT_IMPLEMENTED',
        `${where}: ${name} is known from sentence-transformers but not built here yet`,
      )
    }
    const close = suggestion(name, [...built, ...Object.keys(planned)])
    throw new SentenceTorchError(
      'ERR_UNKNOWN_OPTION',
      `${where} has no option ${name}${close === undefined ? '' : `; did you mean ${close}?`} Known: ${built.join(', ') || 'none'}`,
    )
  }
}

/** `value` if it is a finite number above 0. */
export function positiveNumber(name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value
  throw new SentenceTorchError(
    'ERR_INVALID_ARGUMENT',
    `Expected a positive number for ${name} but received ${describe(value)}`,
  )
}

/** `value` if it is one of `allowed`; `planned` values are known from sentence-transformers but not built yet. */
export function oneOf<T extends string>(
  name: string,
  value: unknown,
  allowed: readonly T[],
  planned: readonly string[] = [],
): T {
  if (allowed.includes(value as T)) return value as T
  if (planned.includes(value as string)) {
    throw new SentenceTorchError(
      'ERR_NOT_IMPLEMENTED',
      `${name} ${describe(value)} is not built yet; there are: ${allowed.join(', ')}`,
    )
  }
  const close = typeof value === 'string' ? suggestion(value, allowed) : undefined
  throw new SentenceTorchError(
    'ERR_INVALID_ARGUMENT',
    `Expected one of ${allowed.join(', ')} for ${name} but received ${describe(value)}` +
      (close === undefined ? '' : `; did you mean ${close}?`),
  )
}

/** `value` if it is true or false. */
export function booleanValue(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  throw new SentenceTorchError(
    'ERR_INVALID_ARGUMENT',
    `Expected true or false for ${name} but received ${describe(value)}`,
  )
}
