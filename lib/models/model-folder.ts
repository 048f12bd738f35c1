import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { checkRelativePath } from '../io/safe-path.js'
import { arrayOf, object, parseJson, type Schema, type TypeOf, text } from '../io/schema.js'
import type { ConfigObject, Description, Metric, NativeAddon } from '../native/types.js'
import { readModelConfig, readSentenceConfig } from './folder-config.js'
import { jsonObject, readIfPresent, readJson, toJson } from './json.js'
import { type FolderModule, moduleType, poolingModule, readDense, readNormalize, readPooling } from './modules.js'
import { describeConfig, encoderConfig } from './transformer-config.js'

/** Tokenizer files that are carried along to every saved folder. */
export const TOKENIZER_FILES: readonly string[] = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.txt',
  'vocab.json',
  'merges.txt',
]

/** A model folder as read: everything but the weights. */
export interface ModelFolder {
  /** The folder. */
  path: string
  /** Folder of the transformer's files: `path`, or `0_Transformer` in it for very old models. */
  transformerPath: string
  /** `model_type` of config.json. */
  architecture: string
  /** config.json as read, with all its unknown keys. */
  config: ConfigObject
  /** What the engine says of it. */
  description: Description
  /** The modules after the transformer, in order. */
  modules: FolderModule[]
  /** Tokens to which texts are truncated, special tokens included. */
  maxSeqLength: number
  /** Whether texts are lowercased before they are tokenised. */
  doLowerCase: boolean
  /** Prompts by name; `query` and `document` are always there, '' when unset. */
  prompts: Record<string, string>
  defaultPromptName: string | null
  similarityFnName: Metric
  truncateDim: number | null
  /** Members of sentence_bert_config.json and config_sentence_transformers.json that this package does not know. */
  extraSentenceConfig: ConfigObject
  extraModelConfig: ConfigObject
  /** The tokenizer's files by name, kept so that a save does not depend on the source folder. */
  tokenizerFiles: Map<string, Uint8Array>
}

/**
 * Reads a sentence-transformers folder (2.0 to 6.x) or a plain Hugging Face folder (then: mean pooling).
 * @param getAddon brings the engine, once there is a config.json
 * @throws SentenceTorchError ERR_NOT_FOUND, ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED or ERR_UNSUPPORTED, naming the file.
 */
export async function readModelFolder(path: string, getAddon: () => NativeAddon): Promise<ModelFolder> {
  const modulesFile = join(path, 'modules.json')
  const entries = readModuleList(await readJson(modulesFile, modulesSchema), modulesFile)
  const transformerPath = join(path, entries?.[0]?.path ?? '')
  const { config, description } = await readTransformerConfig(transformerPath, getAddon)
  const { width, positions } = description
  const modules = entries ? await readModules(path, entries, width) : [poolingModule(['mean'], width)]
  const sentence = await readSentenceConfig(transformerPath)
  const model = await readModelConfig(join(path, 'config_sentence_transformers.json'))
  const tokenizerFiles = await readTokenizerFiles(transformerPath)
  return {
    path,
    transformerPath,
    architecture: config.model_type as string,
    config,
    description,
    modules,
    maxSeqLength: maxSeqLength(sentence.maxSeqLength, tokenizerFiles, positions, transformerPath),
    doLowerCase: sentence.doLowerCase,
    extraSentenceConfig: sentence.extra,
    ...model,
    tokenizerFiles,
  }
}

/** Of a module's folder below the model's; empty for that itself. */
const modulePath: Schema<string> = (value, { file, key, code }) => {
  // Python joins the parts, so that these mean the same: 1_Pooling, ./1_Pooling/.
  const path = typeof value === 'string' ? value.replace(/^(\.\/)+|(?<=.)\/+$/g, '') : value
  return path === '' || path === '.' ? '' : checkRelativePath(path, `${key} of ${file}`, code)
}

/** modules.json: few modules, none of them outside the model's folder. */
export const modulesSchema = arrayOf(object({ path: modulePath, type: text(1000) }), { min: 1, max: 64 })

interface ModuleEntry {
  path: string
  type: ReturnType<typeof moduleType>
}

/** modules.json: entries in order, the first one the transformer and the second a pooling; undefined without the file. */
function readModuleList(list: TypeOf<typeof modulesSchema> | undefined, file: string): ModuleEntry[] | undefined {
  if (list === undefined) return undefined
  const entries = list.map(({ path, type }): ModuleEntry => ({ path, type: moduleType(type, file) }))
  const types = entries.map((entry) => entry.type)
  if (types[0] !== 'Transformer' || types[1] !== 'Pooling' || types.slice(2).some((t) => /Transf|Pool/.test(t))) {
    throw new SentenceTorchError(
      'ERR_NOT_IMPLEMENTED',
      `${file} lists the modules ${types.join(', ')}; built are Transformer, Pooling, then any of Dense and Normalize`,
    )
  }
  return entries
}

async function readModules(root: string, entries: ModuleEntry[], hidden: number): Promise<FolderModule[]> {
  const modules: FolderModule[] = []
  let width = hidden
  for (const { path, type } of entries.slice(1)) {
    const file = join(root, path, 'config.json')
    const config = await readJson(file, jsonObject)
    if (type === 'Normalize') {
      modules.push(readNormalize(config ?? {}, width, path, file))
    } else if (!config) {
      throw new SentenceTorchError('ERR_INVALID_MODEL', `The model folder has no ${file}, which modules.json calls for`)
    } else {
      modules.push((type === 'Pooling' ? readPooling : readDense)(config, width, path, file))
    }
    width = modules.at(-1)!.outputDimension
  }
  return modules
}

/**
 * config.json of an architecture that is built, and its description.
 * @param getAddon brings the engine, once the file is known to be there
 * @param options.decoder whether it may be that of a decoder
 * @throws SentenceTorchError naming the file.
 */
export async function readTransformerConfig(
  folder: string,
  getAddon: () => NativeAddon,
  { decoder = false } = {},
): Promise<{ config: ConfigObject; description: Description }> {
  const file = join(folder, 'config.json')
  if (await present(join(folder, 'adapter_config.json'))) {
    throw new SentenceTorchError(
      'ERR_NOT_IMPLEMENTED',
      `${folder} is a PEFT adapter (adapter_config.json), which is not built yet; merge it into its base model first`,
    )
  }
  const config = await readJson(file, jsonObject)
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

/** tokenizer.json is made of a vocab.txt where only that is there. @throws SentenceTorchError ERR_INVALID_MODEL without both. */
export async function readTokenizerFiles(folder: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  for (const name of TOKENIZER_FILES) {
    const bytes = await readIfPresent(join(folder, name))
    if (bytes) files.set(name, bytes)
  }
  const vocabulary = files.get('vocab.txt')
  if (!files.has('tokenizer.json') && vocabulary) {
    const settings = {
      ...(await readJson(join(folder, 'special_tokens_map.json'), jsonObject)),
      ...(await readJson(join(folder, 'tokenizer_config.json'), jsonObject)),
    }
    const { tokenizerOfVocabulary } = await import('./vocab-file.js')
    const made = tokenizerOfVocabulary(new TextDecoder().decode(vocabulary), settings)
    if (made) files.set('tokenizer.json', new TextEncoder().encode(toJson(made)))
  }
  if (files.has('tokenizer.json')) return files
  throw new SentenceTorchError(
    'ERR_INVALID_MODEL',
    `Expected tokenizer.json in ${folder}, found none. Python makes it: ` +
      'AutoTokenizer.from_pretrained(folder).save_pretrained(folder)',
  )
}

/** Of a model and a tokenizer without limit: the engine counts the tokens of a row in 32 bits. */
const NO_LIMIT = 2 ** 31 - 1

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
