import { SentenceTorchError } from '../errors.js'
import type { Description, GeneratorDescription } from '../native/types.js'
import { type ModelFiles, WeightFiles } from './weights.js'

/** What an architecture says of its encoder-decoder model. */
export type WholeDescription = Description & { generator: GeneratorDescription }

export interface Seq2SeqWeights {
  weights: WeightFiles
  /** Whether the decoder's last layer has a matrix of its own: `ownHead` of the engine's spec. */
  ownHead: boolean
}

/**
 * Opens the weight files of an encoder-decoder model, for an encoder that is made with `decoder: true`.
 *
 * What is tied is decided as `from_pretrained` of transformers 5 does: tensors that repeat the table of words are left out, and take
 * its place where the files lack it; a last layer with other values is a matrix of its own.
 * @throws SentenceTorchError as {@link WeightFiles.open}; ERR_NOT_IMPLEMENTED for stacks with words of their own
 */
export async function openSeq2SeqWeights(
  folder: ModelFiles & { description: WholeDescription },
  ignoreTensors: readonly (string | RegExp)[] = [],
): Promise<Seq2SeqWeights> {
  const { names, generator } = folder.description
  const { leftOut, copies, head, table } = generator
  const renames = names.renames.filter(({ from }) => !copies.includes(from))
  const description = { ...folder.description, names: { ...names, renames, leftOut, preferred: [] } }
  const weights = await WeightFiles.open({ ...folder, description }, ignoreTensors)
  try {
    for (const copy of copies) {
      if (!(await weights.leaveOutCopy(`0.${copy}`, `0.${table}`))) continue
      const message = `${copy} and ${table} in ${folder.transformerPath} differ: words of their own for encoder and decoder are not built yet`
      throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
    }
    return { weights, ownHead: await weights.leaveOutCopy(`0.${head}`, `0.${table}`) }
  } catch (error) {
    await weights.close()
    throw error
  }
}
