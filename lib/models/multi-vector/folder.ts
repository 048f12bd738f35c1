/** Folders of models with a vector for each token: Python's, PyLate's, Stanford's, and those that become one. */
import { join } from 'node:path'
import { describe, SentenceTorchError } from '../../errors.js'
import type { TypeOf } from '../../io/schema.js'
import { openTensorFile } from '../../io/tensor-file.js'
import type { ConfigObject, NativeAddon } from '../../native/types.js'
import { type FirstModule, readTransformer } from '../first-module.js'
import { modelConfigSchema, promptsOf, VECTORS } from '../folder-config.js'
import { jsonObject, readConfig, readJson } from '../json.js'
import { modulesSchema } from '../model-folder.js'
import { checkModelClass } from '../model-type.js'
import { Dense } from '../modules/dense.js'
import { type FolderModule, type ModuleName, moduleType, placeModule, readModule } from '../modules/index.js'
import type { ModelModule } from '../modules/module.js'
import { MultiVectorMask } from '../modules/multi-vector-mask.js'
import { Normalize } from '../modules/normalize.js'
import { weightFile } from '../weight-file.js'
import { type LegacySettings, PUNCTUATION, PYLATE_KEYS, pylateSettings, stanfordSettings } from './legacy.js'
import { withPrefixTokens } from './prefix-tokens.js'
import { type QueryExpansion, readQueryExpansion } from './query-expansion.js'

export const MAX_SIM_NAMES = ['maxsim', 'meanmaxsim'] as const
/** How queries and documents are compared: MaxSim, or MaxSim divided by the number of the query's vectors. */
export type MaxSimName = (typeof MAX_SIM_NAMES)[number]

/** Settings of a whole model. */
export interface MultiVectorSettings {
  prompts: Record<string, string>
  defaultPromptName: string | null
  /** Null: unset, which is `maxsim`. */
  similarityFnName: MaxSimName | null
  /** Tokens to which queries and documents are cut; null: as all texts are. */
  queryLength: number | null
  documentLength: number | null
  queryExpansion: Required<QueryExpansion> | null
  /** Members of config_sentence_transformers.json that this package does not know. */
  extraModelConfig: ConfigObject
}

/** A model as read: everything but the weights. */
export interface MultiVectorFolder extends FirstModule, MultiVectorSettings {
  path: string
  transformerPath: string
  modules: FolderModule[]
  /** Numbers of the modules that no file has the weights of. */
  added: ReadonlySet<number>
  /** Whether the projection lies beside the transformer's weights. */
  projectionInRoot: boolean
}

/** The projection where it lies beside the transformer's weights. */
export const PROJECTION = 'linear.weight'
/** Width of the projection that a model without one gets. */
const NEW_WIDTH = 128
const PYLATE_DENSE = 'pylate.models.Dense.Dense'
const TOKENS = 'token_embeddings'
const NO_CONFIG: TypeOf<typeof modelConfigSchema> = {
  model_type: undefined,
  prompts: {},
  default_prompt_name: undefined,
}

/**
 * Reads a folder of MultiVectorEncoder, of PyLate or of Stanford's ColBERT; a SentenceTransformer or a bare transformer gets a new
 * projection where it has none.
 * @param base folder of the model that the folder has an adapter for
 * @throws SentenceTorchError as `readModelFolder`; ERR_INVALID_MODEL for a model of another class
 */
export async function readMultiVectorFolder(
  path: string,
  getAddon: () => NativeAddon,
  base?: string,
): Promise<MultiVectorFolder> {
  const file = join(path, 'config_sentence_transformers.json')
  const own = await readJson(file, modelConfigSchema)
  const type = own?.model_type ?? undefined
  // PyLate's name, and a class that becomes one.
  if (type !== 'ColBERT' && type !== 'SentenceTransformer') checkModelClass(type, 'MultiVectorEncoder', file)
  const entries = await readJson(join(path, 'modules.json'), modulesSchema)
  const isStanford = type === undefined && entries === undefined && (await hasStanfordClass(path))
  const legacy = isStanford ? await stanfordSettings(path) : own && pylateSettings(own as ConfigObject)
  const transformer = join(path, entries?.[0]?.path ?? '')
  const first = await readTransformer(transformer, getAddon, base === path ? transformer : base, VECTORS)
  const prefixes = Object.values(legacy?.prefixes ?? {})
  const tokenizerFiles = withPrefixTokens(first.tokenizerFiles, prefixes, transformer)
  const isOwn = type === 'MultiVectorEncoder' || type === 'ColBERT'
  const modules = entries
    ? await readModules(path, entries.slice(1), first, isOwn)
    : { modules: [], added: new Set<number>() }
  const input = {
    layers: first.description.layers,
    width: modules.modules.at(-1)?.outputDimension ?? first.description.width,
  }
  const add = (module: ModelModule) => {
    const place = modules.modules.length + 1
    modules.added.add(place)
    modules.modules.push(placeModule(module, place, input, { name: path, code: 'ERR_INVALID_MODEL' }))
    input.width = modules.modules.at(-1)!.outputDimension
  }
  if (!isOwn && !modules.modules.some((module) => module.type === 'Dense')) {
    const outFeatures = isStanford ? await projectionWidth(path) : NEW_WIDTH
    add(new Dense({ outFeatures, bias: false, activationFunction: 'identity', moduleInputName: TOKENS }))
  }
  if (!isOwn || type === 'ColBERT') {
    add(new MultiVectorMask({ skiplistWords: skipped(legacy) }))
    add(new Normalize({ moduleInputName: TOKENS }))
  }
  return {
    ...first,
    ...settingsOf(own, legacy, first, file, isOwn),
    ...{ path, transformerPath: base ?? transformer, tokenizerFiles, ...modules, projectionInRoot: isStanford },
  }
}

async function hasStanfordClass(path: string): Promise<boolean> {
  const config = await readConfig(join(path, 'config.json'))
  return Array.isArray(config?.architectures) && config.architectures.includes('HF_ColBERT')
}

/** Of the matrix that Stanford's models have beside the transformer. */
async function projectionWidth(path: string): Promise<number> {
  const file = await openTensorFile(await weightFile(path, ''))
  try {
    const shape = file.tensors.get(PROJECTION)?.shape
    if (shape?.length === 2) return shape[0]!
    throw new SentenceTorchError('ERR_INVALID_TENSORS', `Expected a matrix ${PROJECTION} in ${file.path}, found none`)
  } finally {
    await file.close()
  }
}

/** Punctuation, unless the model says something else or was never one of the other packages. */
function skipped(legacy: LegacySettings | undefined): readonly string[] {
  return legacy?.skiplistWords ?? (legacy && Object.keys(legacy.prefixes).length > 0 ? PUNCTUATION : [])
}

/**
 * The modules behind the transformer. Of a SentenceTransformer those over the sentence embedding go over to tokens, without the
 * pooling.
 */
async function readModules(
  path: string,
  entries: TypeOf<typeof modulesSchema>,
  first: FirstModule,
  isOwn: boolean,
): Promise<{ modules: FolderModule[]; added: Set<number> }> {
  const { width, layers } = first.description
  const file = join(path, 'modules.json')
  const modules: FolderModule[] = []
  const input = { width, layers }
  for (const entry of entries) {
    const type = moduleType(
      entry.type === PYLATE_DENSE ? 'sentence_transformers.base.modules.dense.Dense' : entry.type,
      file,
    )
    const configFile = join(path, entry.path, 'config.json')
    const config = await readJson(configFile, jsonObject)
    if (!isOwn && isLeftOut(type, config)) continue
    checkModule(type, file)
    const names = { module_input_name: TOKENS, module_output_name: TOKENS }
    const asked = type === 'Dense' ? (isOwn ? { ...names, ...config } : { ...config, ...names }) : config
    const module = readModule(type as ModuleName, asked, input, entry.path, configFile)
    modules.push(module)
    input.width = module.outputDimension
  }
  return { modules, added: new Set() }
}

/** What of a SentenceTransformer has no meaning for tokens. */
function isLeftOut(type: string, config: ConfigObject | undefined): boolean {
  return type === 'Pooling' || (type === 'Normalize' && (config?.module_input_name ?? '') !== TOKENS)
}

function checkModule(type: string, file: string): void {
  const built = ['Dense', 'Normalize', 'MultiVectorMask', 'HierarchicalTokenPooling']
  if (built.includes(type)) return
  const message = `${file} lists a module ${type}; built for models with a vector for each token are Transformer, then ${built.join(', ')}`
  throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
}

function settingsOf(
  own: TypeOf<typeof modelConfigSchema> | undefined,
  legacy: LegacySettings | undefined,
  first: FirstModule,
  file: string,
  isOwn: boolean,
): MultiVectorSettings {
  const { prompts, default_prompt_name, similarity_fn_name, model_type, __version__, ...rest } = own ?? NO_CONFIG
  const known = [...PYLATE_KEYS, 'truncate_dim']
  const extra = Object.entries(rest as ConfigObject).filter(([key]) => !known.includes(key))
  const read = promptsOf({ prompts, default_prompt_name }, { query: '', document: '' }, file)
  for (const [side, prefix] of Object.entries(legacy?.prefixes ?? {})) {
    const text = read.prompts[side] ?? ''
    read.prompts[side] = prefix + (text.startsWith(prefix) ? text.slice(prefix.length) : text)
  }
  // What lies beside the transformer is newer than what PyLate wrote.
  const lengths: ConfigObject = { ...legacy?.lengths, ...first.lengths }
  const length = (key: string) => lengthOf(lengths[key], key, file)
  return {
    ...read,
    similarityFnName: MAX_SIM_NAMES.find((name) => name === similarity_fn_name) ?? (isOwn || !own ? null : 'maxsim'),
    queryLength: length('query_length'),
    documentLength: length('document_length'),
    queryExpansion: readQueryExpansion(lengths.query_expansion, `query_expansion of ${file}`, 'ERR_INVALID_MODEL'),
    extraModelConfig: Object.fromEntries(extra),
  }
}

function lengthOf(value: unknown, key: string, file: string): number | null {
  if (value === undefined || value === null) return null
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1) return value
  throw new SentenceTorchError(
    'ERR_INVALID_MODEL',
    `Expected a positive integer as ${key} of ${file}, found ${describe(value)}`,
  )
}
