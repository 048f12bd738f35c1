import { join } from 'node:path'
import type { ConfigObject } from '../../native/types.js'
import type { Place, RouterFolder } from './networks.js'
import { savedSettings } from './settings.js'

/** How a model's folder is laid out. */
export interface FolderLayout {
  /** modules.json. */
  list: object[]
  /** Where each module is saved, once. */
  files: (Place & { path: string })[]
  /** Folder and content of router_config.json. */
  router?: { path: string; content: ConfigObject }
}

/** Of a model with a Router. @param typeName the Python type of a module */
export function routerLayout(router: RouterFolder, typeName: (type: string) => string): FolderLayout {
  const { layout, networks, settings } = router
  const typeOf = ({ network, module }: Place) => {
    const own = networks[network]!
    return module === -1 ? own.first : own.modules[module]!.type
  }
  const files: FolderLayout['files'] = []
  const outside = (place: Place, idx: number) => {
    const path = idx === 0 ? '' : `${idx}_${typeOf(place)}`
    files.push({ ...place, path })
    return { idx, name: String(idx), path, type: typeName(typeOf(place)) }
  }
  const at = layout.before.length
  const folder = at === 0 ? '' : `${at}_Router`
  const ids = new Map<string, string>()
  const types: ConfigObject = {}
  const idOf = (place: Place, route: string, index: number) => {
    const key = `${place.network} ${place.module}`
    const id = ids.get(key) ?? `${route}_${index}_${typeOf(place)}`
    if (!ids.has(key)) files.push({ ...place, path: join(folder, id) })
    ids.set(key, id)
    types[id] = typeName(typeOf(place))
    return id
  }
  const list = layout.before.map(outside)
  list.push({ idx: at, name: String(at), path: folder, type: 'sentence_transformers.models.Router' })
  const structure = Object.fromEntries(
    layout.routes.map(({ name, modules }) => [name, modules.map((place, i) => idOf(place, name, i))]),
  )
  list.push(...layout.after.map((place, i) => outside(place, at + 1 + i)))
  return { list, files, router: { path: folder, content: { types, structure, parameters: savedSettings(settings) } } }
}
