/** Which texts a model finds similar: the figure of a report before and after training. */
import type { Dataset } from '../data/dataset.js'
import { CrossEncoder } from '../models/cross-encoder.js'
import type { SentenceTransformer } from '../models/sentence-transformer.js'
import type { FigureOf } from '../report/figures.js'
import type { RecipeModel } from './model-kind.js'

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

/**
 * The cosine similarity of every text with every other, or a cross-encoder's score of them as pairs; undefined for scores of classes.
 * @param when `before` or `after` training
 * @param of whose texts they are
 */
export async function similarityFigure(
  model: RecipeModel,
  texts: readonly string[],
  when: 'before' | 'after',
  of = 'training',
): Promise<FigureOf<'heatmap'> | undefined> {
  const isPairs = model instanceof CrossEncoder
  if (isPairs && model.numLabels !== 1) return undefined
  const [what, valueTitle] = isPairs ? ['Scores', 'score'] : ['Cosine similarity', 'cosine']
  return {
    kind: 'heatmap',
    title: `${what} of the first ${of} texts, ${when} training`,
    ...{ rows: texts, columns: texts, range: [0, 1], valueTitle },
    values: await (isPairs ? pairScores(model, texts) : cosines(model, texts)),
  }
}

async function cosines(model: SentenceTransformer, texts: readonly string[]): Promise<number[][]> {
  const embeddings = await model.encode(texts, { normalizeEmbeddings: true })
  return texts.map((_, i) => texts.map((_, j) => dot(embeddings.row(i), embeddings.row(j))))
}

/** From 0 to 1, whatever the model applies to its logits. */
async function pairScores(model: CrossEncoder, texts: readonly string[]): Promise<number[][]> {
  const pairs = texts.flatMap((first) => texts.map((second): [string, string] => [first, second]))
  const { data } = await model.predict(pairs, { activationFn: 'sigmoid' })
  return texts.map((_, i) => [...data.subarray(i * texts.length, (i + 1) * texts.length)])
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0)
}
