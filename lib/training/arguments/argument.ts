/** The table entry of a training argument, and the kinds that only training arguments have. */
import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { integer, type Kind, number, type Option, option, text } from '../../options/kinds.js'
import { isPlainObject } from '../../options.js'

/** One training argument, whatever it takes. */
export interface AnyArgument extends Kind {
  /** Its effect, in one or two sentences: for editors and docs/training.md. */
  readonly doc: string
  /** What may be given, in words for docs/training.md, where `expected` and `values` do not say all. */
  readonly takes?: string
  /** The default in words, where it follows another argument. */
  readonly defaultDoc?: string
  /** Whether a resumed run may change it and still go on as the run that it was. */
  readonly isFree?: boolean
  /** Its name in sentence-transformers, where that is not this one in snake_case; null: it is not there. */
  readonly python?: string | null
  /** The difference from sentence-transformers, in a few words. */
  readonly differs?: string
}

/** One training argument. Its default is one of the values that it takes. */
export type Argument<T> = Option<T> & AnyArgument

type Facts = Pick<AnyArgument, 'takes' | 'defaultDoc' | 'isFree' | 'python' | 'differs'> & {
  /** Its type, where that has a name. */
  readonly type?: string
}

/** An entry of the table. */
export function argument<T>(kind: Option<T, unknown>, doc: string, facts: Facts = {}): Argument<T> {
  return { ...(kind as Option<T>), ...facts, doc }
}

/** A whole number of something, however large: 1e30 tokens are no limit. */
export function count<D extends number | undefined = number>(fallback: D, least = 1): Option<number, D> {
  return option<number, D>({
    type: 'number',
    default: fallback,
    expected: `a whole number of at least ${least}`,
    fits: (value) => Number.isInteger(value) && (value as number) >= least,
  })
}

/** A finite number that is not negative. */
export function amount<D extends number | undefined = number>(fallback: D): Option<number, D> {
  return number(fallback, { least: 0, expected: 'a finite number of at least 0' })
}

/** A number of steps, or a share of all steps. */
export function stepsOrShare(fallback: number, { isZeroFine = false } = {}): Option<number> {
  return option({
    type: 'number',
    default: fallback,
    expected: 'a whole number of steps, or a share of all steps below 1,',
    fits: (value) => {
      if (typeof value !== 'number' || !(value >= 0)) return false
      return value === 0 ? isZeroFine : value < 1 || Number.isInteger(value)
    },
  })
}

/** What random numbers start from. */
export function seed<D extends number | undefined = number>(fallback: D): Option<number, D> {
  return integer(fallback, { least: 0, expected: 'a whole number from 0 to 2^53 - 1' })
}

/** The path of a folder. */
export function folder<D extends string | undefined = string>(fallback: D): Option<string, D> {
  return text(fallback, 'the path of a folder')
}

/** Numbers by name. */
export function numbersByName<D>(fallback: D, entry: Option<number, unknown>): Option<ByName<number>, D> {
  return option<ByName<number>, D>({
    type: 'Readonly<Record<string, number>>',
    default: fallback,
    expected: 'an object of numbers',
    check: (name, value) => {
      if (!isPlainObject(value)) throw invalidArgument(name, 'an object of numbers', value)
      for (const [key, number] of Object.entries(value)) entry.check(`${name}.${key}`, number)
    },
  })
}

export type ByName<T> = Readonly<Record<string, T>>

/** Either of two kinds: the second where `isFirst` is false. The error is that of the kind whose turn it is. */
export function either<A, B>(
  first: Option<A, unknown>,
  second: Option<B, unknown>,
  isFirst: (value: unknown) => boolean,
): Option<A | B, unknown> {
  return option<A | B, unknown>({
    type: `${first.type} | ${second.type}`,
    default: second.default,
    expected: `${first.expected}, or ${second.expected}`,
    check: (name, value) => (isFirst(value) ? first : second).check(name, value),
  })
}

/** @throws ERR_INVALID_ARGUMENT for a text that is no regular expression */
export function checkPatterns(patterns: readonly (string | RegExp)[]): void {
  for (const pattern of patterns) {
    try {
      new RegExp(pattern)
    } catch (cause) {
      const message = `${JSON.stringify(pattern)} in learningRateMapping or freeze is no regular expression`
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message, { cause })
    }
  }
}
