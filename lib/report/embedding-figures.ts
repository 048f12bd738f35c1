/** Figures of embeddings: similarities of a few sentences, a map of many. */

import { asEmbeddings, type EmbeddingsLike } from '../models/embeddings.js'
import { similarityMatrix } from '../models/similarity.js'
import { sameLength } from '../plots/check.js'
import type { FigureOf } from './figures.js'
import { principalAxes } from './principal-axes.js'

/** Most points of a map. Of more texts every n-th is drawn. */
const MOST_POINTS = 2000

/** The cosines of all pairs of some sentences. */
export function similarityFigure(
  title: string,
  sentences: readonly string[],
  embeddings: EmbeddingsLike,
): FigureOf<'heatmap'> {
  const rows = asEmbeddings(embeddings, 'embeddings')
  sameLength('similarityFigure', { sentences, embeddings: { length: rows.shape[0] } })
  const cosines = similarityMatrix('cosine', rows, rows)
  const values = sentences.map((_, i) => Array.from(cosines.row(i)))
  const low = Math.min(0, ...values.flat())
  return {
    kind: 'heatmap',
    title,
    section: 'similarity',
    rows: sentences,
    columns: sentences,
    values,
    range: [low, 1],
    valueTitle: 'cosine',
  }
}

export interface MapOptions {
  /** The group of each text, such as its class. */
  groups?: readonly string[]
  title?: string
}

/**
 * A map in two dimensions of the same texts before and after training, each along its own principal axes.
 * @param panels embeddings by the title of their panel: `{ before, after }`
 */
export function embeddingMap(
  texts: readonly string[],
  panels: Readonly<Record<string, EmbeddingsLike>>,
  { groups, title = 'The two principal axes' }: MapOptions = {},
): FigureOf<'map'> {
  const step = Math.ceil(texts.length / MOST_POINTS)
  const pick = <T>(values: ArrayLike<T>): T[] => Array.from(values).filter((_, i) => i % step === 0)
  const shares: string[] = []
  const shown = Object.entries(panels).map(([name, rows]) => {
    const { x, y, explained } = principalAxes(rows)
    sameLength(`embeddingMap ${name}`, { texts, embeddings: x })
    shares.push(`${name}: ${(100 * (explained[0] + explained[1])).toFixed(0)} %`)
    return { title: name, x: pick(x), y: pick(y) }
  })
  const sample = step > 1 ? ` Every ${step}th of ${texts.length} texts is drawn.` : ''
  return {
    ...{ kind: 'map', title, section: 'map', panels: shown, labels: pick(texts) },
    ...(groups && { groups: pick(groups) }),
    caption: `Share of the variance that the map shows: ${shares.join(', ')}.${sample}`,
  }
}
