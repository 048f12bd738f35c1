import { join } from 'node:path'
import { Tokenizer } from '../data/tokenizer.js'
import { fromNative, invalidArgument, SentenceTorchError } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import { parseJson, parseUnchecked } from '../io/schema.js'
import type { EncoderSpec, ModuleSpec, NativeAddon, NativeEncoder } from '../native/types.js'
import { checkInteger } from '../options.js'
import { ADAPTER_CONFIG, type AdapterConfig, readAdapterConfig } from './adapters/config.js'
import { newAdapters } from './adapters/model-adapters.js'
import type { BaseParts } from './base-model.js'
import type { FirstModule } from './first-module.js'
import { type HubOptions, type ResolvedModel, resolveModel } from './hub.js'
import { jsonObject, readIfPresent } from './json.js'
import { noSuchPrompt } from './load-errors.js'
import { checkLoadOptions, chooseDevice, chooseDType } from './load-options.js'
import { type ModelFolder, readModelFolder } from './model-folder.js'
import type { LoadOptions, ModelOptions } from './types.js'
import { WeightFiles } from './weights.js'

/** What a loaded model is made of. */
export interface Parts extends BaseParts {
  folder: ModelFolder
}

/**
 * Finds, reads and checks a model and hands its weights to the engine.
 * @param getAddon brings the engine, once there is a folder with a config.json.
 */
export async function loadParts(getAddon: () => NativeAddon, idOrPath: string, options: LoadOptions): Promise<Parts> {
  if (typeof idOrPath !== 'string' || idOrPath === '')
    throw invalidArgument('idOrPath', 'a folder or a hub id', idOrPath)
  checkLoadOptions(options)
  const { signal } = options
  const what = `Loading ${idOrPath}`
  throwIfAborted(signal, what)
  const { path, id } = await resolveModel(idOrPath, options)
  const adapter = await findAdapter(path, options)
  const read = await readModelFolder(path, getAddon, options.pooling, adapter?.base.path)
  const folder = withOptions(read, options)
  const tokenizer = makeTokenizer(folder)
  throwIfAborted(signal, what)
  const weights = await WeightFiles.open(read, options.ignoreTensors)
  try {
    throwIfAborted(signal, what)
    const engine = startEngine(getAddon(), folder, weights.hasPooler, options)
    return await filled(engine.encoder, async () => {
      const { names } = await weights.load(engine.encoder, [], signal)
      const parts = { ...engine, tokenizer, folder, names, id }
      return adapter ? withAdapter(parts, path, adapter) : parts
    })
  } finally {
    await weights.close()
  }
}

/** An adapter in a model's folder, and the model that it belongs to. */
export interface FoundAdapter {
  config: AdapterConfig
  base: ResolvedModel
}

/**
 * The adapter in a folder, whose base model is found, too: in the folder itself where that has a config.json, as in Python.
 * @throws as `resolveModel`; ERR_INVALID_MODEL where the folder does not say what it belongs to
 */
export async function findAdapter(path: string, options: HubOptions): Promise<FoundAdapter | undefined> {
  const config = await readAdapterConfig(path)
  if (config === undefined) return undefined
  if ((await readIfPresent(join(path, 'config.json'))) !== undefined) return { config, base: { path } }
  if (config.base === undefined) {
    const file = join(path, ADAPTER_CONFIG)
    const message = `Expected base_model_name_or_path in ${file}, the model that the adapter belongs to, found nothing`
    throw new SentenceTorchError('ERR_INVALID_MODEL', message)
  }
  const { revision, ...others } = options
  const own = config.revision === undefined ? others : { ...others, revision: config.revision }
  return { config, base: await resolveModel(config.base, own) }
}

/** Adds the adapter of a folder to its base model. */
export async function withAdapter<P extends BaseParts>(parts: P, path: string, found: FoundAdapter): Promise<P> {
  const { base, config } = found
  const whole = { ...parts, base: base.path === path ? undefined : config.base }
  whole.adapters = newAdapters(whole)
  await whole.adapters.load(path, undefined, config)
  return whole
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

/** An encoder without weights. */
export function startEngine(
  addon: NativeAddon,
  { architecture, config, modules }: Pick<FirstModule, 'architecture' | 'config'> & { modules: { spec: ModuleSpec }[] },
  pooler: boolean,
  options: Pick<LoadOptions, 'device' | 'dtype' | 'threads'>,
  words: Pick<EncoderSpec, 'decoder' | 'ownHead'> = {},
): Pick<Parts, 'addon' | 'encoder' | 'device' | 'dtype'> {
  if (options.threads !== undefined) addon.setThreads(options.threads)
  const device = chooseDevice(options.device, addon.runtime())
  const dtype = chooseDType(options.dtype, addon.runtime(), device)
  const specs = modules.map(({ spec }) => spec)
  try {
    const encoder = new addon.Encoder({ architecture, config, modules: specs, pooler, device, dtype, ...words })
    return { addon, encoder, device, dtype }
  } catch (error) {
    throw fromNative(error, 'Encoder')
  }
}

/** The folder's settings under those of the caller. */
export function withOptions(folder: ModelFolder, options: ModelOptions): ModelFolder {
  checkInteger('maxSeqLength', options.maxSeqLength, 1, folder.description.positions ?? undefined)
  const prompts = { ...folder.prompts, ...options.prompts }
  const defaultPromptName = options.defaultPromptName ?? folder.defaultPromptName
  if (defaultPromptName !== null && !Object.hasOwn(prompts, defaultPromptName)) {
    throw noSuchPrompt('defaultPromptName', defaultPromptName, prompts)
  }
  return {
    ...folder,
    prompts,
    defaultPromptName,
    truncateDim: options.truncateDim ?? folder.truncateDim,
    similarityFnName: options.similarityFnName ?? folder.similarityFnName,
    maxSeqLength: options.maxSeqLength ?? folder.maxSeqLength,
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
  const json = parseUnchecked(bytesOf('tokenizer.json'), file('tokenizer.json'), 'ERR_INVALID_MODEL') as object
  const options = { doLowerCase, maxSeqLength }
  if (first === 'StaticEmbedding') {
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
