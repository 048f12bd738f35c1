/**
 * Bodies of requests: each member has a schema for the OpenAPI document and a reader that checks it. Members that are not known are
 * ignored, as TEI and OpenAI ignore them.
 */
import { describe } from '../errors.js'
import { invalid } from './errors.js'

export type JsonSchema = Readonly<Record<string, unknown>>

/** A member of a body. */
export interface Field<T> {
  readonly schema: JsonSchema
  /** @throws ServeError that names the member */
  read(value: unknown, name: string): T
  /** The value where the member is absent or null; a needed member has none. */
  readonly fallback?: { readonly value: T }
}

export type Fields = Readonly<Record<string, Field<unknown>>>
export type BodyOf<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never }

/** Reads a body. @throws ServeError for what is no object, and for the first member that does not fit */
export function readBody<F extends Fields>(fields: F, body: unknown): BodyOf<F> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw invalid(`expected a JSON object, found ${describe(body)}`)
  }
  const given = body as Readonly<Record<string, unknown>>
  const found: Record<string, unknown> = {}
  for (const name of Object.keys(fields)) {
    const field = fields[name]!
    const value = Object.hasOwn(given, name) ? given[name] : undefined
    if (value !== undefined && value !== null) found[name] = field.read(value, name)
    else if (field.fallback) found[name] = field.fallback.value
    else throw invalid(`missing field \`${name}\``, name)
  }
  return found as BodyOf<F>
}

/** The schema of a body. */
export function bodySchema(fields: Fields): JsonSchema {
  const entries = Object.entries(fields)
  return {
    type: 'object',
    properties: Object.fromEntries(entries.map(([name, { schema }]) => [name, schema])),
    required: entries.filter(([, { fallback }]) => !fallback).map(([name]) => name),
  }
}

/** A member that may be absent. */
export function optional<T, D extends T | undefined>(field: Field<T>, value: D): Field<T | D> {
  const schema = value === undefined ? { ...field.schema, nullable: true } : { ...field.schema, default: value }
  return { schema, read: field.read, fallback: { value } }
}

const wrong = (name: string, expected: string, found: unknown) =>
  invalid(`expected ${expected} for \`${name}\`, found ${describe(found)}`, name)

export const text: Field<string> = {
  schema: { type: 'string' },
  read(value, name) {
    if (typeof value === 'string') return value
    throw wrong(name, 'a string', value)
  },
}

export const flag: Field<boolean> = {
  schema: { type: 'boolean' },
  read(value, name) {
    if (typeof value === 'boolean') return value
    throw wrong(name, 'true or false', value)
  },
}

export const count: Field<number> = {
  schema: { type: 'integer', minimum: 0 },
  read(value, name) {
    if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number
    throw wrong(name, 'a whole number of at least 0', value)
  },
}

/** One of some texts. @param aliases other spellings that are taken */
export function oneOf<const T extends string>(
  values: readonly T[],
  aliases: Readonly<Record<string, T>> = {},
): Field<T> {
  return {
    schema: { type: 'string', enum: values },
    read(value, name) {
      const found = typeof value === 'string' && Object.hasOwn(aliases, value) ? aliases[value] : value
      if ((values as readonly unknown[]).includes(found)) return found as T
      throw wrong(name, `one of ${values.map((each) => JSON.stringify(each)).join(', ')}`, value)
    },
  }
}

export function listOf<T>(inner: Field<T>, expected: string): Field<T[]> {
  return {
    schema: { type: 'array', items: inner.schema },
    read(value, name) {
      if (!Array.isArray(value)) throw wrong(name, expected, value)
      return value.map((each, i) => inner.read(each, `${name}[${i}]`))
    },
  }
}

/** An object inside of a body. */
export function object<F extends Fields>(fields: F): Field<BodyOf<F>> {
  return {
    schema: bodySchema(fields),
    read(value, name) {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(name, 'an object', value)
      return readBody(fields, value)
    },
  }
}

export { wrong as wrongField }
