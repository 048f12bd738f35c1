import { throwIfAborted } from '../../io/abort.js'
import type { NativeAddon, NativeEncoder } from '../../native/types.js'
import type { ModelFolder } from '../model-folder.js'
import { chooseMachine, filled, makeTokenizer, newEncoder, type Parts } from '../start-engine.js'
import type { LoadOptions } from '../types.js'
import { WeightFiles } from '../weights.js'
import { joinedNames, type Network, networkOf, networkPrefix, networkSpecs, type RouterFolder } from './networks.js'

/** Loads all networks of a model with a Router. @throws as `loadParts` */
export async function loadRouterParts(
  getAddon: () => NativeAddon,
  folder: ModelFolder,
  { networks }: RouterFolder,
  id: string | undefined,
  options: LoadOptions,
): Promise<Parts> {
  const { signal } = options
  const tokenizers = networks.map(makeTokenizer)
  const weights = await openNetworks(folder.path!, networks, options.ignoreTensors)
  try {
    throwIfAborted(signal, `Loading ${folder.path}`)
    const addon = getAddon()
    const { device, dtype } = chooseMachine(addon, options)
    const poolers = weights.map(({ hasPooler }) => ({ pooler: hasPooler }))
    const encoder = newEncoder(addon, { ...networkSpecs(networks, poolers), device, dtype })
    return await filled(encoder, async () => {
      const names = []
      for (const [i, files] of weights.entries()) {
        names.push((await files.load(networkOf(encoder, i), [], signal)).names)
      }
      return {
        addon,
        encoder,
        device,
        dtype,
        tokenizer: tokenizers[0]!,
        tokenizers,
        folder,
        names: joinedNames(names),
        id,
      }
    })
  } finally {
    for (const files of weights) await files.close()
  }
}

/** The weight files of each network of a folder. */
export async function openNetworks(
  path: string,
  networks: readonly Network[],
  ignoreTensors: readonly (string | RegExp)[] = [],
): Promise<WeightFiles[]> {
  const opened: WeightFiles[] = []
  try {
    for (const { first, description, transformerPath, modules } of networks) {
      opened.push(
        await WeightFiles.open({ first, description, path, transformerPath: transformerPath!, modules }, ignoreTensors),
      )
    }
    return opened
  } catch (error) {
    for (const files of opened) await files.close()
    throw error
  }
}

/** Gives all networks other weights, in one job: see `WeightFiles.replace`. */
export async function replaceNetworks(weights: readonly WeightFiles[], encoder: NativeEncoder): Promise<void> {
  const entries = []
  for (const [i, files] of weights.entries()) {
    const own = await files.entries(networkOf(encoder, i))
    for (const entry of own) entries.push({ ...entry, name: networkPrefix(i) + entry.name })
  }
  await WeightFiles.exchange(encoder, entries)
}
