import { posix } from 'node:path'
import { type Entry, isRouter, ROUTER_FILES, routerEntries } from './read.js'

/** The modules of a repository with those of its Router in place of that, and the Router's file; without one as they are. */
export async function withRoutes(
  modules: readonly Entry[] | undefined,
  files: ReadonlySet<string>,
  read: (file: string) => Promise<unknown>,
): Promise<{ modules: readonly Entry[] | undefined; more: string[] }> {
  const router = modules?.find(({ type }) => isRouter(type))
  const file = router && ROUTER_FILES.map((name) => posix.join(router.path, name)).find((name) => files.has(name))
  if (file === undefined) return { modules, more: [] }
  const routes = routerEntries(await read(file), router!.path, file).flatMap((route) => route.modules)
  const own = routes.filter(({ path }, i) => routes.findIndex((other) => other.path === path) === i)
  return { modules: modules!.flatMap((module) => (module === router ? own : [module])), more: [file] }
}
