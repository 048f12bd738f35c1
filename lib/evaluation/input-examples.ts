import { describe } from '../errors.js'
import { invalidData } from './common.js'

/** Texts and a label, in the form of old tutorials. An `InputExample` is one. */
export interface LabelledTexts {
  readonly texts: readonly string[]
  readonly label?: unknown
}

/** The first `count` texts of all examples as columns. */
export function textColumns(where: string, examples: readonly LabelledTexts[], count: number): string[][] {
  return Array.from({ length: count }, (_, column) =>
    examples.map((example, row) => {
      const text: unknown = example?.texts?.[column]
      if (typeof text === 'string') return text
      throw invalidData(`${where}: expected a text ${column} in example ${row} but found ${describe(text)}`)
    }),
  )
}

/** The labels of all examples, numbers. */
export function numberLabels(where: string, examples: readonly LabelledTexts[]): number[] {
  return examples.map(({ label }, row) => {
    if (typeof label === 'number') return label
    throw invalidData(`${where}: expected a number as label of example ${row} but found ${describe(label)}`)
  })
}
