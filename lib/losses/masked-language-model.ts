import { invalidArgument } from '../errors.js'
import type { ConfigObject, LossSpec } from '../native/types.js'
import { checkType } from '../options.js'
import { type LossArguments, lossOptions } from './arguments.js'
import { headSpec } from './language-model-head.js'
import type { Loss, LossRequirements, PretrainedFacts, PretrainedSource } from './loss.js'

export interface MaskedLanguageModelLossOptions {
  /** Share of the tokens that are to be predicted. Default 0.15. */
  mlmProbability?: number
  /** Choose whole words: all pieces of a word or none. Default false. */
  wholeWordMask?: boolean
  /**
   * What the head starts from: a folder or a hub id, as `SentenceTransformer.load` takes it. Default: what the model was loaded
   * from.
   */
  decoderNameOrPath?: string
}

/**
 * Masked language modelling: how a transformer is adapted to the texts of a domain before it learns from pairs.
 *
 * - **Data**: (text), no label. Which tokens are masked changes from epoch to epoch.
 * - **Formula**: cross-entropy of the original tokens at the chosen places, of which 80 % are replaced by the mask, 10 % by a
 *   random token and 10 % stay, as transformers' `DataCollatorForLanguageModeling`.
 * - **Parameters**: the head of BertForMaskedLM, `cls.predictions.*`, from the checkpoint; a warning lists what that does not
 *   have, which is random at first. Its last layer is the table of word embeddings, unless the checkpoint has another.
 *   `model.save` writes no head: `model.saveMaskedLanguageModel(path, lossTensors)` saves the whole masked language model.
 * - **Relations**: {@link DenoisingAutoEncoderLoss} trains the embedding itself from the same data.
 *
 * Paper: Devlin et al. 2019, https://arxiv.org/abs/1810.04805. Source: transformers `BertForMaskedLM`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION; when training begins, ERR_NOT_IMPLEMENTED for a model other than a BERT,
 *   and what `SentenceTransformer.load` throws for the checkpoint
 */
export class MaskedLanguageModelLoss implements Loss {
  readonly type = 'MaskedLanguageModelLoss'
  readonly requirements: LossRequirements
  readonly mlmProbability: number
  readonly wholeWordMask: boolean
  readonly decoderNameOrPath: string | undefined
  readonly pretrained: PretrainedSource

  constructor(...args: LossArguments<MaskedLanguageModelLossOptions>) {
    const options = lossOptions<MaskedLanguageModelLossOptions>(this, args, [
      'mlmProbability',
      'wholeWordMask',
      'decoderNameOrPath',
    ])
    this.mlmProbability = options.mlmProbability ?? 0.15
    if (!(this.mlmProbability > 0 && this.mlmProbability <= 1)) {
      throw invalidArgument(`${this.type} mlmProbability`, 'a number above 0, at most 1,', options.mlmProbability)
    }
    checkType(`${this.type} wholeWordMask`, options.wholeWordMask, 'boolean')
    checkType(`${this.type} decoderNameOrPath`, options.decoderNameOrPath, 'string')
    this.wholeWordMask = options.wholeWordMask ?? false
    this.decoderNameOrPath = options.decoderNameOrPath
    this.pretrained = { nameOrPath: this.decoderNameOrPath, prefix: '' }
    const { mlmProbability, wholeWordMask } = this
    const masking = { mlmProbability, wholeWordMask }
    this.requirements = { minColumns: 1, maxColumns: 1, labels: 'none', targets: 'masked', masking }
  }

  spec(_embeddingDimension: number, config: ConfigObject, pretrained?: PretrainedFacts): LossSpec {
    return { type: this.type, config, ...headSpec(config, pretrained) }
  }
}
