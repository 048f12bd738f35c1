/** A command of the program, and how its arguments are parsed. */
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { type ErrorCode, SentenceTorchError, suggestion } from '../errors.js'

export interface Option {
  type: 'boolean' | 'string'
  /** What stands for its value in the help. */
  value?: string
  help: string
}

export interface Values {
  /** Options that were given. */
  options: Readonly<Record<string, string | true>>
  words: readonly string[]
}

/**
 * A command. Its module is read whenever the program starts: what does the work is imported in `run`.
 */
export interface Command {
  name: string
  summary: string
  /** The allowed words, with their descriptions. One of them is required. */
  words?: Readonly<Record<string, string>>
  options: Readonly<Record<string, Option>>
  /** More for its own help. */
  notes?: string
  /** @returns the exit code */
  run(values: Values): Promise<number>
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

/** @throws UsageError for an unknown option or word, with the closest known one */
export function parseCommand(command: Command, args: readonly string[]): Values {
  const { name, words: known = {} } = command
  const options: Record<string, string | true> = {}
  const words: string[] = []
  const types = Object.fromEntries(Object.entries(command.options).map(([key, { type }]) => [key, { type }]))
  const config = { args: [...args], options: types, allowPositionals: true, strict: false, tokens: true } as const
  for (const token of parseArgs(config satisfies ParseArgsConfig).tokens) {
    if (token.kind === 'positional') words.push(token.value)
    if (token.kind !== 'option') continue
    const option = Object.hasOwn(command.options, token.name) ? command.options[token.name] : undefined
    if (!option)
      throw unknown(`${name} has no option ${token.rawName}`, token.name, Object.keys(command.options), '--', name)
    if (option.type === 'string' && !token.value)
      throw new UsageError(
        'ERR_INVALID_ARGUMENT',
        `${token.rawName} needs a value: ${token.rawName} <${option.value}>`,
        name,
      )
    if (option.type === 'boolean' && token.value !== undefined)
      throw new UsageError('ERR_INVALID_ARGUMENT', `${token.rawName} takes no value`, name)
    options[token.name] = token.value ?? true
  }
  const choices = Object.keys(known)
  for (const word of words) {
    if (Object.hasOwn(known, word)) continue
    if (choices.length === 0)
      throw new UsageError('ERR_INVALID_ARGUMENT', `${name} takes options alone, not ${JSON.stringify(word)}`, name)
    throw unknown(`${name} knows no ${JSON.stringify(word)}`, word, choices, '', name)
  }
  if (options.help === undefined && choices.length > 0 && words.length === 0)
    throw new UsageError('ERR_INVALID_ARGUMENT', `${name} needs to be told what: ${choices.join(', ')}`, name)
  return { options, words }
}

/** @param prefix what stands before a name where it is typed */
export function unknown(
  what: string,
  given: string,
  names: readonly string[],
  prefix: string,
  command?: string,
): UsageError {
  const close = suggestion(given, names)
  const all = names.map((known) => `${prefix}${known}`).join(', ')
  const hint =
    close === undefined
      ? `; there ${names.length === 1 ? 'is' : 'are'}: ${all || 'none'}`
      : `; did you mean ${prefix}${close}?`
  return new UsageError(prefix ? 'ERR_UNKNOWN_OPTION' : 'ERR_INVALID_ARGUMENT', what + hint, command)
}

/** The help of one command. */
export function commandHelp({ name, summary, words, options, notes }: Command): string {
  const rows: [string, string][] = Object.entries(options).map(([key, { value, help }]) => {
    return [value === undefined ? `--${key}` : `--${key} <${value}>`, help]
  })
  const shown = words ? ` <${Object.keys(words).join('|')}>` : ''
  const parts = [`Usage: sentence-torch ${name}${shown} [options]`, summary]
  if (words) parts.push(table(Object.entries(words)))
  parts.push(`Options:\n${table(rows)}`)
  if (notes) parts.push(notes)
  return `${parts.join('\n\n')}\n`
}

/** Rows of two columns, indented. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n')
}
