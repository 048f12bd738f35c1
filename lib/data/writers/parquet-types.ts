/** What the values of a column are in a Parquet file. */
import type { SchemaElement } from 'hyparquet'
import { describe } from '../../errors.js'
import { MAX_DEPTH } from '../../io/schema.js'
import { isPlainObject } from '../../options.js'
import { BROKEN, checkParquetNames, isBroken, type Spot, unfit } from './unfit.js'

/** `empty`: only nulls so far. */
export type ParquetType =
  | { kind: 'empty' | 'string' | 'int64' | 'double' | 'boolean' | 'date' }
  | { kind: 'list'; entry: ParquetType }
  | { kind: 'struct'; fields: ReadonlyMap<string, ParquetType> }

const REMEDY = 'write a .jsonl file, or change it with map()'
const MAX_INT64 = 2n ** 63n

/** The type of all `values`. @throws SentenceTorchError ERR_INVALID_DATA for values without a common type */
export function* typeOfColumn(
  values: readonly unknown[],
  path: string,
  column: string,
): Generator<undefined, ParquetType, undefined> {
  let type: ParquetType = { kind: 'empty' }
  for (let row = 0; row < values.length; row++) {
    type = withValue(type, values[row], { path, column, row }, MAX_DEPTH)
    if (row % 1024 === 0) yield
  }
  return type
}

/** The type that also takes `value`. */
function withValue(type: ParquetType, value: unknown, spot: Spot, depth: number): ParquetType {
  if (value === null) return type
  if (depth === 1) throw unfit(spot, `lists or objects within each other, more than ${MAX_DEPTH}`, REMEDY)
  if (Array.isArray(value)) {
    if (type.kind !== 'list' && type.kind !== 'empty') throw mixed(type, value, spot)
    const entry: ParquetType = type.kind === 'list' ? type.entry : { kind: 'empty' }
    const all = value.reduce<ParquetType>((before, one) => withValue(before, one, spot, depth - 1), entry)
    return type.kind === 'list' && all === entry ? type : { kind: 'list', entry: all }
  }
  if (isPlainObject(value)) return withObject(type, value, spot, depth)
  const kind = kindOf(value, spot)
  if (type.kind === kind) return type
  if (type.kind === 'empty') return { kind }
  // Whole numbers of a column of fractions.
  const numbers = ['int64', 'double']
  if (numbers.includes(kind) && numbers.includes(type.kind)) return { kind: 'double' }
  throw mixed(type, value, spot)
}

function withObject(type: ParquetType, value: Record<string, unknown>, spot: Spot, depth: number): ParquetType {
  if (type.kind !== 'struct' && type.kind !== 'empty') throw mixed(type, value, spot)
  const keys = Object.keys(value)
  const known = type.kind === 'struct' ? [...type.fields.keys()] : keys
  checkParquetNames(keys, spot.path)
  if (keys.length === 0) throw unfit(spot, 'an object without keys', REMEDY)
  if (keys.length !== known.length || keys.some((key, i) => key !== known[i])) {
    throw unfit(spot, `an object with other keys than the rows before (${keys.join(', ')})`, REMEDY)
  }
  let changed = type.kind === 'empty'
  const fields = new Map<string, ParquetType>()
  for (const key of keys) {
    const before: ParquetType = type.kind === 'struct' ? type.fields.get(key)! : { kind: 'empty' }
    const after = withValue(before, value[key], spot, depth - 1)
    changed ||= after !== before
    fields.set(key, after)
  }
  return changed ? { kind: 'struct', fields } : type
}

function kindOf(value: unknown, spot: Spot): 'string' | 'int64' | 'double' | 'boolean' | 'date' {
  switch (typeof value) {
    case 'string':
      if (isBroken(value)) throw unfit(spot, BROKEN, REMEDY)
      return 'string'
    case 'boolean':
      return 'boolean'
    case 'number':
      return Number.isSafeInteger(value) && !Object.is(value, -0) ? 'int64' : 'double'
    case 'bigint':
      if (value >= MAX_INT64 || value < -MAX_INT64) throw unfit(spot, 'an integer of more than 64 bits', REMEDY)
      return 'int64'
    default:
      if (value instanceof Date && !Number.isNaN(value.getTime())) return 'date'
      throw unfit(spot, describe(value), REMEDY)
  }
}

function mixed({ kind }: ParquetType, value: unknown, spot: Spot): Error {
  const found = value instanceof Date ? 'a date' : describe(value)
  return unfit(spot, `${found} in a column of another type (${kind})`, REMEDY)
}

/** Schema elements of a column, as pyarrow writes them. */
export function schemaOf(name: string, type: ParquetType): SchemaElement[] {
  const optional = { name, repetition_type: 'OPTIONAL' } as const
  switch (type.kind) {
    case 'list':
      return [
        { ...optional, converted_type: 'LIST', num_children: 1 },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        ...schemaOf('element', type.entry),
      ]
    case 'struct': {
      const fields = [...type.fields].flatMap(([key, field]) => schemaOf(key, field))
      return [{ ...optional, num_children: type.fields.size }, ...fields]
    }
    case 'int64':
      return [{ ...optional, type: 'INT64' }]
    case 'double':
      return [{ ...optional, type: 'DOUBLE' }]
    case 'boolean':
      return [{ ...optional, type: 'BOOLEAN' }]
    case 'date':
      return [{ ...optional, type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' }]
    default:
      return [{ ...optional, type: 'BYTE_ARRAY', converted_type: 'UTF8' }]
  }
}

/** The feature of a column as `datasets` writes it. @param names class names, the name of 0 first */
export function featureOf(type: ParquetType, names: readonly string[] | undefined): unknown {
  switch (type.kind) {
    case 'list':
      // Versions of `datasets` before 4 know no "List".
      return { feature: featureOf(type.entry, names), _type: 'Sequence' }
    case 'struct':
      return Object.fromEntries([...type.fields].map(([key, field]) => [key, featureOf(field, undefined)]))
    case 'int64':
      return names ? { names, _type: 'ClassLabel' } : { dtype: 'int64', _type: 'Value' }
    case 'double':
      return { dtype: 'float64', _type: 'Value' }
    case 'boolean':
      return { dtype: 'bool', _type: 'Value' }
    case 'date':
      return { dtype: 'timestamp[ms]', _type: 'Value' }
    default:
      return { dtype: 'string', _type: 'Value' }
  }
}

/** A value as hyparquet-writer takes it. */
export function stored(value: unknown, type: ParquetType): unknown {
  if (value === null) return null
  if (type.kind === 'int64') return typeof value === 'number' ? (Number.isNaN(value) ? null : BigInt(value)) : value
  if (type.kind === 'list') return (value as unknown[]).map((entry) => stored(entry, type.entry))
  if (type.kind !== 'struct') return value
  const object = value as Record<string, unknown>
  return Object.fromEntries([...type.fields].map(([key, field]) => [key, stored(object[key], field)]))
}
