import { invalidArgument, SentenceTorchError } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import type { NativeAddon } from '../native/types.js'
import { checkInteger } from '../options.js'
import type { BaseParts } from './base-model.js'
import { resolveModel } from './hub.js'
import { noSuchPrompt } from './load-errors.js'
import { findAdapter, withAdapter } from './load-parts.js'
import { type MaskedModel, openMaskedWeights } from './masked-model.js'
import { withMaxSeqLength } from './router/networks.js'
import { loadSparseNetworks, type NetworkWeights } from './router/sparse.js'
import { endsInAutoEncoder, readSparseFolder, type SparseFolder } from './sparse-folder.js'
import { checkSparseLoadOptions, type SparseLoadOptions, type SparseModelOptions } from './sparse-options.js'
import { filled, makeTokenizer, startEngine } from './start-engine.js'
import { WeightFiles } from './weights.js'

/** What a loaded sparse encoder is made of. */
export interface SparseParts extends BaseParts {
  folder: SparseFolder
  /** Whether the last layer over the words has a matrix of its own. */
  ownHead: boolean
  /** Of each network, in a model with a Router. */
  ownHeads?: boolean[]
}

/**
 * Finds, reads and checks a model and hands its weights to the engine.
 * @param getAddon brings the engine, once there is a folder with a config.json.
 */
export async function loadSparseParts(
  getAddon: () => NativeAddon,
  idOrPath: string,
  options: SparseLoadOptions,
): Promise<SparseParts> {
  if (typeof idOrPath !== 'string' || idOrPath === '')
    throw invalidArgument('idOrPath', 'a folder or a hub id', idOrPath)
  checkSparseLoadOptions(options)
  const { signal } = options
  const what = `Loading ${idOrPath}`
  throwIfAborted(signal, what)
  const { path, id } = await resolveModel(idOrPath, { ...options, organization: 'sparse-encoder' })
  const adapter = await findAdapter(path, options)
  const read = await readSparseFolder(path, getAddon, adapter?.base.path)
  const folder = withOptions(read, options)
  if (folder.router) {
    const parts = await loadSparseNetworks(getAddon, path, folder.router, options)
    return { ...parts, folder, id, ownHead: false }
  }
  const tokenizer = makeTokenizer(folder)
  checkVocabulary(tokenizer.vocabSize, folder, path)
  throwIfAborted(signal, what)
  const { weights, ownHead } = await openSparseWeights(read, options.ignoreTensors)
  try {
    throwIfAborted(signal, what)
    // It is kept where the words have no head.
    const pooler = endsInAutoEncoder(folder.modules) && weights.hasPooler
    const engine = startEngine(getAddon(), folder, pooler, options, { ownHead })
    return await filled(engine.encoder, async () => {
      const { names } = await weights.load(engine.encoder, [], signal)
      const parts = { ...engine, tokenizer, folder, names, id, ownHead }
      return adapter ? withAdapter(parts, path, adapter) : parts
    })
  } finally {
    await weights.close()
  }
}

/** The weights of a folder without Router. */
export async function openSparseWeights(
  folder: SparseFolder & { path: string; transformerPath: string },
  ignoreTensors?: readonly (string | RegExp)[],
): Promise<NetworkWeights> {
  if (folder.first === 'Transformer' && !endsInAutoEncoder(folder.modules)) {
    const description = folder.description as MaskedModel
    return openMaskedWeights({ ...folder, description }, folder.config, ignoreTensors)
  }
  return { weights: await WeightFiles.open(folder, ignoreTensors), ownHead: false }
}

/** The words of an embedding are those of the tokenizer. */
export function checkVocabulary(
  tokens: number,
  { description }: Pick<SparseFolder, 'description'>,
  path: string | undefined,
): void {
  if (tokens <= description.vocabulary) return
  const message = `Expected at most ${description.vocabulary} tokens, the vocab_size of config.json, in the tokenizer of ${path ?? 'a new Transformer'}, found ${tokens}`
  throw new SentenceTorchError('ERR_INVALID_MODEL', message)
}

/** The folder's settings under those of the caller. */
export function withOptions<F extends SparseFolder>(folder: F, options: SparseModelOptions): F {
  checkInteger('maxSeqLength', options.maxSeqLength, 1, folder.description.positions ?? undefined)
  const prompts = { ...folder.prompts, ...options.prompts }
  const defaultPromptName = options.defaultPromptName ?? folder.defaultPromptName
  if (defaultPromptName !== null && !Object.hasOwn(prompts, defaultPromptName)) {
    throw noSuchPrompt('defaultPromptName', defaultPromptName, prompts)
  }
  return {
    ...folder,
    ...{ prompts, defaultPromptName },
    similarityFnName: options.similarityFnName ?? folder.similarityFnName,
    maxActiveDims: options.maxActiveDims ?? folder.maxActiveDims,
    maxSeqLength: options.maxSeqLength ?? folder.maxSeqLength,
    ...(folder.router && { router: withMaxSeqLength(folder.router, options.maxSeqLength) }),
  }
}
