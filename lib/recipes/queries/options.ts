/** The options of recipes that begin with passages and their queries: GenQ and GPL. */
import { invalidArgument } from '../../errors.js'
import { integer, nullable, type Option, option } from '../../options/kinds.js'
import { isPlainObject, listOfNames } from '../../options.js'
import { type DataOption, data, described, type RecipeTable } from '../recipe.js'
import type { EndpointOptions } from './chat.js'
import { EndpointGenerator } from './endpoint-generator.js'
import type { QueryGenerator } from './generator.js'
import type { DocumentsOption } from './passages.js'
import { T5Generator } from './t5-generator.js'

/** A T5 (a folder or a hub id), a service, or a caller's own generator. */
export type GeneratorOption = string | EndpointOptions | QueryGenerator

export interface QueryOptions {
  /** Rows with a column of passages; or folders and files of text (`.txt`, `.md`, `.html`), which are cut into passages. */
  documents?: DocumentsOption
  /** Writes the queries: a folder or hub id of a T5, or a service. */
  generator?: GeneratorOption
  /** Queries for each passage. Default 3. */
  queriesPerPassage?: number
  /** Rows of a query and its passage that there are already, beside or in place of a generator. */
  queries?: DataOption
  /** Keep a query only if the model finds its passage among the first so many. Default null: keep all. */
  roundTrip?: number | null
}

const isGenerator = (value: unknown): value is QueryGenerator =>
  typeof (value as QueryGenerator | undefined)?.generate === 'function'

function generator(): Option<GeneratorOption, undefined> {
  const expected = 'a folder or a hub id of a T5, an object with baseUrl and model, or a generator'
  return option<GeneratorOption, undefined>({
    type: 'GeneratorOption',
    default: undefined,
    expected,
    check: (name, value) => {
      if (typeof value === 'string' && value !== '') return
      if (isGenerator(value)) return
      // Checked now, and not when the first query is wanted.
      if (isPlainObject(value)) new EndpointGenerator(value as unknown as EndpointOptions)
      else throw invalidArgument(name, expected, value)
    },
  })
}

function documents(): Option<DocumentsOption, undefined> {
  const rows = data(undefined)
  return option<DocumentsOption, undefined>({
    type: 'DocumentsOption',
    default: undefined,
    expected: `${rows.expected}, or folders and files of text`,
    check: (name, value) => {
      if (Array.isArray(value)) listOfNames(name, value)
      else rows.check(name, value)
    },
  })
}

export const QUERY_OPTIONS = {
  documents: described(
    documents(),
    'Rows with a column of passages, or folders and files of text (`.txt`, `.md`, `.html`), which are cut into passages',
  ),
  generator: described(generator(), 'Writes the queries: the folder or hub id of a T5, or a service'),
  queriesPerPassage: described(integer(3, { least: 1 }), 'Queries that are asked for, for each passage'),
  queries: described(
    data(undefined),
    'Rows of a query and its passage that there are already, beside a generator or in its place',
  ),
  roundTrip: described(
    nullable(integer(undefined, { least: 1 })),
    'Keep a query only if the model finds its passage among the first so many',
  ),
} satisfies RecipeTable<QueryOptions>

/** The generator that an option means. */
export async function generatorOf(given: GeneratorOption, signal: AbortSignal | undefined): Promise<QueryGenerator> {
  if (typeof given === 'string') return T5Generator.of(given, signal)
  return isGenerator(given) ? given : new EndpointGenerator(given)
}
