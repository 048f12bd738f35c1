import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { checkOptions, checkType, isPlainObject } from '../../options.js'
import { checkSettings, type RouteMapping, type RouterSettings, withDefault } from '../router/settings.js'
import type { ModelModule } from './module.js'
import type { SparseStaticEmbedding } from './sparse-static-embedding.js'
import type { StaticEmbedding } from './static-embedding.js'
import type { Transformer } from './transformer.js'

/** The modules of a route, in order. */
export type RouteModules = readonly (Transformer | StaticEmbedding | SparseStaticEmbedding | ModelModule)[]

export interface RouterOptions {
  /** The route of texts without a task. Default: the first one. */
  defaultRoute?: string | null
  /** Whether the first route is the default where `defaultRoute` is absent; otherwise texts without a task are an error. Default true. */
  allowEmptyKey?: boolean
  /** Rules that come before the names of the routes. */
  routeMappings?: readonly RouteMapping[]
}

/**
 * Several lists of modules, of which each text takes the one for its task: `encodeQuery` those for queries, `encodeDocument` those for
 * documents. A module that stands in several lists is one module, with one set of weights. It stands first, or behind the first module
 * of a model; then the routes have the same transformer.
 *
 * ```ts
 * const table = await StaticEmbedding.load('sentence-transformers/static-retrieval-mrl-en-v1')
 * const transformer = await Transformer.load('bert-base-uncased')
 * const router = Router.forQueryDocument([table], [transformer, new Pooling('mean'), new Dense({ outFeatures: 1024 })])
 * const model = await SentenceTransformer.fromModules([router, new Normalize()])
 * ```
 * Source: sentence-transformers `Router`.
 */
export class Router {
  /** @internal */
  readonly routes: readonly { name: string; modules: RouteModules }[]
  /** @internal */
  readonly settings: RouterSettings

  /** @param routes modules by the name of the route @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION */
  constructor(routes: Readonly<Record<string, RouteModules>>, options: RouterOptions = {}) {
    if (!isPlainObject(routes) || Object.keys(routes).length === 0) {
      throw invalidArgument('routes', 'an object of arrays of modules, by the name of the route', routes)
    }
    checkOptions('Router', options, ['defaultRoute', 'allowEmptyKey', 'routeMappings'])
    checkType('allowEmptyKey', options.allowEmptyKey, 'boolean')
    const { defaultRoute = null, allowEmptyKey = true, routeMappings = [] } = options
    if (defaultRoute !== null) checkType('defaultRoute', defaultRoute, 'string')
    if (!Array.isArray(routeMappings))
      throw invalidArgument('routeMappings', 'an array of { task, modality, route }', routeMappings)
    this.routes = Object.entries(routes).map(([name, modules]) => {
      if (Array.isArray(modules) && modules.length > 0) return { name, modules: [...modules] }
      throw invalidArgument(`routes.${name}`, 'an array of modules', modules)
    })
    const names = this.routes.map(({ name }) => name)
    const rules = routeMappings.map((rule: RouteMapping) => {
      checkOptions('a rule of routeMappings', rule, ['task', 'modality', 'route'])
      const { task = null, modality = null, route } = rule
      return { task, modality: Array.isArray(modality) ? [...modality].sort() : modality, route }
    })
    this.settings = withDefault({ defaultRoute, allowEmptyKey, routeMappings: rules }, names)
    checkSettings(
      this.settings,
      names,
      (message) => new SentenceTorchError('ERR_INVALID_ARGUMENT', `${message}, in Router`),
    )
  }

  /**
   * Routes named `query` and `document`, of which the second is the default.
   * Source: sentence-transformers `Router.for_query_document`.
   */
  static forQueryDocument(
    query: RouteModules,
    document: RouteModules,
    options: Omit<RouterOptions, 'routeMappings'> = {},
  ): Router {
    checkOptions('Router.forQueryDocument', options, ['defaultRoute', 'allowEmptyKey'])
    return new Router({ query, document }, { defaultRoute: 'document', ...options })
  }
}
