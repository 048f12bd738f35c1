// From the files of the losses: the sections of docs/losses.md.
import type { Loss } from '../../lib/losses/loss.js'
import { takes } from './kinds.js'
import { type LossFile, lossFiles, runExample } from './loss-files.js'
import { code, table } from './page.js'

/** The generated parts of docs/losses.md. */
export async function lossesPage(): Promise<Record<string, string>> {
  const [plain, pairs] = [false, true].map((isForPairs) => lossFiles.filter((file) => file.isForPairs === isForPairs))
  return {
    'losses at a glance': await glance(plain!),
    losses: plain!.map(section).join('\n\n'),
    'cross-encoder losses': pairs!.map(section).join('\n\n'),
  }
}

async function glance(files: readonly LossFile[]): Promise<string> {
  const rows = files.map(async (file) => {
    const { loss } = await runExample(file)
    return [`[${code(file.name)}](#${anchor(file)})`, ...data(loss)]
  })
  return table(['Loss', 'Text columns', 'Label'], await Promise.all(rows))
}

/** Columns and labels of a loss, in words. */
function data(loss: Loss): [columns: string, label: string] {
  const { requirements, computed } = loss
  if ('loss' in loss) return ['as the inner loss', 'as the inner loss']
  if (computed) return ['any', 'as `labels` says']
  const { minColumns, maxColumns, labels, probabilities, labelsOptionalFrom } = requirements
  const columns = minColumns === maxColumns ? `${minColumns}` : `${minColumns} or more`
  const words = { none: '–', float: 'a number', int: 'a class', floats: 'a number, or an array of numbers' }[labels]
  if (labelsOptionalFrom === undefined) return [columns, words + (probabilities ? ', or its probabilities' : '')]
  return [
    columns,
    labelsOptionalFrom <= minColumns ? `${words}, or none` : `${words}; optional from ${labelsOptionalFrom} columns on`,
  ]
}

function title({ name, isForPairs }: LossFile): string {
  return isForPairs ? `crossEncoderLosses.${name}` : name
}

function anchor(file: LossFile): string {
  return title(file)
    .toLowerCase()
    .replace(/[^\w-]/g, '')
}

function section(file: LossFile): string {
  const { comment, options, notBuilt, differs } = file
  const points = [...comment.points].filter(([name]) => name !== 'Differs')
  const refused = Object.entries(notBuilt).map(([name, { harmless }]) => `${code(name)} (only ${code(harmless![0])})`)
  const list = [
    ...points.map(([name, value]) => `- **${name}**: ${value}`),
    ...(differs === undefined ? [] : [`- **Differs** from sentence-transformers: ${differs}`]),
    ...(refused.length === 0 ? [] : [`- **Not built**: ${refused.join(', ')}.`]),
  ]
  const rows = Object.entries(options).map(([name, kind]) => {
    const fallback = kind.isNeeded ? 'needed' : kind.default === undefined ? '–' : code(kind.default)
    return [code(name), takes(kind), fallback, meaning(file.optionComment(name) ?? '')]
  })
  const parts = [
    `### ${title(file)}`,
    (comment.deprecated && `Deprecated: ${comment.deprecated}`) || undefined,
    comment.summary,
    list.join('\n'),
    rows.length === 0 ? undefined : table(['Option', 'Takes', 'Default', 'Meaning'], rows),
    `\`\`\`ts\n${comment.example}\n\`\`\``,
    comment.sources || undefined,
  ]
  return linked(parts.filter((part) => part !== undefined).join('\n\n'), file)
}

/** The comment of an option without its default, which has a column of its own. */
export function meaning(comment: string): string {
  return comment
    .replace(/ ?Default (`[^`]+`|\S+)\.$/, '')
    .replace(/Default (`[^`]+`): /, '$1: ')
    .replace(/\.$/, '')
}

/** Names of losses become links: to those of the same model, else to others. */
function linked(text: string, from: LossFile): string {
  return text.replace(/\{@link (\w+)\}/g, (_, name: string) => {
    const found = lossFiles.filter((file) => file.name === name)
    const to = found.find(({ isForPairs }) => isForPairs === from.isForPairs) ?? found[0]
    return to === undefined ? code(name) : `[${code(name)}](#${anchor(to)})`
  })
}
