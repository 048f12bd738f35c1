// From the commands of the program: the sections of docs/cli.md.
import { commands } from '../../lib/cli/commands.js'
import { commandHelp } from '../../lib/cli/parser.js'
import { code, table } from './page.js'

/** The generated parts of docs/cli.md: what the program itself prints. */
export function cliPage(): Record<string, string> {
  const rows = commands.map(({ name, summary }) => [`[${code(name)}](#${name})`, summary])
  const sections = commands.map((command) => `### ${command.name}\n\n\`\`\`text\n${commandHelp(command, 110)}\`\`\``)
  return { commands: table(['Command', ''], rows), help: sections.join('\n\n') }
}
