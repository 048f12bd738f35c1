import type { Dataset } from '../../data/dataset.js'
import type { TimeSlice } from '../../data/time-slice.js'
import { SentenceTorchError } from '../../errors.js'
import type { MiningPlan } from './options.js'

/** The pairs of a dataset, every query and every text once. */
export interface Pairs {
  anchorColumn: string
  positiveColumn: string
  queries: string[]
  /** The plan's corpus, then all positives that it lacks. */
  corpus: string[]
  /** For every query the rows of the corpus that answer it. */
  positives: number[][]
  /** Rows of the dataset. */
  rows: number
  /** Highest number of rows of one query. */
  maxPositives: number
}

/** @throws SentenceTorchError ERR_INVALID_DATA for a dataset without rows or without two columns of texts */
export async function readPairs(dataset: Dataset, plan: MiningPlan, slice: TimeSlice): Promise<Pairs> {
  const texts = dataset.textColumns.filter((name) => dataset.columnKind(name) === 'text')
  const anchorColumn = plan.anchorColumnName ?? texts[0]
  const positiveColumn = plan.positiveColumnName ?? texts[1]
  if (dataset.length === 0 || anchorColumn === undefined || positiveColumn === undefined) {
    const found = `${dataset.length} rows with the columns ${dataset.columnNames.join(', ') || '(none)'}`
    throw new SentenceTorchError('ERR_INVALID_DATA', `Expected rows with an anchor and a positive, received ${found}`)
  }
  const [anchors, answers] = [dataset.texts(anchorColumn), dataset.texts(positiveColumn)]
  const corpus = new Numbered()
  for (const text of plan.corpus ?? []) {
    corpus.number(text)
    if (slice.isOver) await slice.yield()
  }
  const queries = new Numbered()
  const positives: number[][] = []
  const rowsOf: number[] = []
  let maxPositives = 0
  for (let row = 0; row < anchors.length; row++) {
    const query = queries.number(anchors[row]!)
    const text = corpus.number(answers[row]!)
    positives[query] ??= []
    if (!positives[query].includes(text)) positives[query].push(text)
    rowsOf[query] = (rowsOf[query] ?? 0) + 1
    maxPositives = Math.max(maxPositives, rowsOf[query])
    if (slice.isOver) await slice.yield()
  }
  const rows = anchors.length
  return { anchorColumn, positiveColumn, queries: queries.texts, corpus: corpus.texts, positives, rows, maxPositives }
}

/** Numbers texts in the order of their first appearance. */
export class Numbered {
  readonly texts: string[] = []
  readonly #numbers = new Map<string, number>()

  number(text: string): number {
    let number = this.#numbers.get(text)
    if (number === undefined) {
      number = this.texts.length
      this.#numbers.set(text, number)
      this.texts.push(text)
    }
    return number
  }
}
