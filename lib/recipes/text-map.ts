import type { Dataset } from '../data/dataset.js'
import type { Embeddings } from '../models/embeddings.js'
import type { SentenceTransformer } from '../models/sentence-transformer.js'
import { embeddingMap } from '../report/embedding-figures.js'
import type { Figure } from '../report/figures.js'

/** Rows whose texts are on the map. */
const MAP_ROWS = 150
/** Classes that are told apart on the map. */
const MAP_CLASSES = 10

/** A map of some texts before and after training. */
export class TextMap {
  readonly #title: string
  readonly #texts: string[] = []
  readonly #groups: string[] = []
  #before: Embeddings | undefined

  /** Takes texts of some rows, evenly spread; each class with a name, or else each column of texts, is a group. */
  constructor(dataset: Dataset, title: string) {
    this.#title = title
    const step = Math.max(1, Math.ceil(dataset.length / MAP_ROWS))
    const { labelColumn } = dataset
    const classes = labelColumn === undefined ? undefined : dataset.classNames(labelColumn)
    const names = textColumns(dataset)
    const isNamed = classes !== undefined && classes.length <= MAP_CLASSES && names.length === 1
    for (const name of names) {
      for (const [i, text] of dataset.texts(name).entries()) {
        if (i % step !== 0 || text.trim() === '') continue
        this.#texts.push(text)
        this.#groups.push(isNamed ? classes[dataset.column(labelColumn!)[i] as number]! : name)
      }
    }
  }

  async before(model: SentenceTransformer): Promise<void> {
    // A map has two axes.
    if (this.#texts.length > 2 && model.embeddingDimension > 1) this.#before = await model.encode(this.#texts)
  }

  /** Undefined where the model was not seen before. */
  async after(model: SentenceTransformer): Promise<Figure | undefined> {
    if (this.#before === undefined) return undefined
    const panels = { before: this.#before, after: await model.encode(this.#texts) }
    return embeddingMap(this.#texts, panels, { groups: this.#groups, title: this.#title })
  }
}

export function textColumns(dataset: Dataset): string[] {
  return dataset.textColumns.filter((name) => dataset.columnKind(name) === 'text')
}
