/** The names of class numbers: entailment, neutral, contradiction for the labels 0, 1, 2. */
import { SentenceTorchError } from '../errors.js'
import { anything, object, optional, parseJson, recordOf } from '../io/schema.js'
import { isSameList, listed } from './readers/names.js'

/** By column. The index of a name is the number of the class. */
export type ClassNames = ReadonlyMap<string, readonly string[]>

/** The key of the features of `datasets` in the metadata of a Parquet file. */
export const FEATURES_KEY = 'huggingface'

/** A feature as `datasets` writes it. A list column has the feature of its entries. */
type Feature = { _type?: unknown; names?: unknown; feature?: unknown } | readonly unknown[]

const schema = object({ info: optional(object({ features: optional(recordOf(anything)) })) })

/** The class names in a table's features. Features that cannot be read have none. */
export function classNamesOf(features: string | undefined): Map<string, readonly string[]> {
  const found = new Map<string, readonly string[]>()
  if (features === undefined) return found
  try {
    const { info } = parseJson(features, FEATURES_KEY, schema)
    for (const [column, feature] of Object.entries(info?.features ?? {})) {
      const names = namesOf(feature)
      if (names) found.set(column, names)
    }
  } catch {
    return found
  }
  return found
}

function namesOf(feature: unknown): readonly string[] | undefined {
  if (typeof feature !== 'object' || feature === null) return undefined
  if (Array.isArray(feature)) return feature.length === 1 ? namesOf(feature[0]) : undefined
  const { _type, names, feature: entry } = feature as Exclude<Feature, readonly unknown[]>
  if (_type !== 'ClassLabel') return entry === undefined ? undefined : namesOf(entry)
  return Array.isArray(names) && names.every((name) => typeof name === 'string') ? names : undefined
}

/**
 * Adds the class names of one more part of a table.
 * @param where the part: "b.parquet"
 * @throws SentenceTorchError ERR_INVALID_DATA when a column's classes have other names in this part, because its numbers
 * then have another meaning
 */
export function addClassNames(known: Map<string, readonly string[]>, more: ClassNames, where: string): void {
  for (const [column, names] of more) {
    const before = known.get(column)
    if (before === undefined) known.set(column, names)
    else if (!isSameList(before, names)) {
      throw new SentenceTorchError(
        'ERR_INVALID_DATA',
        `Expected the classes ${listed(before)} in column "${column}" of ${where}, as before, found ${listed(names)}`,
      )
    }
  }
}
