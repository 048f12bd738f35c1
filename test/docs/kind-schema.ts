// A kind of option as JSON Schema. Ranges of numbers are those that its check accepts.

import { BATCH_SAMPLERS } from '../../lib/data/samplers/index.js'
import { DIRECTIONS } from '../../lib/losses/multiple-negatives-ranking.js'
import type { Kind } from '../../lib/options/kinds.js'
import { PRECISIONS } from '../../lib/recipes/few-bytes.js'
import { ENDPOINT_OPTIONS } from '../../lib/recipes/queries/endpoint-generator.js'
import { DECIDED } from '../../lib/recipes/search/space.js'
import { REPORTERS } from '../../lib/training/arguments/log-arguments.js'
import { ARGUMENTS } from '../../lib/training/arguments/table/index.js'

export type Schema = { [key: string]: unknown }

const ref = (name: string): Schema => ({ $ref: `#/$defs/${name}` })
const anyOf = (...schemas: Schema[]): Schema => ({ anyOf: schemas })
const listOf = (items: Schema, more: Schema = {}): Schema => ({ type: 'array', items, ...more })
const byName = (value: Schema): Schema => ({ type: 'object', additionalProperties: value })
const oneOrMore = (one: Schema): Schema => anyOf(one, listOf(one))
const number: Schema = { type: 'number' }
const text: Schema = { type: 'string' }
const names = byName(text)

/** Types that have a shape of their own; what only a program can give is left out. */
const TYPES: Readonly<Record<string, (kind: Kind) => Schema>> = {
  boolean: () => ({ type: 'boolean' }),
  string: (kind) => (accepts(kind, '') ? text : { ...text, minLength: 1 }),
  number: numberSchema,
  "number | 'auto'": () => anyOf({ type: 'integer', minimum: 1 }, { const: 'auto' }),
  'boolean | string': () => ({ type: ['boolean', 'string'] }),
  "'uniform' | 'log' | 'linear' | ((layer: number) => number)": () => ({ enum: ['uniform', 'log', 'linear'] }),
  'readonly number[]': () => listOf(number, { minItems: 1 }),
  'readonly string[]': () => listOf(text, { minItems: 1 }),
  'string | readonly string[]': () => oneOrMore(text),
  'readonly string[] | Readonly<Record<string, string>>': () => anyOf(listOf(text, { minItems: 1 }), names),
  'Readonly<Record<string, string>>': () => names,
  'Readonly<Record<string, number>>': () => byName(number),
  'Readonly<Record<string, number>> | string': () => anyOf(byName(number), text),
  'number | Readonly<Record<string, number>>': () =>
    anyOf({ type: 'integer', minimum: 1 }, byName({ type: 'integer', minimum: 1 })),
  'string | RegExp | readonly (string | RegExp)[]': () => oneOrMore(text),
  'readonly RankingDirection[]': () => listOf({ enum: [...DIRECTIONS] }, { minItems: 1 }),
  'ReportTo | readonly ReportTo[]': () => oneOrMore({ enum: [...REPORTERS] }),
  'BatchSamplerChoice | Readonly<Record<string, BatchSamplerChoice>>': () => {
    const one = { enum: [...BATCH_SAMPLERS] }
    return anyOf(one, byName(one))
  },
  MultiDatasetBatchSamplerChoice: () => ({ enum: ['proportional', 'round_robin'] }),
  RouterMapping: () => byName(anyOf(text, names)),
  TrainingPrompts: () => anyOf(text, byName(anyOf(text, names))),
  SchedulerKwargs: () => ({ type: 'object' }),
  GuideModel: () => ({ ...text, minLength: 1 }),
  // Of recipes: training arguments.
  object: () => ref('training'),
  'string | number': () =>
    anyOf({ type: 'string', pattern: '^\\d+(\\.\\d+)?[smh]?$' }, { type: 'number', exclusiveMinimum: 0 }),
  SearchSpace: searchSpace,
  Loss: () => ref('loss'),
  NamedLoss: () => ref('lossOrLosses'),
  DataOption: () => ref('data'),
  'DataOption | readonly DataOption[]': () => oneOrMore(ref('data')),
  // Layers: how many, or their numbers.
  'number | readonly number[]': () =>
    anyOf({ type: 'integer', minimum: 1 }, listOf({ type: 'integer', minimum: 0 }, { minItems: 1 })),
  'LossSpec | Loss': () => ref('loss'),
  'readonly CodePrecision[]': () => listOf({ enum: [...PRECISIONS] }, { minItems: 1 }),
  NamedData: () => ref('dataOrNamedData'),
  EvaluatorOption: () => ref('evaluation'),
  DocumentsOption: () => anyOf(ref('data'), listOf(text, { minItems: 1 })),
  GeneratorOption: () => anyOf({ ...text, minLength: 1 }, endpoint()),
  'Readonly<Record<string, unknown>>': () => ({ type: 'object' }),
}

/** Losses and training arguments, each with values to choose from. */
function searchSpace(): Schema {
  const range = {
    type: 'object',
    properties: { min: { type: 'number', exclusiveMinimum: 0 }, max: { type: 'number', exclusiveMinimum: 0 } },
    required: ['min', 'max'],
    additionalProperties: false,
  }
  const names = Object.keys(ARGUMENTS).filter((name) => !DECIDED.includes(name))
  const choices = anyOf(listOf({}, { minItems: 1 }), range)
  const losses = listOf(anyOf(ref('loss'), ref('pairLoss')), { minItems: 1 })
  const properties = { loss: losses, ...Object.fromEntries(names.map((name) => [name, choices])) }
  return { type: 'object', properties, additionalProperties: false }
}

/** A service that writes queries. */
function endpoint(): Schema {
  const entries = Object.entries<Kind>(ENDPOINT_OPTIONS)
  const properties = entries.map(([name, kind]) => [name, kindSchema(kind, `generator.${name}`)])
  const required = entries.flatMap(([name, { isNeeded }]) => (isNeeded ? [name] : []))
  return { type: 'object', properties: Object.fromEntries(properties), required, additionalProperties: false }
}

/** @throws for a type that the table lacks */
export function kindSchema(kind: Kind, where: string): Schema {
  const isNull = kind.type.endsWith(' | null')
  if (kind.values) return { enum: [...kind.values, ...(isNull ? [null] : [])] }
  const type = kind.type.replace(/ \| null$/, '')
  const make = TYPES[type]
  if (!make) throw new Error(`${where}: no JSON Schema for the type ${type}: add it to test/docs/kind-schema.ts`)
  const schema = make(kind)
  if (!isNull) return schema
  return typeof schema.type === 'string' && Object.keys(schema).length === 1
    ? { type: [schema.type, 'null'] }
    : anyOf(...((schema.anyOf as Schema[] | undefined) ?? [schema]), { type: 'null' })
}

function accepts(kind: Kind, value: unknown): boolean {
  try {
    kind.check('value', value)
    return true
  } catch {
    return false
  }
}

/** Integer or not, and the limits that numbers of options have. */
function numberSchema(kind: Kind): Schema {
  const takes = (value: number) => accepts(kind, value)
  const isInteger = ![0.25, 0.5, 1.5, 2.5, -0.5].some(takes)
  const schema: Schema = { type: isInteger ? 'integer' : 'number' }
  const low = [-1e6, -1, 0, 0.5, 1, 2].find(takes)
  if (low !== -1e6 && low !== undefined) {
    if (isInteger) schema.minimum = low
    else if (low === 0) schema.minimum = 0
    // A share above 0, or a number above 0.
    else schema.exclusiveMinimum = 0
  }
  if (!takes(1e6) && !takes(1e5)) {
    const high = [1, 2].find((value) => takes(value) && !takes(value + 1))
    if (high !== undefined) schema.maximum = high
    else schema.exclusiveMaximum = 1
  }
  return schema
}
