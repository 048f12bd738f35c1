/** Sentences alone: what methods without labels train on. */
import type { Dataset } from '../data/dataset.js'
import { SentenceTorchError } from '../errors.js'

/**
 * All texts of a dataset, each once: of its column `text` or `sentence`, if it has one, else of all its columns of texts. Texts of
 * blanks alone are left out.
 * @param least how many are needed
 * @throws ERR_INVALID_DATA for a dataset without a column of texts, and with fewer texts than `least`
 */
export function sentencesOf(dataset: Dataset, least = 2): { sentences: string[]; dropped: number } {
  const columns = dataset.textColumns.filter((name) => dataset.columnKind(name) === 'text')
  const own = columns.filter((name) => name === 'text' || name === 'sentence')
  const names = own.length > 0 ? own : columns
  const found = new Set<string>()
  let all = 0
  for (const name of names) {
    for (const text of dataset.texts(name)) {
      all++
      if (text.trim() !== '') found.add(text)
    }
  }
  if (names.length === 0 || found.size < least) {
    const message = `Expected at least ${least} different sentences, found ${found.size} in the columns ${dataset.columnNames.join(', ')}`
    throw new SentenceTorchError('ERR_INVALID_DATA', message)
  }
  return { sentences: [...found], dropped: all - found.size }
}
