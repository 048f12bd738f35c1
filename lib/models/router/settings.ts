import { invalidArgument, SentenceTorchError } from '../../errors.js'
import type { ConfigObject, ConfigValue } from '../../native/types.js'
import { isPlainObject } from '../../options.js'
import { pythonText } from '../python-text.js'

/** A rule for texts: which route they take. */
export interface RouteMapping {
  /** Of the call: `query`, `document`, … null or absent: any. */
  task?: string | null
  /** What the input is: `text`, or several kinds together. null or absent: any. */
  modality?: string | readonly string[] | null
  route: string
}

/** How a Router chooses a route. */
export interface RouterSettings {
  /** Without a task, and where no rule fits; null: that is an error. */
  defaultRoute: string | null
  allowEmptyKey: boolean
  routeMappings: readonly RouteMapping[]
}

/** What every text is. */
const TEXT = 'text'

/**
 * The route of texts with a task, as `Router._resolve_route` finds it: rules for task and modality, for the task, for the modality, for
 * everything; then the route that is called like the task, or like the modality; then the default.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT for a task without route, and where there is no default
 */
export function resolveRoute(settings: RouterSettings, routes: readonly string[], task: string | null): string {
  const { routeMappings, defaultRoute } = settings
  const rule = (wantedTask: string | null, wantedModality: string | null) =>
    routeMappings.find(
      (mapping) => (mapping.task ?? null) === wantedTask && (mapping.modality ?? null) === wantedModality,
    )
  const found = rule(task, TEXT) ?? rule(task, null) ?? rule(null, TEXT) ?? rule(null, null)
  if (found) return found.route
  if (task !== null && routes.includes(task)) return task
  if (routes.includes(TEXT)) return TEXT
  if (task !== null) throw invalidArgument('task', `a task of the model's Router (${tasks(settings, routes)})`, task)
  if (defaultRoute !== null) return defaultRoute
  const message = `Expected a task, since the model's Router has no default route (${tasks(settings, routes)})`
  throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}

function tasks({ routeMappings }: RouterSettings, routes: readonly string[]): string {
  const mapped = routeMappings.flatMap(({ task }) => (typeof task === 'string' ? [task] : []))
  return [...new Set([...routes, ...mapped])].join(', ')
}

/**
 * Checks settings against the routes there are.
 * @param fail makes the error of what is wrong
 */
export function checkSettings(
  { defaultRoute, routeMappings }: RouterSettings,
  routes: readonly string[],
  fail: (message: string) => Error,
): void {
  const wrong = [defaultRoute, ...routeMappings.map(({ route }) => route)].find(
    (route) => route !== null && !routes.includes(route),
  )
  if (wrong != null) throw fail(`Expected one of the routes ${routes.join(', ')}, found ${JSON.stringify(wrong)}`)
}

/** Without a default of its own a Router has its first route, unless it may have none. Source: `Router.__init__`. */
export function withDefault(settings: RouterSettings, routes: readonly string[]): RouterSettings {
  if (settings.defaultRoute !== null || !settings.allowEmptyKey) return settings
  return { ...settings, defaultRoute: routes[0]! }
}

/** The `parameters` of a router_config.json. */
export function readSettings(parameters: unknown, file: string): RouterSettings {
  const fail = (what: string) => new SentenceTorchError('ERR_INVALID_MODEL', `Expected ${what} in ${file}`)
  if (!isPlainObject(parameters)) throw fail('an object as parameters')
  const { default_route = null, allow_empty_key = true, route_mappings } = parameters as Record<string, unknown>
  if (default_route !== null && typeof default_route !== 'string') throw fail('a text or null as default_route')
  if (typeof allow_empty_key !== 'boolean') throw fail('true or false as allow_empty_key')
  const rules = route_mappings ?? {}
  if (!isPlainObject(rules)) throw fail('an object as route_mappings')
  const routeMappings = Object.entries(rules as object).flatMap(([key, route]): RouteMapping[] => {
    if (typeof route !== 'string') throw fail('names of routes as values of route_mappings')
    const pair = readPair(key)
    if (pair) return [{ ...pair, route }]
    const message = `The key ${JSON.stringify(key)} of route_mappings in ${file} is no pair of task and modality and is left out`
    process.emitWarning(message, 'SentenceTorchWarning')
    return []
  })
  return { defaultRoute: default_route, allowEmptyKey: allow_empty_key, routeMappings }
}

/** What Python writes as `parameters`. */
export function savedSettings({ defaultRoute, allowEmptyKey, routeMappings }: RouterSettings): ConfigObject {
  const rules = routeMappings.map(({ task = null, modality = null, route }) => {
    return [pythonText([task, modality as ConfigValue]), route] as const
  })
  return {
    default_route: defaultRoute,
    allow_empty_key: allowEmptyKey,
    route_mappings: Object.fromEntries(rules),
  }
}

const TOKEN = /\s*(?:([(),])|None\b|'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*/y

/** A key of route_mappings, Python's text of a tuple: `('query', 'text')`, `(None, ('image', 'text'))`. */
function readPair(key: string): Pick<RouteMapping, 'task' | 'modality'> | undefined {
  let at = 0
  const next = (): { sign?: string; value?: string | null } | undefined => {
    TOKEN.lastIndex = at
    const found = TOKEN.exec(key)
    if (!found) return undefined
    at = TOKEN.lastIndex
    if (found[1] !== undefined) return { sign: found[1] }
    return { value: (found[2] ?? found[3])?.replace(/\\(.)/g, '$1') ?? null }
  }
  const tuple = (): unknown[] | undefined => {
    const values: unknown[] = []
    for (let token = next(); token; token = next()) {
      if (token.sign === ')') return values
      const value = token.sign === '(' ? tuple() : token.value
      if (value === undefined) return undefined
      values.push(value)
      const after = next()
      if (after?.sign === ')') return values
      if (after?.sign !== ',') return undefined
    }
    return undefined
  }
  if (next()?.sign !== '(') return undefined
  const pair = tuple()
  if (pair?.length !== 2 || at !== key.length) return undefined
  const [task, modality] = pair
  const isModality = modality === null || typeof modality === 'string' || isTexts(modality)
  if (!(task === null || typeof task === 'string') || !isModality) return undefined
  return { task, modality: Array.isArray(modality) ? [...modality].sort() : modality }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}
