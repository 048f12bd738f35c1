import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { parseJson } from '../io/schema.js'
import type { ConfigObject, Description, NativeAddon } from '../native/types.js'
import { FEATURES, positiveInteger, readSentenceConfig, type Usage } from './folder-config.js'
import { isObject, jsonObject, readConfig } from './json.js'
import type { FirstModuleName } from './modules/index.js'
import { staticShape } from './static-table.js'
import { readTokenizerFiles } from './tokenizer-files.js'
import { describeConfig, encoderConfig } from './transformer-config.js'
import { weightFile } from './weight-file.js'

/** The first module of a model, as read: everything but the weights. */
export interface FirstModule {
  first: FirstModuleName
  /** Folder of its files: the model's, or `0_Transformer` in it for very old models. Undefined for a new one. */
  transformerPath: string | undefined
  /** `model_type` of config.json. */
  architecture: string
  /** config.json as read, with all its unknown keys. */
  config: ConfigObject
  /** What the engine says of it. */
  description: Description
  /** Tokens to which texts are truncated, special tokens included. */
  maxSeqLength: number
  /** Whether texts are lowercased before they are tokenised. */
  doLowerCase: boolean
  /** Members of sentence_bert_config.json that this package does not know. */
  extraSentenceConfig: ConfigObject
  /** Whether its description is that of a masked language model, for a module that reads logits. Set for `fromModules` alone. */
  readsLogits?: true
  /** `query_length`, `document_length` and `query_expansion` of a model with a vector for each token. */
  lengths?: ConfigObject
  /** The tokenizer's files by name, kept so that a save does not depend on the source folder. */
  tokenizerFiles: Map<string, Uint8Array>
}

/**
 * Reads a transformer's folder.
 * @param getAddon brings the engine, once there is a config.json
 * @param base folder of the model that the folder has an adapter for
 * @param usage what the transformer's settings have to say that it is used for
 * @throws SentenceTorchError ERR_NOT_FOUND, ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED or ERR_UNSUPPORTED, naming the file.
 */
export async function readTransformer(
  folder: string,
  getAddon: () => NativeAddon,
  base?: string,
  usage: Usage = FEATURES,
): Promise<FirstModule> {
  const { config, description } = await readTransformerConfig(base ?? folder, getAddon, { adapter: base === folder })
  const sentence = await readSentenceConfig(folder, usage)
  const tokenizerFiles = await readTokenizerFiles(await tokenizerFolder(folder, base), config)
  return {
    first: 'Transformer',
    transformerPath: base ?? folder,
    architecture: config.model_type as string,
    config,
    description,
    maxSeqLength: maxSeqLength(sentence.maxSeqLength, tokenizerFiles, description.positions, folder),
    doLowerCase: sentence.doLowerCase,
    extraSentenceConfig: sentence.extra,
    ...(sentence.lengths && { lengths: sentence.lengths }),
    tokenizerFiles,
  }
}

/** Where the tokenizer lies: beside an adapter there may be none, so that its base has it. */
export async function tokenizerFolder(folder: string, base: string | undefined): Promise<string> {
  if (base === undefined) return folder
  const found = await Promise.all(
    ['tokenizer.json', 'vocab.txt', 'merges.txt'].map((name) => present(join(folder, name))),
  )
  return found.includes(true) ? folder : base
}

/** Reads the folder of a StaticEmbedding: a table and a tokenizer.json, without config.json. @throws as `readTransformer` */
export async function readStaticEmbedding(folder: string, getAddon: () => NativeAddon): Promise<FirstModule> {
  const shape = await staticShape(await weightFile(folder, ''))
  return staticModule(shape, await readTokenizerFiles(folder, {}), folder, getAddon)
}

/** A StaticEmbedding with a table of `shape`, [tokens, width]. @param folder of the tokenizer's files */
export function staticModule(
  [vocab_size, hidden_size]: readonly [number, number],
  tokenizerFiles: Map<string, Uint8Array>,
  folder: string,
  getAddon: () => NativeAddon,
): FirstModule {
  const config = { model_type: 'static_embedding', vocab_size, hidden_size }
  return {
    first: 'StaticEmbedding',
    transformerPath: folder,
    architecture: config.model_type,
    config,
    description: describeConfig(getAddon, config, folder),
    maxSeqLength: truncationOf(tokenizerFiles, folder) ?? NO_LIMIT,
    doLowerCase: false,
    extraSentenceConfig: {},
    tokenizerFiles,
  }
}

/** Python takes a tokenizer.json with the truncation in it; of a transformer the settings beside it count. */
function truncationOf(files: Map<string, Uint8Array>, folder: string): number | undefined {
  const file = join(folder, 'tokenizer.json')
  const { truncation } = parseJson(files.get('tokenizer.json')!, file, jsonObject, 'ERR_INVALID_MODEL')
  const length = isObject(truncation) ? truncation.max_length : undefined
  return length === undefined ? undefined : positiveInteger(length, 'truncation.max_length', file)
}

/**
 * config.json of an architecture that is built, and its description.
 * @param getAddon brings the engine, once the file is known to be there
 * @param options.decoder whether it may be that of a decoder
 * @param options.adapter whether it may have an adapter beside
 * @throws SentenceTorchError naming the file.
 */
export async function readTransformerConfig(
  folder: string,
  getAddon: () => NativeAddon,
  { decoder = false, adapter = false } = {},
): Promise<{ config: ConfigObject; description: Description }> {
  const file = join(folder, 'config.json')
  if (!adapter && (await present(join(folder, 'adapter_config.json')))) {
    throw new SentenceTorchError(
      'ERR_INVALID_MODEL',
      `${folder} has a PEFT adapter (adapter_config.json), expected a whole model: load it with ` +
        'SentenceTransformer.load or CrossEncoder.load, merge it, and save the result',
    )
  }
  const config = await readConfig(file)
  if (!config) {
    const found = await present(folder)
    throw new SentenceTorchError(
      found ? 'ERR_INVALID_MODEL' : 'ERR_NOT_FOUND',
      found ? `Expected config.json in the model folder ${folder}, found none` : `There is no model folder ${folder}`,
    )
  }
  const description = describeConfig(getAddon, decoder ? encoderConfig(config) : config, file)
  return { config, description }
}

/** Of a model and a tokenizer without limit: the engine counts the tokens of a row in 32 bits. */
export const NO_LIMIT = 2 ** 31 - 1

/** sentence_bert_config first, then the tokenizer's own limit; never more than the model takes. */
export function maxSeqLength(
  own: number | undefined,
  files: Map<string, Uint8Array>,
  limitOfModel: number | null,
  folder: string,
): number {
  const positions = limitOfModel ?? NO_LIMIT
  if (own !== undefined) return Math.min(own, positions)
  const limit = tokenizerSettings(files, folder).model_max_length
  // A tokenizer without a limit says 1e30.
  return typeof limit === 'number' && limit >= 1 ? Math.min(Math.floor(limit), positions) : positions
}

/** tokenizer_config.json, or an empty object without one. @throws SentenceTorchError ERR_INVALID_MODEL */
function tokenizerSettings(files: Map<string, Uint8Array>, folder: string): ConfigObject {
  const bytes = files.get('tokenizer_config.json')
  return bytes ? parseJson(bytes, join(folder, 'tokenizer_config.json'), jsonObject, 'ERR_INVALID_MODEL') : {}
}

async function present(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
