/** The program: chooses the command, and turns every error into a message and an exit code. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Command, commandHelp, parseCommand, table, UsageError, unknown } from './command.js'
import { commands } from './commands.js'

const FAILURE = 1
/** As many programs do, so that scripts can tell a misspelt command from one that failed. */
const MISUSE = 2

/** What every command has. */
const HELP = { help: { type: 'boolean', help: 'this help' } } as const

export interface Streams {
  out: (text: string) => void
  err: (text: string) => void
}

/** @returns the exit code: 0, 1 for a failure, 2 for a command or option that is not there */
export async function run(
  args: readonly string[],
  { out, err }: Streams = {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
  },
): Promise<number> {
  try {
    const [first, ...rest] = args
    if (first === undefined) {
      err(programHelp())
      return MISUSE
    }
    if (['--help', '-h', 'help'].includes(first)) {
      out(rest[0] === undefined ? programHelp() : commandHelp(withHelp(find(rest[0]))))
      return 0
    }
    if (['--version', '-v'].includes(first)) {
      out(`${await version()}\n`)
      return 0
    }
    const command = withHelp(find(first))
    const values = parseCommand(
      command,
      rest.map((word) => (word === '-h' ? '--help' : word)),
    )
    if (values.options.help) {
      out(commandHelp(command))
      return 0
    }
    return await command.run(values)
  } catch (error) {
    err(`sentence-torch: ${told(error)}\n`)
    if (!(error instanceof UsageError)) return FAILURE
    const { programCommand } = await import('../native/installation.js')
    err(
      `\`${programCommand()} ${error.command === undefined ? '' : `${error.command} `}--help\` lists what there is.\n`,
    )
    return MISUSE
  }
}

function find(name: string): Command {
  const found = commands.find((command) => command.name === name)
  if (found) return found
  const names = commands.map((command) => command.name)
  if (name.startsWith('-'))
    throw unknown(`There is no option ${name}`, name.replace(/^-+/, ''), ['help', 'version'], '--')
  throw unknown(`There is no command ${JSON.stringify(name)}`, name, names, '')
}

function withHelp(command: Command): Command {
  return { ...command, options: { ...command.options, ...HELP } }
}

function programHelp(): string {
  const rows = commands.map(({ name, words, summary }) => {
    return [words ? `${name} <${Object.keys(words).join('|')}>` : name, summary] as const
  })
  const options = [
    ['--help', 'this help; sentence-torch <command> --help tells more'],
    ['--version', 'the version of the package'],
  ] as const
  return `Usage: sentence-torch <command> [options]\n\nCommands:\n${table(rows)}\n\nOptions:\n${table(options)}\n`
}

async function version(): Promise<string> {
  const { packageRoot } = await import('#system')
  const text = await readFile(join(packageRoot, 'package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** Deliberate errors and errors of the system explain themselves. Anything else is a fault of this package. */
function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? error.message : (error.stack ?? error.message)
}
