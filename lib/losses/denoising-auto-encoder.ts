import { invalidArgument } from '../errors.js'
import type { ConfigObject, LossSpec } from '../native/types.js'
import { checkType } from '../options.js'
import { type LossArguments, lossOptions } from './arguments.js'
import { headSpec } from './language-model-head.js'
import type { Loss, LossRequirements, PretrainedFacts, PretrainedSource } from './loss.js'

export interface DenoisingAutoEncoderLossOptions {
  /**
   * What the decoder starts from: a folder or a hub id, as `SentenceTransformer.load` takes it. Needed where nothing is tied;
   * where weights are tied, what is not (language-model head, cross-attention) starts from it. Default: what the model was
   * loaded from.
   */
  decoderNameOrPath?: string
  /** Whether decoder and encoder share their weights. Default true. */
  tieEncoderDecoder?: boolean
}

/**
 * TSDAE: a decoder has to write the original text back, and all that it sees of the damaged one is its embedding. Needs no
 * labelled data.
 *
 * - **Data**: (damaged text, original text), no label; `DenoisingAutoEncoderDataset` makes the first from the second.
 * - **Formula**: cross-entropy of each next token of the original (teacher forcing), given the tokens before it and, by
 *   cross-attention, the embedding; padding is not predicted.
 * - **Parameters**: the cross-attention, the language-model head (`cls.predictions.*`) and, where nothing is tied, the whole
 *   decoder. They start from the checkpoint; a warning lists those that it does not have, which are random at first (of a
 *   BERT the cross-attention). All are under `decoder.` in the trainer's `lossTensors`.
 * - **Relations**: the model should pool by `cls`. {@link MultipleNegativesRankingLoss} is better where there are pairs.
 *
 * Paper: Wang et al. 2021, https://arxiv.org/abs/2104.06979. Source: sentence-transformers `losses/DenoisingAutoEncoderLoss`,
 * with a BERT as decoder. Where weights are tied, the reference takes the head of the model's own checkpoint whatever
 * `decoderNameOrPath` says. What is not tied is clipped and saved like all other parameters (the reference does neither).
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
    const options = lossOptions<DenoisingAutoEncoderLossOptions>(this, args, ['decoderNameOrPath', 'tieEncoderDecoder'])
    checkType(`${this.type} decoderNameOrPath`, options.decoderNameOrPath, 'string')
    checkType(`${this.type} tieEncoderDecoder`, options.tieEncoderDecoder, 'boolean')
    this.decoderNameOrPath = options.decoderNameOrPath
    this.tieEncoderDecoder = options.tieEncoderDecoder ?? true
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
