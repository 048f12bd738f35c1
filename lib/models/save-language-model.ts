import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, SentenceTorchError } from '../errors.js'
import { saveFolder } from '../io/rescue.js'
import { type TensorSource, writeSafetensors } from '../io/safetensors.js'
import type { LanguageModelDescription, NativeEncoder } from '../native/types.js'
import { checkType } from '../options.js'
import { toJson } from './json.js'
import type { ModelFolder } from './model-folder.js'
import { configWithDType, isForeign, type SavedWeights, tensors, tokenizerConfig } from './save-folder.js'
import { guardOf } from './weight-guard.js'

/** Tensors by name, such as the `lossTensors` of a training with `MaskedLanguageModelLoss`. */
export type HeadTensors = Readonly<Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>>

/**
 * Writes the architecture's …ForMaskedLM as transformers does: config.json, model.safetensors with the transformer and the head,
 * the tokenizer. At `target` there is always a whole folder; files of an older one that are not a model's own stay.
 * @throws ERR_INVALID_TENSORS for a head that does not fit; NotSavedError; what the engine reports
 */
export async function saveLanguageModelFolder(
  target: string,
  model: ModelFolder,
  weights: SavedWeights & { encoder: NativeEncoder },
  given: HeadTensors,
): Promise<void> {
  checkType('the tensors of the head', given ?? null, 'object')
  const { names, languageModel } = model.description
  if (languageModel === null) {
    const message = `The language model of model_type ${describe(model.architecture)} is not built yet`
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
  }
  const tied = !Object.hasOwn(given, languageModel.matrix)
  const head = headSources(given, tied, languageModel)
  const fill = async (folder: string) => {
    const json = (path: string, value: unknown) => writeFile(join(folder, path), toJson(value))
    await json('config.json', {
      ...configWithDType(model.config),
      architectures: [languageModel.className],
      tie_word_embeddings: tied,
    })
    for (const [name, bytes] of model.tokenizerFiles) await writeFile(join(folder, name), bytes)
    await json('tokenizer_config.json', tokenizerConfig(model))
    // The class has no pooler.
    const own = tensors(weights, 0).filter((tensor) => !names.pooler.includes(tensor.own))
    const sources = [...own.map((tensor) => ({ ...tensor, name: languageModel.prefix + tensor.name })), ...head]
    await guardOf(weights.encoder).hold(() =>
      writeSafetensors(join(folder, 'model.safetensors'), sources, { format: 'pt' }),
    )
  }
  // They would make a sentence-transformers folder of it.
  const isOther = (name: string) => isForeign(name) && !/^(modules|config_sentence_transformers)\.json$/.test(name)
  await saveFolder(target, fill, { keepUnknown: isOther })
}

/** The head's tensors, checked against the model's sizes, under their names in transformers. */
function headSources(
  given: HeadTensors,
  tied: boolean,
  { tensors, matrix, bias }: LanguageModelDescription,
): TensorSource[] {
  const expected = Object.fromEntries(
    tensors.filter(({ name }) => !tied || name !== matrix).map(({ name, shape }) => [name, shape] as const),
  )
  const problems = Object.entries(expected).flatMap(([name, shape]) => {
    const found = Object.hasOwn(given, name) ? given[name] : undefined
    if (found === undefined) return [`${name} is missing`]
    const size = shape.reduce((product, n) => product * n, 1)
    const fits =
      String(found.shape) === String(shape) && found.data instanceof Float32Array && found.data.length === size
    return fits ? [] : [`${name} is [${found.shape}], expected [${shape}]`]
  })
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(expected, name))
  problems.push(...unknown.map((name) => `${name} is unknown`))
  if (problems.length > 0) {
    throw new SentenceTorchError(
      'ERR_INVALID_TENSORS',
      `Expected the lossTensors of a training with MaskedLanguageModelLoss: ${problems.join('; ')}`,
    )
  }
  const sources = Object.entries(expected).map(([name, shape]): TensorSource => source(name, shape, given[name]!.data))
  // A head that is not tied reads the second name of its bias, a tied one knows the first alone.
  if (!tied && bias !== null && bias.second !== null)
    sources.push(source(bias.second, expected[bias.name]!, given[bias.name]!.data))
  return sources
}

/** The file is written while the caller goes on: a copy. */
function source(name: string, shape: readonly number[], data: Float32Array): TensorSource {
  return { name, dtype: 'F32', shape, data: new Uint8Array(new Float32Array(data).buffer) }
}
