/** Rows of a query and its candidates with the scores of a teacher: what a student learns. */

import { Dataset } from '../data/dataset.js'
import { datasetSha256 } from '../data/hash-dataset.js'
import { listed } from '../data/readers/names.js'
import { SentenceTorchError } from '../errors.js'
import { signalOf } from '../io/abort.js'
import { CrossEncoder } from '../models/cross-encoder.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { modelKey } from './fingerprint.js'
import type { RecipeRun } from './recipe-run.js'
import type { Taught } from './taught-vectors.js'
import { rowLabels, teacherStage, withTeacher } from './teacher-rows.js'

export interface ScoreOptions {
  /** Either this or `crossEncoder`. */
  teacher: string | undefined
  crossEncoder: string | undefined
  similarity: 'dot' | 'cosine'
}

type Texts = readonly string[]

/** @throws ERR_INVALID_DATA for fewer than three columns of texts */
export async function taughtScores(run: RecipeRun, sets: readonly Dataset[], options: ScoreOptions): Promise<Taught> {
  const all = await Dataset.concatenate([...sets])
  const names = all.textColumns.filter((name) => all.columnKind(name) === 'text')
  if (names.length < 3) {
    const message = `Expected a column of queries and at least two of candidates for loss: kl, found ${listed(all.columnNames)}`
    throw new SentenceTorchError('ERR_INVALID_DATA', message)
  }
  const columns = Object.fromEntries(names.map((name) => [name, all.texts(name)]))
  const [queries, ...candidates] = Object.values(columns) as [Texts, ...Texts[]]
  run.count('rows', all.length)
  const rows = await datasetSha256(Dataset.fromColumns(columns))
  const { key, rows: scores } = options.crossEncoder
    ? await byCrossEncoder(run, options.crossEncoder, rows, queries, candidates)
    : await byEmbeddings(run, options, rows, queries, candidates)
  return {
    dataset: Dataset.fromColumns({ ...columns, label: rowLabels(scores) }),
    ...{ key: { teacher: key }, projectionDim: null, texts: queries },
  }
}

/** Raw scores: before whatever activation the model has. */
async function byCrossEncoder(run: RecipeRun, source: string, rows: string, queries: Texts, candidates: Texts[]) {
  const inputs = { rows, crossEncoder: await modelKey(source) }
  return withTeacher(
    () => oneLabel(source),
    (teacher) =>
      teacherStage(run, 'teacher', inputs, queries.length, async (start, end) => {
        const pairs = queries
          .slice(start, end)
          .flatMap((query, i) => candidates.map((column): [string, string] => [query, column[start + i]!]))
        const { data } = await (await teacher()).predict(pairs, { activationFn: 'identity', ...signalOf(run) })
        return { data: Float32Array.from(data), shape: [end - start, candidates.length] }
      }),
  )
}

async function byEmbeddings(
  run: RecipeRun,
  { teacher: source, similarity }: ScoreOptions,
  rows: string,
  queries: Texts,
  candidates: Texts[],
) {
  const inputs = { rows, similarity, teacher: await modelKey(source!) }
  const each = candidates.length
  return withTeacher(
    () => SentenceTransformer.load(source!, signalOf(run)),
    (teacher) =>
      teacherStage(run, 'teacher', inputs, queries.length, async (start, end) => {
        const model = await teacher()
        const encoding = { normalizeEmbeddings: similarity === 'cosine', ...signalOf(run) }
        const found = await model.encode(queries.slice(start, end), encoding)
        const scores = new Float32Array((end - start) * each)
        for (const [k, column] of candidates.entries()) {
          const texts = await model.encode(column.slice(start, end), encoding)
          for (let i = 0; i < end - start; i++) scores[i * each + k] = dot(found.row(i), texts.row(i))
        }
        return { data: scores, shape: [end - start, each] }
      }),
  )
}

/** @throws ERR_INVALID_ARGUMENT for a cross-encoder of several labels */
async function oneLabel(source: string): Promise<CrossEncoder> {
  const model = await CrossEncoder.load(source)
  if (model.numLabels === 1) return model
  await model.dispose()
  const message = `Expected a cross-encoder with one label as crossEncoder, found ${model.numLabels} labels in ${source}`
  throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0)
}
