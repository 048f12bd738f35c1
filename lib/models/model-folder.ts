import { join } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { checkRelativePath } from '../io/safe-path.js'
import { arrayOf, object, type Schema, type TypeOf, text } from '../io/schema.js'
import type { ConfigObject, Metric, NativeAddon } from '../native/types.js'
import { type FirstModule, readStaticEmbedding, readTransformer } from './first-module.js'
import { readModelConfig } from './folder-config.js'
import { jsonObject, readJson } from './json.js'
import {
  checkOrder,
  type FirstModuleName,
  type FolderModule,
  type ModuleName,
  moduleType,
  placeModule,
  readModule,
} from './modules/index.js'
import { type ModuleInput, notBuilt } from './modules/module.js'
import { Pooling, type PoolingMode } from './modules/pooling.js'
import type { RouterFolder } from './router/networks.js'
import { isRouter, readRouter } from './router/read.js'

/** Settings of a whole model. */
export interface ModelSettings {
  /** Prompts by name; `query` and `document` are always there, '' when unset. */
  prompts: Record<string, string>
  defaultPromptName: string | null
  similarityFnName: Metric
  truncateDim: number | null
  /** Members of config_sentence_transformers.json that this package does not know. */
  extraModelConfig: ConfigObject
}

/** A model as read or put together: everything but the weights. */
export interface ModelFolder extends FirstModule, ModelSettings {
  /** The folder; undefined for a model that was put together. */
  path: string | undefined
  /** The modules after the first one, in order. */
  modules: FolderModule[]
  /** Of a model with a Router: all its networks, of which the members above are the first one's. */
  router?: RouterFolder
}

/** A model as read from a folder. */
export type ReadFolder = ModelFolder & { path: string; transformerPath: string }

/**
 * Reads a sentence-transformers folder (2.0 to 6.x) or a plain Hugging Face folder.
 * @param getAddon brings the engine, once there is a config.json
 * @param pooling of a plain folder; default `mean`
 * @param base folder of the model that the folder has an adapter for
 * @throws SentenceTorchError ERR_NOT_FOUND, ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED or ERR_UNSUPPORTED, naming the file;
 * ERR_INVALID_ARGUMENT for a pooling beside that of the folder
 */
export async function readModelFolder(
  path: string,
  getAddon: () => NativeAddon,
  pooling?: PoolingMode | readonly PoolingMode[],
  base?: string,
): Promise<ReadFolder> {
  const modulesFile = join(path, 'modules.json')
  const listed = await readJson(modulesFile, modulesSchema)
  const router = listed?.findIndex(({ type }) => isRouter(type)) ?? -1
  const entries = router === -1 ? readModuleList(listed, modulesFile, checkOrder) : undefined
  if (listed && pooling !== undefined) {
    const message = `Expected no pooling for ${path}, whose modules.json has its own; it is for folders without modules.json`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  if (router !== -1) {
    const found = await readRouter(path, listed!, router, getAddon)
    const { chains: _, ...first } = found.networks[0]!
    for (const network of found.networks) checkWeighted(network, modulesFile)
    const settings = await readModelConfig(join(path, 'config_sentence_transformers.json'))
    return { path, ...first, transformerPath: first.transformerPath!, ...settings, router: found }
  }
  const [start, ...others] = entries ?? [{ path: '', type: 'Transformer' as const }]
  const read = start!.type === 'StaticEmbedding' ? readStaticEmbedding : readTransformer
  const own = join(path, start!.path)
  const first = await read(own, getAddon, base === path ? own : base)
  const transformerPath = base ?? own
  const { width, layers } = first.description
  const modules = entries
    ? await readModules(path, others as ModuleEntry[], { width, layers })
    : [placeModule(new Pooling(pooling), 1, { width, layers }, { name: path, code: 'ERR_INVALID_MODEL' })]
  checkWeighted({ ...first, transformerPath, modules }, modulesFile)
  const settings = await readModelConfig(join(path, 'config_sentence_transformers.json'))
  return { path, ...first, transformerPath, ...settings, modules }
}

function checkWeighted(
  { config, transformerPath, modules }: Pick<ModelFolder, 'config' | 'transformerPath' | 'modules'>,
  modulesFile: string,
): void {
  const weighted = modules.some(({ type }) => type === 'WeightedLayerPooling')
  if (!weighted || config.output_hidden_states === true) return
  throw new SentenceTorchError(
    'ERR_NOT_IMPLEMENTED',
    `${modulesFile} lists a WeightedLayerPooling, which Python leaves out unless ${join(transformerPath ?? '', 'config.json')} has ` +
      'output_hidden_states: true, as here; add that to use the module, or take the module out of modules.json',
  )
}

/** Of a module's folder below the model's; empty for that itself. */
const modulePath: Schema<string> = (value, { file, key, code }) => {
  // Python joins the parts, so that these mean the same: 1_Pooling, ./1_Pooling/.
  const path = typeof value === 'string' ? value.replace(/^(\.\/)+|(?<=.)\/+$/g, '') : value
  return path === '' || path === '.' ? '' : checkRelativePath(path, `${key} of ${file}`, code)
}

/** modules.json: few modules, none of them outside the model's folder. */
export const modulesSchema = arrayOf(object({ path: modulePath, type: text(1000) }), { min: 1, max: 64 })

export interface ModuleEntry {
  path: string
  type: ModuleName
}

/** modules.json: entries in order, the first one a transformer or a table; undefined without the file. */
export function readModuleList(
  list: TypeOf<typeof modulesSchema> | undefined,
  file: string,
  check: typeof checkOrder,
): { path: string; type: FirstModuleName | ModuleName }[] | undefined {
  const entries = list?.map(({ path, type }) => ({ path, type: moduleType(type, file) }))
  if (entries) {
    const types = entries.map((entry) => entry.type)
    check(types, file, 'ERR_NOT_IMPLEMENTED')
  }
  return entries
}

/** The modules after the first one. */
export async function readModules(root: string, entries: ModuleEntry[], input: ModuleInput): Promise<FolderModule[]> {
  const modules: FolderModule[] = []
  let { width } = input
  for (const { path, type } of entries) {
    const file = join(root, path, 'config.json')
    const module = readModule(type, await readJson(file, jsonObject), { ...input, width }, path, file)
    if (module.spec.input === 'token_embeddings') {
      throw notBuilt(file, 'module_input_name: "token_embeddings" (only "sentence_embedding" is built here)')
    }
    modules.push(module)
    width = module.outputDimension
  }
  return modules
}
