import { join } from 'node:path'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import type { NativeAddon } from '../native/types.js'
import { checkInteger } from '../options.js'
import { ADAPTER_CONFIG, type AdapterConfig, readAdapterConfig } from './adapters/config.js'
import { newAdapters } from './adapters/model-adapters.js'
import type { BaseParts } from './base-model.js'
import { type HubOptions, type ResolvedModel, resolveModel } from './hub.js'
import { readIfPresent } from './json.js'
import { noSuchPrompt } from './load-errors.js'
import { checkLoadOptions } from './load-options.js'
import { type ModelFolder, readModelFolder } from './model-folder.js'
import { loadRouterParts } from './router/load.js'
import { withMaxSeqLength } from './router/networks.js'
import { filled, makeTokenizer, once, type Parts, startEngine } from './start-engine.js'
import type { LoadOptions, ModelOptions } from './types.js'
import { WeightFiles } from './weights.js'

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
  if (folder.router) return loadRouterParts(getAddon, folder, folder.router, id, options)
  const weights = await WeightFiles.open(read, options.ignoreTensors)
  try {
    throwIfAborted(signal, what)
    const engine = startEngine(getAddon(), folder, weights.hasPooler, options)
    return await filled(engine.encoder, async () => {
      const tokenizer = once(() => makeTokenizer(folder))
      const { names } = await weights.load(engine.encoder, [], signal, tokenizer)
      const parts = { ...engine, tokenizer: tokenizer(), folder, names, id }
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

/** The folder's settings under those of the caller. */
export function withOptions(folder: ModelFolder, options: ModelOptions): ModelFolder {
  checkInteger('maxSeqLength', options.maxSeqLength, 1, mostPositions(folder))
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
    ...(folder.router && { router: withMaxSeqLength(folder.router, options.maxSeqLength) }),
  }
}

/** The longest row that a model takes; undefined: without limit. Of several networks the one that takes most counts. */
export function mostPositions({
  description,
  router,
}: Pick<ModelFolder, 'description' | 'router'>): number | undefined {
  const all = (router?.networks ?? [{ description }]).map((network) => network.description.positions)
  return all.includes(null) ? undefined : Math.max(...(all as number[]))
}
