import { fromNative, invalidArgument, SentenceTorchError } from '../errors.js'
import type { NativeAddon } from '../native/types.js'
import { checkInteger, checkOptions } from '../options.js'
import { checkModelOptions } from './load-options.js'
import { withOptions } from './load-parts.js'
import type { Weights } from './modules/first.js'
import { checkOrder, nameOf, placeModule } from './modules/index.js'
import type { ModelModule, ModuleOrigin } from './modules/module.js'
import { Router } from './modules/router.js'
import { SparseStaticEmbedding } from './modules/sparse-static-embedding.js'
import { StaticEmbedding } from './modules/static-embedding.js'
import { Transformer } from './modules/transformer.js'
import {
  assemble,
  type Item,
  joinedNames,
  type Network,
  type NetworkEncoder,
  networkOf,
  networkSpecs,
  type RouterFolder,
  type RouterItems,
} from './router/networks.js'
import { chooseMachine, filled, makeTokenizer, newEncoder, type Parts } from './start-engine.js'
import type { StoredNames } from './stored-names.js'
import { MODEL_OPTIONS, type ModelOptions } from './types.js'
import { WeightFiles } from './weights.js'

export interface FromModulesOptions extends ModelOptions {
  /** Of the values of new Dense modules. Default 0. */
  seed?: number
}

type StartModule = Transformer | StaticEmbedding | SparseStaticEmbedding

/** A first module and those behind it, with a Router in place of one of them. */
export type ModelModules = readonly [Transformer | StaticEmbedding | Router, ...(ModelModule | Router)[]]

/** What a class of models asks of modules. */
export interface ModuleKind {
  /** Whether they can stand behind each other. */
  check: typeof checkOrder
  /** The same on a route of a Router. Default: `check`. */
  checkRoute?: typeof checkOrder
  /** What messages call first modules, and those behind them. */
  starts: string
  others: string
}

const DENSE: ModuleKind = {
  check: checkOrder,
  starts: 'a Transformer or a StaticEmbedding',
  others: 'a Pooling, Dense, Normalize, LayerNorm, Dropout or WeightedLayerPooling',
}

/** Puts a model together: see `SentenceTransformer.fromModules`. */
export async function partsOfModules(
  getAddon: () => NativeAddon,
  modules: ModelModules,
  options: FromModulesOptions,
): Promise<Parts> {
  checkOptions('SentenceTransformer.fromModules', options, [...MODEL_OPTIONS, 'seed'])
  checkModelOptions(options)
  checkInteger('seed', options.seed, 0)
  const { networks, starts, router } = await networksOf(modules, DENSE)
  const { chains: _, ...first } = networks[0]!
  const folder = withOptions(
    {
      ...first,
      path: undefined,
      ...{ prompts: { query: '', document: '' }, defaultPromptName: null, similarityFnName: 'cosine' as const },
      ...{ truncateDim: null, extraModelConfig: {}, ...(router && { router }) },
    },
    options,
  )
  const tokenizers = (folder.router?.networks ?? [folder]).map(makeTokenizer)
  const files = await openFiles(starts, networks)
  try {
    const addon = getAddon()
    const { device, dtype } = chooseMachine(addon, options)
    const poolers = networks.map(({ description }, i) => ({
      pooler: files[i]?.hasPooler ?? description.names.pooler.length > 0,
    }))
    const encoder = newEncoder(addon, { ...networkSpecs(networks, poolers), device, dtype })
    return await filled(encoder, async () => {
      const names: StoredNames[] = []
      for (const [i, { weights }] of starts.entries()) {
        names.push(await fill(networkOf(encoder, i), weights, files[i], options.seed ?? 0))
      }
      const [weights] = starts.map((start) => start.weights)
      const id = starts.length === 1 && weights?.kind === 'folder' ? weights.id : undefined
      const parts = { addon, encoder, device, dtype, tokenizer: tokenizers[0]!, folder, names: joinedNames(names), id }
      return { ...parts, ...(router && { tokenizers }) }
    })
  } finally {
    for (const one of files) await one?.close()
  }
}

/** Without it Python leaves a WeightedLayerPooling out. */
function withLayers(network: Network): Network {
  if (!network.modules.some(({ type }) => type === 'WeightedLayerPooling')) return network
  return { ...network, config: { ...network.config, output_hidden_states: true } }
}

/** The networks of a model, the first module of each, and its Router, if it has one. @throws ERR_INVALID_ARGUMENT */
export async function networksOf(
  modules: unknown,
  kind: ModuleKind,
): Promise<{ networks: Network[]; starts: StartModule[]; router?: RouterFolder }> {
  if (!Array.isArray(modules)) throw invalidArgument('modules', 'an array of modules', modules)
  if (modules.length === 0) throw noStart('modules[0]', kind, undefined)
  const list = modules as unknown[]
  const at = list.findIndex((module) => module instanceof Router)
  const router = at === -1 ? undefined : (list[at] as Router)
  // Without a Router it is a model with one route.
  const items: RouterItems = {
    before: list.slice(0, Math.max(at, 0)).map((module, i) => itemOf(module, `modules[${i}]`, i, kind)),
    routes: (router?.routes ?? [{ name: '', modules: list }]).map(({ name, modules }) => ({
      name,
      modules: modules.map((module, i) => {
        const where = router ? `modules[${at}].${name}[${i}]` : `modules[${i}]`
        return itemOf(module, where, router && at > 0 ? i + 1 : i, kind)
      }),
    })),
    after: router
      ? list.slice(at + 1).map((module, i) => itemOf(module, `modules[${at + 1 + i}]`, at + 1 + i, kind))
      : [],
  }
  const settings = router?.settings ?? { defaultRoute: null, allowEmptyKey: true, routeMappings: [] }
  const found = await assemble(
    items,
    settings,
    'fromModules',
    'ERR_INVALID_ARGUMENT',
    router ? (kind.checkRoute ?? kind.check) : kind.check,
  )
  const networks = found.networks.map(withLayers)
  for (const { readsLogits, modules } of networks) checkTask(readsLogits === true, modules)
  const starts = new Set(items.routes.map(({ modules }) => [...items.before, ...modules][0]!.key as StartModule))
  return { networks, starts: [...starts], ...(router && { router: { ...found, networks } }) }
}

/** @throws ERR_INVALID_ARGUMENT unless a transformer gives what the module behind it reads */
function checkTask(readsLogits: boolean, modules: readonly { type: string }[]): void {
  const isPooled = modules[0]?.type === 'SpladePooling'
  if (isPooled === readsLogits) return
  const needed = isPooled ? 'before SpladePooling' : 'before other modules than SpladePooling'
  const task = isPooled ? 'fill-mask' : 'feature-extraction'
  throw new SentenceTorchError(
    'ERR_INVALID_ARGUMENT',
    `Expected a Transformer with transformerTask: '${task}' ${needed}`,
  )
}

function noStart(name: string, { starts }: ModuleKind, module: unknown): SentenceTorchError {
  return invalidArgument(name, `${starts}, after await, or a Router`, module)
}

/** @param index of the module on its route: 0 for the first one */
function itemOf(module: unknown, name: string, index: number, kind: ModuleKind): Item {
  const isStart = [Transformer, StaticEmbedding, SparseStaticEmbedding].some((start) => module instanceof start)
  if (index === 0 && !isStart) throw noStart(name, kind, module)
  const type = isStart ? (module as StartModule).first.first : nameOf(module)
  if (type === undefined) throw invalidArgument(name, kind.others, module)
  return {
    key: module,
    type,
    name,
    first: async () => (module as StartModule).first,
    place: async (input) => {
      const origin: ModuleOrigin = { name, code: 'ERR_INVALID_ARGUMENT' }
      return placeModule(module as ModelModule, index, input, origin)
    },
  }
}

/** Of first modules that come from a folder. */
async function openFiles(
  starts: readonly StartModule[],
  networks: readonly Network[],
): Promise<(WeightFiles | undefined)[]> {
  const opened: (WeightFiles | undefined)[] = []
  try {
    for (const [i, { weights }] of starts.entries()) {
      const { first, description } = networks[i]!
      const path = weights.kind === 'folder' ? weights.path : undefined
      opened.push(
        path === undefined
          ? undefined
          : await WeightFiles.open({ first, description, path, transformerPath: path, modules: [] }),
      )
    }
    return opened
  } catch (error) {
    for (const files of opened) await files?.close()
    throw error
  }
}

/** Gives a network its first values. @returns what the files call its tensors */
export async function fill(
  encoder: NetworkEncoder,
  weights: Weights,
  files: WeightFiles | undefined,
  seed: number,
): Promise<StoredNames> {
  const names = encoder.tensors().map(({ name }) => name)
  const ofFirst = names.filter((name) => name.startsWith('0.'))
  const ofOthers = names.filter((name) => !name.startsWith('0.'))
  const stored: StoredNames = files ? (await files.load(encoder, ofOthers)).names : new Map()
  if (weights.kind === 'new') await initialize(encoder, ofFirst, weights.seed)
  if (weights.kind === 'table') await loadTable(encoder, ofFirst[0]!, weights.table.data)
  await initialize(encoder, ofOthers, seed)
  return stored
}

async function initialize(encoder: NetworkEncoder, names: string[], seed: number): Promise<void> {
  try {
    if (names.length > 0) await encoder.initialize(names, seed)
  } catch (error) {
    throw fromNative(error, 'Encoder.initialize')
  }
}

async function loadTable(encoder: NetworkEncoder, name: string, values: Float32Array): Promise<void> {
  const place = values.findIndex((value) => !Number.isFinite(value))
  if (place !== -1) {
    const message = `Expected finite numbers as embeddingWeights but received ${values[place]} at ${place}`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  await encoder.load([{ name, start: 0, dtype: 'F32', data }])
}
