/** The program: chooses the command, and turns every error into a message and an exit code. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Command, UsageError } from './command.js'
import { commands } from './commands.js'
import { Interruption, type Io, processIo } from './io.js'
import { commandHelp, parseCommand, programHelp, unknown } from './parser.js'

const FAILURE = 1
/** As many programs do, so that scripts can tell a misspelt command from one that failed. */
const MISUSE = 2

/**
 * @param given in place of the streams and signals of the process, for tests
 * @returns the exit code: 0, 1 for a failure, 2 for a command or option that is not there, 130 after Ctrl-C
 */
export async function run(args: readonly string[], given: Partial<Io> = {}): Promise<number> {
  const own = processIo()
  const io: Io = {
    out: given.out ?? own.out,
    err: given.err ?? own.err,
    get stdin() {
      return given.stdin ?? own.stdin
    },
    get signal() {
      return given.signal ?? own.signal
    },
  }
  try {
    return await choose(args, io)
  } catch (error) {
    return await told(error, io)
  } finally {
    own.dispose()
  }
}

async function choose([first, ...rest]: readonly string[], io: Io): Promise<number> {
  if (first === undefined) {
    io.err(programHelp(commands))
    return MISUSE
  }
  if (['--help', '-h', 'help'].includes(first)) {
    io.out(rest[0] === undefined ? programHelp(commands) : commandHelp(find(rest[0])))
    return 0
  }
  if (['--version', '-v'].includes(first)) {
    io.out(`${await version()}\n`)
    return 0
  }
  const command = find(first)
  const values = parseCommand(command, rest)
  if (values) return command.run(values, io)
  io.out(commandHelp(command))
  return 0
}

/** Shows an error. @returns the exit code */
async function told(error: unknown, { err }: Io): Promise<number> {
  const interruption = interruptionOf(error)
  if (interruption) {
    err(`sentence-torch: ${(error as Error).message}\n`)
    return interruption.exitCode
  }
  err(`sentence-torch: ${messageOf(error)}\n`)
  if (!(error instanceof UsageError)) return FAILURE
  const { programCommand } = await import('../native/installation.js')
  const words = error.command === undefined ? '' : `${error.command} `
  err(`\`${programCommand()} ${words}--help\` lists what there is.\n`)
  return MISUSE
}

/** The signal by which a command was stopped: what it throws has that as its cause. */
function interruptionOf(error: unknown): Interruption | undefined {
  for (let each = error; each instanceof Error; each = each.cause) if (each instanceof Interruption) return each
  return undefined
}

function find(name: string): Command {
  const found = commands.find((command) => command.name === name)
  if (found) return found
  const names = commands.map((command) => command.name)
  if (name.startsWith('-'))
    throw unknown(`There is no option ${name}`, name.replace(/^-+/, ''), ['help', 'version'], '--')
  throw unknown(`There is no command ${JSON.stringify(name)}`, name, names, '')
}

async function version(): Promise<string> {
  const { packageRoot } = await import('#system')
  const text = await readFile(join(packageRoot, 'package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** Deliberate errors and errors of the system explain themselves. Anything else is a fault of this package. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? error.message : (error.stack ?? error.message)
}
