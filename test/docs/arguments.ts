// From the table of training arguments: lib/training/arguments/types.ts, and the tables of docs/training.md.
import type { AnyArgument } from '../../lib/training/arguments/argument.js'
import { PLANNED_ARGUMENTS } from '../../lib/training/arguments/planned-arguments.js'
import { SCHEDULE_SETTINGS } from '../../lib/training/arguments/schedule.js'
import { ARGUMENT_GROUPS } from '../../lib/training/arguments/table/index.js'
import { plain, takes } from './kinds.js'
import { code, docComment, table } from './page.js'

type Entry = readonly [name: string, argument: AnyArgument]

const groups = Object.entries(ARGUMENT_GROUPS).map(
  ([title, group]) => [title, Object.entries(group) as Entry[]] as const,
)

const HEAD = `// Made by \`npm run docs\` from the table of arguments. Change lib/training/arguments/table, not this file.
import type { MultiDatasetBatchSamplerChoice } from '../../data/feed.js'
import type { BatchSamplerChoice } from '../../data/samplers/index.js'
import type { LogLevel, ReportTo } from './log-arguments.js'
import type { OptimizerName } from './optimizer.js'
import type { TrainingPrompts } from './prompts.js'
import type { RouterMapping } from './routes.js'
import type { SchedulerKwargs, SchedulerType } from './schedule.js'
import type { IntervalStrategy, SaveStrategy } from './strategies.js'
`

/** The whole of lib/training/arguments/types.ts. */
export function argumentTypes(): string {
  const body = (mark: string) =>
    groups
      .map(([title, entries]) => {
        const members = entries.map(([name, argument]) => {
          return `${docComment(hover(argument), '  ')}\n  ${name}${mark}: ${argument.type}`
        })
        return [`  // ${title}`, ...members].join('\n')
      })
      .join('\n\n')
  return [
    HEAD,
    docComment(
      'Names, meanings and defaults of the training arguments of sentence-transformers, in camelCase. docs/training.md says more.',
      '',
    ),
    `export interface TrainingArguments {\n${body('')}\n}\n`,
    docComment('{@link TrainingArguments} as they are given: what is absent has its default.', ''),
    `export interface PartialTrainingArguments {\n${body('?')}\n}`,
    '',
  ].join('\n')
}

/** What an editor shows. */
function hover({ doc, type, expected, python, ...rest }: AnyArgument): string {
  const range = /^number( \| null)?$/.test(type) ? ` ${capital(plain(expected))}.` : ''
  const own = python === null ? ' Not in sentence-transformers.' : ''
  return `${doc}${range} Default ${defaultOf(rest)}.${own}`
}

function defaultOf({ defaultDoc, default: value }: Pick<AnyArgument, 'defaultDoc' | 'default'>): string {
  return defaultDoc ?? code(value)
}

/** The generated parts of docs/training.md. */
export function trainingPage(): Record<string, string> {
  const tables = groups.map(([title, entries]): [string, string] => {
    const rows = entries.map(([name, argument]) => [
      code(name),
      takes(argument, argument.takes),
      defaultOf(argument),
      meaning(argument),
    ])
    return [title, table(['Argument', 'Takes', 'Default', 'Meaning'], rows)]
  })
  const free = groups.flatMap(([, entries]) => entries.flatMap(([name, { isFree }]) => (isFree ? [code(name)] : [])))
  return {
    ...Object.fromEntries(tables),
    'free arguments': `${free.join(', ')}.`,
    schedules: schedules(),
    'refused arguments': refused(),
  }
}

function meaning({ doc, python }: AnyArgument): string {
  const linked = doc
    .replace('See docs/training.md.', 'See below.')
    .replace('docs/training.md tells the names.', 'The names: see below.')
    .replace(/docs\/(\w+\.md)/g, '[$1]($1)')
  return python === null ? `${linked} Not in sentence-transformers` : linked.replace(/\.$/, '')
}

function schedules(): string {
  const rows = Object.entries(SCHEDULE_SETTINGS).map(([name, settings]) => [code(name), settings.map(code).join(', ')])
  return table(['`lrSchedulerType`', '`lrSchedulerKwargs`'], rows)
}

/** Arguments that are refused, by the reason. */
function refused(): string {
  const byReason = new Map<string, string[]>()
  for (const [name, { instead }] of Object.entries(PLANNED_ARGUMENTS)) {
    byReason.set(instead, [...(byReason.get(instead) ?? []), code(name)])
  }
  return table(
    ['Why', 'Arguments'],
    [...byReason].flatMap(([reason, names]) => rowsOf(reason, names)),
  )
}

/** Rows of a length that can be read. */
function rowsOf(reason: string, names: readonly string[]): string[][] {
  const rows: string[][] = []
  for (const name of names) {
    const last = rows.at(-1)
    if (last && last.join().length + name.length < 200) last[1] += `, ${name}`
    else rows.push([rows.length === 0 ? reason : 'the same', name])
  }
  return rows
}

function capital(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1)
}
