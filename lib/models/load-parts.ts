import { join } from 'node:path'
import { Tokenizer } from '../data/tokenizer.js'
import { fromNative, invalidArgument, SentenceTorchError, suggestion } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import { parseJson, parseUnchecked } from '../io/schema.js'
import type { NativeAddon, NativeEncoder } from '../native/types.js'
import { checkInteger } from '../options.js'
import { resolveModel } from './hub.js'
import { jsonObject } from './json.js'
import { checkLoadOptions, chooseDevice, chooseDType } from './load-options.js'
import { type ModelFolder, readModelFolder } from './model-folder.js'
import type { LoadOptions } from './types.js'
import { type StoredNames, WeightFiles } from './weights.js'

/** What a loaded model is made of. */
export interface Parts {
  addon: NativeAddon
  encoder: NativeEncoder
  tokenizer: Tokenizer
  folder: ModelFolder
  /** What the files call the tensors. */
  names: StoredNames
  /** Hub id it came from. */
  id: string | undefined
  device: string
  dtype: 'float32' | 'bfloat16' | 'int8'
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
  const folder = withOptions(await readModelFolder(path, getAddon), options)
  const tokenizer = makeTokenizer(folder)
  throwIfAborted(signal, what)
  const weights = await WeightFiles.open(folder, options.ignoreTensors)
  try {
    throwIfAborted(signal, what)
    const addon = getAddon()
    if (options.threads !== undefined) addon.setThreads(options.threads)
    const device = chooseDevice(options.device, addon.runtime())
    const dtype = chooseDType(options.dtype, addon.runtime(), device)
    const encoder = makeEncoder(addon, folder, weights.hasPooler, device, dtype)
    try {
      const { names } = await weights.load(encoder, [], signal)
      return { addon, encoder, tokenizer, folder, names, id, device, dtype }
    } catch (error) {
      await encoder.dispose()
      throw error
    }
  } finally {
    await weights.close()
  }
}

/** The folder's settings under those of the caller. */
function withOptions(folder: ModelFolder, options: LoadOptions): ModelFolder {
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
  config,
  tokenizerFiles,
  doLowerCase,
  maxSeqLength,
  transformerPath,
}: Pick<ModelFolder, 'config' | 'tokenizerFiles' | 'doLowerCase' | 'maxSeqLength' | 'transformerPath'>): Tokenizer {
  const bytesOf = (name: string) => tokenizerFiles.get(name) ?? new TextEncoder().encode('{}')
  const parse = (name: string) => parseJson(bytesOf(name), join(transformerPath, name), jsonObject, 'ERR_INVALID_MODEL')
  const files = {
    // The tokenizer checks it, and all others, more closely.
    json: parseUnchecked(
      bytesOf('tokenizer.json'),
      join(transformerPath, 'tokenizer.json'),
      'ERR_INVALID_MODEL',
    ) as object,
    config: { tokenizer_class: config.tokenizer_class, ...parse('tokenizer_config.json') },
    addedTokens: parse('added_tokens.json'),
    specialTokensMap: parse('special_tokens_map.json'),
  }
  return Tokenizer.from(files, { doLowerCase, maxSeqLength })
}

function makeEncoder(
  addon: NativeAddon,
  folder: ModelFolder,
  pooler: boolean,
  device: string,
  dtype: 'float32' | 'bfloat16' | 'int8',
): NativeEncoder {
  const { architecture, config, modules } = folder
  try {
    return new addon.Encoder({ architecture, config, modules: modules.map(({ spec }) => spec), pooler, device, dtype })
  } catch (error) {
    throw fromNative(error, 'Encoder')
  }
}

/** For constructors, which in Python load: here only `load` can, as it has to wait. @throws ERR_INVALID_ARGUMENT */
export function checkLoaded(name: string, parts: { encoder: unknown } | undefined): void {
  if (parts?.encoder !== undefined) return
  const from = typeof parts === 'string' ? JSON.stringify(parts) : '…'
  throw new SentenceTorchError(
    'ERR_INVALID_ARGUMENT',
    `new ${name}(${from}) loads nothing: use await ${name}.load(${from})`,
  )
}

/** The error for a prompt that the model does not have. */
export function noSuchPrompt(option: string, name: string, prompts: Record<string, string>): SentenceTorchError {
  const near = suggestion(name, Object.keys(prompts))
  const hint = near ? `; did you mean ${near}?` : ''
  return invalidArgument(option, `one of the model's prompts (${Object.keys(prompts).join(', ')})${hint}`, name)
}
