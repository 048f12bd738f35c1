/** Which route a path belongs to. */
import { ServeError } from './errors.js'
import type { Route } from './route.js'
import { routes } from './routes/index.js'

export interface Found {
  readonly route: Route
  /** What the `{…}` of the route stood for. */
  readonly rest: string
  /** The name in `/models/NAME`. */
  readonly model: string | undefined
}

/** Routes by path, and those with an open end. */
const exact = new Map<string, Route[]>()
const open: { start: string; route: Route }[] = []
for (const route of routes) {
  for (const path of [route.path, ...(route.aliases ?? [])]) {
    const end = path.indexOf('{')
    if (end !== -1) open.push({ start: path.slice(0, end), route })
    else exact.set(path, [...(exact.get(path) ?? []), route])
  }
}

/**
 * The route of a request.
 * @param target path and query @param names of the models, which may have slashes
 * @returns undefined where there is no such path
 * @throws ServeError 405 for another method, 400 for a path that cannot be decoded
 */
export function findRoute(method: string, target: string, names: readonly string[]): Found | undefined {
  const { path, model } = withoutModel(pathOf(target), names)
  const asked = method === 'HEAD' ? 'GET' : method
  const some = exact.get(path)
  const route = some?.find((each) => each.method === asked)
  if (route) return { route, rest: '', model }
  const found = open.find(({ start }) => path.startsWith(start) && path.length > start.length)
  if (found && found.route.method === asked) return { route: found.route, rest: path.slice(found.start.length), model }
  if (!some && !found) return undefined
  const allow = [...new Set((some ?? [found!.route]).map((each) => each.method))].join(', ')
  throw new ServeError('Validation', `${path} is asked by ${allow}, not by ${method}`, {
    status: 405,
    headers: { allow },
  })
}

function pathOf(target: string): string {
  const [path = '/'] = target.split(/[?#]/, 1)
  try {
    return decodeURIComponent(path)
  } catch {
    throw new ServeError('Validation', 'The path is not encoded as a URL', { status: 400 })
  }
}

/** Takes `/models/NAME` from the front of a path. The longest name counts, since names may begin alike. */
function withoutModel(path: string, names: readonly string[]): { path: string; model: string | undefined } {
  if (!path.startsWith('/models/')) return { path, model: undefined }
  const tail = path.slice('/models/'.length)
  const fits = names.filter((name) => tail === name || tail.startsWith(`${name}/`))
  const model = fits.sort((a, b) => b.length - a.length)[0] ?? tail.split('/')[0]!
  return { path: tail.slice(model.length) || '/', model }
}
