/** What a model card says of a dataset: size, columns, statistics of its first rows, samples, loss. */
import type { Dataset } from '../../data/dataset.js'
import { type DataSource, isDataset, sourcesOf } from '../../data/feed.js'
import type { ColumnFacts, DatasetFacts } from '../../models/card/facts.js'
import { cellText, floatText, valueText } from '../../models/card/markdown.js'
import { MOST_ROWS } from '../../models/card/training-sections.js'
import type { LossSet, TrainableLoss } from '../batches/loss-set.js'
import { lossName, lossOptions } from './loss-facts.js'

const SAMPLES = 3
/** Rows in which short examples are looked for. */
const SEARCHED = 1000
/** Rows whose texts are examples. */
const EXAMPLES = 5
/** Texts of an example; others are taken from other rows. */
const TEXTS = 4

/** How many tokens the model makes of each text of a column; undefined where it refuses one of them. */
export type TokenLengths = (
  texts: readonly string[],
  dataset: string,
  column: string,
) => Promise<readonly number[] | undefined>

export async function datasetFacts<L extends TrainableLoss>(
  source: DataSource | undefined,
  losses: LossSet<L>,
  lengthsOf: TokenLengths,
): Promise<DatasetFacts[]> {
  const facts: DatasetFacts[] = []
  for (const [name, data] of source === undefined ? [] : sourcesOf(source)) {
    const loss = losses.of(name)
    const rest = { name: name === '' ? undefined : name, loss: { name: lossName(loss), options: lossOptions(loss) } }
    if (!isDataset(data)) {
      // To look into a stream would take rows from it.
      facts.push({ ...rest, size: undefined, columns: [], samples: [] })
      continue
    }
    const columns: ColumnFacts[] = []
    for (const column of data.columnNames) {
      columns.push(await columnFacts(data, column, (texts) => lengthsOf(texts, name, column)))
    }
    facts.push({ ...rest, size: data.length, columns, samples: samplesOf(data, columns) })
  }
  return facts
}

/** Source: `_compute_column_stats`. */
async function columnFacts(
  dataset: Dataset,
  name: string,
  lengthsOf: (texts: readonly string[]) => ReturnType<TokenLengths>,
): Promise<ColumnFacts> {
  const values: readonly unknown[] = dataset.column(name).slice(0, MOST_ROWS)
  const [first] = values
  if (typeof first === 'string') {
    const lengths = await lengthsOf(values as readonly string[])
    if (lengths === undefined) return { name, type: 'string', modality: 'text', details: [] }
    const { least, mean, most } = spread(lengths)
    const details = [`min: ${least} tokens`, `mean: ${floatText(mean)} tokens`, `max: ${most} tokens`]
    return { name, type: 'string', modality: 'text', details }
  }
  if (Array.isArray(first)) return { name, type: 'list', modality: '', details: listDetails(values as unknown[][]) }
  const type = numberType(values)
  if (type === 'float') {
    const { least, mean, most } = spread(values as readonly number[])
    const rounded = (value: number) => floatText(Number(value.toFixed(2)))
    const details = [`min: ${rounded(least)}`, `mean: ${rounded(mean)}`, `max: ${rounded(most)}`]
    return { name, type, modality: '', details }
  }
  return { name, type, modality: '', details: shares(values) }
}

/** The type that Python's column has: numbers without a fraction anywhere are integers. */
function numberType(values: readonly unknown[]): string {
  if (typeof values[0] === 'boolean') return 'bool'
  if (typeof values[0] === 'bigint') return 'int'
  return values.every((value) => Number.isInteger(value)) ? 'int' : 'float'
}

function spread(values: readonly number[]): { least: number; mean: number; most: number } {
  const sum = values.reduce((total, value) => total + value, 0)
  const mean = Number((sum / values.length).toFixed(2))
  return { least: Math.min(...values), mean, most: Math.max(...values) }
}

function listDetails(lists: readonly (readonly unknown[])[]): string[] {
  const lengths = lists.map((list) => list.length)
  const { least, most } = spread(lengths)
  if (least === most) return [`size: ${least} elements`]
  const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length
  return [`min: ${least} elements`, `mean: ${mean.toFixed(2)} elements`, `max: ${most} elements`]
}

/** `0: ~50.00%` for each value. */
function shares(values: readonly unknown[]): string[] {
  const counts = new Map<unknown, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  const sorted = [...counts].sort(([a], [b]) => Number(a) - Number(b))
  const about = sorted.length > 1 ? '~' : ''
  return sorted.map(([value, count]) => `${valueText(value)}: ${about}${((100 * count) / values.length).toFixed(2)}%`)
}

function samplesOf(dataset: Dataset, columns: readonly ColumnFacts[]): string[][] {
  return Array.from({ length: Math.min(SAMPLES, dataset.length) }, (_, row) =>
    columns.map(({ name, type }) => sampleText(dataset.column(name)[row], type)),
  )
}

/** Source: `_format_example_value`. */
function sampleText(value: unknown, type: string): string {
  if (type === 'float') return floatText(value as number)
  if (!Array.isArray(value)) return cellText(valueText(value))
  const list = valueText(value.slice(0, 5))
  return cellText(value.length > 5 ? `${list.slice(0, -1)}, ...]` : list)
}

/**
 * Texts that show what the model is for: of the shortest among the first rows, each filled up to four texts with those of other
 * rows. Source: `set_widget_examples`, which draws the rows.
 */
export function exampleTexts(source: DataSource): string[][] {
  const [entry] = sourcesOf(source)
  const data = entry?.[1]
  if (!isDataset(data)) return []
  const names = data.columnNames.filter((name) => data.columnKind(name) === 'text')
  if (names.length === 0) return []
  const rows = Array.from({ length: Math.min(SEARCHED, data.length) }, (_, row) =>
    names.map((name) => data.column(name)[row] as string),
  ).filter((row) => row.every((text) => text !== ''))
  const size = (row: readonly string[]) => row.reduce((sum, text) => sum + text.length, 0)
  const sorted = rows.sort((a, b) => size(a) - size(b))
  const others = sorted.slice(EXAMPLES)
  return sorted.slice(0, EXAMPLES).flatMap((row) => {
    const texts = [...row]
    while (texts.length < TEXTS && others.length > 0) {
      const other = others.shift()!
      // The first text of a row may be another query.
      texts.push(other[1] ?? other[0]!)
    }
    return texts.length < TEXTS ? [] : [texts]
  })
}

/** The pairs of the first rows, for cross-encoders. */
export function examplePairs(source: DataSource): string[][] {
  const [entry] = sourcesOf(source)
  const data = entry?.[1]
  if (!isDataset(data) || data.length === 0) return []
  const [query, answer] = data.columnNames.filter((name) => ['text', 'texts'].includes(data.columnKind(name)))
  if (query === undefined || answer === undefined || data.columnKind(query) !== 'text') return []
  const queries = data.column(query).slice(0, EXAMPLES) as string[]
  const answers = data.column(answer).slice(0, EXAMPLES) as (string | string[])[]
  if (Array.isArray(answers[0])) return answers[0].slice(0, EXAMPLES).map((text) => [queries[0]!, text])
  return queries.map((text, i) => [text, answers[i] as string])
}
