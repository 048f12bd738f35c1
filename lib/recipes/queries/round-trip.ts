import type { Dataset } from '../../data/dataset.js'
import type { SentenceTransformer } from '../../models/sentence-transformer.js'
import { semanticSearch } from '../../search/semantic-search.js'

/**
 * Pairs whose passage a model finds among the first `k` of all passages. A query that leads elsewhere is mostly a bad one.
 * Paper: Alberti et al. 2019, https://arxiv.org/abs/1906.05416 (round-trip consistency); with retrieval: Dai et al. 2022,
 * https://arxiv.org/abs/2209.11755.
 * @param pairs columns `query` and `passage`
 * @param corpus all passages, each once
 * @throws ERR_ABORTED
 */
export async function roundTrip(
  pairs: Dataset,
  corpus: readonly string[],
  model: SentenceTransformer,
  k: number,
  signal?: AbortSignal,
): Promise<Dataset> {
  const [queries, passages] = [pairs.texts('query'), pairs.texts('passage')]
  const options = signal && { signal }
  const found = await semanticSearch(
    await model.encodeQuery([...queries], options),
    await model.encodeDocument([...corpus], options),
    { topK: k, ...options },
  )
  const rows = found.flatMap((hits, row) =>
    hits.some(({ corpusId }) => corpus[corpusId] === passages[row]) ? [row] : [],
  )
  return pairs.select(rows)
}
