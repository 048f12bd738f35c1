import { invalidArgument } from '../errors.js'
import type { Embeddings, EmbeddingsLike } from '../models/embeddings.js'
import { pairwiseAngleSimilarity, pairwiseSimilarity, similarityMatrix } from '../models/similarity.js'
import type { Metric } from '../native/types.js'

/** How rows are compared: a metric by name, or the function of `util` that computes it. */
export type ScoreFunction = Metric | typeof cosSim

/** Cosine similarity of every row of `a` with every row of `b`: [rows of a, rows of b]. Source: `util.cos_sim`. */
export function cosSim(a: EmbeddingsLike, b: EmbeddingsLike): Embeddings {
  return similarityMatrix('cosine', a, b)
}

/** `cosSim` by its older name. Source: `util.pytorch_cos_sim`. */
export const pytorchCosSim = cosSim

/** Dot product of every row of `a` with every row of `b`: [rows of a, rows of b]. Source: `util.dot_score`. */
export function dotScore(a: EmbeddingsLike, b: EmbeddingsLike): Embeddings {
  return similarityMatrix('dot', a, b)
}

/** Negative Euclidean distance of every row of `a` to every row of `b`: [rows of a, rows of b]. Source: `util.euclidean_sim`. */
export function euclideanSim(a: EmbeddingsLike, b: EmbeddingsLike): Embeddings {
  return similarityMatrix('euclidean', a, b)
}

/** Negative Manhattan distance of every row of `a` to every row of `b`: [rows of a, rows of b]. Source: `util.manhattan_sim`. */
export function manhattanSim(a: EmbeddingsLike, b: EmbeddingsLike): Embeddings {
  return similarityMatrix('manhattan', a, b)
}

/** Cosine similarity of row i of `a` with row i of `b`: [rows]. Source: `util.pairwise_cos_sim`. */
export function pairwiseCosSim(a: EmbeddingsLike, b: EmbeddingsLike): Float32Array {
  return pairwiseSimilarity('cosine', a, b)
}

/** Dot product of row i of `a` with row i of `b`: [rows]. Source: `util.pairwise_dot_score`. */
export function pairwiseDotScore(a: EmbeddingsLike, b: EmbeddingsLike): Float32Array {
  return pairwiseSimilarity('dot', a, b)
}

/** Negative Euclidean distance of row i of `a` to row i of `b`: [rows]. Source: `util.pairwise_euclidean_sim`. */
export function pairwiseEuclideanSim(a: EmbeddingsLike, b: EmbeddingsLike): Float32Array {
  return pairwiseSimilarity('euclidean', a, b)
}

/** Negative Manhattan distance of row i of `a` to row i of `b`: [rows]. Source: `util.pairwise_manhattan_sim`. */
export function pairwiseManhattanSim(a: EmbeddingsLike, b: EmbeddingsLike): Float32Array {
  return pairwiseSimilarity('manhattan', a, b)
}

/** Angle similarity (AnglE) of row i of `a` with row i of `b`: [rows]. Source: `util.pairwise_angle_sim`. */
export function pairwiseAngleSim(a: EmbeddingsLike, b: EmbeddingsLike): Float32Array {
  return pairwiseAngleSimilarity(a, b)
}

const METRICS = new Map<unknown, Metric>([
  ['cosine', 'cosine'],
  ['dot', 'dot'],
  ['euclidean', 'euclidean'],
  ['manhattan', 'manhattan'],
  [cosSim, 'cosine'],
  [dotScore, 'dot'],
  [euclideanSim, 'euclidean'],
  [manhattanSim, 'manhattan'],
])

/** The engine's name of a score function, default cosine. @throws SentenceTorchError ERR_INVALID_ARGUMENT */
export function metricOf(score: unknown = 'cosine'): Metric {
  const metric = METRICS.get(score)
  if (metric !== undefined) return metric
  const expected = 'cosine, dot, euclidean, manhattan, util.cosSim, dotScore, euclideanSim or manhattanSim'
  throw invalidArgument('scoreFunction', expected, score)
}
