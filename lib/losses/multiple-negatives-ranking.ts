import { invalidArgument, SentenceTorchError } from '../errors.js'
import type { LossSpec } from '../native/types.js'
import { checkOneOf, checkPositive, checkType } from '../options.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

/** Who is compared with whom: an anchor (query) or positive (doc) with all queries or docs of the batch. */
export type RankingDirection = 'query_to_doc' | 'query_to_query' | 'doc_to_query' | 'doc_to_doc'

export interface MultipleNegativesRankingLossOptions {
  /** Factor of the similarity before the softmax (1 / temperature). Default 20; with dot products 1 is usual. */
  scale?: number
  /** Similarity of anchor and candidate. Default `cos_sim`. */
  similarityFct?: 'cos_sim' | 'dot_score'
  /** What each row is compared with; `query_to_doc`, which holds the positive, has to be among them. `query_to_query` and
   *  `doc_to_doc` leave out the row's own texts. Default `['query_to_doc']`. */
  directions?: readonly RankingDirection[]
  /** One softmax over all directions, or one for each and their mean; `per_direction` takes `query_to_doc` and
   *  `doc_to_query` alone. Default `joint`. */
  partitionMode?: 'joint' | 'per_direction'
  /** Negatives whose logit grows by `hardnessStrength` times their similarity (without gradient): those of other rows, the
   *  row's own hard negatives, or both. Default `null`: none. */
  hardnessMode?: 'in_batch_negatives' | 'hard_negatives' | 'all_negatives' | null
  /** At least 0; Lan et al. take 9 for `in_batch_negatives`, EmbeddingGemma 5 for `hard_negatives`. Default 0. */
  hardnessStrength?: number
  /** Not in sentence-transformers: leave out candidates whose text is that of the row's anchor or positive. Default false. */
  maskDuplicates?: boolean
  /** Not in sentence-transformers: leave out candidates with a similarity above that of the row's positive minus this;
   *  Qwen3-Embedding takes −0.1. Default `null`: none. */
  falseNegativeMargin?: number | null
}

/** The names of {@link MultipleNegativesRankingLossOptions}, for the losses that pass them on. */
export const RANKING_OPTIONS = [
  'scale',
  'similarityFct',
  'directions',
  'partitionMode',
  'hardnessMode',
  'hardnessStrength',
  'maskDuplicates',
  'falseNegativeMargin',
] as const

const DIRECTIONS = ['query_to_doc', 'query_to_query', 'doc_to_query', 'doc_to_doc'] as const

/**
 * Each anchor has to find its own positive among all positives, and all hard negatives, of the batch (InfoNCE with
 * in-batch negatives). The loss to start with when all there is are pairs that belong together.
 *
 * - **Data**: (anchor, positive), or (anchor, positive, negative_1, … negative_n) with hard negatives; no labels.
 * - **Formula**: with candidates c_1 … c_m (the positives of the batch, then every negative column),
 *   mean over i of −log( exp(scale · s(a_i, p_i)) / Σ_j exp(scale · s(a_i, c_j)) ). More `directions` add candidates to the
 *   sum: anchors against anchors, the positive against all anchors, the positive against the documents of other rows.
 * - **Batches**: larger ones hold more negatives and train better. A text that is twice in a batch is a false negative: use
 *   `batchSampler: 'no_duplicates'`, or `maskDuplicates`, which costs no pass over the data and leaves no row behind. The
 *   share of the negatives that are masked is logged as `masked_share`. Gradient accumulation adds no negatives;
 *   {@link CachedMultipleNegativesRankingLoss} does.
 * - **Variants**: symmetric (Günther et al. 2024) `directions: ['query_to_doc', 'doc_to_query']` with `partitionMode:
 *   'per_direction'`; GTE (Li et al. 2023) all four directions; hardness weights (Lan et al. 2025) `hardnessMode:
 *   'in_batch_negatives', hardnessStrength: 9`.
 * - **Relations**: {@link GISTEmbedLoss} lets a guide model find the false negatives. {@link CoSENTLoss} and
 *   {@link CosineSimilarityLoss} learn from graded pairs instead.
 *
 * Papers: Henderson et al. 2017, https://arxiv.org/abs/1705.00652; with hard negatives, Karpukhin et al. 2020,
 * https://arxiv.org/abs/2004.04906; van den Oord et al. 2018, https://arxiv.org/abs/1807.03748; Lan et al. 2025,
 * https://arxiv.org/abs/2503.04812; masks, Zhang et al. 2025, https://arxiv.org/abs/2506.05176. Source:
 * sentence-transformers `losses/MultipleNegativesRankingLoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (`gatherAcrossDevices`, another `similarityFct`)
 */
export class MultipleNegativesRankingLoss implements Loss {
  readonly type: string = 'MultipleNegativesRankingLoss'
  readonly requirements: LossRequirements
  readonly scale: number
  readonly similarityFct: 'cos_sim' | 'dot_score'
  readonly directions: readonly RankingDirection[]
  readonly partitionMode: 'joint' | 'per_direction'
  readonly hardnessMode: 'in_batch_negatives' | 'hard_negatives' | 'all_negatives' | null
  readonly hardnessStrength: number
  readonly maskDuplicates: boolean
  readonly falseNegativeMargin: number | null

  constructor(...args: LossArguments<MultipleNegativesRankingLossOptions>) {
    const where = new.target.name
    const options = lossOptions<MultipleNegativesRankingLossOptions>(this, args, RANKING_OPTIONS, {
      gatherAcrossDevices: { harmless: [false] },
    })
    checkPositive(`${where} scale`, options.scale)
    checkOneOf(
      `${where} similarityFct`,
      options.similarityFct,
      ['cos_sim', 'dot_score'],
      ['euclidean_sim', 'manhattan_sim'],
    )
    checkOneOf(`${where} partitionMode`, options.partitionMode, ['joint', 'per_direction'])
    checkType(`${where} maskDuplicates`, options.maskDuplicates, 'boolean')
    this.scale = options.scale ?? 20
    this.similarityFct = options.similarityFct ?? 'cos_sim'
    this.partitionMode = options.partitionMode ?? 'joint'
    this.directions = checkDirections(`${where} directions`, options.directions ?? ['query_to_doc'], this.partitionMode)
    this.hardnessMode = options.hardnessMode ?? null
    this.hardnessStrength = options.hardnessStrength ?? 0
    checkHardness(where, this.hardnessMode, this.hardnessStrength)
    this.maskDuplicates = options.maskDuplicates ?? false
    this.falseNegativeMargin = options.falseNegativeMargin ?? null
    if (this.falseNegativeMargin !== null && !Number.isFinite(this.falseNegativeMargin)) {
      throw invalidArgument(`${where} falseNegativeMargin`, 'a finite number', this.falseNegativeMargin)
    }
    this.requirements = {
      minColumns: 2,
      maxColumns: Number.POSITIVE_INFINITY,
      labels: 'none',
      inBatchNegatives: true,
      ...(this.maskDuplicates && { textIds: true }),
    }
  }

  spec(): LossSpec {
    return {
      type: 'MultipleNegativesRankingLoss',
      scale: this.scale,
      similarity: this.similarityFct === 'cos_sim' ? 'cosine' : 'dot',
      directions: [...this.directions],
      partitionMode: this.partitionMode,
      hardnessMode: this.hardnessMode,
      hardnessStrength: this.hardnessStrength,
      maskDuplicates: this.maskDuplicates,
      falseNegativeMargin: this.falseNegativeMargin,
    }
  }
}

function checkDirections(name: string, given: unknown, partitionMode: string): readonly RankingDirection[] {
  if (!Array.isArray(given)) throw invalidArgument(name, 'an array of directions', given)
  for (const direction of given) checkOneOf(name, direction ?? null, DIRECTIONS)
  const directions = DIRECTIONS.filter((direction) => given.includes(direction))
  if (!directions.includes('query_to_doc')) {
    throw invalidArgument(name, 'query_to_doc among the directions: it holds the positives', given.join(', ') || 'none')
  }
  const without = directions.find((direction) => direction === 'query_to_query' || direction === 'doc_to_doc')
  if (partitionMode === 'per_direction' && without !== undefined) {
    throw new SentenceTorchError(
      'ERR_INVALID_ARGUMENT',
      `${name} with partitionMode per_direction takes query_to_doc and doc_to_query: ${without} holds no positive`,
    )
  }
  return directions
}

function checkHardness(where: string, mode: string | null, strength: number): void {
  if (mode !== null) {
    checkOneOf(`${where} hardnessMode`, mode, ['in_batch_negatives', 'hard_negatives', 'all_negatives'])
  }
  if (!(Number.isFinite(strength) && strength >= 0)) {
    throw invalidArgument(`${where} hardnessStrength`, 'a number of at least 0', strength)
  }
  // sentence-transformers warns of a mode without strength and ignores the strength without a mode.
  if ((mode === null) !== (strength === 0)) {
    throw new SentenceTorchError(
      'ERR_INVALID_ARGUMENT',
      `${where} needs hardnessMode and a hardnessStrength above 0 together, or neither: found ${mode} and ${strength}`,
    )
  }
}
