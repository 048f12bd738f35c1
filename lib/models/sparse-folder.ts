import { join } from 'node:path'
import { describe, SentenceTorchError } from '../errors.js'
import type { ConfigObject, Metric, NativeAddon } from '../native/types.js'
import { type FirstModule, readStaticEmbedding, readTransformer } from './first-module.js'
import { FILL_MASK, modelConfigSchema, positiveInteger, promptsOf } from './folder-config.js'
import { readJson } from './json.js'
import { isMasked, maskedModel } from './masked-model.js'
import { type ModuleEntry, modulesSchema, readModuleList, readModules } from './model-folder.js'
import { checkModelClass } from './model-type.js'
import { checkSparseOrder, type FolderModule, placeModule } from './modules/index.js'
import { SpladePooling } from './modules/splade-pooling.js'
import type { RouterFolder } from './router/networks.js'
import { isRouter } from './router/read.js'
import { readSparseRouter } from './router/sparse.js'
import { readWordWeights } from './word-weights.js'

/** Settings of a sparse encoder. */
export interface SparseSettings {
  /** Prompts by name; `query` and `document` are always there, '' when unset. */
  prompts: Record<string, string>
  defaultPromptName: string | null
  /** Null: unset, and `dot` is computed. */
  similarityFnName: Metric | null
  maxActiveDims: number | null
  /** Members of config_sentence_transformers.json that this package does not know. */
  extraModelConfig: ConfigObject
}

/** A sparse encoder's folder as read: everything but the weights. */
export interface SparseFolder extends FirstModule, SparseSettings {
  path: string | undefined
  /** The modules after the first one, in order. */
  modules: FolderModule[]
  /** Of a model with a Router: all its networks. The members above are those of one with a transformer. */
  router?: RouterFolder
}

/**
 * Reads the folder of a SparseEncoder of sentence-transformers 5.x or 6.x, or a plain …ForMaskedLM folder (with the highest weight of
 * each word).
 * @param getAddon brings the engine, once there is a config.json
 * @param base folder of the model that the folder has an adapter for
 * @throws SentenceTorchError ERR_NOT_FOUND, ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED or ERR_UNSUPPORTED, naming the file
 */
export async function readSparseFolder(
  path: string,
  getAddon: () => NativeAddon,
  base?: string,
): Promise<SparseFolder & { path: string; transformerPath: string }> {
  const settings = await readSettings(join(path, 'config_sentence_transformers.json'))
  const modulesFile = join(path, 'modules.json')
  const listed = await readJson(modulesFile, modulesSchema)
  const at = listed?.findIndex(({ type }) => isRouter(type)) ?? -1
  if (at !== -1) {
    const router = await readSparseRouter(path, listed!, at, getAddon)
    const { chains: _, ...main } = router.networks.find(({ first }) => first === 'Transformer') ?? router.networks[0]!
    return { path, ...(main as FirstOfSparse), ...settings, router }
  }
  const entries = readModuleList(listed, modulesFile, checkSparseOrder)
  const own = join(path, entries?.[0]?.path ?? '')
  if (entries?.[0]?.type === 'SparseStaticEmbedding') {
    const weights = (await readWordWeights(own, getAddon)) as Omit<FirstOfSparse, 'modules'>
    return { path, ...weights, ...settings, modules: [] }
  }
  if (entries && endsInAutoEncoder(entries)) {
    const read = entries[0]!.type === 'StaticEmbedding' ? readStaticEmbedding : readTransformer
    const first = await read(own, getAddon, base === path ? own : base)
    const { width, layers } = first.description
    const modules = await readModules(path, entries.slice(1) as ModuleEntry[], { width, layers })
    const maxActiveDims = settings.maxActiveDims ?? activeDimsOf(modules)
    return { path, ...first, transformerPath: base ?? own, ...settings, maxActiveDims, modules }
  }
  const first = await readTransformer(own, getAddon, base === path ? own : base, FILL_MASK)
  const transformerPath = base ?? own
  const configFile = join(transformerPath, 'config.json')
  if (!entries && !isMasked(first.config)) {
    const { architectures } = first.config
    throw new SentenceTorchError(
      'ERR_NOT_IMPLEMENTED',
      `${configFile} names the architectures ${describe(architectures)}; built are folders of …ForMaskedLM. Behind another ` +
        'model Python puts a new SparseAutoEncoder: SparseEncoder.fromModules makes such a model',
    )
  }
  const description = maskedModel(first.description, first.config, configFile)
  const { width, layers, vocabulary } = description
  const input = { width, layers, vocabulary }
  const modules = entries
    ? await readModules(path, entries.slice(1) as ModuleEntry[], input)
    : [placeModule(new SpladePooling(), 1, input, { name: path, code: 'ERR_INVALID_MODEL' })]
  return { path, ...first, transformerPath, description, ...settings, modules }
}

/** Whether a model is one of latents (CSR), not of words. */
export function endsInAutoEncoder(modules: readonly { type: string }[]): boolean {
  return modules.at(-1)?.type === 'SparseAutoEncoder'
}

/** Of a SparseAutoEncoder Python takes its own number of values; null without one. */
export function activeDimsOf(modules: readonly FolderModule[]): number | null {
  return endsInAutoEncoder(modules) ? (modules.at(-1)!.spec.k as number) : null
}

/** A folder's modules; without a transformer it has no masked language model, which nobody asks for then. */
type FirstOfSparse = Pick<SparseFolder, keyof FirstModule | 'modules'> & { transformerPath: string }

/** config_sentence_transformers.json; defaults when there is none. */
async function readSettings(file: string): Promise<SparseSettings> {
  const none = { model_type: undefined, prompts: {}, default_prompt_name: undefined }
  const found = (await readJson(file, modelConfigSchema)) ?? none
  const { prompts, default_prompt_name, similarity_fn_name, max_active_dims, model_type, __version__, ...extra } =
    found as typeof found & ConfigObject
  checkModelClass(model_type, 'SparseEncoder', file)
  const similarities: unknown[] = ['cosine', 'dot', 'euclidean', 'manhattan']
  return {
    ...promptsOf(found, { query: '', document: '' }, file),
    // Those of multi-vector models are left out, as in Python.
    similarityFnName: similarities.includes(similarity_fn_name) ? (similarity_fn_name as Metric) : null,
    maxActiveDims: max_active_dims == null ? null : positiveInteger(max_active_dims, 'max_active_dims', file),
    extraModelConfig: extra as ConfigObject,
  }
}
