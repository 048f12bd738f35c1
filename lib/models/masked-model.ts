import { describe, SentenceTorchError } from '../errors.js'
import type { ConfigObject, Description, LanguageModelDescription } from '../native/types.js'
import { type ModelFiles, WeightFiles } from './weights.js'

/** What an architecture says of its masked language model, whose head a module reads. */
export type MaskedModel = Description & { languageModel: LanguageModelDescription }

/** Whether transformers made a masked language model of a config.json, as SparseEncoder in Python asks. */
export function isMasked({ architectures }: ConfigObject): boolean {
  const names = Array.isArray(architectures) ? architectures : []
  return names.some((name) => typeof name === 'string' && name.endsWith('ForMaskedLM'))
}

/** @throws SentenceTorchError ERR_NOT_IMPLEMENTED for an architecture whose masked language model is not built */
export function maskedModel(description: Description, config: ConfigObject, file: string): MaskedModel {
  const { languageModel, names } = description
  if (languageModel === null) {
    const message = `${file} has model_type ${describe(config.model_type)}, whose masked language model is not built yet`
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
  }
  const head = headNames(languageModel)
  return {
    ...description,
    languageModel,
    names: { ...names, leftOut: names.leftOut.filter((name) => !head.has(name)) },
  }
}

/** The names of the head's tensors, second names among them. */
export function headNames({ tensors, bias }: LanguageModelDescription): Set<string> {
  const names = new Set(tensors.map(({ name }) => name))
  return bias?.second ? names.add(bias.second) : names
}

/** The name of a tensor in a checkpoint, where the transformer lies under a prefix beside the head. @param own without the module */
export function maskedPath(own: string, name: string, languageModel: LanguageModelDescription): string {
  return headNames(languageModel).has(own) ? name : languageModel.prefix + name
}

/**
 * Opens the weight files of a masked language model. What of the head is tied is decided as `from_pretrained` of transformers 5 does:
 * as config.json says, but a matrix or bias that the file has twice, with different values, is not.
 * @throws SentenceTorchError as {@link WeightFiles.open}
 */
export async function openMaskedWeights(
  folder: ModelFiles & { description: MaskedModel },
  config: ConfigObject,
  ignoreTensors: readonly (string | RegExp)[] = [],
): Promise<{ weights: WeightFiles; ownHead: boolean }> {
  const { matrix, table, bias } = folder.description.languageModel
  const weights = await WeightFiles.open(folder, ignoreTensors)
  try {
    const tied = config.tie_word_embeddings !== false
    const ownHead = !tied || (await weights.leaveOutCopy(`0.${matrix}`, `0.${table}`))
    if (bias?.second) {
      // The forward pass of the head reads the second; where they are tied, it is another name of the first.
      const differ = await weights.leaveOutCopy(`0.${bias.second}`, `0.${bias.name}`)
      if (differ || !tied) weights.takeAs(`0.${bias.second}`, `0.${bias.name}`)
    }
    return { weights, ownHead }
  } catch (error) {
    await weights.close()
    throw error
  }
}
