/** Figures of a run's data: duplicates, what evaluations share with the training data, lengths of texts. */
import { createHash } from 'node:crypto'
import type { Dataset } from '../data/dataset.js'
import { TimeSlice } from '../data/time-slice.js'
import type { FigureOf } from './figures.js'

/** Most rows of a set whose lengths are drawn; of more, every n-th. */
const MOST_LENGTHS = 20_000

/** Data sets by their role in the run. The first is the training data, to which the others are compared. */
export type DatasetsByRole = Readonly<Record<string, Dataset>>

/**
 * A table with a row for each data set: its rows, those that are there twice, and how many of its rows and texts are in the first data
 * set, too. Texts count as equal without outer blanks and whatever their case.
 */
export async function overlapTable(datasets: DatasetsByRole): Promise<FigureOf<'table'>> {
  const rows: (string | number | null)[][] = []
  let first: Keys | undefined
  for (const [role, dataset] of Object.entries(datasets)) {
    const keys = await keysOf(dataset)
    const shared = first && {
      rows: keys.ofRows.filter((key) => first!.rows.has(key)).length,
      texts: [...keys.texts].filter((key) => first!.texts.has(key)).length,
    }
    const duplicates = keys.ofRows.length - keys.rows.size
    rows.push([role, dataset.length, duplicates, keys.texts.size, shared?.rows ?? null, shared?.texts ?? null])
    first ??= keys
  }
  const [name = 'train'] = Object.keys(datasets)
  return {
    ...{ kind: 'table', title: 'Duplicates and leakage', section: 'data' },
    columns: ['data', 'rows', 'repeated rows', 'different texts', `rows also in ${name}`, `texts also in ${name}`],
    rows,
    caption: 'Texts are equal here without outer blanks and whatever their case.',
  }
}

/**
 * How long the texts are.
 * @param lengthOf the length of a text, such as its number of tokens. Default: words between blanks
 */
export async function lengthHistogram(
  datasets: DatasetsByRole,
  lengthOf: (text: string) => number = wordsOf,
  unit = 'words',
): Promise<FigureOf<'histogram'>> {
  const slice = new TimeSlice()
  const series: { name: string; values: number[] }[] = []
  for (const [name, dataset] of Object.entries(datasets)) {
    const values: number[] = []
    const columns = textsOf(dataset)
    const step = Math.max(1, Math.ceil((dataset.length * columns.length) / MOST_LENGTHS))
    for (const texts of columns) {
      for (let i = 0; i < texts.length; i += step) {
        values.push(lengthOf(texts[i]!))
        await slice.yield()
      }
    }
    if (values.length > 0) series.push({ name, values })
  }
  return { kind: 'histogram', title: `Lengths in ${unit}`, section: 'data', xTitle: unit, series }
}

interface Keys {
  ofRows: readonly string[]
  rows: ReadonlySet<string>
  texts: ReadonlySet<string>
}

/** Digests instead of texts, which may be long. */
async function keysOf(dataset: Dataset): Promise<Keys> {
  const slice = new TimeSlice()
  const columns = textsOf(dataset)
  const texts = new Set<string>()
  const ofRows: string[] = []
  for (let i = 0; i < dataset.length; i++) {
    const keys = columns.map((column) => keyOf(column[i]!))
    for (const key of keys) texts.add(key)
    ofRows.push(keys.join(''))
    await slice.yield()
  }
  return { ofRows, rows: new Set(ofRows), texts }
}

function textsOf(dataset: Dataset): (readonly string[])[] {
  const names = dataset.textColumns.filter((name) => dataset.columnKind(name) === 'text')
  return names.map((name) => dataset.texts(name))
}

function keyOf(text: string): string {
  return createHash('sha256').update(text.trim().toLowerCase()).digest('base64').slice(0, 20)
}

function wordsOf(text: string): number {
  return text.split(/\s+/).filter(Boolean).length
}
