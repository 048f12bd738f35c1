import {
  asEmbeddings,
  type Embeddings,
  type EmbeddingsLike,
  embeddings,
  normalizeRows,
  truncateRows,
} from '../models/embeddings.js'
import { checkInteger } from '../options.js'

export { communityDetection } from './community-detection.js'
export { mineHardNegatives } from './hard-negatives/mine.js'
export { paraphraseMining, paraphraseMiningEmbeddings } from './paraphrase-mining.js'
export { quantizeEmbeddings } from './quantize.js'
export { reciprocalRankFusion } from './reciprocal-rank-fusion.js'
export {
  cosSim,
  dotScore,
  euclideanSim,
  manhattanSim,
  pairwiseAngleSim,
  pairwiseCosSim,
  pairwiseDotScore,
  pairwiseEuclideanSim,
  pairwiseManhattanSim,
  pytorchCosSim,
} from './score-function.js'
export { semanticSearch } from './semantic-search.js'

/**
 * Every row divided by its Euclidean length; zero rows stay zero. Returns new rows [n, dim], the input is untouched.
 * Source: sentence-transformers `util.normalize_embeddings`.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT
 */
export function normalizeEmbeddings(rows: EmbeddingsLike): Embeddings {
  const { data, shape } = asEmbeddings(rows, 'embeddings')
  return embeddings(normalizeRows(data, shape[1]), shape[0], shape[1])
}

/** `normalizeEmbeddings` by its short name. */
export const normalize = normalizeEmbeddings

/**
 * The first `truncateDim` values of every row, or all where a row has no more (undefined: all). Not normalised again.
 * Returns new rows, or `rows` itself where nothing is cut. Source: sentence-transformers `util.truncate_embeddings`.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT
 */
export function truncateEmbeddings(rows: EmbeddingsLike, truncateDim?: number): Embeddings {
  checkInteger('truncateDim', truncateDim, 1)
  const { data, shape } = asEmbeddings(rows, 'embeddings')
  const cut = truncateRows(data, shape[1], truncateDim ?? shape[1])
  return embeddings(cut.data, shape[0], cut.width)
}
