/** What an option may be: its kinds, each with a check, the words of its error and its value when absent. */
import { invalidArgument } from '../errors.js'
import { checkOneOf, checkOptions, type NotBuilt } from '../options.js'

/** One option, whatever it takes. */
export interface Kind {
  /** The value when the option is absent: undefined where there is none. */
  readonly default: unknown
  /** What may be given, in the words of an error: `a positive number`. */
  readonly expected: string
  /** What may be given, in TypeScript: `number`. */
  readonly type: string
  /** The texts that may be given, where only some may. */
  readonly values?: readonly string[]
  /** Whether it has to be given. */
  readonly isNeeded?: boolean
  /** @throws ERR_INVALID_ARGUMENT that names `name`; ERR_NOT_IMPLEMENTED for values of sentence-transformers that are not built */
  check(name: string, value: unknown): void
}

/** One option. `T`: type of its values; `D`: type of its default. */
export interface Option<T, D = T> extends Kind {
  readonly default: D
  /** Never set: with it the compiler holds `T` against a type in both directions. */
  readonly accepts?: (value: T) => T
}

/** A table of options, which has every name of the type `O`, and for each a kind that takes just what `O` says. */
export type OptionTable<O> = {
  readonly [K in keyof O]-?: Option<Exclude<O[K], undefined>, unknown>
}

/** The result of a table: the given values, and the defaults of the others. */
export type OptionValues<Table> = {
  readonly [K in keyof Table]: Table[K] extends Option<infer T, infer D> ? T | D : never
}

/**
 * The options of a call: those that were given, checked, and the defaults of the others.
 *
 * @param where what takes the options, for messages: `CoSENTLoss`
 * @param given the object as the caller gave it
 * @param notBuilt names known from sentence-transformers that are not built
 * @throws ERR_INVALID_ARGUMENT, ERR_NOT_IMPLEMENTED, ERR_UNKNOWN_OPTION
 */
export function optionValues<Table extends Readonly<Record<string, Kind>>>(
  where: string,
  given: object,
  table: Table,
  notBuilt: Readonly<Record<string, NotBuilt>> = {},
): OptionValues<Table> {
  checkOptions(where, given, Object.keys(table), notBuilt)
  const values = Object.entries(table).map(([name, kind]) => {
    const value = (given as Readonly<Record<string, unknown>>)[name]
    if (value === undefined && !kind.isNeeded) return [name, kind.default]
    kind.check(`${where} ${name}`, value)
    return [name, value]
  })
  return Object.fromEntries(values) as OptionValues<Table>
}

/** Limits of a number; all but `above` and `below` belong to the range. */
export interface Range {
  least?: number
  most?: number
  above?: number
  below?: number
  /** The words of the error, where those of the range are not the best. */
  expected?: string
}

/** An option of a kind of its own, with a check that throws or one that tells whether a value fits. */
export function option<T, D = T>(
  parts: Pick<Option<T, D>, 'default' | 'expected' | 'type'> & (Pick<Option<T>, 'check'> | { fits: Fits }),
): Option<T, D> {
  if (!('fits' in parts)) return parts
  const { fits, ...rest } = parts
  const check = (name: string, value: unknown) => {
    if (!fits(value)) throw invalidArgument(name, rest.expected, value)
  }
  return { ...rest, check }
}

type Fits = (value: unknown) => boolean

/** A finite number. */
export function number<D extends number | undefined = number>(fallback: D, range: Range = {}): Option<number, D> {
  const expected = range.expected ?? rangeWords('number', range)
  const fits = (value: unknown) => Number.isFinite(value) && isWithin(value as number, range)
  return option<number, D>({ type: 'number', default: fallback, expected, fits })
}

/** A whole number that is exact. */
export function integer<D extends number | undefined = number>(fallback: D, range: Range = {}): Option<number, D> {
  const expected = range.expected ?? rangeWords('integer', range)
  const fits = (value: unknown) => Number.isSafeInteger(value) && isWithin(value as number, range)
  return option<number, D>({ type: 'number', default: fallback, expected, fits })
}

/** A finite number above 0. */
export function positive<D extends number | undefined = number>(fallback: D): Option<number, D> {
  return number(fallback, { above: 0, expected: 'a positive number' })
}

/** True or false. */
export function flag(fallback: boolean): Option<boolean> {
  const fits = (value: unknown) => typeof value === 'boolean'
  return option<boolean>({ type: 'boolean', default: fallback, expected: 'true or false', fits })
}

/** A text that is not empty. @param expected its description: `the path of a folder` */
export function text<D extends string | undefined>(fallback: D, expected: string): Option<string, D> {
  const fits = (value: unknown) => typeof value === 'string' && value !== ''
  return option<string, D>({ type: 'string', default: fallback, expected, fits })
}

/** One of some texts. @param notBuilt those of sentence-transformers that are not there yet */
export function choice<const T extends string>(
  values: readonly T[],
  fallback: NoInfer<T>,
  { type = values.map((value) => `'${value}'`).join(' | '), notBuilt = [] as readonly string[] } = {},
): Option<T> {
  const expected = `one of ${values.map((value) => JSON.stringify(value)).join(', ')}`
  return {
    type,
    default: fallback,
    expected,
    values,
    check: (name, value) => {
      // `checkOneOf` accepts absent values.
      if (value === undefined) throw invalidArgument(name, expected, value)
      checkOneOf(name, value, values, notBuilt)
    },
  }
}

/** An option that may also be null, which is its default. */
export function nullable<T>(inner: Option<T, unknown>): Option<T | null, null> {
  return {
    ...inner,
    default: null,
    type: `${inner.type} | null`,
    check: (name, value) => {
      if (value !== null) inner.check(name, value)
    },
  } as Option<T | null, null>
}

/** An option that has to be given. */
export function needed<T>(inner: Option<T, unknown>): Option<T, never> {
  return { ...inner, default: undefined as never, isNeeded: true }
}

function isWithin(value: number, { least, most, above, below }: Range): boolean {
  if (least !== undefined && value < least) return false
  if (most !== undefined && value > most) return false
  if (above !== undefined && value <= above) return false
  return below === undefined || value < below
}

/** `a number of at least 0`, `an integer from 1 to 9`. */
function rangeWords(noun: 'number' | 'integer', { least, most, above, below }: Range): string {
  const what = noun === 'integer' ? 'an integer' : 'a number'
  const end = most !== undefined ? ` to ${most}` : below !== undefined ? ` to below ${below}` : undefined
  if (above !== undefined) return `${what} above ${above}${most === undefined ? '' : `, at most ${most},`}`
  if (least === undefined) return noun === 'number' ? 'a finite number' : what
  return end === undefined ? `${what} of at least ${least}` : `${what} from ${least}${end}`
}
