import { describe, invalidArgument, SentenceTorchError } from '../../errors.js'
import { checkOptions } from '../../options.js'
import type { Label } from '../columns.js'
import { Dataset } from '../dataset.js'

export interface InputExampleOptions {
  guid?: string
  texts?: readonly string[]
  /** Default 0. */
  label?: Label
}

/**
 * Texts with a label, the row of sentence-transformers before version 3.
 * Source: `sentence_transformers/sentence_transformer/readers/input_example.py`.
 */
export class InputExample {
  readonly guid: string
  readonly texts: readonly string[]
  readonly label: Label

  constructor(options: InputExampleOptions) {
    checkOptions('InputExample', options, ['guid', 'texts', 'label'])
    const { guid = '', texts = [], label = 0 } = options
    if (!Array.isArray(texts) || texts.some((text) => typeof text !== 'string')) {
      throw invalidArgument('texts', 'an array of texts', texts)
    }
    this.guid = guid
    this.texts = texts
    this.label = label
  }
}

/**
 * Examples as a dataset with the columns `sentence_0`, `sentence_1`, … and `label`; without `label` when every label is 0,
 * which is the default of an example (as in Python's `fit`).
 * @throws SentenceTorchError ERR_INVALID_DATA for examples with different numbers of texts
 */
export function examplesToDataset(examples: readonly InputExample[]): Dataset {
  if (!Array.isArray(examples) || examples.length === 0) {
    throw invalidArgument('examples', 'an array of InputExamples that is not empty', examples)
  }
  const count = examples[0]!.texts?.length
  examples.forEach((example, i) => {
    if (Array.isArray(example?.texts) && example.texts.length === count) return
    throw new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected an InputExample with ${count} texts at place ${i}, as at place 0, found ` +
        (Array.isArray(example?.texts) ? `${example.texts.length} texts` : describe(example)),
    )
  })
  const columns: Record<string, unknown[]> = {}
  for (let c = 0; c < count!; c++) columns[`sentence_${c}`] = examples.map(({ texts }) => texts[c])
  if (examples.some(({ label }) => label !== 0)) columns.label = examples.map(({ label }) => label)
  return Dataset.fromColumns(columns)
}
