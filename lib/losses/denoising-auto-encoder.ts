import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { openSafetensors } from '../io/safetensors.js'
import type { ConfigObject, LossSpec } from '../native/types.js'
import { checkOptions, checkType } from '../options.js'
import type { InitialTensors, Loss, LossRequirements } from './loss.js'

export interface DenoisingAutoEncoderLossOptions {
  /** Folder of the checkpoint (config.json, model.safetensors) that the decoder starts from; needed where it is not tied. */
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
 * - **Parameters**: the cross-attention (random at first), the language-model head (`cls.predictions.*`: from the decoder's
 *   checkpoint where it has one, else random) and, where nothing is tied, the whole decoder. All are under `decoder.` in the
 *   trainer's `lossTensors`.
 * - **Relations**: the model should pool by `cls`. {@link MultipleNegativesRankingLoss} is better where there are pairs.
 *
 * Paper: Wang et al. 2021, https://arxiv.org/abs/2104.06979. Source: sentence-transformers `losses/DenoisingAutoEncoderLoss`,
 * with a BERT as decoder. What is not tied is clipped and saved like all other parameters (the reference does neither).
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION; ERR_NOT_IMPLEMENTED for a decoder other than a BERT
 */
export class DenoisingAutoEncoderLoss implements Loss {
  readonly type = 'DenoisingAutoEncoderLoss'
  readonly requirements: LossRequirements = { minColumns: 2, maxColumns: 2, labels: 'none', targets: 'column' }
  readonly decoderNameOrPath: string | undefined
  readonly tieEncoderDecoder: boolean

  constructor(options: DenoisingAutoEncoderLossOptions = {}) {
    checkOptions(this.type, options, ['decoderNameOrPath', 'tieEncoderDecoder'])
    checkType(`${this.type} decoderNameOrPath`, options.decoderNameOrPath, 'string')
    checkType(`${this.type} tieEncoderDecoder`, options.tieEncoderDecoder, 'boolean')
    this.decoderNameOrPath = options.decoderNameOrPath
    this.tieEncoderDecoder = options.tieEncoderDecoder ?? true
    if (!this.tieEncoderDecoder && this.decoderNameOrPath === undefined) {
      throw invalidArgument(`${this.type} decoderNameOrPath`, 'a folder, as tieEncoderDecoder is false', undefined)
    }
  }

  spec(_embeddingDimension: number, config: ConfigObject): LossSpec {
    const own = this.tieEncoderDecoder ? config : this.#decoderConfig()
    if (own.model_type !== 'bert') {
      throw new SentenceTorchError(
        'ERR_NOT_IMPLEMENTED',
        `${this.type} has a decoder for model_type bert, not for ${JSON.stringify(own.model_type)}`,
      )
    }
    return { type: this.type, tieEncoderDecoder: this.tieEncoderDecoder, config: own }
  }

  /** What the checkpoint of the decoder has of the loss's tensors. */
  async initialTensors(): Promise<InitialTensors> {
    if (this.decoderNameOrPath === undefined) return {}
    const file = await openSafetensors(join(this.decoderNameOrPath, 'model.safetensors'))
    try {
      const tensors: InitialTensors = {}
      for (const [name, { dtype, shape }] of file.tensors) {
        if (dtype !== 'F32') {
          const message = `Expected F32 for ${name} in ${this.decoderNameOrPath}, found ${dtype}`
          throw new SentenceTorchError('ERR_INVALID_TENSORS', message)
        }
        const data = new Float32Array(shape.reduce((a, b) => a * b, 1))
        await file.readInto(name, 0, new Uint8Array(data.buffer))
        tensors[`decoder.${name.startsWith('cls.') || name.startsWith('bert.') ? name : `bert.${name}`}`] = {
          shape,
          data,
        }
      }
      return tensors
    } finally {
      await file.close()
    }
  }

  #decoderConfig(): ConfigObject {
    const path = join(this.decoderNameOrPath!, 'config.json')
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as ConfigObject
    } catch (cause) {
      throw new SentenceTorchError('ERR_INVALID_MODEL', `The decoder's ${path} cannot be read`, { cause })
    }
  }
}
