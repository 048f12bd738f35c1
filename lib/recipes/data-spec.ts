/** What a config and the program may say of data, and the rows that come of it. */
import { describe, invalidArgument } from '../errors.js'
import { flag, integer, type Kind, number, option, optionValues, text } from '../options/kinds.js'
import { isPlainObject, listOfNames } from '../options.js'

/** The path of a file, or more about the rows. */
export type DataSpec = string | DataSpecObject

export interface DataSpecObject {
  /** A file that `Dataset.fromFile` reads, or several with the same columns. */
  path?: string | readonly string[]
  /** The id of a data set of the Hugging Face hub. Either this or `path`. */
  hub?: string
  /** The configuration of a data set of the hub. */
  subset?: string
  /** The split of a data set of the hub. Default `train`. */
  split?: string
  /** Branch, tag or commit of a data set of the hub. */
  revision?: string
  /** Columns to take, in this order; or an object that also renames them, such as `{ question: 'anchor' }`. Default: all. */
  columns?: readonly string[] | Readonly<Record<string, string>>
  /** Rows to leave out at the beginning. */
  skip?: number
  /** Rows to take at most. */
  limit?: number
  /** What labels are divided by: 5 makes similarities from 0 to 1 of scores from 0 to 5. */
  scale?: number
  /** The number of each label, where the file has texts: `{ entailment: 0, neutral: 1, contradiction: 2 }`. */
  labels?: Readonly<Record<string, number>>
  /** Leave out rows that cannot be read or have no label, and count them. Default: the first of them is an error. */
  skipBadRows?: boolean
  /** `false`: a CSV or TSV file begins with a row, and `columns` names all its columns. */
  header?: boolean
  /** Columns of a CSV or TSV file that hold texts, even if they look like numbers: `{ id: 'string' }`. */
  dtype?: Readonly<Record<string, 'string'>>
  /** The key of a JSON file's object whose value is the array of rows. */
  field?: string
}

const object = (type: string, expected: string) =>
  option<Readonly<Record<string, unknown>>, undefined>({ type, default: undefined, expected, fits: isPlainObject })
const isNames = (value: unknown): boolean => {
  const names = isPlainObject(value) ? Object.values(value) : value
  return Array.isArray(names) && names.length > 0 && names.every((name) => typeof name === 'string' && name !== '')
}

/** The table of what a `DataSpec` may hold, with what each means. */
export const DATA_OPTIONS: Readonly<Record<keyof DataSpecObject, Kind & { doc: string }>> = {
  path: {
    ...option<string | readonly string[], undefined>({
      type: 'string | readonly string[]',
      default: undefined,
      expected: 'the path of a file or several',
      fits: (value) => (typeof value === 'string' ? value !== '' : isNames(value) && Array.isArray(value)),
    }),
    doc: 'A file (JSONL, JSON, CSV, TSV, Parquet, also .gz), or several with the same columns.',
  },
  hub: { ...text(undefined, 'the id of a data set'), doc: 'A data set of the Hugging Face hub, in place of `path`.' },
  subset: { ...text(undefined, 'the name of a configuration'), doc: 'The configuration of a data set of the hub.' },
  split: { ...text(undefined, 'the name of a split'), doc: 'The split of a data set of the hub. Default `train`.' },
  revision: { ...text(undefined, 'a branch, tag or commit'), doc: 'Branch, tag or commit of a data set of the hub.' },
  columns: {
    ...option<readonly string[] | Readonly<Record<string, string>>, undefined>({
      type: 'readonly string[] | Readonly<Record<string, string>>',
      default: undefined,
      expected: 'names of columns, or an object: name in the file → name',
      fits: isNames,
    }),
    doc: 'Columns to take, in this order; or an object that also renames them: `{ question: anchor }`. Default: all.',
  },
  skip: { ...integer(undefined, { least: 0 }), doc: 'Rows to leave out at the beginning.' },
  limit: { ...integer(undefined, { least: 1 }), doc: 'Rows to take at most.' },
  scale: {
    ...number(undefined, { above: 0 }),
    doc: 'What labels are divided by: 5 makes 0 … 1 of scores from 0 to 5.',
  },
  labels: {
    ...option<Readonly<Record<string, number>>, undefined>({
      type: 'Readonly<Record<string, number>>',
      default: undefined,
      expected: 'an object: label in the file → number',
      fits: (value) => isPlainObject(value) && Object.values(value).every(Number.isFinite),
    }),
    doc: 'The number of each label, where the file has texts: `{ entailment: 0, neutral: 1, contradiction: 2 }`.',
  },
  skipBadRows: { ...flag(false), doc: 'Leave out rows that cannot be read or have no label, and count them.' },
  header: { ...flag(true), doc: '`false`: a CSV or TSV file begins with a row, and `columns` names all its columns.' },
  dtype: {
    ...object('Readonly<Record<string, string>>', "an object such as { id: 'string' }"),
    doc: 'Columns of a CSV or TSV file that hold texts, even if they look like numbers: `{ id: string }`.',
  },
  field: { ...text(undefined, 'a key'), doc: "The key of a JSON file's object whose value is the array of rows." },
}

/** A {@link DataSpec} whose parts are checked. */
export interface CheckedDataSpec extends Omit<DataSpecObject, 'path' | 'columns'> {
  paths: readonly string[]
  /** Old and new names. */
  columns?: readonly (readonly [string, string])[]
  /** For messages. */
  source: string
}

/**
 * @param where what it belongs to, for messages: `train`
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export function checkDataSpec(spec: unknown, where: string): CheckedDataSpec {
  const given = typeof spec === 'string' ? { path: spec } : spec
  if (!isPlainObject(given)) throw invalidArgument(where, 'the path of a file, or an object with path or hub', spec)
  const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined && value !== null))
  optionValues(where, known, DATA_OPTIONS)
  const { path, columns, ...rest } = known as DataSpecObject
  const { hub } = rest
  if ((path === undefined) === (hub === undefined)) {
    throw invalidArgument(where, 'either path or hub', path === undefined ? undefined : given)
  }
  for (const name of ['subset', 'split', 'revision'] as const) {
    if (hub === undefined && rest[name] !== undefined)
      throw invalidArgument(`${where} ${name}`, 'a data set of the hub', path)
  }
  for (const name of ['header', 'dtype', 'field'] as const) {
    if (hub !== undefined && rest[name] !== undefined)
      throw invalidArgument(`${where} ${name}`, 'a file with a path', hub)
  }
  if (rest.split !== undefined && /[[\]]/.test(rest.split)) {
    throw invalidArgument(`${where} split`, 'the name of a split (skip and limit choose rows of it)', rest.split)
  }
  const paths = path === undefined ? [] : listOfNames(`${where} path`, path)
  const source =
    hub === undefined ? paths.join(', ') : [hub, rest.subset, rest.split ?? 'train'].filter(Boolean).join('/')
  return { ...rest, paths, source, ...(columns && { columns: pairsOf(columns, where) }) }
}

function pairsOf(columns: NonNullable<DataSpecObject['columns']>, where: string): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = Array.isArray(columns)
    ? (columns as readonly string[]).map((name) => [name, name] as const)
    : Object.entries(columns as Readonly<Record<string, string>>)
  const twice = pairs.find(([, name], i) => pairs.findIndex(([, other]) => other === name) !== i)
  if (twice) throw invalidArgument(`${where} columns`, `every column once, not ${describe(twice[1])} twice`, columns)
  return pairs
}
