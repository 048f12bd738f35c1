import type { Dataset } from '../data/dataset.js'
import { describe } from '../errors.js'
import type { ClassificationData, ClassLabel } from './class-labels.js'
import { invalidData } from './common.js'

/**
 * The texts of a data set and the label of each. Texts are the column `text`, or the first column of texts; labels are the label
 * column, or the other one of two columns.
 * @param where what the data are for, in messages
 * @throws ERR_INVALID_DATA where such columns are missing, a row has no label, or its label is neither a number nor a text
 */
export function labelledTexts(data: Dataset, where: string): ClassificationData {
  const { columnNames } = data
  const isText = (name: string) => data.columnKind(name) === 'text'
  const text = columnNames.find((name) => name === 'text' && isText(name)) ?? columnNames.find(isText)
  const label = data.labelColumn ?? (columnNames.length === 2 ? columnNames.find((name) => name !== text) : undefined)
  if (text === undefined || label === undefined) {
    throw invalidData(`Expected a column of texts and one of labels in ${where}, found ${columnNames.join(', ')}`)
  }
  const labels = label === data.labelColumn ? data.labels()! : data.column(label)
  const wrong = labels.findIndex((value) => value === '' || (typeof value !== 'string' && typeof value !== 'number'))
  if (wrong !== -1) {
    const found = describe(labels[wrong])
    throw invalidData(
      `Expected a number or a text as label in column "${label}" of ${where}, row ${wrong}, found ${found}`,
    )
  }
  return { texts: data.texts(text), labels: labels as readonly ClassLabel[] }
}

/** The same, with the names of the classes in place of their numbers, where the data set knows them. */
export function namedTexts(data: Dataset, where: string): ClassificationData {
  const { texts, labels } = labelledTexts(data, where)
  const names = data.labelColumn === undefined ? undefined : data.classNames(data.labelColumn)
  return { texts, labels: names ? labels.map((label) => names[label as number] ?? label) : labels }
}
