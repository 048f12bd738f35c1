/** Figures that every run has: of its data, and of texts before and after training. */
import type { Dataset } from '../data/dataset.js'
import type { Embeddings } from '../models/embeddings.js'
import type { SentenceTransformer } from '../models/sentence-transformer.js'
import { lengthHistogram, overlapTable } from '../report/data-figures.js'
import { embeddingMap } from '../report/embedding-figures.js'
import type { Figure } from '../report/figures.js'

/** Rows whose texts are on the map. */
const MAP_ROWS = 150
/** Classes that are told apart on the map. */
const MAP_CLASSES = 8
/** Most rows that are searched for duplicates: a few seconds, and some hundred megabytes. */
const MOST_ROWS = 300_000

/** The data sets of a run by their names: `train`, `train 2`, `dev`. */
export function namedData(data: readonly { role: string; dataset: Dataset }[]): Record<string, Dataset> {
  const counts = new Map<string, number>()
  const entries = data.map(({ role, dataset }) => {
    const count = (counts.get(role) ?? 0) + 1
    counts.set(role, count)
    return [count === 1 ? role : `${role} ${count}`, dataset] as const
  })
  return Object.fromEntries(entries)
}

/** Duplicates, leakage and lengths, by the names of their files. */
export async function dataFigures(data: Readonly<Record<string, Dataset>>): Promise<Record<string, Figure>> {
  const withTexts = Object.entries(data).filter(([, dataset]) => textColumns(dataset).length > 0)
  if (withTexts.length === 0) return {}
  const named = Object.fromEntries(withTexts)
  const rows = withTexts.reduce((sum, [, dataset]) => sum + dataset.length, 0)
  return {
    ...(rows <= MOST_ROWS && { 'data-overlap': await overlapTable(named) }),
    'data-lengths': await lengthHistogram(named),
  }
}

/** A map of texts of the training data, drawn when the model has been trained. */
export class TextMap {
  readonly #texts: string[] = []
  readonly #groups: string[] = []
  #before: Embeddings | undefined

  /** Takes texts of some rows, evenly spread; each class with a name, or else each column of texts, is a group. */
  constructor(dataset: Dataset) {
    const step = Math.max(1, Math.ceil(dataset.length / MAP_ROWS))
    const { labelColumn } = dataset
    const classes = labelColumn === undefined ? undefined : dataset.classNames(labelColumn)
    const names = textColumns(dataset)
    for (const name of names) {
      const rows = Array.from(dataset.texts(name).keys()).filter((i) => i % step === 0)
      this.#texts.push(...rows.map((i) => dataset.texts(name)[i]!))
      const isNamed = classes !== undefined && classes.length <= MAP_CLASSES && names.length === 1
      const groupOf = (i: number) => (isNamed ? classes[dataset.column(labelColumn!)[i] as number]! : name)
      this.#groups.push(...rows.map(groupOf))
    }
  }

  async before(model: SentenceTransformer): Promise<void> {
    if (this.#texts.length > 2) this.#before = await model.encode(this.#texts)
  }

  /** Undefined where the model was not seen before. */
  async after(model: SentenceTransformer): Promise<Figure | undefined> {
    if (this.#before === undefined) return undefined
    const panels = { before: this.#before, after: await model.encode(this.#texts) }
    return embeddingMap(this.#texts, panels, { groups: this.#groups, title: 'Texts of the training data' })
  }
}

function textColumns(dataset: Dataset): string[] {
  return dataset.textColumns.filter((name) => dataset.columnKind(name) === 'text')
}
