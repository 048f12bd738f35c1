import { invalidArgument } from '../errors.js'
import type { LossSpec } from '../native/types.js'
import { checkOneOf, checkPositive, checkType } from '../options.js'
import { hasMethod, lossOptions, modelWith, type WrapperArguments } from './arguments.js'
import type { GuideModel, Loss, LossRequirements } from './loss.js'

export interface GISTEmbedLossOptions {
  /** The model that finds the false negatives: a SentenceTransformer. It is not trained. */
  guide: GuideModel
  /** What similarities are divided by before the softmax. Default 0.01. */
  temperature?: number
  /** `absolute`: candidates that the guide finds nearer than the positive minus `margin` are left out; `relative`: than the
   *  positive minus `margin` times its absolute value. Default `absolute`. */
  marginStrategy?: 'absolute' | 'relative'
  /** Default 0. */
  margin?: number
  /** Push anchors away from each other too. Default true. */
  contrastAnchors?: boolean
  /** Push positives away from each other too. Default true; false may be better for retrieval. */
  contrastPositives?: boolean
}

/** The names of {@link GISTEmbedLossOptions}, for the cached loss. */
export const GIST_OPTIONS = [
  'guide',
  'temperature',
  'marginStrategy',
  'margin',
  'contrastAnchors',
  'contrastPositives',
] as const

const isGuide = (value: unknown) => hasMethod(value, 'encode')
/** In Python the guide comes right behind the model. */
export const GUIDED = modelWith('guide', isGuide)

/**
 * {@link MultipleNegativesRankingLoss} whose false negatives are found by a guide model: a candidate that the guide finds
 * nearer than the row's own positive is left out. A stronger signal at the cost of encoding every batch with the guide.
 *
 * - **Data**: (anchor, positive), or (anchor, positive, negative_1, … negative_n); no labels. Python's plain class takes one
 *   negative at most, its cached one any number; here both do.
 * - **Formula**: cross-entropy at the own positive of the cosines [a_i · p_j; a_i · a_j; p_i · p_j; a_i · n_j] / temperature,
 *   without those that the guide finds above its cosine of a_i and p_i (minus the margin). The own positive always stays.
 * - **Logged**: `masked_share`, the share of the negatives that are left out.
 * - **The guide** encodes the texts themselves, with its own tokenizer and length; Python gives a guide of another vocabulary
 *   the texts that the model's tokenizer decodes.
 * - **Relations**: {@link CachedGISTEmbedLoss} for batches that do not fit into memory. `falseNegativeMargin` of
 *   {@link MultipleNegativesRankingLoss} lets the model be its own guide.
 *
 * Paper: Solatorio 2024, https://arxiv.org/abs/2402.16829. Source: sentence-transformers `losses/GISTEmbedLoss`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (`gatherAcrossDevices`)
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

  constructor(...args: WrapperArguments<GISTEmbedLossOptions, 'guide'>) {
    const where = new.target.name
    const notBuilt = { gatherAcrossDevices: { harmless: [false] } }
    const options = lossOptions<GISTEmbedLossOptions>(this, args, GIST_OPTIONS, notBuilt, GUIDED)
    if (!isGuide(options.guide)) {
      throw invalidArgument(`${where} guide`, 'a SentenceTransformer', options.guide)
    }
    checkPositive(`${where} temperature`, options.temperature)
    checkOneOf(`${where} marginStrategy`, options.marginStrategy, ['absolute', 'relative'])
    if (options.margin !== undefined && !Number.isFinite(options.margin)) {
      throw invalidArgument(`${where} margin`, 'a finite number', options.margin)
    }
    checkType(`${where} contrastAnchors`, options.contrastAnchors, 'boolean')
    checkType(`${where} contrastPositives`, options.contrastPositives, 'boolean')
    this.guide = options.guide
    this.temperature = options.temperature ?? 0.01
    this.marginStrategy = options.marginStrategy ?? 'absolute'
    this.margin = options.margin ?? 0
    this.contrastAnchors = options.contrastAnchors ?? true
    this.contrastPositives = options.contrastPositives ?? true
    this.requirements = {
      minColumns: 2,
      maxColumns: Number.POSITIVE_INFINITY,
      labels: 'none',
      inBatchNegatives: true,
      guide: this.guide,
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
