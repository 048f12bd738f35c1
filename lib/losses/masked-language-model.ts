import type { ConfigObject, LossSpec } from '../native/types.js'
import { flag, number, type OptionTable } from '../options/kinds.js'
import { type LossArguments, lossOptions } from './arguments.js'
import { decoderNameOrPath, headSpec } from './language-model-head.js'
import type { Loss, LossRequirements, PretrainedFacts, PretrainedSource } from './loss.js'

export interface MaskedLanguageModelLossOptions {
  /** Share of the tokens that are to be predicted. Default 0.15. */
  mlmProbability?: number
  /** Choose whole words: all pieces of a word or none. Default `false`. */
  wholeWordMask?: boolean
  /**
   * What the head starts from: a folder or a hub id, as `SentenceTransformer.load` takes it. If it is absent, what the model
   * was loaded from.
   */
  decoderNameOrPath?: string
}

export const OPTIONS = {
  mlmProbability: number(0.15, { above: 0, most: 1 }),
  wholeWordMask: flag(false),
  decoderNameOrPath,
} satisfies OptionTable<MaskedLanguageModelLossOptions>

/**
 * Masked language modelling: it adapts a transformer to the texts of a domain before it learns from pairs. The embedding itself
 * is not trained.
 *
 * - **Data**: (text); no labels. Other tokens are masked in every epoch.
 * - **Formula**: cross-entropy of the original tokens at the chosen places. 80 % of them are replaced by the mask, 10 % by a
 *   random token and 10 % stay, as in transformers' `DataCollatorForLanguageModeling`.
 * - **Parameters**: The head of the architecture's class in transformers (of a BERT BertForMaskedLM: `cls.predictions.*`), from
 *   the checkpoint. A warning lists what that does not have, which is random at first. Its last layer is the table of word
 *   embeddings, unless the checkpoint has another. `model.save` writes no head:
 *   `model.saveMaskedLanguageModel(path, lossTensors)` saves the whole masked language model.
 * - **Relations**: {@link DenoisingAutoEncoderLoss} trains the embedding itself from the same data.
 *
 * Paper: Devlin et al. 2019, https://arxiv.org/abs/1810.04805. Source: transformers `BertForMaskedLM` and the same
 * class of other architectures.
 *
 * @example
 * const trainDataset = Dataset.fromRows([{ text: 'The patient was given 5 mg of warfarin.' }])
 * const loss = new losses.MaskedLanguageModelLoss({ wholeWordMask: true })
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION; when training begins, ERR_NOT_IMPLEMENTED for a model without such a head
 *   (static embeddings), ERR_INVALID_TENSORS for a checkpoint of another architecture, and what `SentenceTransformer.load` throws
 *   for the checkpoint
 */
export class MaskedLanguageModelLoss implements Loss {
  readonly type = 'MaskedLanguageModelLoss'
  readonly requirements: LossRequirements
  readonly mlmProbability: number
  readonly wholeWordMask: boolean
  readonly decoderNameOrPath: string | undefined
  readonly pretrained: PretrainedSource

  constructor(...args: LossArguments<MaskedLanguageModelLossOptions>) {
    const { mlmProbability, wholeWordMask, decoderNameOrPath } = lossOptions(this, args, OPTIONS)
    this.mlmProbability = mlmProbability
    this.wholeWordMask = wholeWordMask
    this.decoderNameOrPath = decoderNameOrPath
    this.pretrained = { nameOrPath: decoderNameOrPath, prefix: '' }
    const masking = { mlmProbability, wholeWordMask }
    this.requirements = { minColumns: 1, maxColumns: 1, labels: 'none', targets: 'masked', masking }
  }

  spec(_embeddingDimension: number, config: ConfigObject, pretrained?: PretrainedFacts): LossSpec {
    return { type: this.type, config, ...headSpec(config, pretrained) }
  }
}
