// Speeds of architectures for docs/models.md, from the output of `bench --theme architectures` that bench/results keeps.
import { readdirSync, readFileSync } from 'node:fs'

/** A line that compares a task of an architecture with Python. */
interface Line {
  theme?: string
  processor: string
  architecture?: string
  task: 'encoding' | 'training'
  program: 'ours' | 'ours-bf16'
  /** What was measured: `perSecond`, or `perCpuSecond` of all threads. */
  key: string
  ours: number
  /** How many times as fast as Python. */
  ratio: number
  /** Share of the floor, in percent. */
  share: number
}

export interface Speeds {
  processor: string
  /** Whether time is that of the processor, summed over threads. */
  isProcessorTime: boolean
  /** By architecture, in the order of {@link SPEED_HEAD}. */
  cells: ReadonlyMap<string, readonly string[]>
}

const COLUMNS = [
  ['encoding', 'ours', '/s'],
  ['encoding', 'ours-bf16', '/s'],
  ['training', 'ours', ' ms'],
  ['training', 'ours-bf16', ' ms'],
] as const
export const SPEED_HEAD = ['Encoding', 'Encoding, bfloat16', 'Training', 'Training, bfloat16']

/** Speeds from the lines of a run; undefined where it measured no architecture. */
export function speedsOf(jsonLines: string): Speeds | undefined {
  const lines = jsonLines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)
    .filter(({ theme, architecture }) => theme === 'architectures' && architecture !== undefined)
  const [first] = lines
  if (first === undefined) return undefined
  const cell = (architecture: string, [task, program, unit]: (typeof COLUMNS)[number]) => {
    const found = lines.find(
      (line) => line.architecture === architecture && line.task === task && line.program === program,
    )
    if (!found) return '–'
    return `${Number(found.ours.toPrecision(3))}${unit}, ${found.ratio.toFixed(2)}×, ${Math.round(found.share)} %`
  }
  const architectures = [...new Set(lines.map(({ architecture }) => architecture!))]
  const cells = architectures.map((name) => [name, COLUMNS.map((column) => cell(name, column))] as const)
  return { processor: first.processor, isProcessorTime: /Cpu/.test(first.key), cells: new Map(cells) }
}

/** The speeds of the newest run. */
export function newestSpeeds(): Speeds | undefined {
  const folder = new URL('../../../bench/results/', import.meta.url)
  const dateOf = (name: string) => /\d{4}-\d\d-\d\d/.exec(name)?.[0] ?? ''
  const files = readdirSync(folder).filter((name) => /^architectures-.*\.jsonl$/.test(name))
  const newest = files.sort((a, b) => dateOf(a).localeCompare(dateOf(b))).at(-1)
  return newest === undefined ? undefined : speedsOf(readFileSync(new URL(newest, folder), 'utf8'))
}
