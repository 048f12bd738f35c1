/** What a command of the program is: its arguments and options as data, from which parser, help and docs/cli.md are made. */
import { type ErrorCode, SentenceTorchError } from '../errors.js'
import type { Io } from './io.js'

export interface Option {
  /** `number` and `integer` arrive as numbers, `texts` may be given several times. */
  type: 'boolean' | 'string' | 'number' | 'integer' | 'texts'
  /** What stands for its value in the help. */
  value?: string
  help: string
  /** The texts that may be given. */
  choices?: readonly string[]
  /** The value where the option is not given, for the help: the command itself applies it. */
  fallback?: string
  /** The least number. */
  least?: number
  /** The greatest number. */
  most?: number
  /**
   * The value where only the option is given; a word behind it that is no number, or none of its `choices`, is another argument, if
   * the command takes any. Of
   * type `integer`, or with choices.
   */
  alone?: number | string
}

export interface Argument {
  name: string
  help: string
  /** The texts that may be given, with their descriptions. */
  choices?: Readonly<Record<string, string>>
  isOptional?: boolean
  /** All further words are of this argument. Only for the last one. */
  isMany?: boolean
}

export type Value = string | true | number | readonly string[]

export interface Values {
  /** Options that were given. */
  options: Readonly<Record<string, Value>>
  words: readonly string[]
}

/** A command. Its module is read whenever the program starts: what does the work is imported in `run`. */
export interface Command {
  name: string
  summary: string
  arguments?: readonly Argument[]
  options: Readonly<Record<string, Option>>
  /** More for its own help. */
  notes?: string
  /** Calls as they are typed, with what each does. */
  examples: readonly (readonly [call: string, what: string])[]
  /** @returns the exit code */
  run(values: Values, io: Io): Promise<number>
}

/** The program was called in a way that it does not know. */
export class UsageError extends SentenceTorchError {
  constructor(
    code: ErrorCode,
    message: string,
    /** Whose help tells more. */
    readonly command?: string,
  ) {
    super(code, message)
    this.name = 'UsageError'
  }
}

/** The given value of an option of type `string`. */
export function textOf({ options }: Values, name: string): string | undefined {
  const value = options[name]
  return typeof value === 'string' ? value : undefined
}

/** The given value of an option of type `number` or `integer`. */
export function numberOf({ options }: Values, name: string): number | undefined {
  const value = options[name]
  return typeof value === 'number' ? value : undefined
}

/** The given values of an option of type `texts`. */
export function textsOf({ options }: Values, name: string): readonly string[] {
  const value = options[name]
  return Array.isArray(value) ? value : []
}

/** Options of a command that may be absent, under the names of a function's options; absent ones are left out. */
export function given(
  { options }: Values,
  names: Readonly<Record<string, string>>,
): Record<string, string | number | boolean> {
  const entries = Object.entries(names).flatMap(([option, name]) => {
    const value = options[option]
    return typeof value === 'string' || typeof value === 'number' || value === true ? [[name, value] as const] : []
  })
  return Object.fromEntries(entries)
}
