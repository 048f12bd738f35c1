import { invalidArgument, SentenceTorchError } from '../errors.js'
import type { LossSpec } from '../native/types.js'
import { choice, flag, nullable, number, type OptionTable, option, positive } from '../options/kinds.js'
import { checkOneOf } from '../options.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'
import { nativeSimilarity, PLANNED_SIMILARITIES, SIMILARITIES } from './similarities.js'

/** A comparison: an anchor (query) or a positive (doc) with all queries or all docs of the batch. */
export type RankingDirection = 'query_to_doc' | 'query_to_query' | 'doc_to_query' | 'doc_to_doc'

/** The options of every ranking loss. */
export interface RankingSimilarityOptions {
  /** Factor of the similarity before the softmax (1 / temperature). With dot products 1 is usual. Default 20. */
  scale?: number
  /** Similarity of anchor and candidate. Default `cos_sim`. */
  similarityFct?: 'cos_sim' | 'dot_score'
  /**
   * With several processes: the texts of all of them are candidates, as if one process had the whole batch. See
   * docs/distributed.md. Default `false`.
   */
  gatherAcrossDevices?: boolean
}

export interface MultipleNegativesRankingLossOptions extends RankingSimilarityOptions {
  /**
   * What each row is compared with. `query_to_doc`, which holds the positive, has to be among them. `query_to_query` and
   * `doc_to_doc` leave out the row's own texts. Default `['query_to_doc']`.
   */
  directions?: readonly RankingDirection[]
  /**
   * `joint`: one softmax over all directions. `per_direction`: one for each of `query_to_doc` and `doc_to_query`, and their
   * mean. Default `joint`.
   */
  partitionMode?: 'joint' | 'per_direction'
  /**
   * Which negatives count more: their logit grows by `hardnessStrength` times their similarity, without gradient. Default
   * `null`: none.
   */
  hardnessMode?: 'in_batch_negatives' | 'hard_negatives' | 'all_negatives' | null
  /** Lan et al. take 9 for `in_batch_negatives`, EmbeddingGemma takes 5 for `hard_negatives`. Default 0. */
  hardnessStrength?: number
  /** Leave out candidates whose text is that of the row's anchor or positive. Not in sentence-transformers. Default `false`. */
  maskDuplicates?: boolean
  /**
   * Leave out candidates whose similarity is above that of the row's positive minus this; Qwen3-Embedding takes −0.1. Not in
   * sentence-transformers. Default `null`: none.
   */
  falseNegativeMargin?: number | null
}

export const DIRECTIONS = ['query_to_doc', 'query_to_query', 'doc_to_query', 'doc_to_doc'] as const

export const RANKING_SIMILARITY = {
  scale: positive(20),
  similarityFct: choice(SIMILARITIES, 'cos_sim', { notBuilt: PLANNED_SIMILARITIES }),
  gatherAcrossDevices: flag(false),
} satisfies OptionTable<RankingSimilarityOptions>

export const OPTIONS = {
  ...RANKING_SIMILARITY,
  directions: option<readonly RankingDirection[]>({
    type: 'readonly RankingDirection[]',
    default: ['query_to_doc'],
    expected: 'an array of directions',
    check: checkDirections,
  }),
  partitionMode: choice(['joint', 'per_direction'], 'joint'),
  hardnessMode: nullable(choice(['in_batch_negatives', 'hard_negatives', 'all_negatives'], 'all_negatives')),
  hardnessStrength: number(0, { least: 0 }),
  maskDuplicates: flag(false),
  falseNegativeMargin: nullable(number(undefined)),
} satisfies OptionTable<MultipleNegativesRankingLossOptions>

/**
 * Each anchor has to find its own positive among all positives, and all hard negatives, of the batch (InfoNCE with
 * in-batch negatives). It is the loss to start with when there are only pairs that belong together.
 *
 * - **Data**: (anchor, positive), or (anchor, positive, negative_1, … negative_n) with hard negatives; no labels.
 * - **Formula**: mean over i of −log( exp(scale · s(a_i, p_i)) / Σ_j exp(scale · s(a_i, c_j)) ). The candidates c_1 … c_m are the
 *   positives of the batch, then every negative column. More `directions` add candidates to the sum: anchors against anchors,
 *   the positive against all anchors, the positive against the documents of other rows.
 * - **Batches**: A larger batch holds more negatives and trains better. A text that is twice in a batch is a false negative: take
 *   `batchSampler: 'no_duplicates'`, or `maskDuplicates`, which costs no pass over the data and leaves no row behind. Gradient
 *   accumulation adds no negatives; {@link CachedMultipleNegativesRankingLoss} does.
 * - **Logged**: `masked_share`, the share of the negatives that a mask leaves out.
 * - **Variants**: symmetric (Günther et al. 2024): `directions: ['query_to_doc', 'doc_to_query']` with `partitionMode:
 *   'per_direction'`. GTE (Li et al. 2023): all four directions. Hardness weights (Lan et al. 2025): `hardnessMode:
 *   'in_batch_negatives', hardnessStrength: 9`.
 * - **Relations**: {@link GISTEmbedLoss} lets a guide model find the false negatives. {@link CoSENTLoss} and
 *   {@link CosineSimilarityLoss} learn from graded pairs instead.
 *
 * Papers: Henderson et al. 2017, https://arxiv.org/abs/1705.00652; with hard negatives, Karpukhin et al. 2020,
 * https://arxiv.org/abs/2004.04906; van den Oord et al. 2018, https://arxiv.org/abs/1807.03748; Günther et al. 2024,
 * https://arxiv.org/abs/2310.19923; Li et al. 2023, https://arxiv.org/abs/2308.03281; Lan et al. 2025,
 * https://arxiv.org/abs/2503.04812; masks, Zhang et al. 2025, https://arxiv.org/abs/2506.05176. Source:
 * sentence-transformers `losses/MultipleNegativesRankingLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([
 *   { anchor: 'capital of France', positive: 'Paris is the capital.', negative: 'Lyon is a city.' },
 *   { anchor: 'largest planet', positive: 'Jupiter is the largest.', negative: 'Saturn has rings.' },
 * ])
 * const loss = new losses.MultipleNegativesRankingLoss({ maskDuplicates: true })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (another `similarityFct`, `gatherAcrossDevices` with
 *   `maskDuplicates`)
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
  readonly gatherAcrossDevices: boolean

  constructor(...args: LossArguments<MultipleNegativesRankingLossOptions>) {
    const where = new.target.name
    const options = lossOptions(this, args, OPTIONS)
    this.scale = options.scale
    this.similarityFct = options.similarityFct
    this.partitionMode = options.partitionMode
    this.directions = DIRECTIONS.filter((direction) => options.directions.includes(direction))
    this.hardnessMode = options.hardnessMode
    this.hardnessStrength = options.hardnessStrength
    this.maskDuplicates = options.maskDuplicates
    this.falseNegativeMargin = options.falseNegativeMargin
    this.gatherAcrossDevices = options.gatherAcrossDevices
    checkPartition(`${where} directions`, this.directions, this.partitionMode)
    checkHardness(where, this.hardnessMode, this.hardnessStrength)
    checkGathered(where, options)
    this.requirements = {
      minColumns: 2,
      maxColumns: Number.POSITIVE_INFINITY,
      labels: 'none',
      inBatchNegatives: true,
      ...(this.maskDuplicates && { textIds: true }),
      ...(this.gatherAcrossDevices && { gathers: true }),
    }
  }

  spec(): LossSpec {
    return {
      type: 'MultipleNegativesRankingLoss',
      scale: this.scale,
      similarity: nativeSimilarity(this.similarityFct),
      directions: [...this.directions],
      partitionMode: this.partitionMode,
      hardnessMode: this.hardnessMode,
      hardnessStrength: this.hardnessStrength,
      maskDuplicates: this.maskDuplicates,
      falseNegativeMargin: this.falseNegativeMargin,
    }
  }
}

function checkDirections(name: string, given: unknown): void {
  if (!Array.isArray(given)) throw invalidArgument(name, 'an array of directions', given)
  for (const direction of given) checkOneOf(name, direction ?? null, DIRECTIONS)
  if (!given.includes('query_to_doc')) {
    throw invalidArgument(name, 'query_to_doc among the directions: it holds the positives', given.join(', ') || 'none')
  }
}

function checkPartition(name: string, directions: readonly RankingDirection[], partitionMode: string): void {
  const without = directions.find((direction) => direction === 'query_to_query' || direction === 'doc_to_doc')
  if (partitionMode === 'per_direction' && without !== undefined) {
    throw new SentenceTorchError(
      'ERR_INVALID_ARGUMENT',
      `${name} with partitionMode per_direction takes query_to_doc and doc_to_query: ${without} holds no positive`,
    )
  }
}

function checkGathered(where: string, options: { maskDuplicates: boolean; gatherAcrossDevices: boolean }): void {
  if (!options.maskDuplicates || !options.gatherAcrossDevices) return
  const message = `${where}: maskDuplicates together with gatherAcrossDevices is not built; take batchSampler no_duplicates`
  throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
}

function checkHardness(where: string, mode: string | null, strength: number): void {
  // sentence-transformers warns of a mode without strength and ignores the strength without a mode.
  if ((mode === null) !== (strength === 0)) {
    throw new SentenceTorchError(
      'ERR_INVALID_ARGUMENT',
      `${where} needs hardnessMode and a hardnessStrength above 0 together, or neither: found ${mode} and ${strength}`,
    )
  }
}
