/** Which loss the columns of a data set are for. */
import type { Dataset } from '../data/dataset.js'
import { listed } from '../data/readers/names.js'
import { SentenceTorchError } from '../errors.js'
import { labelsOf } from './labels.js'
import type { LossSpec } from './make-loss.js'

/** What rows are, and so by what a model for them is measured. */
export type RowKind = 'scores' | 'binary' | 'classes of pairs' | 'pairs' | 'triplets' | 'margins' | 'classes' | 'lists'

export interface LossSuggestion {
  kind: RowKind
  loss: LossSpec
  /** Other losses for the same data. */
  others: readonly string[]
  /** What was seen, in a few words: `two columns of texts and a score`. */
  seen: string
}

/** More classes than these are taken for scores, where the column's name does not say what it is. */
const MOST_PAIR_CLASSES = 20

/**
 * The usual loss for the columns: those of texts in their order, and the label.
 * @param source for messages
 * @throws ERR_INVALID_DATA where there is none
 */
export function suggestLoss(dataset: Dataset, source: string): LossSuggestion {
  const texts = dataset.textColumns.filter((name) => dataset.columnKind(name) === 'text').length
  const { labelColumn } = dataset
  const labels = labelsOf(dataset, source)
  if (labels?.some((label) => typeof label !== 'number')) {
    if (texts >= 3) return margins(texts)
  } else if (labels !== undefined) {
    const numbers = labels as readonly number[]
    if (texts === 1) return classes(numbers)
    if (texts === 2) return pairs(numbers, labelColumn!)
    if (texts === 3) return margins(texts)
  } else if (texts === 2) {
    const others = ['CachedMultipleNegativesRankingLoss', 'MultipleNegativesSymmetricRankingLoss']
    return { kind: 'pairs', loss: 'MultipleNegativesRankingLoss', others, seen: 'two columns of texts without a label' }
  } else if (texts >= 3) {
    const seen = `${texts} columns of texts without a label: an anchor, a positive and negatives`
    return { kind: 'triplets', loss: 'MultipleNegativesRankingLoss', others: ['TripletLoss'], seen }
  }
  const found = `${listed(dataset.columnNames)}${labels === undefined ? ', without a label' : ''}`
  const message =
    `No loss is usual for the columns of ${source} (${found}): expected two or more columns of texts, or one and a label; ` +
    'columns chooses and renames them, loss names a loss'
  throw new SentenceTorchError('ERR_INVALID_DATA', message)
}

function margins(texts: number): LossSuggestion {
  const seen = `${texts} columns of texts and the difference of two scores`
  return { kind: 'margins', loss: 'MarginMSELoss', others: ['DistillKLDivLoss'], seen }
}

/**
 * Many models end in Normalize, and vectors of length 1 never differ by the default margin, 5. A margin of cosines fits every model.
 */
const CLASSES_LOSS = { name: 'BatchAllTripletLoss', distanceMetric: 'cosine', margin: 0.3 } as const

function classes(labels: readonly number[]): LossSuggestion {
  const count = new Set(labels).size
  const others = ['BatchHardTripletLoss', 'BatchSemiHardTripletLoss', 'BatchHardSoftMarginTripletLoss']
  return { kind: 'classes', loss: CLASSES_LOSS, others, seen: `a column of texts and ${count} classes` }
}

function pairs(labels: readonly number[], column: string): LossSuggestion {
  const values = new Set(labels)
  const isWhole = [...values].every((label) => Number.isInteger(label) && label >= 0)
  if (isWhole && values.size <= 2 && [...values].every((label) => label <= 1)) {
    const seen = 'two columns of texts and 0 or 1'
    return { kind: 'binary', loss: 'OnlineContrastiveLoss', others: ['ContrastiveLoss', 'CoSENTLoss'], seen }
  }
  const numLabels = Math.max(...values) + 1
  const isClass = column.startsWith('label') && isWhole && numLabels <= MOST_PAIR_CLASSES
  if (isClass) {
    const seen = `two columns of texts and ${numLabels} classes`
    return { kind: 'classes of pairs', loss: { name: 'SoftmaxLoss', numLabels }, others: ['CoSENTLoss'], seen }
  }
  const others = ['CosineSimilarityLoss', 'AnglELoss']
  return { kind: 'scores', loss: 'CoSENTLoss', others, seen: 'two columns of texts and a score' }
}
