import { AsyncLocalStorage } from 'node:async_hooks'
import { invalidArgument } from '../errors.js'
import { isPlainObject } from '../options.js'

/** What a scope disposes of. */
export interface Scoped {
  dispose(): void
}

interface Scope {
  /** Undefined once it has ended. */
  members: Set<Scoped> | undefined
  readonly parent: Scope | undefined
}

/** Node follows every promise for that, so it does only while a scope is open. */
const current = new AsyncLocalStorage<Scope>()
let openScopes = 0

/** The innermost scope that has not ended. What is made late, by work that nobody waited for, belongs to an outer one. */
function openScope(): Scope | undefined {
  let scope = current.getStore()
  while (scope !== undefined && scope.members === undefined) scope = scope.parent
  return scope
}

/** Whose members tensors are. */
const owners = new WeakMap<Scoped, Scope>()

export function addToScope(made: Scoped, scope = openScope()): void {
  if (scope === undefined) return
  scope.members?.add(made)
  owners.set(made, scope)
}

export function leaveScope(made: Scoped): void {
  owners.get(made)?.members?.delete(made)
  owners.delete(made)
}

/** The members of scopes in a result: alone, in arrays, or in plain objects. */
function membersIn(result: unknown): Scoped[] {
  const found: Scoped[] = []
  // The loop comes to what is added meanwhile, once: a result may hold itself.
  const reached = new Set([result])
  for (const each of reached) {
    if (owners.has(each as Scoped)) found.push(each as Scoped)
    else if (Array.isArray(each) || isPlainObject(each)) {
      for (const inner of Object.values(each)) if (typeof inner === 'object') reached.add(inner)
    }
  }
  return found
}

/**
 * Runs `work` and disposes of every tensor that was made in it, except those that it returns (alone, in arrays, or as members of
 * plain objects), which belong to the scope around, if there is one. `work` may be async. Scopes may be nested.
 *
 * ```ts
 * const value = await scope(async () => {
 *   const x = tensor([1, 2, 3])
 *   return x.mul(x).sum().item()
 * })
 * ```
 * @returns what `work` returns
 */
export function scope<T>(work: () => T): T {
  if (typeof work !== 'function') throw invalidArgument('work', 'a function', work)
  const own: Scope = { members: new Set(), parent: openScope() }
  const end = (result: unknown) => {
    try {
      for (const kept of membersIn(result)) {
        if (owners.get(kept) !== own) continue
        leaveScope(kept)
        addToScope(kept, own.parent)
      }
    } finally {
      const members = own.members ?? []
      own.members = undefined
      for (const left of members) left.dispose()
      if (--openScopes === 0) current.disable()
    }
  }
  let result: T
  openScopes++
  try {
    result = current.run(own, work)
  } catch (error) {
    end(undefined)
    throw error
  }
  if (typeof (result as { then?: unknown } | undefined)?.then !== 'function') {
    end(result)
    return result
  }
  const settled = Promise.resolve(result).then(
    (value: unknown) => {
      end(value)
      return value
    },
    (error: unknown) => {
      end(undefined)
      throw error
    },
  )
  return settled as T
}
