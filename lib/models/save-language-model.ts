import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { saveFolder } from '../io/rescue.js'
import { type TensorSource, writeSafetensors } from '../io/safetensors.js'
import type { ConfigObject, NativeEncoder } from '../native/types.js'
import { checkType } from '../options.js'
import { toJson } from './json.js'
import type { ModelFolder } from './model-folder.js'
import { float32Config, isForeign, tensors, tokenizerConfig } from './save-folder.js'
import { guardOf } from './weight-guard.js'

/** Tensors by name, such as the `lossTensors` of a training with `MaskedLanguageModelLoss`. */
export type HeadTensors = Readonly<Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>>

const HEAD = 'cls.predictions.'
const BIAS = `${HEAD}bias`
const DECODER = `${HEAD}decoder.weight`

/**
 * Writes BertForMaskedLM as transformers does: config.json, model.safetensors with `bert.*` and `cls.predictions.*`, the
 * tokenizer. At `target` there is always a whole folder; files of an older one that are not a model's own stay.
 * @throws ERR_INVALID_TENSORS for a head that does not fit; NotSavedError; what the engine reports
 */
export async function saveLanguageModelFolder(
  target: string,
  model: ModelFolder,
  encoder: NativeEncoder,
  given: HeadTensors,
): Promise<void> {
  checkType('the tensors of the head', given ?? null, 'object')
  const head = headSources(given, model.config)
  const tied = !head.some(({ name }) => name === DECODER)
  const fill = async (folder: string) => {
    const json = (path: string, value: unknown) => writeFile(join(folder, path), toJson(value))
    await json('config.json', {
      ...float32Config(model.config),
      architectures: ['BertForMaskedLM'],
      tie_word_embeddings: tied,
    })
    for (const [name, bytes] of model.tokenizerFiles) await writeFile(join(folder, name), bytes)
    await json('tokenizer_config.json', tokenizerConfig(model))
    // BertForMaskedLM has no pooler.
    const own = tensors(encoder, 0).filter(({ name }) => !name.startsWith('pooler.'))
    const sources = [...own.map((tensor) => ({ ...tensor, name: `bert.${tensor.name}` })), ...head]
    await guardOf(encoder).hold(() => writeSafetensors(join(folder, 'model.safetensors'), sources, { format: 'pt' }))
  }
  // They would make a sentence-transformers folder of it.
  const isOther = (name: string) => isForeign(name) && !/^(modules|config_sentence_transformers)\.json$/.test(name)
  await saveFolder(target, fill, { keepUnknown: isOther })
}

/** The head's tensors, checked against the model's sizes, under their names in transformers. */
function headSources(given: HeadTensors, config: ConfigObject): TensorSource[] {
  const { hidden_size: width, vocab_size: words } = config as { hidden_size: number; vocab_size: number }
  const expected: Record<string, number[]> = {
    [`${HEAD}transform.dense.weight`]: [width, width],
    [`${HEAD}transform.dense.bias`]: [width],
    [`${HEAD}transform.LayerNorm.weight`]: [width],
    [`${HEAD}transform.LayerNorm.bias`]: [width],
    [BIAS]: [words],
    ...(Object.hasOwn(given, DECODER) && { [DECODER]: [words, width] }),
  }
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
  // A head that is not tied reads decoder.bias, a tied one knows it as bias alone.
  if (Object.hasOwn(expected, DECODER)) sources.push(source(`${HEAD}decoder.bias`, [words], given[BIAS]!.data))
  return sources
}

/** The file is written while the caller goes on: a copy. */
function source(name: string, shape: readonly number[], data: Float32Array): TensorSource {
  return { name, dtype: 'F32', shape, data: new Uint8Array(new Float32Array(data).buffer) }
}
