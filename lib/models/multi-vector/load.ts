import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { throwIfAborted } from '../../io/abort.js'
import type { NativeAddon } from '../../native/types.js'
import { checkInteger } from '../../options.js'
import type { BaseParts } from '../base-model.js'
import { resolveModel } from '../hub.js'
import { noSuchPrompt } from '../load-errors.js'
import { findAdapter, withAdapter } from '../load-parts.js'
import { filled, makeTokenizer, startEngine } from '../start-engine.js'
import { WeightFiles } from '../weights.js'
import { type MultiVectorFolder, PROJECTION, readMultiVectorFolder } from './folder.js'
import { checkMultiVectorLoadOptions, type MultiVectorLoadOptions } from './options.js'
import { expansionId, readQueryExpansion } from './query-expansion.js'
import { withSkippedIds } from './skip-list.js'

/** What a loaded model is made of. */
export interface MultiVectorParts extends BaseParts {
  folder: MultiVectorFolder
}

/**
 * Finds, reads and checks a model and hands its weights to the engine; a projection that no file has gets random values.
 * @param getAddon brings the engine, once there is a folder with a config.json.
 */
export async function loadMultiVectorParts(
  getAddon: () => NativeAddon,
  idOrPath: string,
  options: MultiVectorLoadOptions,
): Promise<MultiVectorParts> {
  if (typeof idOrPath !== 'string' || idOrPath === '')
    throw invalidArgument('idOrPath', 'a folder or a hub id', idOrPath)
  checkMultiVectorLoadOptions(options)
  const { signal } = options
  const what = `Loading ${idOrPath}`
  throwIfAborted(signal, what)
  const { path, id } = await resolveModel(idOrPath, options)
  const adapter = await findAdapter(path, options)
  const read = await readMultiVectorFolder(path, getAddon, adapter?.base.path)
  const named = withOptions(read, options)
  const tokenizer = makeTokenizer(named)
  checkExpansion(named)
  if (named.queryExpansion) expansionId(named.queryExpansion, tokenizer)
  const folder = { ...named, modules: withSkippedIds(named.modules, tokenizer) }
  throwIfAborted(signal, what)
  const weights = await openMultiVectorWeights(read, options.ignoreTensors)
  try {
    throwIfAborted(signal, what)
    const engine = startEngine(getAddon(), folder, weights.hasPooler, options)
    return await filled(engine.encoder, async () => {
      const fresh = engine.encoder.tensors().filter(({ name }) => folder.added.has(Number.parseInt(name, 10)))
      const mayLack = folder.projectionInRoot ? [] : fresh.map(({ name }) => name)
      const { names, missing } = await weights.load(engine.encoder, mayLack, signal)
      if (missing.length > 0) await engine.encoder.initialize(missing, options.seed ?? 0)
      const parts = { ...engine, tokenizer, folder, names, id }
      return adapter ? withAdapter(parts, path, adapter) : parts
    })
  } finally {
    await weights.close()
  }
}

/** The weight files of a folder. */
export async function openMultiVectorWeights(
  folder: MultiVectorFolder,
  ignoreTensors: readonly (string | RegExp)[] = [],
): Promise<WeightFiles> {
  // Modules without files are passed by as those without weights are.
  const modules = folder.modules.map((module, i) =>
    folder.added.has(i + 1) ? { ...module, type: 'Normalize' as const } : module,
  )
  const weights = await WeightFiles.open({ ...folder, modules }, ignoreTensors)
  if (folder.projectionInRoot) await weights.leaveOutCopy(`0.${PROJECTION}`, `1.${PROJECTION}`)
  return weights
}

/** The folder's settings under those of the caller. */
function withOptions(folder: MultiVectorFolder, options: MultiVectorLoadOptions): MultiVectorFolder {
  const { positions } = folder.description
  for (const name of ['maxSeqLength', 'queryLength', 'documentLength'] as const) {
    checkInteger(name, options[name] ?? undefined, 1, positions ?? undefined)
  }
  const prompts = { ...folder.prompts, ...options.prompts }
  const defaultPromptName = options.defaultPromptName ?? folder.defaultPromptName
  if (defaultPromptName !== null && !Object.hasOwn(prompts, defaultPromptName)) {
    throw noSuchPrompt('defaultPromptName', defaultPromptName, prompts)
  }
  const { queryLength, documentLength, queryExpansion } = options
  return {
    ...folder,
    prompts,
    defaultPromptName,
    similarityFnName: options.similarityFnName ?? folder.similarityFnName,
    maxSeqLength: options.maxSeqLength ?? folder.maxSeqLength,
    queryLength: queryLength === undefined ? folder.queryLength : queryLength,
    documentLength: documentLength === undefined ? folder.documentLength : documentLength,
    queryExpansion:
      queryExpansion === undefined
        ? folder.queryExpansion
        : readQueryExpansion(queryExpansion, 'queryExpansion', 'ERR_INVALID_ARGUMENT'),
  }
}

/** @throws ERR_INVALID_ARGUMENT for a query that is to be cut to less than it is filled up to, or to more than the model takes */
function checkExpansion({ queryLength, queryExpansion, description }: MultiVectorFolder): void {
  const length = queryExpansion?.length ?? 0
  if (queryLength !== null && queryLength < length) {
    const message = `Expected a queryLength of at least ${length}, to which queries are expanded, but found ${queryLength}`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  if (description.positions === null || length <= description.positions) return
  const message = `Expected at most ${description.positions} as length of queryExpansion, the positions of the model, but found ${length}`
  throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}
