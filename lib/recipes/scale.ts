/** Scores of any scale, as numbers from 0 to 1. */
import { Dataset } from '../data/dataset.js'
import { labelsOf } from './labels.js'
import { suggestLoss } from './suggest-loss.js'

/** What the scores of pairs are divided by: the largest one. Undefined where they lie within 0 and 1, or are no scores from 0 on. */
export function scaleOf(dataset: Dataset, source: string): number | undefined {
  const texts = dataset.textColumns.filter((name) => dataset.columnKind(name) === 'text')
  if (dataset.labelColumn === undefined || texts.length !== 2) return undefined
  if (suggestLoss(dataset, source).kind !== 'scores') return undefined
  let [least, most] = [0, 0]
  for (const label of labelsOf(dataset, source) as readonly number[]) {
    least = Math.min(least, label)
    most = Math.max(most, label)
  }
  return least === 0 && most > 1 ? most : undefined
}

export function dividedLabels(dataset: Dataset, scale: number): Dataset {
  const labels = (dataset.labels() as readonly number[]).map((label) => label / scale)
  const columns = dataset.columnNames.map((name) => [
    name,
    name === dataset.labelColumn ? labels : dataset.column(name),
  ])
  return Dataset.fromColumns(Object.fromEntries(columns))
}
