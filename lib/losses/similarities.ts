/** Similarities of embeddings, by the names of sentence-transformers and by those of the engine. */

/** Similarity of row i of one column with row i of another. Distances are negated. */
export type PairwiseSimilarity = (typeof PAIRWISE_SIMILARITIES)[number]

/** sentence-transformers' `util.pairwise_cos_sim` and its kin. */
export const PAIRWISE_SIMILARITIES = [
  'pairwise_cos_sim',
  'pairwise_dot_score',
  'pairwise_euclidean_sim',
  'pairwise_manhattan_sim',
  'pairwise_angle_sim',
] as const

/** Similarities of every row with every other. */
export const SIMILARITIES = ['cos_sim', 'dot_score'] as const
/** Those of sentence-transformers that are not built. */
export const PLANNED_SIMILARITIES: readonly string[] = ['euclidean_sim', 'manhattan_sim']

const NATIVE: Record<PairwiseSimilarity | (typeof SIMILARITIES)[number], string> = {
  cos_sim: 'cosine',
  dot_score: 'dot',
  pairwise_cos_sim: 'cosine',
  pairwise_dot_score: 'dot',
  pairwise_euclidean_sim: 'euclidean',
  pairwise_manhattan_sim: 'manhattan',
  pairwise_angle_sim: 'angle',
}

/** The engine's name of a similarity. */
export function nativeSimilarity(name: keyof typeof NATIVE): string {
  return NATIVE[name]
}
