import { invalidArgument } from '../errors.js'
import type { ConfigObject, LossSpec } from '../native/types.js'
import { flag, type OptionTable } from '../options/kinds.js'
import { type LossArguments, lossOptions } from './arguments.js'
import { decoderNameOrPath, headSpec } from './language-model-head.js'
import type { Loss, LossRequirements, PretrainedFacts, PretrainedSource } from './loss.js'

export interface DenoisingAutoEncoderLossOptions {
  /**
   * What the decoder starts from: a folder or a hub id, as `SentenceTransformer.load` takes it. It is needed where nothing is
   * tied. If it is absent, what the model was loaded from.
   */
  decoderNameOrPath?: string
  /** Whether decoder and encoder share their weights. Default `true`. */
  tieEncoderDecoder?: boolean
}

export const OPTIONS = {
  decoderNameOrPath,
  tieEncoderDecoder: flag(true),
} satisfies OptionTable<DenoisingAutoEncoderLossOptions>

/**
 * TSDAE: a decoder has to write the original text back. All that it sees of the damaged text is its embedding. Texts alone are
 * enough.
 *
 * - **Data**: (damaged text, original text); no labels. `DenoisingAutoEncoderDataset` makes the first from the second.
 * - **Formula**: cross-entropy of each next token of the original (teacher forcing), given the tokens before it and, by
 *   cross-attention, the embedding. Padding is not predicted.
 * - **Parameters**: The cross-attention, the language-model head (`cls.predictions.*`) and, where nothing is tied, the whole
 *   decoder. They start from the checkpoint. A warning lists those that it does not have, which are random at first: of a BERT
 *   the cross-attention. All are under `decoder.` in the trainer's `lossTensors`. They are clipped and saved like all other
 *   parameters; the reference does neither.
 * - **Relations**: The model should pool by `cls`. {@link MultipleNegativesRankingLoss} is better where there are pairs.
 * - **Differs**: decoders are BERT models.
 *
 * Paper: Wang et al. 2021, https://arxiv.org/abs/2104.06979. Source: sentence-transformers `losses/DenoisingAutoEncoderLoss`.
 * Where weights are tied, the reference takes the head of the model's own checkpoint whatever `decoderNameOrPath` says.
 *
 * @example
 * const trainDataset = Dataset.fromRows([{ damaged: 'A sits.', original: 'A cat sits outside.' }])
 * const loss = new losses.DenoisingAutoEncoderLoss({ decoderNameOrPath: 'bert-base-uncased', tieEncoderDecoder: false })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION; when training begins, ERR_NOT_IMPLEMENTED for a decoder other than a BERT,
 *   and what `SentenceTransformer.load` throws for the checkpoint
 */
export class DenoisingAutoEncoderLoss implements Loss {
  readonly type = 'DenoisingAutoEncoderLoss'
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'none', targets: 'column' }
  readonly decoderNameOrPath: string | undefined
  readonly tieEncoderDecoder: boolean
  readonly pretrained: PretrainedSource

  constructor(...args: LossArguments<DenoisingAutoEncoderLossOptions>) {
    const options = lossOptions(this, args, OPTIONS)
    this.decoderNameOrPath = options.decoderNameOrPath
    this.tieEncoderDecoder = options.tieEncoderDecoder
    if (!this.tieEncoderDecoder && this.decoderNameOrPath === undefined) {
      throw invalidArgument(
        `${this.type} decoderNameOrPath`,
        'a folder or hub id, as tieEncoderDecoder is false,',
        undefined,
      )
    }
    this.pretrained = { nameOrPath: this.decoderNameOrPath, prefix: 'decoder.' }
  }

  spec(_embeddingDimension: number, config: ConfigObject, pretrained?: PretrainedFacts): LossSpec {
    const own = this.tieEncoderDecoder ? config : (pretrained?.config ?? config)
    const { type, tieEncoderDecoder } = this
    return { type, tieEncoderDecoder, config: own, ...headSpec(own, pretrained) }
  }
}
