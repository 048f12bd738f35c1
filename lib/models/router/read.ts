import { join, posix } from 'node:path'
import { SentenceTorchError } from '../../errors.js'
import { checkRelativePath } from '../../io/safe-path.js'
import { arrayOf, object, recordOf, text } from '../../io/schema.js'
import type { NativeAddon } from '../../native/types.js'
import { type FirstModule, readStaticEmbedding, readTransformer } from '../first-module.js'
import { jsonObject, readJson } from '../json.js'
import { checkOrder, type FirstModuleName, type ModuleName, moduleType, readModule } from '../modules/index.js'
import { assemble, type Item, type RouterFolder } from './networks.js'
import { checkSettings, readSettings, withDefault } from './settings.js'

/** An entry of modules.json or router_config.json. */
export interface Entry {
  /** Below the model's folder. */
  path: string
  type: string
}

const MOST = 64

/** router_config.json of a Router, config.json of an Asym. */
const routerSchema = object({
  types: recordOf(text(1000), { max: MOST }),
  structure: recordOf(arrayOf(text(1000), { max: MOST }), { max: MOST }),
})

/** Whether a type of modules.json is a Router, by its present name or that of old. */
export function isRouter(type: string): boolean {
  return /^sentence_transformers\.(.*\.)?(Router|Asym)$/.test(type)
}

/** The files of a Router below its folder, the preferred one first. */
export const ROUTER_FILES = ['router_config.json', 'config.json'] as const

/** The modules that a Router's file names, by route. @throws SentenceTorchError ERR_INVALID_MODEL naming `file` */
export function routerEntries(content: unknown, folder: string, file: string): { name: string; modules: Entry[] }[] {
  const fail = (message: string) => new SentenceTorchError('ERR_INVALID_MODEL', message)
  const { types, structure } = routerSchema(content, { file, key: '', code: 'ERR_INVALID_MODEL' })
  const routes = Object.entries(structure).map(([name, ids]) => {
    const modules = ids.map((id) => {
      if (!Object.hasOwn(types, id))
        throw fail(`The route ${name} of ${file} names ${JSON.stringify(id)}, which is none of its types`)
      return {
        path: posix.join(folder, checkRelativePath(id, `types of ${file}`, 'ERR_INVALID_MODEL')),
        type: types[id]!,
      }
    })
    return { name, modules }
  })
  if (routes.length === 0) throw fail(`Expected at least one route in ${file}, found none`)
  return routes
}

/**
 * Reads the folder of a model with a Router: modules.json lists it at `at`.
 * @throws SentenceTorchError ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED or ERR_UNSUPPORTED, naming the file
 */
export async function readRouter(
  root: string,
  entries: readonly Entry[],
  at: number,
  getAddon: () => NativeAddon,
  { check = checkOrder, first = readFirst }: RouterReaders = {},
): Promise<RouterFolder> {
  const modulesFile = join(root, 'modules.json')
  const { path: folder } = entries[at]!
  if (entries.filter(({ type }) => isRouter(type)).length > 1) {
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', `${modulesFile} lists several Routers: not built yet`)
  }
  const [file, content] = await readRouterFile(join(root, folder))
  const listed = routerEntries(content, folder, file)
  const routes = listed.map(({ name }) => name)
  const settings = withDefault(readSettings(content.parameters ?? {}, file), routes)
  checkSettings(settings, routes, (message) => new SentenceTorchError('ERR_INVALID_MODEL', `${message} in ${file}`))
  const item = ({ path, type }: Entry): Item =>
    itemOf(root, path, moduleType(type, file), (folder, type) => first(folder, type, getAddon))
  const items = {
    before: entries.slice(0, at).map(item),
    routes: listed.map(({ name, modules }) => ({ name, modules: modules.map(item) })),
    after: entries.slice(at + 1).map(item),
  }
  return assemble(items, settings, file, 'ERR_INVALID_MODEL', check)
}

async function readRouterFile(folder: string) {
  for (const name of ROUTER_FILES) {
    const file = join(folder, name)
    const content = await readJson(file, jsonObject)
    // A folder's config.json may be that of another module.
    if (content && (name === ROUTER_FILES[0] || content.types !== undefined)) return [file, content] as const
  }
  const message = `Expected ${ROUTER_FILES[0]} in ${folder}, which the Router of modules.json calls for, found none`
  throw new SentenceTorchError('ERR_INVALID_MODEL', message)
}

/** What a class of models asks of its routes, and how it reads their first modules. */
interface RouterReaders {
  check?: typeof checkOrder
  first?: typeof readFirst
}

function readFirst(folder: string, type: FirstModuleName, getAddon: () => NativeAddon): Promise<FirstModule> {
  return (type === 'StaticEmbedding' ? readStaticEmbedding : readTransformer)(folder, getAddon)
}

function itemOf(
  root: string,
  path: string,
  type: FirstModuleName | ModuleName,
  first: (folder: string, type: FirstModuleName) => Promise<FirstModule>,
): Item {
  const file = join(root, path, 'config.json')
  return {
    key: path,
    type,
    name: file,
    first: () => first(join(root, path), type as FirstModuleName),
    place: async (input) => readModule(type as ModuleName, await readJson(file, jsonObject), input, path, file),
  }
}
