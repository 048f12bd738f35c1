import { asEmbeddings, type Embeddings, type EmbeddingsLike, embeddings, normalizeRows } from '../models/embeddings.js'

export { communityDetection } from './community-detection.js'
export { mineHardNegatives } from './hard-negatives/mine.js'
export { paraphraseMining, paraphraseMiningEmbeddings } from './paraphrase-mining.js'
export { cosSim, dotScore, euclideanSim, manhattanSim } from './score-function.js'
export { semanticSearch } from './semantic-search.js'

/**
 * Every row divided by its Euclidean length; zero rows stay zero. Returns new rows [n, dim], the input is untouched.
 * Source: sentence-transformers `util.normalize_embeddings`.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT
 */
export function normalize(rows: EmbeddingsLike): Embeddings {
  const { data, shape } = asEmbeddings(rows, 'embeddings')
  return embeddings(normalizeRows(data, shape[1]), shape[0], shape[1])
}
