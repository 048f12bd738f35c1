import type { NativeAddon } from '../native/types.js'
import { checkInteger, checkOptions } from '../options.js'
import { fill, type ModuleKind, networksOf } from './from-modules.js'
import { type MaskedModel, openMaskedWeights } from './masked-model.js'
import { checkSparseOrder } from './modules/index.js'
import type { ModelModule } from './modules/module.js'
import type { Router } from './modules/router.js'
import type { SparseStaticEmbedding } from './modules/sparse-static-embedding.js'
import type { StaticEmbedding } from './modules/static-embedding.js'
import type { Transformer } from './modules/transformer.js'
import { joinedNames, type Network, networkOf, networkSpecs } from './router/networks.js'
import { checkSparseRoute, type NetworkWeights } from './router/sparse.js'
import { activeDimsOf } from './sparse-folder.js'
import { checkVocabulary, type SparseParts, withOptions } from './sparse-load.js'
import { checkSparseModelOptions, SPARSE_MODEL_OPTIONS, type SparseModelOptions } from './sparse-options.js'
import { chooseMachine, filled, makeTokenizer, newEncoder } from './start-engine.js'
import type { StoredNames } from './stored-names.js'
import { WeightFiles } from './weights.js'

export interface SparseFromModulesOptions extends SparseModelOptions {
  /** Of the values of new modules. Default 0. */
  seed?: number
}

/** A first module and those behind it, or a Router. */
export type SparseEncoderModules = readonly [
  Transformer | StaticEmbedding | SparseStaticEmbedding | Router,
  ...(ModelModule | Router)[],
]

const KIND: ModuleKind = {
  check: checkSparseOrder,
  checkRoute: checkSparseRoute,
  starts: 'a Transformer, a StaticEmbedding or a SparseStaticEmbedding',
  others: 'a SpladePooling, or modules of a SentenceTransformer and a SparseAutoEncoder',
}

/** Puts a sparse encoder together: see `SparseEncoder.fromModules`. */
export async function sparsePartsOfModules(
  getAddon: () => NativeAddon,
  modules: SparseEncoderModules,
  options: SparseFromModulesOptions,
): Promise<SparseParts> {
  checkOptions('SparseEncoder.fromModules', options, [...SPARSE_MODEL_OPTIONS, 'seed'])
  checkSparseModelOptions(options)
  checkInteger('seed', options.seed, 0)
  const { networks, starts, router } = await networksOf(modules, KIND)
  const main = Math.max(
    0,
    networks.findIndex(({ first }) => first === 'Transformer'),
  )
  const { chains: _, ...first } = networks[main]!
  const settings = { prompts: { query: '', document: '' }, defaultPromptName: null, similarityFnName: null }
  const own = { ...settings, maxActiveDims: activeDimsOf(first.modules), extraModelConfig: {} }
  const folder = withOptions({ ...first, path: undefined, ...own, ...(router && { router }) }, options)
  const tokenizers = (folder.router?.networks ?? [folder]).map(makeTokenizer)
  for (const [i, network] of networks.entries()) {
    if (network.readsLogits) checkVocabulary(tokenizers[i]!.vocabSize, network, network.transformerPath)
  }
  const files: (NetworkWeights | undefined)[] = []
  try {
    for (const [i, { weights }] of starts.entries()) {
      files.push(weights.kind === 'folder' ? await openFirst(networks[i]!, weights.path) : undefined)
    }
    const addon = getAddon()
    const { device, dtype } = chooseMachine(addon, options)
    // A new transformer has the last layer that its config says.
    const ownHeads = networks.map((network, i) => files[i]?.ownHead ?? hasOwnHead(network))
    const specs = networkSpecs(
      networks,
      ownHeads.map((ownHead, i) => {
        const { readsLogits, description } = networks[i]!
        const pooler = !readsLogits && (files[i]?.weights.hasPooler ?? description.names.pooler.length > 0)
        return { pooler, ownHead }
      }),
    )
    const encoder = newEncoder(addon, { ...specs, device, dtype })
    return await filled(encoder, async () => {
      const names: StoredNames[] = []
      for (const [i, { weights }] of starts.entries()) {
        names.push(await fill(networkOf(encoder, i), weights, files[i]?.weights, options.seed ?? 0))
      }
      const [weights] = starts.map((start) => start.weights)
      const id = starts.length === 1 && weights?.kind === 'folder' ? weights.id : undefined
      const parts = {
        addon,
        encoder,
        device,
        dtype,
        tokenizer: tokenizers[main]!,
        folder,
        id,
        names: joinedNames(names),
      }
      return { ...parts, ownHead: ownHeads[main]!, ...(router && { tokenizers, ownHeads }) }
    })
  } finally {
    for (const one of files) await one?.weights.close()
  }
}

/** The weights of a first module alone. */
async function openFirst(network: Network, path: string): Promise<NetworkWeights> {
  const { first, config, description, readsLogits } = network
  const files = { first, path, transformerPath: path, modules: [] }
  if (readsLogits) return openMaskedWeights({ ...files, description: description as MaskedModel }, config)
  return { weights: await WeightFiles.open({ ...files, description }), ownHead: false }
}

function hasOwnHead({ readsLogits, config }: Network): boolean {
  return readsLogits === true && config.tie_word_embeddings === false
}
