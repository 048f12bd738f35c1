import { invalidArgument, SentenceTorchError } from '../errors.js'
import type { ConfigObject, LossSpec } from '../native/types.js'
import { checkType } from '../options.js'
import { type LossArguments, lossOptions } from './arguments.js'
import type { Loss, LossRequirements } from './loss.js'

export interface MaskedLanguageModelLossOptions {
  /** Share of the tokens that are to be predicted. Default 0.15. */
  mlmProbability?: number
  /** Choose whole words: all pieces of a word or none. Default false. */
  wholeWordMask?: boolean
}

/**
 * Masked language modelling: how a transformer is adapted to the texts of a domain before it learns from pairs.
 *
 * - **Data**: (text), no label. Which tokens are masked changes from epoch to epoch.
 * - **Formula**: cross-entropy of the original tokens at the chosen places, of which 80 % are replaced by the mask, 10 % by a
 *   random token and 10 % stay, as transformers' `DataCollatorForLanguageModeling`.
 * - **Parameters**: the head of BertForMaskedLM, `cls.predictions.*`, random at first; its last layer is the table of word
 *   embeddings.
 * - **Relations**: {@link DenoisingAutoEncoderLoss} trains the embedding itself from the same data.
 *
 * Paper: Devlin et al. 2019, https://arxiv.org/abs/1810.04805. Source: transformers `BertForMaskedLM`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION; ERR_NOT_IMPLEMENTED for a model other than a BERT
 */
export class MaskedLanguageModelLoss implements Loss {
  readonly type = 'MaskedLanguageModelLoss'
  readonly requirements: LossRequirements
  readonly mlmProbability: number
  readonly wholeWordMask: boolean

  constructor(...args: LossArguments<MaskedLanguageModelLossOptions>) {
    const options = lossOptions<MaskedLanguageModelLossOptions>(this, args, ['mlmProbability', 'wholeWordMask'])
    this.mlmProbability = options.mlmProbability ?? 0.15
    if (!(this.mlmProbability > 0 && this.mlmProbability <= 1)) {
      throw invalidArgument(`${this.type} mlmProbability`, 'a number above 0, at most 1,', options.mlmProbability)
    }
    checkType(`${this.type} wholeWordMask`, options.wholeWordMask, 'boolean')
    this.wholeWordMask = options.wholeWordMask ?? false
    const { mlmProbability, wholeWordMask } = this
    const masking = { mlmProbability, wholeWordMask }
    this.requirements = { minColumns: 1, maxColumns: 1, labels: 'none', targets: 'masked', masking }
  }

  spec(_embeddingDimension: number, config: ConfigObject): LossSpec {
    if (config.model_type !== 'bert') {
      throw new SentenceTorchError(
        'ERR_NOT_IMPLEMENTED',
        `${this.type} has a head for model_type bert, not for ${JSON.stringify(config.model_type)}`,
      )
    }
    return { type: this.type, config }
  }
}
