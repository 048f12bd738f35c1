// What a folder of encoded texts says of itself: manifest.json, and beside each file of rows its record. Their form is
// schema/encoded-files.schema.json.
import { createHash } from 'node:crypto'
import {
  arrayOf,
  boolean,
  integer,
  misfit,
  object,
  oneOf,
  optional,
  type Schema,
  type TypeOf,
  text,
} from '../io/schema.js'
import { identitySchema, type ModelIdentity } from '../search/embedding-index/model-identity.js'
import { FILE_FORMATS, PRECISIONS } from './encode-options.js'

export const MANIFEST = 'manifest.json'
/** Raised when older versions would misread a folder. */
export const MANIFEST_FORMAT = 1
/** The packaged schema, by which editors check a manifest. */
const SCHEMA_URL = 'https://github.com/sentence-torch/sentence-torch/schema/encoded-files.schema.json'

const sha256: Schema<string> = (value, place) => {
  const digest = text(64)(value, place)
  if (/^[0-9a-f]{64}$/.test(digest)) return digest
  throw misfit(place, '64 hexadecimal digits', value)
}
const size = integer(0)

/** A name of our own, so that a manifest leads nowhere else. */
const fileName: Schema<string> = (value, place) => {
  const name = text(255)(value, place)
  if (/^part-\d{6,15}\.(parquet|npy|safetensors)$/.test(name)) return name
  throw misfit(place, 'a name such as part-000000.npy', value)
}

const modelSchema = object({
  sha256,
  class: oneOf('SentenceTransformer', 'SparseEncoder', 'MultiVectorEncoder'),
  similarityFnName: oneOf('cosine', 'dot', 'euclidean', 'manhattan', 'maxsim', 'meanmaxsim'),
  identity: identitySchema as Schema<ModelIdentity>,
})

const rowsSchema = object({
  kind: oneOf('dense', 'sparse', 'tokens'),
  precision: oneOf(...PRECISIONS),
  dimension: integer(1, 1_000_000),
  format: oneOf(...FILE_FORMATS),
  withTexts: boolean,
  perFile: integer(1),
})

const optionsSchema = object({
  task: optional(oneOf('query', 'document')),
  prompt: text(),
  normalizeEmbeddings: boolean,
  maxActiveDims: optional(integer(1)),
  rangesSha256: optional(sha256),
})

const recordSchema = object({
  file: fileName,
  /** Number of the first row, and of the one behind the last. */
  first: size,
  end: size,
  bytes: size,
  sha256,
  /** Of the texts. */
  textsSha256: sha256,
  /** Of the manifest's model, rows and options. */
  settingsSha256: sha256,
  package: text(255),
})

/** A file of rows. */
export type FileRecord = TypeOf<typeof recordSchema>

export const manifestSchema = object({
  format: integer(1, MANIFEST_FORMAT),
  package: text(255),
  model: modelSchema,
  rows: rowsSchema,
  options: optionsSchema,
  /** Absent until all files are there. */
  total: optional(size),
  files: optional(arrayOf(recordSchema)),
})
export const fileRecordSchema = recordSchema

/** What made the rows of a folder. */
export interface Settings {
  package: string
  model: TypeOf<typeof modelSchema>
  rows: TypeOf<typeof rowsSchema>
  options: TypeOf<typeof optionsSchema>
}
export type Manifest = Settings & { format: number; total?: number | undefined; files?: FileRecord[] | undefined }

export function manifestText(settings: Settings, files?: readonly FileRecord[]): string {
  const whole = files && { total: files.at(-1)?.end ?? 0, files }
  const { package: made, model, rows, options } = settings
  const manifest = { $schema: SCHEMA_URL, format: MANIFEST_FORMAT, package: made, model, rows, options, ...whole }
  return `${JSON.stringify(manifest, null, 2)}\n`
}

/** What decides the bytes of the files; what the model is called does not. */
function deciding({ model, rows, options }: Settings): Record<string, unknown> {
  const flat = { 'model.sha256': model.sha256, 'model.class': model.class }
  const entries = Object.entries({ ...rows, ...options }).filter(([, value]) => value !== undefined && value !== null)
  return { ...flat, ...Object.fromEntries(entries) }
}

export function settingsHash(settings: Settings): string {
  return createHash('sha256')
    .update(JSON.stringify(Object.entries(deciding(settings)).sort()))
    .digest('hex')
}

/** The first difference that decides the rows, in words; undefined for none. */
export function difference(there: Settings, here: Settings): string | undefined {
  const [old, now] = [deciding(there), deciding(here)]
  const names = Object.keys({ ...old, ...now }).filter((name) => old[name] !== now[name])
  if (names.length === 0) return undefined
  const modelName = ({ model }: Settings) => {
    const { name } = model.identity
    return `${name === undefined ? 'a model' : name} (${model.class}, ${model.sha256.slice(0, 12)})`
  }
  if (names[0]!.startsWith('model.')) return `another model: ${modelName(there)}, and here ${modelName(here)}`
  const said = (value: unknown) => (value === undefined ? 'not set' : JSON.stringify(value))
  const each = names.map((name) => `${name} was ${said(old[name])} and is now ${said(now[name])}`)
  return `other options: ${each.join('; ')}`
}
