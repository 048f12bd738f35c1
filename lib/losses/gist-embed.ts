import type { LossSpec } from '../native/types.js'
import { choice, flag, needed, number, type OptionTable, option, positive } from '../options/kinds.js'
import { hasMethod, lossOptions, modelWith, type WrapperArguments } from './arguments.js'
import type { GuideModel, Loss, LossRequirements } from './loss.js'

export interface GISTEmbedLossOptions {
  /** The model that finds the false negatives: a SentenceTransformer. It is not trained. */
  guide: GuideModel
  /** Divisor of the similarities before the softmax. Default 0.01. */
  temperature?: number
  /**
   * The guide's similarity above which a candidate is a false negative. `absolute`: the positive's minus `margin`; `relative`: the
   * positive's minus `margin` times its absolute value. Default `absolute`.
   */
  marginStrategy?: 'absolute' | 'relative'
  /** See `marginStrategy`. Default 0. */
  margin?: number
  /** Push anchors away from each other too. Default `true`. */
  contrastAnchors?: boolean
  /** Push positives away from each other too; `false` may be better for retrieval. Default `true`. */
  contrastPositives?: boolean
  /**
   * With several processes: the texts of all of them are candidates, as if one process had the whole batch. See
   * docs/distributed.md. Default `false`.
   */
  gatherAcrossDevices?: boolean
}

const isGuide = (value: unknown) => hasMethod(value, 'encode')
/** In Python the guide comes right behind the model. */
export const GUIDED = modelWith('guide', isGuide)

export const OPTIONS = {
  guide: needed(
    option<GuideModel, undefined>({
      type: 'GuideModel',
      default: undefined,
      expected: 'a SentenceTransformer',
      fits: isGuide,
    }),
  ),
  temperature: positive(0.01),
  marginStrategy: choice(['absolute', 'relative'], 'absolute'),
  margin: number(0),
  contrastAnchors: flag(true),
  contrastPositives: flag(true),
  gatherAcrossDevices: flag(false),
} satisfies OptionTable<GISTEmbedLossOptions>

/**
 * {@link MultipleNegativesRankingLoss} whose false negatives are found by a guide model: a candidate that the guide finds
 * nearer than the row's own positive is left out. The signal is stronger; the guide has to encode every batch.
 *
 * - **Data**: (anchor, positive), or (anchor, positive, negative_1, … negative_n); no labels. Python's plain class takes one
 *   negative at most, its cached one any number. Here both take any number.
 * - **Formula**: mean over i of the cross-entropy at a_i · p_i of the cosines [a_i · p_j; a_i · a_j; p_i · p_j; a_i · n_j] /
 *   temperature, without those that the guide finds above its cosine of a_i and p_i (minus the margin). The own positive always
 *   stays.
 * - **Logged**: `masked_share`, the share of the negatives that are left out.
 * - **Guide**: It encodes the texts themselves, with its own tokenizer and length. Python gives a guide of another vocabulary
 *   the texts that the model's tokenizer decodes.
 * - **Relations**: {@link CachedGISTEmbedLoss} is for batches that do not fit into memory. `falseNegativeMargin` of
 *   {@link MultipleNegativesRankingLoss} lets the model be its own guide.
 *
 * Paper: Solatorio 2024, https://arxiv.org/abs/2402.16829. Source: sentence-transformers `losses/GISTEmbedLoss`.
 *
 * @example
 * const trainDataset = Dataset.fromRows([{ anchor: 'capital of France', positive: 'Paris is the capital.' }])
 * const guide = await SentenceTransformer.load('all-MiniLM-L6-v2')
 * const loss = new losses.GISTEmbedLoss({ guide, temperature: 0.05 })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export class GISTEmbedLoss implements Loss {
  readonly type: string = 'GISTEmbedLoss'
  readonly requirements: LossRequirements
  readonly guide: GuideModel
  readonly temperature: number
  readonly marginStrategy: 'absolute' | 'relative'
  readonly margin: number
  readonly contrastAnchors: boolean
  readonly contrastPositives: boolean
  readonly gatherAcrossDevices: boolean

  constructor(...args: WrapperArguments<GISTEmbedLossOptions, 'guide'>) {
    const options = lossOptions(this, args, OPTIONS, { signature: GUIDED })
    this.guide = options.guide
    this.temperature = options.temperature
    this.marginStrategy = options.marginStrategy
    this.margin = options.margin
    this.contrastAnchors = options.contrastAnchors
    this.contrastPositives = options.contrastPositives
    this.gatherAcrossDevices = options.gatherAcrossDevices
    this.requirements = {
      minColumns: 2,
      maxColumns: Number.POSITIVE_INFINITY,
      labels: 'none',
      inBatchNegatives: true,
      guide: this.guide,
      ...(this.gatherAcrossDevices && { gathers: true }),
    }
  }

  spec(): LossSpec {
    return {
      type: 'GISTEmbedLoss',
      temperature: this.temperature,
      marginStrategy: this.marginStrategy,
      margin: this.margin,
      contrastAnchors: this.contrastAnchors,
      contrastPositives: this.contrastPositives,
    }
  }
}
