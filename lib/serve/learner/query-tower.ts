/** A model of queries alone, beside the frozen one that embedded the documents. */
import { Dataset } from '../../data/dataset.js'
import { Random } from '../../data/random.js'
import type { EvaluatedModel } from '../../evaluation/evaluator.js'
import type { Embeddings } from '../../models/embeddings.js'
import type { SentenceTransformer } from '../../models/sentence-transformer.js'
import { semanticSearch } from '../../search/semantic-search.js'
import type { Feedback } from './feedback.js'

/** Wrong documents of a row, and among how many of the nearest they are drawn. */
const WRONG = 7
const NEAREST = 100

/** What evaluators measure: queries by one model, everything else by the other. */
export function twoTowers(queries: SentenceTransformer, documents: SentenceTransformer): EvaluatedModel {
  return {
    encode: (texts, options) => documents.encode(texts, options),
    encodeQuery: (texts, options) => queries.encodeQuery(texts, options),
    encodeDocument: (texts, options) => documents.encodeDocument(texts, options),
    similarityFnName: documents.similarityFnName,
  }
}

/**
 * Rows for `queryTowerLoss`: a query, and the vectors of its document and of wrong ones. Those are the negative of the feedback, and
 * near documents of the corpus that no feedback calls right for the query.
 */
export async function towerRows(
  model: SentenceTransformer,
  documents: SentenceTransformer,
  pairs: readonly Feedback[],
  { corpus, seed, signal }: { corpus: readonly string[]; seed: number; signal: AbortSignal },
): Promise<Record<string, Dataset>> {
  const embed = (texts: readonly string[]) => documents.encodeDocument(texts, { normalizeEmbeddings: true, signal })
  const texts = [...new Set(pairs.flatMap(({ positive, negative }) => [positive, ...(negative ? [negative] : [])]))]
  const vectors = await embed(texts)
  const vectorOf = (text: string) => vectors.row(texts.indexOf(text))
  const wrong = corpus.length === 0 ? undefined : await nearWrong(model, pairs, corpus, await embed(corpus), seed, signal)
  const rows = pairs.map(({ query, positive, negative }, i) => {
    const all = [vectorOf(positive), ...(negative === undefined ? [] : [vectorOf(negative)]), ...(wrong?.[i] ?? [])]
    return { query, label: all.flatMap((vector) => [...vector]) }
  })
  // A batch has labels of one length.
  const lengths = [...new Set(rows.map(({ label }) => label.length))]
  return Object.fromEntries(
    lengths.map((length) => [`numbers${length}`, Dataset.fromRows(rows.filter(({ label }) => label.length === length))]),
  )
}

/** Vectors of wrong documents for each row. */
async function nearWrong(
  model: SentenceTransformer,
  pairs: readonly Feedback[],
  corpus: readonly string[],
  vectors: Embeddings,
  seed: number,
  signal: AbortSignal,
): Promise<Float32Array[][]> {
  const right = new Map<string, Set<string>>()
  for (const { query, positive } of pairs) right.set(query, (right.get(query) ?? new Set()).add(positive))
  const queries = [...right.keys()]
  const found = await semanticSearch(await model.encodeQuery(queries, { signal }), vectors, { topK: NEAREST })
  const near = new Map(queries.map((query, i) => [query, found[i]!.map(({ corpusId }) => corpusId)]))
  const random = new Random(seed)
  return pairs.map(({ query }) => {
    const wrong = near.get(query)!.filter((id) => !right.get(query)!.has(corpus[id]!))
    return Array.from({ length: Math.min(WRONG, wrong.length) }, () => {
      const [id] = wrong.splice(random.below(wrong.length), 1)
      return vectors.row(id!)
    })
  })
}
