import { join } from 'node:path'
import { parseTokenizerJson } from '../data/tokenizer/parse-pieces.js'
import { Tokenizer } from '../data/tokenizer.js'
import { fromNative } from '../errors.js'
import { parseJson } from '../io/schema.js'
import type { EncoderSpec, ModuleSpec, NativeAddon, NativeEncoder } from '../native/types.js'
import type { BaseParts } from './base-model.js'
import type { FirstModule } from './first-module.js'
import { jsonObject } from './json.js'
import { chooseDevice, chooseDType } from './load-options.js'
import type { ModelFolder } from './model-folder.js'
import type { LoadOptions } from './types.js'

/** What a loaded model is made of. */
export interface Parts extends BaseParts {
  folder: ModelFolder
}

/** What `fill` gives once the encoder has its weights; without it the encoder is disposed. */
export async function filled<T>(encoder: NativeEncoder, fill: () => Promise<T>): Promise<T> {
  try {
    return await fill()
  } catch (error) {
    await encoder.dispose()
    throw error
  }
}

/** What `make` gives: it is called once, when the value is asked for first. */
export function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

/** Sets the threads, and chooses device and dtype. */
export function chooseMachine(
  addon: NativeAddon,
  options: Pick<LoadOptions, 'device' | 'dtype' | 'threads'>,
): Pick<Parts, 'device' | 'dtype'> {
  if (options.threads !== undefined) addon.setThreads(options.threads)
  const device = chooseDevice(options.device, addon.runtime())
  return { device, dtype: chooseDType(options.dtype, addon.runtime(), device) }
}

/** @throws as the engine */
export function newEncoder(addon: NativeAddon, spec: EncoderSpec): NativeEncoder {
  try {
    return new addon.Encoder(spec)
  } catch (error) {
    throw fromNative(error, 'Encoder')
  }
}

/** An encoder without weights. */
export function startEngine(
  addon: NativeAddon,
  { architecture, config, modules }: Pick<FirstModule, 'architecture' | 'config'> & { modules: { spec: ModuleSpec }[] },
  pooler: boolean,
  options: Pick<LoadOptions, 'device' | 'dtype' | 'threads'>,
  words: Pick<EncoderSpec, 'decoder' | 'ownHead'> = {},
): Pick<Parts, 'addon' | 'encoder' | 'device' | 'dtype'> {
  const { device, dtype } = chooseMachine(addon, options)
  const specs = modules.map(({ spec }) => spec)
  return {
    addon,
    encoder: newEncoder(addon, { architecture, config, modules: specs, pooler, device, dtype, ...words }),
    device,
    dtype,
  }
}

/** @throws SentenceTorchError ERR_INVALID_MODEL */
export function makeTokenizer({
  first,
  config,
  tokenizerFiles,
  doLowerCase,
  maxSeqLength,
  transformerPath,
}: Omit<FirstModule, 'description' | 'architecture' | 'extraSentenceConfig'>): Tokenizer {
  const bytesOf = (name: string) => tokenizerFiles.get(name) ?? new TextEncoder().encode('{}')
  const file = (name: string) => join(transformerPath ?? '', name)
  const parse = (name: string) => parseJson(bytesOf(name), file(name), jsonObject, 'ERR_INVALID_MODEL')
  // The tokenizer checks it, and all others, more closely.
  const json = parseTokenizerJson(bytesOf('tokenizer.json'), file('tokenizer.json'))
  const options = { doLowerCase, maxSeqLength }
  if (first !== 'Transformer') {
    // The tokenizer as the file has it, whatever its class, and without special tokens.
    return Tokenizer.fromFiles(
      { ...json, post_processor: null },
      { tokenizer_class: 'PreTrainedTokenizerFast' },
      options,
    )
  }
  const files = {
    json,
    config: { tokenizer_class: config.tokenizer_class, ...parse('tokenizer_config.json') },
    addedTokens: parse('added_tokens.json'),
    specialTokensMap: parse('special_tokens_map.json'),
    ...(typeof config.model_type === 'string' && { modelType: config.model_type }),
  }
  return Tokenizer.from(files, options)
}
