import { checkOneOf } from '../options.js'

/** Similarity of row i of one column with row i of another, by sentence-transformers' names (`util.pairwise_cos_sim` and its
 *  kin); distances are negated. */
export type PairwiseSimilarity =
  | 'pairwise_cos_sim'
  | 'pairwise_dot_score'
  | 'pairwise_euclidean_sim'
  | 'pairwise_manhattan_sim'
  | 'pairwise_angle_sim'

const NATIVE: Record<PairwiseSimilarity, string> = {
  pairwise_cos_sim: 'cosine',
  pairwise_dot_score: 'dot',
  pairwise_euclidean_sim: 'euclidean',
  pairwise_manhattan_sim: 'manhattan',
  pairwise_angle_sim: 'angle',
}

/** @throws ERR_INVALID_ARGUMENT for another name */
export function checkPairwiseSimilarity(where: string, value: unknown): void {
  checkOneOf(`${where} similarityFct`, value, Object.keys(NATIVE))
}

/** The engine's name of a similarity. */
export function nativeSimilarity(name: PairwiseSimilarity): string {
  return NATIVE[name]
}
