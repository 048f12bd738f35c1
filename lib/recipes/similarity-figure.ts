/** Which texts a model finds similar: the figure of a report before and after training. */
import type { Dataset } from '../data/dataset.js'
import type { SentenceTransformer } from '../models/sentence-transformer.js'
import type { FigureOf } from '../report/figures.js'

/** Texts of a figure, so that the labels can be read. */
const MOST = 10
const LONGEST = 120

/** Some texts of a dataset: those of the first rows, side by side, each once; short ones where there are enough. */
export function sampleTexts(dataset: Dataset): string[] {
  const names = dataset.textColumns.filter((name) => dataset.columnKind(name) === 'text').slice(0, 2)
  const rows = Array.from({ length: Math.min(dataset.length, 10 * MOST) }, (_, row) =>
    names.map((name) => dataset.texts(name)[row]!).filter((text) => text.trim() !== ''),
  )
  const short = rows.filter((texts) => texts.every((text) => text.length <= LONGEST))
  const distinct = [short, rows].map((some) => [...new Set(some.flat())].slice(0, MOST))
  return distinct.find((texts) => texts.length > 1) ?? []
}

/** The cosine similarity of every text with every other. @param when `before` or `after` training @param of whose texts they are */
export async function similarityFigure(
  model: SentenceTransformer,
  texts: readonly string[],
  when: 'before' | 'after',
  of = 'training',
): Promise<FigureOf<'heatmap'>> {
  const embeddings = await model.encode(texts, { normalizeEmbeddings: true })
  const values = texts.map((_, i) => texts.map((_, j) => dot(embeddings.row(i), embeddings.row(j))))
  return {
    kind: 'heatmap',
    title: `Cosine similarity of the first ${of} texts, ${when} training`,
    ...{ rows: texts, columns: texts, values, range: [0, 1], valueTitle: 'cosine' },
  }
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0)
}
