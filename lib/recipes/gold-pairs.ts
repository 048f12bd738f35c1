/** Labelled pairs, with the labels that losses of scores need. */
import { Dataset } from '../data/dataset.js'
import { SentenceTorchError } from '../errors.js'
import { nliRows } from './nli-rows.js'

export interface GoldPairsOptions {
  /** What the labels are: numbers, or the classes of NLI, of which entailment becomes 1 and the others 0. */
  labels: 'scores' | 'nli'
  /** The largest score, by which scores are divided. */
  scale: number
  /** 2: the labels have to be classes, 0 and 1. */
  numLabels: number
}

/**
 * Columns `sentence1`, `sentence2` and `score` (from 0 to 1) of rows with two texts and a label. Rows without a label are dropped.
 * @throws ERR_INVALID_DATA for other columns, and for labels that do not fit, with the row
 */
export async function goldPairs(
  rows: Dataset,
  { labels, scale, numLabels }: GoldPairsOptions,
): Promise<{ dataset: Dataset; dropped: number }> {
  const { dataset, dropped } = labels === 'nli' ? await nliRows(rows) : await rows.dropUnlabelled()
  const [first, second] = twoTexts(dataset)
  const found = dataset.labels()
  if (found === undefined) throw invalid(`Expected a label column, found only ${dataset.columnNames.join(', ')}`)
  const scores = (found as number[]).map((label) => (labels === 'nli' ? Number(label === 0) : label / scale))
  const fits = numLabels === 2 ? (score: number) => score === 0 || score === 1 : (score: number) => isShare(score)
  const wrong = scores.findIndex((score) => !fits(score))
  if (wrong !== -1) {
    const expected = numLabels === 2 ? 'the labels 0 and 1 for numLabels 2' : `scores from 0 to ${scale}`
    const help = numLabels === 2 ? '' : '; the option scale takes the largest score'
    throw invalid(`Expected ${expected}, found ${found[wrong]} in row ${wrong} of those with a label${help}`)
  }
  const texts = { sentence1: dataset.texts(first), sentence2: dataset.texts(second) }
  return { dataset: Dataset.fromColumns({ ...texts, score: scores }), dropped }
}

/** The names of the two columns of texts. @throws ERR_INVALID_DATA unless there are just two */
export function twoTexts(dataset: Dataset): [string, string] {
  const [first, second, ...more] = dataset.textColumns
  if (first !== undefined && second !== undefined && more.length === 0) return [first, second]
  throw invalid(`Expected two columns of texts, found ${dataset.columnNames.join(', ')}`)
}

function isShare(score: number): boolean {
  return score >= 0 && score <= 1
}

function invalid(message: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_DATA', message)
}
