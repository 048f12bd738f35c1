import { join } from 'node:path'
import { SentenceTorchError } from '../../errors.js'
import { throwIfAborted } from '../../io/abort.js'
import type { NativeAddon } from '../../native/types.js'
import type { BaseParts } from '../base-model.js'
import { readTransformer } from '../first-module.js'
import { FILL_MASK } from '../folder-config.js'
import { type MaskedModel, maskedModel, openMaskedWeights } from '../masked-model.js'
import { checkSparseOrder, type FirstModuleName } from '../modules/index.js'
import { chooseMachine, filled, makeTokenizer, newEncoder } from '../start-engine.js'
import type { LoadOptions } from '../types.js'
import { WeightFiles } from '../weights.js'
import { readWordWeights } from '../word-weights.js'
import { joinedNames, type Network, networkOf, networkSpecs, type RouterFolder } from './networks.js'
import { type Entry, readRouter } from './read.js'

/** @throws SentenceTorchError ERR_NOT_IMPLEMENTED for a route that ends in a SparseAutoEncoder */
export function checkSparseRoute(...[types, where, code]: Parameters<typeof checkSparseOrder>): void {
  checkSparseOrder(types, where, code)
  if (!types.includes('SparseAutoEncoder')) return
  throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', `${where} has a SparseAutoEncoder: not built in a Router`)
}

/** Reads the Router of a sparse encoder's folder. @throws as `readRouter` */
export function readSparseRouter(
  root: string,
  entries: readonly Entry[],
  at: number,
  getAddon: () => NativeAddon,
): Promise<RouterFolder> {
  return readRouter(root, entries, at, getAddon, { check: checkSparseRoute, first: readFirst })
}

async function readFirst(folder: string, type: FirstModuleName, getAddon: () => NativeAddon) {
  if (type === 'SparseStaticEmbedding') return readWordWeights(folder, getAddon)
  const first = await readTransformer(folder, getAddon, undefined, FILL_MASK)
  return { ...first, description: maskedModel(first.description, first.config, join(folder, 'config.json')) }
}

/** Weights of a network, and whether its last layer over the words has a matrix of its own. */
export interface NetworkWeights {
  weights: WeightFiles
  ownHead: boolean
}

/** The weight files of each network of a sparse encoder's folder. */
export async function openSparseNetworks(
  path: string,
  networks: readonly Network[],
  ignoreTensors: readonly (string | RegExp)[] = [],
): Promise<NetworkWeights[]> {
  const opened: NetworkWeights[] = []
  try {
    for (const { first, config, description, transformerPath, modules } of networks) {
      const files = { first, path, transformerPath: transformerPath!, modules }
      opened.push(
        first === 'Transformer'
          ? await openMaskedWeights({ ...files, description: description as MaskedModel }, config, ignoreTensors)
          : { weights: await WeightFiles.open({ ...files, description }, ignoreTensors), ownHead: false },
      )
    }
    return opened
  } catch (error) {
    for (const { weights } of opened) await weights.close()
    throw error
  }
}

/** Loads all networks of a sparse encoder with a Router. @param main the network that the folder's own members tell of */
export async function loadSparseNetworks(
  getAddon: () => NativeAddon,
  path: string,
  { networks }: RouterFolder,
  options: LoadOptions,
): Promise<
  Pick<BaseParts, 'addon' | 'encoder' | 'device' | 'dtype' | 'names' | 'tokenizer' | 'tokenizers'> & {
    ownHeads: boolean[]
  }
> {
  const { signal } = options
  const tokenizers = networks.map(makeTokenizer)
  const opened = await openSparseNetworks(path, networks, options.ignoreTensors)
  try {
    throwIfAborted(signal, `Loading ${path}`)
    const addon = getAddon()
    const { device, dtype } = chooseMachine(addon, options)
    const ownHeads = opened.map(({ ownHead }) => ownHead)
    const specs = networkSpecs(
      networks,
      ownHeads.map((ownHead) => ({ pooler: false, ownHead })),
    )
    const encoder = newEncoder(addon, { ...specs, device, dtype })
    return await filled(encoder, async () => {
      const names = []
      for (const [i, { weights }] of opened.entries()) {
        names.push((await weights.load(networkOf(encoder, i), [], signal)).names)
      }
      const main = Math.max(
        0,
        networks.findIndex(({ first }) => first === 'Transformer'),
      )
      return {
        addon,
        encoder,
        device,
        dtype,
        names: joinedNames(names),
        tokenizer: tokenizers[main]!,
        tokenizers,
        ownHeads,
      }
    })
  } finally {
    for (const { weights } of opened) await weights.close()
  }
}
