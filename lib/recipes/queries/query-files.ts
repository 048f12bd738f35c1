/** Queries of passages in files of pairs, which are written as they come. */
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Dataset } from '../../data/dataset.js'
import { hashJson } from '../../data/hash-json.js'
import { Random } from '../../data/random.js'
import { SentenceTorchError } from '../../errors.js'
import { throwIfAborted } from '../../io/abort.js'
import { writeFileAtomic } from '../../io/atomic.js'
import { absent, makeFolder } from '../../io/files.js'
import { arrayOf, integer, object, oneOf, parseJson, type TypeOf, text } from '../../io/schema.js'
import type { QueryGenerator } from './generator.js'
import { oneLine } from './passages.js'

/** Rows of a file. */
const FILE_ROWS = 1024
/** Passages that a generator gets at once. The seed of their draws is a function of the number of the first one. */
const CHUNK_PASSAGES = 32
const PROGRESS = 'progress.json'
/** No text is taken for a number. */
const DTYPE = { query: 'string', passage: 'string' } as const

const progressSchema = object({
  format: oneOf(1),
  /** SHA-256 of all that decides the queries. */
  inputs: text(64),
  files: integer(0),
  nextPassage: integer(0),
  /** Rows of the passages so far that are in no file yet. */
  rest: arrayOf(arrayOf(text(), { min: 2, max: 2 })),
  counts: object({ queries: integer(0), emptyQueries: integer(0), duplicateQueries: integer(0) }),
})

type Progress = TypeOf<typeof progressSchema>

export interface WriteQueriesOptions {
  /** Queries for each passage. */
  perPassage: number
  seed: number
  signal?: AbortSignal | undefined
  /** Told after each file. */
  log?: ((line: string) => void) | undefined
}

/**
 * Asks for the queries of all passages, and writes the pairs into `pairs_0000.tsv`, …: 1,024 rows each, columns `query` and
 * `passage`. Runs of whitespace become one space; empty queries, and those that a passage has already, are left out. The last file
 * grows with every 32 passages. A stopped run goes on behind them, and writes what it would have written.
 * @param passages different ones, each in one line
 * @returns pairs that were written, and queries that were left out
 * @throws ERR_INVALID_ARGUMENT when the folder has queries of other inputs; ERR_ABORTED; what the generator throws
 */
export async function writeQueries(
  folder: string,
  passages: readonly string[],
  generator: QueryGenerator,
  { perPassage, seed, signal, log }: WriteQueriesOptions,
): Promise<Progress['counts']> {
  await makeFolder(folder)
  const inputs = await hashJson(JSON.parse(JSON.stringify([passages, generator.key, perPassage, seed])))
  const progress = await begin(folder, inputs)
  const { counts, rest } = progress
  const write = async (rows: string[][]) => {
    await pairDataset(rows).toFile(join(folder, fileName(progress.files++)), { dtype: DTYPE })
    log?.(`${progress.nextPassage} of ${passages.length} passages, ${counts.queries} queries`)
  }
  while (progress.nextPassage < passages.length) {
    throwIfAborted(signal, 'Writing queries')
    const first = progress.nextPassage
    const chunk = passages.slice(first, first + CHUNK_PASSAGES)
    const request = { perPassage, seed: new Random(seed, first).nextUint32(), signal }
    const found = await generator.generate(chunk, request)
    checkAnswer(found, chunk.length)
    for (const [i, queries] of found.entries()) {
      const clean = cleanQueries(queries)
      counts.queries += clean.queries.length
      counts.emptyQueries += clean.empty
      counts.duplicateQueries += clean.duplicates
      rest.push(...clean.queries.map((query) => [query, chunk[i]!]))
    }
    progress.nextPassage += chunk.length
    while (rest.length >= FILE_ROWS) await write(rest.splice(0, FILE_ROWS))
    // The file that is not full yet is there, too, so that who stops here has all pairs. It is written anew as it grows.
    if (rest.length > 0) await pairDataset(rest).toFile(join(folder, fileName(progress.files)), { dtype: DTYPE })
    await save(folder, progress)
  }
  if (rest.length > 0) await write(rest.splice(0))
  await save(folder, progress)
  return counts
}

/**
 * What is in such a folder: pairs (columns `query` and `passage`), and the numbers of queries.
 * @throws ERR_INVALID_DATA when there is no pair
 */
export async function readQueries(folder: string): Promise<{ pairs: Dataset; counts: Progress['counts'] }> {
  const path = join(folder, PROGRESS)
  const { files, counts } = parseJson(await readFile(path), path, progressSchema)
  if (files === 0) {
    throw new SentenceTorchError('ERR_INVALID_DATA', `Expected queries in ${folder}: all that were written were empty`)
  }
  const parts: Dataset[] = []
  for (let i = 0; i < files; i++) parts.push(await Dataset.fromFile(join(folder, fileName(i)), { dtype: DTYPE }))
  return { pairs: await Dataset.concatenate(parts), counts }
}

/** Columns `query` and `passage`. */
export function pairDataset(rows: readonly (readonly string[])[]): Dataset {
  return Dataset.fromColumns({ query: rows.map(([query]) => query!), passage: rows.map(([, passage]) => passage!) })
}

/** The queries of a passage in one line each, without empty ones and without repeated ones. */
export function cleanQueries(queries: readonly string[]): { queries: string[]; empty: number; duplicates: number } {
  const lines = queries.map(oneLine)
  const filled = lines.filter((line) => line !== '')
  const different = [...new Set(filled)]
  return { queries: different, empty: lines.length - filled.length, duplicates: filled.length - different.length }
}

/** How far an earlier run came. Files that it had not noted are removed. */
async function begin(folder: string, inputs: string): Promise<Progress> {
  const path = join(folder, PROGRESS)
  const found = await readFile(path, 'utf8').catch(absent(undefined))
  const progress: Progress =
    found === undefined
      ? {
          format: 1,
          inputs,
          files: 0,
          nextPassage: 0,
          rest: [],
          counts: { queries: 0, emptyQueries: 0, duplicateQueries: 0 },
        }
      : parseJson(found, path, progressSchema)
  if (progress.inputs !== inputs) {
    const message = `${folder} has queries of other passages, of another generator or seed: choose another folder, or remove them`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  const kept = new Set(Array.from({ length: progress.files }, (_, i) => fileName(i)))
  for (const name of await readdir(folder)) {
    if (name.startsWith('pairs_') && !kept.has(name)) await rm(join(folder, name), { force: true })
  }
  return progress
}

function save(folder: string, progress: Progress): Promise<void> {
  return writeFileAtomic(join(folder, PROGRESS), `${JSON.stringify(progress)}\n`)
}

function fileName(number: number): string {
  return `pairs_${String(number).padStart(4, '0')}.tsv`
}

/** A generator may be the caller's own. */
function checkAnswer(found: readonly (readonly string[])[], passages: number): void {
  const isRight = Array.isArray(found) && found.length === passages && found.every((list) => Array.isArray(list))
  if (isRight && found.flat().every((query) => typeof query === 'string')) return
  const message = `Expected a list of queries for each of ${passages} passages from the generator`
  throw new SentenceTorchError('ERR_INVALID_DATA', message)
}
