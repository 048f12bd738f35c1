/** Commands as commander has them: parsing, and help. */
import { CommanderError, Command as Parser, Argument as ParserArgument, Option as ParserOption } from 'commander'
import { suggestion } from '../errors.js'
import { type Argument, type Command, type Option, UsageError, type Value, type Values } from './command.js'

/** The option that every command has. */
const HELP = '-h, --help'

/** Columns of the help where the output is no terminal. */
const WIDTH = 120
const helpWidth = () => (process.stdout.isTTY ? process.stdout.columns : WIDTH)

/** The help of one command. @param width columns; default: those of the terminal */
export function commandHelp(command: Command, width = helpWidth()): string {
  const { notes, examples } = command
  const calls = examples.map(([call, what]) => `  # ${what}\n  ${call}`).join('\n')
  const tail = [...(notes === undefined ? [] : [notes]), `Examples:\n${calls}`].join('\n\n')
  const help = parserOf(command).configureHelp({ helpWidth: width, commandUsage: () => usageLine(command) })
  return `${help.helpInformation()}\n${tail}\n`
}

function usageLine({ name, arguments: words = [] }: Command): string {
  return ['sentence-torch', name, ...words.map(usageOf), '[options]'].join(' ')
}

/** The help of the program. */
export function programHelp(commands: readonly Command[]): string {
  const parser = new Parser('sentence-torch').usage('<command> [options]').helpCommand(false)
  parser.description('Fine-tune, evaluate and use sentence-embedding models.')
  parser.helpOption(HELP, 'this help; sentence-torch <command> --help tells more')
  parser.option('-v, --version', 'the version of the package')
  for (const command of commands) parser.addCommand(parserOf(command))
  parser.configureHelp({
    helpWidth: helpWidth(),
    subcommandTerm: (each) => [each.name(), ...each.registeredArguments.map((argument) => shown(argument))].join(' '),
  })
  return parser.helpInformation()
}

/**
 * The values that `args` give to a command, or undefined where they ask for its help.
 * @throws UsageError for an unknown option or word, with the closest known one, and for a value that does not fit
 */
export function parseCommand(command: Command, args: readonly string[]): Values | undefined {
  const parser = parserOf(command)
  try {
    parser.parse(withValues(command, args), { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.code === 'commander.helpDisplayed') return undefined
    throw usageError(command, error)
  }
  const options: Record<string, Value> = {}
  for (const name of Object.keys(command.options)) {
    const value: unknown = parser.getOptionValue(name)
    if (value === undefined) continue
    options[name] = checked(command, name, value as string | true | readonly string[])
  }
  checkWords(command, parser.args)
  return { options, words: parser.args }
}

/** Options that may stand alone get their value, before a word that is not theirs is taken for it. */
function withValues({ options, arguments: words = [] }: Command, args: readonly string[]): string[] {
  const end = args.indexOf('--')
  return args.map((arg, i) => {
    const { alone, choices } = (arg.startsWith('--') && options[arg.slice(2)]) || {}
    const next = args[i + 1] ?? ''
    const isFault = words.length === 0 && next !== '' && !next.startsWith('-')
    const isValue = isFault || (choices ? choices.includes(next) : /^-?\d/.test(next))
    const isAlone = alone !== undefined && (end === -1 || i < end) && !isValue
    return isAlone ? `${arg}=${alone}` : arg
  })
}

function parserOf({ name, summary, arguments: words = [], options }: Command): Parser {
  // Words are checked here, because the errors name what there is.
  const parser = new Parser(name).description(summary).allowExcessArguments(true).exitOverride()
  parser.configureOutput({ writeOut: () => {}, writeErr: () => {} })
  parser.helpOption(HELP, 'this help')
  for (const word of words) parser.addArgument(argumentOf(word))
  for (const [key, option] of Object.entries(options)) parser.addOption(optionOf(key, option))
  return parser
}

function argumentOf({ name, help, choices, isOptional, isMany }: Argument): ParserArgument {
  const dots = isMany ? '...' : ''
  const told = choices
    ? Object.entries(choices)
        .map(([choice, what]) => `${choice}: ${what}`)
        .join('; ')
    : help
  return new ParserArgument(isOptional ? `[${name}${dots}]` : `<${name}${dots}>`, told)
}

function optionOf(key: string, { type, value, help, choices, fallback, alone }: Option): ParserOption {
  const [open, close] = alone === undefined ? ['<', '>'] : ['[', ']']
  const flags = type === 'boolean' ? `--${key}` : `--${key} ${open}${value ?? type}${close}`
  const more = [...(choices ? [choices.join(', ')] : []), ...(fallback === undefined ? [] : [`default: ${fallback}`])]
  const option = new ParserOption(flags, more.length === 0 ? help : `${help} (${more.join('; ')})`)
  option.attributeName = () => key
  if (type === 'texts') option.argParser((next: string, before: readonly string[] = []) => [...before, next])
  return option
}

function usageOf({ name, choices, isOptional, isMany }: Argument): string {
  const inner = (choices ? Object.keys(choices).join('|') : name) + (isMany ? '...' : '')
  return isOptional ? `[${inner}]` : `<${inner}>`
}

function shown(argument: ParserArgument): string {
  const inner = argument.name() + (argument.variadic ? '...' : '')
  return argument.required ? `<${inner}>` : `[${inner}]`
}

/** The value of an option as its type says. */
function checked(command: Command, name: string, value: string | true | readonly string[]): Value {
  const { type, choices, value: shownValue = type, least, most } = command.options[name]!
  const misuse = (message: string) => new UsageError('ERR_INVALID_ARGUMENT', message, command.name)
  if (type === 'boolean' || value === true) return true
  const texts = typeof value === 'string' ? [value] : value
  if (texts.some((text) => text === '')) throw misuse(`--${name} needs a value: --${name} <${shownValue}>`)
  for (const text of texts) {
    if (!choices || choices.includes(text)) continue
    throw unknown(`--${name} knows no ${JSON.stringify(text)}`, text, choices, '', command.name)
  }
  if (type === 'texts') return texts
  const [text] = texts as [string]
  if (type === 'string') return text
  const number = Number(text)
  const fits = type === 'integer' ? Number.isSafeInteger(number) : Number.isFinite(number)
  if (fits && text.trim() !== '' && number >= (least ?? -Infinity) && number <= (most ?? Infinity)) return number
  const kind = type === 'integer' ? 'a whole number' : 'a number'
  const range = most !== undefined ? ` from ${least} to ${most}` : least === undefined ? '' : ` of at least ${least}`
  throw misuse(`--${name} takes ${kind}${range}, not ${JSON.stringify(text)}`)
}

/** A fault that commander found, in the words of this program. */
function usageError(command: Command, { code, message }: CommanderError): UsageError {
  const { name, options, arguments: words = [] } = command
  const misuse = (text: string) => new UsageError('ERR_INVALID_ARGUMENT', text, name)
  const [, quoted = ''] = /'(.*)'/.exec(message) ?? []
  switch (code) {
    case 'commander.unknownOption': {
      const [flag = ''] = quoted.split('=')
      const key = flag.replace(/^-+/, '')
      if (quoted.includes('=') && options[key]?.type === 'boolean') return misuse(`${flag} takes no value`)
      return unknown(`${name} has no option ${flag}`, key, [...Object.keys(options), 'help'], '--', name)
    }
    case 'commander.optionMissingArgument':
      return misuse(`${quoted.split(' ')[0]} needs a value: ${quoted}`)
    case 'commander.missingArgument': {
      const missing = words.find((word) => word.name === quoted.replace('...', ''))
      const choices = missing?.choices && Object.keys(missing.choices).join(', ')
      return misuse(
        choices
          ? `${name} needs to be told what: ${choices}`
          : `${name} needs <${quoted}>: ${missing?.help ?? 'absent'}`,
      )
    }
    default:
      return misuse(message.replace(/^error: /, ''))
  }
}

/** @throws UsageError for words that are too many, or not among the choices of their argument */
function checkWords({ name, arguments: known = [] }: Command, args: readonly string[]): void {
  const misuse = (text: string) => new UsageError('ERR_INVALID_ARGUMENT', text, name)
  const last = known.at(-1)
  args.forEach((word, at) => {
    const argument = known[at] ?? (last?.isMany ? last : undefined)
    if (argument === undefined) {
      const only = known.length === 0 ? 'options alone' : known.map(usageOf).join(' ')
      throw misuse(`${name} takes ${only}, not ${JSON.stringify(word)}`)
    }
    if (argument.choices && !Object.hasOwn(argument.choices, word))
      throw unknown(`${name} knows no ${JSON.stringify(word)}`, word, Object.keys(argument.choices), '', name)
  })
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
