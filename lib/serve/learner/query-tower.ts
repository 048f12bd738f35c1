/** A model of queries alone, beside the frozen one that embedded the documents. */
import { Dataset } from '../../data/dataset.js'
import { Random } from '../../data/random.js'
import type { EvaluatedModel } from '../../evaluation/evaluator.js'
import { type Embeddings, embeddings, normalizeRows } from '../../models/embeddings.js'
import type { SentenceTransformer } from '../../models/sentence-transformer.js'
import { semanticSearch } from '../../search/semantic-search.js'
import type { Feedback } from './feedback.js'
import type { FrozenDocuments } from './frozen-documents.js'

/** Wrong documents of a row, and among how many of the nearest they are drawn. */
const WRONG = 3
const NEAREST = 100
/** Documents of the corpus whose first sentences are queries at most. */
const MOST_SENTENCES = 2000

/** What evaluators measure: queries by one model, everything else by the other. */
export function twoTowers(queries: SentenceTransformer, documents: FrozenDocuments): EvaluatedModel {
  return {
    encode: (texts, options) => documents.model.encode(texts, options),
    encodeQuery: (texts, options) => queries.encodeQuery(texts, options),
    encodeDocument: (texts, options) => documents.encode(texts, options),
    similarityFnName: documents.model.similarityFnName,
  }
}

/**
 * Rows for `queryTowerLoss`: a query, and the vectors of its document and of wrong ones. Those are the negative of the feedback, and
 * near documents of the corpus that no feedback calls right for the query. Beside the feedback the first sentences of the corpus are
 * queries for their documents, because a little feedback teaches little of what the corpus is about.
 * Source of the latter: the inverse cloze task of Lee et al. 2019, https://arxiv.org/abs/1906.00300.
 */
export async function towerRows(
  model: SentenceTransformer,
  documents: FrozenDocuments,
  pairs: readonly Feedback[],
  { corpus, seed, signal }: { corpus: readonly string[]; seed: number; signal: AbortSignal },
): Promise<Record<string, Dataset>> {
  const normalized = ({ data, shape }: Embeddings) => embeddings(normalizeRows(data, shape[1]), ...shape)
  const texts = [...new Set(pairs.flatMap(({ positive, negative }) => [positive, ...(negative ? [negative] : [])]))]
  const vectors = normalized(await documents.model.encodeDocument(texts, { signal }))
  const vectorOf = (text: string) => vectors.row(texts.indexOf(text))
  const ofCorpus = corpus.length === 0 ? undefined : normalized(await documents.encode(corpus, { signal }))
  const random = new Random(seed)
  const wrong = ofCorpus && (await nearWrong(model, pairs, corpus, ofCorpus, random, signal))
  const ofFeedback = pairs.map(({ query, positive, negative }, i) => {
    const all = [vectorOf(positive), ...(negative === undefined ? [] : [vectorOf(negative)]), ...(wrong?.[i] ?? [])]
    return { query, label: all.flatMap((vector) => [...vector]) }
  })
  const rows = [...ofFeedback, ...(ofCorpus ? firstSentences(corpus, ofCorpus, random) : [])]
  // A batch has labels of one length.
  const lengths = [...new Set(rows.map(({ label }) => label.length))]
  return Object.fromEntries(
    lengths.map((length) => [
      `numbers${length}`,
      Dataset.fromRows(rows.filter(({ label }) => label.length === length)),
    ]),
  )
}

/** Vectors of wrong documents for each row. */
async function nearWrong(
  model: SentenceTransformer,
  pairs: readonly Feedback[],
  corpus: readonly string[],
  vectors: Embeddings,
  random: Random,
  signal: AbortSignal,
): Promise<Float32Array[][]> {
  const right = new Map<string, Set<string>>()
  for (const { query, positive } of pairs) right.set(query, (right.get(query) ?? new Set()).add(positive))
  const queries = [...right.keys()]
  const found = await semanticSearch(await model.encodeQuery(queries, { signal }), vectors, { topK: NEAREST })
  const near = new Map(queries.map((query, i) => [query, found[i]!.map(({ corpusId }) => corpusId)]))
  return pairs.map(({ query }) => {
    const wrong = near.get(query)!.filter((id) => !right.get(query)!.has(corpus[id]!))
    return Array.from({ length: Math.min(WRONG, wrong.length) }, () => {
      const [id] = wrong.splice(random.below(wrong.length), 1)
      return vectors.row(id!)
    })
  })
}

/** Up to a full stop that something follows, and not an abbreviation such as "e.g." at the beginning. */
const FIRST_SENTENCE = /^.{15,}?[.!?]+(?=\s)|^.{5,}?[。！？]/su

/** The first sentences of documents that have more than one, with the vectors of the document and of any others. */
function firstSentences(corpus: readonly string[], vectors: Embeddings, random: Random) {
  const rows: { query: string; label: number[] }[] = []
  for (const id of random.permutation(corpus.length)) {
    if (rows.length === MOST_SENTENCES) break
    const text = corpus[id]!.trim()
    const query = FIRST_SENTENCE.exec(text)?.[0]
    if (query === undefined) continue
    const others = Array.from({ length: WRONG }, () => random.below(corpus.length))
    rows.push({ query, label: [id, ...others].flatMap((each) => [...vectors.row(each)]) })
  }
  return rows
}
