/** The kinds of inputs that requests carry: texts, token ids, pairs. */
import type { Pair } from '../models/scores.js'
import { count, type Field, flag, listOf, oneOf, optional, text, wrongField } from './fields.js'

/** A text, or its token ids with the special ones. */
export type Input = string | readonly number[]

/** Inputs as a request gave them: one alone, or a batch. */
export interface Inputs<T = Input> {
  readonly items: readonly T[]
  readonly isSingle: boolean
}

const ID = { type: 'integer', minimum: 0 }

function readIds(value: readonly unknown[], name: string): number[] {
  return value.map((id, i) => {
    if (Number.isInteger(id) && (id as number) >= 0 && (id as number) < 2 ** 32) return id as number
    throw wrongField(`${name}[${i}]`, 'a token id', id)
  })
}

function readInput(value: unknown, name: string): Input {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return readIds(value, name)
  throw wrongField(name, 'a string or an array of token ids', value)
}

/** A text, token ids, or an array of both. Source: text-embeddings-inference `Input`. */
export const inputs: Field<Inputs> = {
  schema: {
    oneOf: [
      { type: 'string' },
      { type: 'array', items: ID },
      { type: 'array', items: { oneOf: [{ type: 'string' }, { type: 'array', items: ID }] } },
    ],
  },
  read(value, name) {
    if (typeof value === 'string') return { items: [value], isSingle: true }
    if (!Array.isArray(value)) throw wrongField(name, 'a string, an array of token ids, or an array of these', value)
    if (typeof value[0] === 'number') return { items: [readIds(value, name)], isSingle: true }
    return { items: value.map((each, i) => readInput(each, `${name}[${i}]`)), isSingle: false }
  },
}

/** A text or an array of texts. */
export const texts: Field<Inputs<string>> = {
  schema: { oneOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] },
  read(value, name) {
    if (typeof value === 'string') return { items: [value], isSingle: true }
    return { items: listOf(text, 'a string or an array of strings').read(value, name), isSingle: false }
  },
}

/** Token ids of one text, or of several. */
export const idRows: Field<Inputs<readonly number[]>> = {
  schema: {
    oneOf: [
      { type: 'array', items: ID },
      { type: 'array', items: { type: 'array', items: ID } },
    ],
  },
  read(value, name) {
    if (!Array.isArray(value)) throw wrongField(name, 'an array of token ids, or an array of such arrays', value)
    if (typeof value[0] === 'number') return { items: [readIds(value, name)], isSingle: true }
    const items = value.map((row: unknown, i) => {
      if (Array.isArray(row)) return readIds(row, `${name}[${i}]`)
      throw wrongField(`${name}[${i}]`, 'an array of token ids', row)
    })
    return { items, isSingle: false }
  },
}

/** A text, a pair of texts, or a batch of [text] and [text, text]. Source: text-embeddings-inference `PredictInput`. */
export const sequences: Field<Inputs<string | Pair>> = {
  schema: {
    oneOf: [
      { type: 'string' },
      { type: 'array', items: { type: 'string' }, minItems: 2, maxItems: 2 },
      { type: 'array', items: { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: 2 } },
    ],
  },
  read(value, name) {
    if (typeof value === 'string') return { items: [value], isSingle: true }
    const expected = 'a string, a pair of strings, or an array of [string] and [string, string]'
    if (!Array.isArray(value)) throw wrongField(name, expected, value)
    if (typeof value[0] === 'string') return { items: [readSequence(value, name)], isSingle: true }
    return { items: value.map((each, i) => readSequence(each, `${name}[${i}]`)), isSingle: false }
  },
}

function readSequence(value: unknown, name: string): string | Pair {
  const fits = Array.isArray(value) && value.length > 0 && value.length <= 2
  if (!fits) throw wrongField(name, '[string] or [string, string]', value)
  const [first, second] = value.map((each, i) => text.read(each, `${name}[${i}]`)) as [string, string?]
  return second === undefined ? first : [first, second]
}

/** The name of a served model. */
export const model = optional(text, undefined)
/** Whether inputs that are too long are cut. Default: the server's `autoTruncate`. */
export const truncate = optional(flag, undefined)
/** Which side of a text that is too long is cut off. */
export const truncationDirection = optional<'left' | 'right', undefined>(
  oneOf(['left', 'right'], { Left: 'left', Right: 'right' }),
  undefined,
)
export const promptName = optional(text, undefined)
export const dimensions = optional(count, undefined)
