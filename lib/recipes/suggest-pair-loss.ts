/** Which loss of cross-encoders the columns of a data set are for. */
import type { Dataset } from '../data/dataset.js'
import { listed } from '../data/readers/names.js'
import { SentenceTorchError } from '../errors.js'
import { labelsOf } from './labels.js'
import { type LossSuggestion, suggestLoss } from './suggest-loss.js'

/**
 * The usual loss for the columns.
 * @param source for messages
 * @throws ERR_INVALID_DATA where there is none
 */
export function suggestPairLoss(dataset: Dataset, source: string): LossSuggestion {
  if (isLists(dataset)) {
    const seen = 'a column of texts, lists of texts and a list of labels for each'
    return { kind: 'lists', loss: 'LambdaLoss', others: ['RankNetLoss', 'ListNetLoss'], seen }
  }
  const found = suggestLoss(dataset, source)
  switch (found.kind) {
    case 'binary':
      return { ...found, loss: 'BinaryCrossEntropyLoss', others: ['MSELoss'] }
    case 'scores': {
      const isShare = (labelsOf(dataset, source) as readonly number[]).every((score) => score >= 0 && score <= 1)
      if (isShare) return { ...found, loss: 'BinaryCrossEntropyLoss', others: ['MSELoss'] }
      return { ...found, loss: 'MSELoss', others: [], seen: `${found.seen} beyond 0 to 1 (scale divides scores)` }
    }
    case 'classes of pairs':
      return { ...found, loss: 'CrossEntropyLoss', others: [] }
    case 'pairs':
    case 'triplets':
      return { ...found, loss: 'MultipleNegativesRankingLoss', others: ['CachedMultipleNegativesRankingLoss'] }
    case 'margins':
      return { ...found, others: [] }
    default: {
      const message =
        `A cross-encoder reads two texts together, and ${source} has ${found.seen} (${listed(dataset.columnNames)}): expected two ` +
        'columns of texts and a label, or more columns of texts; columns chooses and renames them'
      throw new SentenceTorchError('ERR_INVALID_DATA', message)
    }
  }
}

function isLists(dataset: Dataset): boolean {
  const [first, second, ...more] = dataset.textColumns.map((name) => dataset.columnKind(name))
  return first === 'text' && second === 'texts' && more.length === 0 && dataset.labelColumn !== undefined
}

/** How many classes the labels have: numbers from 0, or a list of probabilities for each row. At least 1. */
export function classesOf(dataset: Dataset, source: string): number {
  const labels = labelsOf(dataset, source) ?? []
  return labels.reduce<number>((most, label) => Math.max(most, typeof label === 'number' ? label + 1 : label.length), 1)
}
