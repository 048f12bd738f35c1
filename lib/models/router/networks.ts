import type { Tokenizer } from '../../data/tokenizer.js'
import type { ErrorCode } from '../../errors.js'
import { SentenceTorchError } from '../../errors.js'
import type { Description, EncoderSpec, NativeEncoder } from '../../native/types.js'
import type { FirstModule } from '../first-module.js'
import { checkOrder, type FirstModuleName, type FolderModule, hasWeights, type ModuleName } from '../modules/index.js'
import type { ModuleInput } from '../modules/module.js'
import type { StoredNames } from '../stored-names.js'
import { type RouterSettings, resolveRoute } from './settings.js'

/** A first module of a model with a Router, and the modules that come behind it on any route. */
export interface Network extends FirstModule {
  modules: FolderModule[]
  /** Of each route through it: which of the modules, in order. */
  chains: number[][]
}

/** A route, as a model of its own. */
export interface Route {
  name: string
  /** Which of the networks, and which of its chains. */
  network: number
  chain: number
  /** The engine's number. */
  number: number
}

/** Where the model keeps a module: the first one of a network, or one of its modules. */
export interface Place {
  network: number
  /** -1: the first one. */
  module: number
}

/** What a model with a Router has in place of one first module and one list of modules. */
export interface RouterFolder {
  settings: RouterSettings
  networks: Network[]
  routes: Route[]
  /** The modules as modules.json and router_config.json list them. */
  layout: { before: Place[]; routes: { name: string; modules: Place[] }[]; after: Place[] }
}

/** A module that is to stand in a model with a Router. Equal keys are the same module. */
export interface Item {
  key: unknown
  type: FirstModuleName | ModuleName
  /** What an error calls it. */
  name: string
  first(): Promise<FirstModule>
  place(input: ModuleInput): Promise<FolderModule>
}

/** The modules before a Router, its routes, and the modules behind it. */
export interface RouterItems {
  before: readonly Item[]
  routes: readonly { name: string; modules: readonly Item[] }[]
  after: readonly Item[]
}

/**
 * Puts routes together: those that begin with the same module share its network, and modules behind it where they name the same.
 * @throws SentenceTorchError of `code` for modules that cannot stand behind each other; ERR_NOT_IMPLEMENTED for a module with weights
 * behind several first modules
 */
export async function assemble(
  { before, routes, after }: RouterItems,
  settings: RouterSettings,
  where: string,
  code: ErrorCode,
  check: typeof checkOrder = checkOrder,
): Promise<RouterFolder> {
  const networks: (Network & { key: unknown; keys: unknown[] })[] = []
  const placed = new Map<unknown, Place>()
  const found: Omit<Route, 'number'>[] = []
  const widths: number[] = []
  for (const { name, modules } of routes) {
    const [start, ...others] = [...before, ...modules, ...after]
    if (start === undefined)
      throw new SentenceTorchError(code, `Expected modules on the route ${name} of ${where}, found none`)
    check(
      [start.type, ...others.map(({ type }) => type as ModuleName)],
      name === '' ? where : `The route ${name} of ${where}`,
      code,
    )
    let number = networks.findIndex(({ key }) => key === start.key)
    if (number === -1) {
      number = networks.push({ ...(await start.first()), key: start.key, keys: [], modules: [], chains: [] }) - 1
    }
    const network = networks[number]!
    placed.set(start.key, placed.get(start.key) ?? { network: number, module: -1 })
    const { layers, vocabulary } = network.description
    // Of a weight for each token the embedding is as wide as the vocabulary.
    let width = start.type === 'SparseStaticEmbedding' ? vocabulary : network.description.width
    const chain: number[] = []
    for (const item of others) {
      const module = await item.place({ width, layers, vocabulary })
      let index = network.keys.indexOf(item.key)
      if (index === -1) {
        index = network.keys.push(item.key) - 1
        network.modules.push(module)
      } else if (network.modules[index]!.outputDimension !== module.outputDimension) {
        throw new SentenceTorchError(
          code,
          `${item.name} stands behind modules of different widths on routes of ${where}`,
        )
      }
      const twin = placed.get(item.key)
      if (twin !== undefined && twin.network !== number && hasWeights(module.type)) {
        throw new SentenceTorchError(
          'ERR_NOT_IMPLEMENTED',
          `${item.name} (${module.type}) of ${where} has weights that routes with different first modules share: not built yet`,
        )
      }
      placed.set(item.key, twin ?? { network: number, module: index })
      chain.push(index)
      width = module.outputDimension
    }
    found.push({ name, network: number, chain: network.chains.push(chain) - 1 })
    widths.push(width)
  }
  const other = widths.findIndex((width) => width !== widths[0])
  if (other !== -1) {
    const message = `The routes ${found[0]!.name} and ${found[other]!.name} of ${where} give embeddings of ${widths[0]} and ${widths[other]} numbers, expected one width`
    throw new SentenceTorchError(code, message)
  }
  const placesOf = (items: readonly Item[]) => items.map(({ key }) => placed.get(key)!)
  const firstRoute = (number: number) => networks.slice(0, number).reduce((sum, { chains }) => sum + chains.length, 0)
  return {
    settings,
    networks: networks.map(({ key, keys, ...network }) => network),
    routes: found.map((route) => ({ ...route, number: firstRoute(route.network) + route.chain })),
    layout: {
      before: placesOf(before),
      routes: routes.map(({ name, modules }) => ({ name, modules: placesOf(modules) })),
      after: placesOf(after),
    },
  }
}

/** How the texts of a call are encoded. */
export interface TextRoute {
  tokenizer: Tokenizer
  description: Description
  modules: readonly FolderModule[]
  /** The engine's; undefined in a model without Router. */
  number?: number
}

/** What a model knows of its routes. */
interface RoutedModel {
  folder: { description: Description; modules: readonly FolderModule[]; router?: RouterFolder }
  tokenizer: Tokenizer
  tokenizers?: readonly Tokenizer[]
}

/** How texts with a task are encoded. @throws SentenceTorchError ERR_INVALID_ARGUMENT for a task without route */
export function routeOf({ folder, tokenizer, tokenizers }: RoutedModel, task?: string | null): TextRoute {
  const { router } = folder
  if (!router) return { tokenizer, description: folder.description, modules: folder.modules }
  const names = router.routes.map(({ name }) => name)
  const chosen = resolveRoute(router.settings, names, task ?? null)
  const route = router.routes.find(({ name }) => name === chosen)!
  return {
    tokenizer: tokenizers![route.network]!,
    description: router.networks[route.network]!.description,
    modules: modulesOf(router, route),
    number: route.number,
  }
}

/** Most tokens of a text, by tokenizer. */
export function tokenLimits({
  tokenizer,
  tokenizers = [tokenizer],
}: Pick<RoutedModel, 'tokenizer' | 'tokenizers'>): ReadonlyMap<Tokenizer, number> {
  return new Map(tokenizers.map((one) => [one, one.maxSeqLength]))
}

/** The name of a tensor in Python's `named_parameters()`. */
export function parameterPath({ router }: Pick<RoutedModel['folder'], 'router'>, name: string): string {
  return router ? routerPath(router, name) : name.replace(/^0\./, '0.model.')
}

export function notForRouters(what: string): SentenceTorchError {
  return new SentenceTorchError('ERR_NOT_IMPLEMENTED', `${what} is not built for models with a Router`)
}

/** A folder's Router that is to have the modules of a model's. @throws ERR_INVALID_MODEL where it has others */
export function checkedTwin(own: RouterFolder, found: RouterFolder | undefined, path: string): RouterFolder {
  const shape = (router: RouterFolder | undefined) =>
    JSON.stringify(
      router?.networks.map(({ architecture, modules, chains }) => [
        architecture,
        modules.map(({ spec }) => spec),
        chains,
      ]),
    )
  if (found && shape(found) === shape(own)) return found
  throw new SentenceTorchError(
    'ERR_INVALID_MODEL',
    `Expected the modules and routes of the model in ${path}, found others`,
  )
}

/** With the lengths to which the tokenizers cut texts by now. */
export function withLengths(router: RouterFolder, lengths: readonly number[]): RouterFolder {
  return { ...router, networks: router.networks.map((network, i) => ({ ...network, maxSeqLength: lengths[i]! })) }
}

/** The modules for people to read, the Router with those of its routes. */
export function routerDescriptions({
  settings,
  networks,
  layout,
}: RouterFolder): { type: string; [setting: string]: unknown }[] {
  const describe = ({ network, module }: Place) => {
    const { first, architecture, maxSeqLength, description, modules } = networks[network]!
    if (module >= 0) return { ...modules[module]!.spec }
    return { type: first, architecture, maxSeqLength, layers: description.layers, hiddenSize: description.width }
  }
  const routes = Object.fromEntries(layout.routes.map(({ name, modules }) => [name, modules.map(describe)]))
  const router = { type: 'Router', defaultRoute: settings.defaultRoute, routes }
  return [...layout.before.map(describe), router, ...layout.after.map(describe)]
}

/**
 * The name of a tensor in Python, by the engine's: `0.sub_modules.query.0.model.encoder.…`. What several routes share has the name of
 * the first of them.
 */
function routerPath({ layout, networks }: RouterFolder, name: string): string {
  const [, network = '0', module, rest] = /^(?:(\d+):)?(\d+)\.(.*)$/s.exec(name)!
  const isIt = (place: Place) => place.network === Number(network) && place.module === Number(module) - 1
  // A SparseStaticEmbedding is no wrapper of a model.
  const isModel = module === '0' && networks[Number(network)]!.first === 'Transformer'
  const inside = isModel ? `model.${rest}` : rest
  const before = layout.before.findIndex(isIt)
  if (before !== -1) return `${before}.${inside}`
  const at = layout.before.length
  for (const route of layout.routes) {
    const index = route.modules.findIndex(isIt)
    if (index !== -1) return `${at}.sub_modules.${route.name}.${index}.${inside}`
  }
  return `${at + 1 + layout.after.findIndex(isIt)}.${inside}`
}

/** @param length tokens to which texts are cut on every route that takes as many; undefined: as they are */
export function withMaxSeqLength(router: RouterFolder, length: number | undefined): RouterFolder {
  if (length === undefined) return router
  const networks = router.networks.map((network) => {
    return { ...network, maxSeqLength: Math.min(length, network.description.positions ?? length) }
  })
  return { ...router, networks }
}

/** The modules behind the first one of a route. */
export function modulesOf({ networks }: RouterFolder, { network, chain }: Route): FolderModule[] {
  const { modules, chains } = networks[network]!
  return chains[chain]!.map((index) => modules[index]!)
}

/** What the engine is told of the networks. @param weights what each of them has: a pooler, a last layer of its own */
export function networkSpecs(
  networks: readonly Network[],
  weights: readonly { pooler: boolean; ownHead?: boolean }[],
): Pick<EncoderSpec, 'architecture' | 'config' | 'modules' | 'pooler' | 'ownHead' | 'routes' | 'others'> {
  const [first, ...others] = networks.map(({ architecture, config, modules, chains }, i) => ({
    architecture,
    config,
    modules: modules.map(({ spec }) => spec),
    ...weights[i]!,
    routes: chains,
  }))
  return { ...first!, ...(others.length > 0 && { others }) }
}

/** What loads and saves one network of an encoder. */
export type NetworkEncoder = Pick<NativeEncoder, 'tensors' | 'load' | 'loadFile' | 'dump' | 'initialize'>

/** In front of the names of a network's tensors. */
export function networkPrefix(network: number): string {
  return network === 0 ? '' : `${network}:`
}

/** One network of an encoder, under names without its number. */
export function networkOf(encoder: NativeEncoder, network: number): NetworkEncoder {
  const prefix = networkPrefix(network)
  const isOwn = (name: string) => (network === 0 ? !/^\d+:/.test(name) : name.startsWith(prefix))
  const named = <R extends { name: string }>(ranges: R[]) =>
    ranges.map((range) => ({ ...range, name: prefix + range.name }))
  return {
    tensors: () =>
      encoder
        .tensors()
        .filter(({ name }) => isOwn(name))
        .map(({ name, block, ...info }) => ({
          ...info,
          name: name.slice(prefix.length),
          ...(block !== undefined && { block: block.slice(prefix.length) }),
        })),
    load: (ranges, last) => encoder.load(named(ranges), last),
    loadFile: (file, ranges, last) => encoder.loadFile(file, named(ranges), last),
    dump: (ranges, merged) => encoder.dump(named(ranges), merged),
    initialize: (names, seed) =>
      encoder.initialize(
        names.map((name) => prefix + name),
        seed,
      ),
  }
}

/** Of all networks in one map, by the engine's names, with their numbers. */
export function joinedNames(names: readonly StoredNames[]): StoredNames {
  return new Map(
    names.flatMap((own, i) => [...own].map(([name, stored]) => [networkPrefix(i) + name, stored] as const)),
  )
}

/** Those of one network. */
export function namesOfNetwork(names: StoredNames, network: number): StoredNames {
  const prefix = networkPrefix(network)
  return new Map(
    [...names].flatMap(([name, stored]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), stored]] : [])),
  )
}
