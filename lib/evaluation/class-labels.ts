import { invalidData } from './common.js'
import { comparePython } from './ir-options.js'

/** The name or number of a class. */
export type ClassLabel = string | number

/** Texts with the class of each. */
export interface ClassificationData {
  texts: readonly string[]
  labels: readonly ClassLabel[]
}

/**
 * The different labels in the order of scikit-learn's classes: numbers by size, texts by their characters.
 * @throws ERR_INVALID_DATA for fewer than `least` of them, or where texts and numbers are mixed
 */
export function classesOf(labels: readonly ClassLabel[], where: string, least = 2): ClassLabel[] {
  const classes = [...new Set(labels)]
  if (new Set(classes.map((label) => typeof label)).size > 1) {
    throw invalidData(`${where}: expected only numbers or only texts as labels but found both`)
  }
  if (classes.length < least) {
    const found = classes.length === 1 ? `${classes.length} (${classes[0]})` : classes.length
    throw invalidData(`${where}: expected ${least === 3 ? 'three' : 'two'} labels at least but found ${found}`)
  }
  return classes.sort((a, b) => (typeof a === 'number' ? a - (b as number) : comparePython(a, String(b))))
}

/**
 * The place of each label among `classes`.
 * @throws ERR_INVALID_DATA for a label that is not among them
 */
export function classNumbers(labels: readonly ClassLabel[], classes: readonly ClassLabel[], where: string): Int32Array {
  const places = new Map(classes.map((label, i) => [label, i]))
  return Int32Array.from(labels, (label) => {
    const place = places.get(label)
    if (place === undefined) throw invalidData(`${where}: the label ${label} is not among those of train`)
    return place
  })
}
