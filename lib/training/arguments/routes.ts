import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { isPlainObject } from '../../options.js'

/** The task of each column, or of the columns of each dataset. */
export type RouterMapping =
  | Readonly<Record<string, string>>
  | Readonly<Record<string, Readonly<Record<string, string>>>>

/** @throws ERR_INVALID_ARGUMENT */
export function checkRouterMapping(mapping: unknown): asserts mapping is RouterMapping {
  const expected = 'an object of tasks by column, or of such objects by dataset'
  if (!isPlainObject(mapping)) throw invalidArgument('routerMapping', expected, mapping)
  const values = Object.entries(mapping as object)
  const isNested = isPlainObject(values[0]?.[1])
  for (const [name, value] of values) {
    if (!isNested && typeof value !== 'string') throw invalidArgument(`routerMapping.${name}`, 'a task', value)
    if (isNested && !isPlainObject(value)) throw invalidArgument(`routerMapping.${name}`, 'tasks by column', value)
    for (const [column, task] of isNested ? Object.entries(value as object) : []) {
      if (typeof task !== 'string') throw invalidArgument(`routerMapping.${name}.${column}`, 'a task', task)
    }
  }
}

/** Whether the first names are those of datasets. */
export function isByDataset(
  mapping: RouterMapping,
): mapping is Readonly<Record<string, Readonly<Record<string, string>>>> {
  return typeof Object.values(mapping)[0] === 'object'
}

/**
 * The task of a column; undefined: the Router takes its default route.
 * Source: sentence-transformers `BaseDataCollator._resolve_router_mapping`.
 * @param dataset '' for a single one
 */
export function taskOf(mapping: RouterMapping, dataset: string, column: string): string | undefined {
  if (!isByDataset(mapping)) return Object.hasOwn(mapping, column) ? mapping[column] : undefined
  const own = Object.hasOwn(mapping, dataset) ? mapping[dataset]! : {}
  return Object.hasOwn(own, column) ? own[column] : undefined
}

/** Refuses a mapping without routes, and routes without a mapping. @param routes of the model's Router; undefined: it has none */
export function checkRoutes(mapping: RouterMapping, routes: readonly string[] | undefined): void {
  const isEmpty = Object.keys(mapping).length === 0
  if (routes === undefined && !isEmpty) {
    throw invalidArgument('routerMapping', 'none for a model without a Router', mapping)
  }
  if (routes !== undefined && isEmpty) {
    const message = `Expected routerMapping, the task of each column, for a model with a Router (routes: ${routes.join(', ')}): { question: 'query', answer: 'document' }`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
}
