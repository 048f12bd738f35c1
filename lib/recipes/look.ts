/** What the columns of a file hold, and how a config reads them for training. */
import { labelColumnOf } from '../data/columns.js'
import { opener } from '../data/readers/index.js'
import { listed } from '../data/readers/names.js'
import { LeftOut, noRows } from '../data/readers/table.js'
import { SentenceTorchError } from '../errors.js'
import type { ModelType } from '../models/model-type.js'
import type { DataSpecObject } from './data-spec.js'
import { loadData } from './load-data.js'
import { scaleOf } from './scale.js'
import { type LossSuggestion, suggestLoss } from './suggest-loss.js'
import { suggestPairLoss } from './suggest-pair-loss.js'

/** Rows that are looked at to tell what a column holds. */
const LOOKED_AT = 100_000
/** Classes at most, and rows of each on average at least, of a column of names of classes. */
const MOST_CLASSES = 1000
const LEAST_OF_CLASS = 3
const CLASS_NAME = /categor|class|intent|topic|label|tag|type|genre|sentiment|target/i
/** Names of columns that number or name rows. */
const ID_NAME = /^(_?id|idx|index|guid|uuid|pair_?id|.*_id|.*_idx)$/i

export interface Look {
  type: ModelType
  spec: DataSpecObject
  rows: number
  badRows: { count: number; first: readonly string[] }
  suggestion: LossSuggestion
  /** Columns of the file that are not taken. */
  leftOut: readonly string[]
}

interface Seen {
  name: string
  kind: 'text' | 'number' | 'other'
  /** The values, as texts, until there are too many. */
  values: Set<string>
  rows: number
}

/**
 * @param columns those to take; default: all that are texts or a label
 * @param type what the rows are to train
 * @throws ERR_NOT_FOUND; ERR_INVALID_DATA where no loss is usual for the columns
 */
export async function look(
  path: string,
  columns: readonly string[] | undefined,
  { type = 'embedding', signal }: { type?: ModelType; signal?: AbortSignal } = {},
): Promise<Look> {
  const seen = await columnsOf(path, columns)
  const spec = { path, ...choose(seen, columns, path), skipBadRows: true }
  const { dataset: found, badRows } = await loadData(spec, { signal })
  const scale = type === 'cross-encoder' ? scaleOf(found, path) : undefined
  if (scale !== undefined) Object.assign(spec, { scale })
  const dataset = scale === undefined ? found : (await loadData(spec, { signal })).dataset
  const taken = spec.columns === undefined ? seen.map(({ name }) => name) : Object.keys(asMap(spec.columns))
  return {
    type,
    spec: badRows.count === 0 ? without(spec) : spec,
    rows: dataset.length,
    badRows,
    suggestion: type === 'embedding' ? suggestLoss(dataset, path) : suggestPairLoss(dataset, path),
    leftOut: seen.map(({ name }) => name).filter((name) => !taken.includes(name)),
  }
}

function without({ skipBadRows: _, ...spec }: DataSpecObject): DataSpecObject {
  return spec
}

function asMap(columns: NonNullable<DataSpecObject['columns']>): Readonly<Record<string, string>> {
  return Array.isArray(columns)
    ? Object.fromEntries((columns as readonly string[]).map((name) => [name, name]))
    : (columns as Readonly<Record<string, string>>)
}

async function columnsOf(path: string, columns: readonly string[] | undefined): Promise<Seen[]> {
  // The readers of text files take a column of that name for numbers: here it may hold the names of classes.
  const isFields = /\.[ct]sv(\.gz)?$/i.test(path)
  let seen: Seen[] | undefined
  let rows = 0
  const header = isFields ? await headerOf(path) : undefined
  const label = header && labelColumnOf(columns ?? header)
  const options = { ...(columns && { columns }), ...(label !== undefined && { dtype: { [label]: 'string' as const } }) }
  const leftOut = new LeftOut()
  for await (const piece of opener(path, options, (error) => void leftOut.noted(error))()) {
    seen ??= piece.names.map((name) => ({ name, kind: 'other', values: new Set(), rows: 0 }))
    for (const [i, column] of seen.entries()) for (const value of piece.columns[i]!) note(column, value)
    rows += piece.columns[0]?.length ?? 0
    if (rows >= LOOKED_AT) break
  }
  for (const column of seen ?? []) if (column.name === label && allNumbers(column)) column.kind = 'number'
  if (rows === 0) throw noRows(path, 'none', leftOut)
  return seen!
}

async function headerOf(path: string): Promise<readonly string[]> {
  const { readLines, withoutReturn } = await import('../data/readers/lines.js')
  const { splitCsvRecord, splitTsvRecord } = await import('../data/delimited.js')
  for await (const [line = ''] of readLines(path)) {
    return (/\.tsv/i.test(path) ? splitTsvRecord : splitCsvRecord)(withoutReturn(line))
  }
  return []
}

function note(column: Seen, value: unknown): void {
  if (value === null || value === undefined) return
  const kind = typeof value === 'string' ? 'text' : typeof value === 'number' ? 'number' : 'other'
  column.kind = column.rows === 0 || column.kind === kind ? kind : 'other'
  column.rows++
  if (column.values.size <= MOST_CLASSES) column.values.add(String(value))
}

function allNumbers({ values }: Seen): boolean {
  return [...values].every((value) => value.trim() !== '' && Number.isFinite(Number(value)))
}

/** Texts that repeat may also be answers: names of classes are called so, or are single words. */
function isClasses({ name, values, rows }: Seen): boolean {
  if (!CLASS_NAME.test(name) && [...values].some((value) => /\s/.test(value.trim()))) return false
  return values.size >= 2 && values.size <= MOST_CLASSES && rows >= values.size * LEAST_OF_CLASS
}

/** Columns, their names, and the numbers of classes that have names. */
function choose(seen: readonly Seen[], columns: readonly string[] | undefined, path: string): DataSpecObject {
  const free = seen.filter(({ name }) => columns !== undefined || !ID_NAME.test(name))
  const label = labelOf(free)
  const texts = free.filter((column) => column !== label && column.kind === 'text')
  if (texts.length === 0) {
    const found = seen.map(({ name, kind }) => `${name} (${kind})`)
    throw new SentenceTorchError('ERR_INVALID_DATA', `Expected columns of texts in ${path}, found ${listed(found)}`)
  }
  const taken = [...texts, ...(label ? [label] : [])].map(({ name }) => name)
  const to = label && (labelColumnOf([label.name]) ?? (label.kind === 'text' ? 'label' : 'score'))
  const isRenamed = label !== undefined && to !== label.name
  const isWhole = taken.length === seen.length && taken.every((name, i) => name === seen[i]!.name)
  const renamed = isRenamed ? Object.fromEntries(taken.map((name) => [name, name === label.name ? to! : name])) : taken
  return {
    ...((isRenamed || !isWhole) && { columns: renamed }),
    ...(label?.kind === 'text' && { labels: numbersOf(label.values) }),
  }
}

/** The column of labels: by its name, else the only one of numbers, else, beside one of texts, one of names of classes. */
function labelOf(columns: readonly Seen[]): Seen | undefined {
  const named = labelColumnOf(columns.map(({ name }) => name))
  if (named !== undefined) return columns.find(({ name }) => name === named)
  const numbers = columns.filter(({ kind }) => kind === 'number')
  if (numbers.length === 1) return numbers[0]
  const texts = columns.filter(({ kind }) => kind === 'text')
  const classes = texts.filter(isClasses)
  return texts.length === 2 && classes.length === 1 ? classes[0] : undefined
}

/** As the data sets of NLI number them. */
const NLI = ['entailment', 'neutral', 'contradiction']

function numbersOf(values: ReadonlySet<string>): Record<string, number> {
  const isNli = [...values].every((value) => NLI.includes(value))
  const names = isNli ? NLI : [...values].sort()
  return Object.fromEntries(names.map((name, i) => [name, i]))
}
