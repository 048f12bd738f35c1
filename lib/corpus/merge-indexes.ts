import { rename, rm, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import { absent } from '../io/files.js'
import { failedTo } from '../io/system-error.js'
import { temporaryBeside } from '../io/temporary.js'
import { embeddings } from '../models/embeddings.js'
import type { MaxSimName } from '../models/multi-vector/folder.js'
import { checkOptions, checkSignal, checkType } from '../options.js'
import type { IndexPrecision, IndexSettings } from '../search/embedding-index/format.js'
import { IndexFile, lockIndex } from '../search/embedding-index/index-file.js'
import { identityDifference } from '../search/embedding-index/model-identity.js'
import { readRows } from '../search/embedding-index/read-rows.js'
import { checkPrecision, KIND_NAMES, type OwnRows, scoreOf } from '../search/embedding-index/row-kinds.js'
import { type OwnIndexRows, segmentOf } from '../search/embedding-index/segment-data.js'
import type { ScoreFunction } from '../search/score-function.js'
import { EncodedFiles } from './encoded-files.js'

export interface MergeIndexesOptions {
  /** How rows of the new index are compared first. Default: as in the sources; of folders `float32`. */
  precision?: IndexPrecision
  /** How rows of the new index are compared. Default: as in the sources; of folders as the model does. */
  scoreFunction?: ScoreFunction | MaxSimName
  /** Called with the number of rows that are written. */
  onProgress?: (rows: number) => void
  /** Stops between two blocks; nothing is written then. */
  signal?: AbortSignal
}

/** What was written. */
export interface MergedIndex {
  rows: number
  dimension: number
  precision: IndexPrecision
  scoreFunction: string
}

/** Rows to be merged. */
interface Source {
  path: string
  settings: IndexSettings
  rows(): AsyncIterable<OwnIndexRows>
  verify(): Promise<void>
  close(): Promise<void>
}

/**
 * Makes one index of several, and of folders of `encodeFiles`, without encoding anything again. Rows follow each other in the order of
 * the sources. Memory holds a block of them, however many there are. The index appears when it is complete.
 *
 * ```ts
 * await mergeIndexes('all.index', ['a.index', 'b.index'])
 * await mergeIndexes('docs.index', ['vectors'], { precision: 'int8' })
 * ```
 * @param sources files of `EmbeddingIndex`, and folders; of one model, one kind and one width, all with texts (ids) or none
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT for sources that do not fit each other, naming the first; ERR_INVALID_FILE for a
 * source without its checksums; ERR_BUSY while a process adds to the index that is replaced; ERR_NOT_FOUND, ERR_FILE_SYSTEM, ERR_ABORTED
 */
export async function mergeIndexes(
  path: string,
  sources: readonly string[],
  options: MergeIndexesOptions = {},
): Promise<MergedIndex> {
  if (typeof path !== 'string' || path === '') throw invalidArgument('path', 'the path of a file', path)
  if (!Array.isArray(sources) || sources.length === 0 || sources.some((one) => typeof one !== 'string'))
    throw invalidArgument('sources', 'paths of indexes or folders', sources)
  checkOptions('mergeIndexes', options, ['precision', 'scoreFunction', 'onProgress', 'signal'])
  checkSignal(options.signal)
  if (options.onProgress !== undefined) checkType('onProgress', options.onProgress, 'function')
  const there = await stat(path).catch(absent(undefined))
  if (there?.isDirectory()) throw invalidArgument('path', 'the path of a file', `${path}, which is a folder`)
  const opened: Source[] = []
  // Also where the index that is replaced is one of the sources: what is added to it meanwhile would be lost.
  const lock = await lockIndex(path)
  try {
    for (const source of sources as readonly string[]) opened.push(await openSource(source))
    const settings = mergedSettings(opened, options)
    for (const source of opened) await source.verify()
    return await write(path, opened, settings, options)
  } finally {
    for (const source of opened) await source.close()
    await lock.release()
  }
}

async function openSource(path: string): Promise<Source> {
  const found = await stat(path).catch(failedTo(`read ${path}`))
  if (!found.isDirectory()) {
    const file = await IndexFile.open(path)
    const close = () => file.close()
    return { path, settings: file.head, rows: () => readRows(file), verify: () => file.verify(), close }
  }
  const files = await EncodedFiles.open(path)
  files.checkFull('The index')
  const { dimension, kind, similarityFnName, hasTexts, identity } = files
  const settings: IndexSettings = {
    ...{ dimension, ...(kind !== 'dense' && { kind }), precision: 'float32', scoreFunction: similarityFnName },
    ...{ hasIds: false, hasTexts, model: identity },
  }
  return { path, settings, rows: () => rowsOf(files), verify: () => files.verify(), close: async () => {} }
}

async function* rowsOf(files: EncodedFiles): AsyncGenerator<OwnIndexRows> {
  for await (const { rows, texts } of files.blocks()) {
    const own = 'shape' in rows ? embeddings(rows.data as Float32Array, ...rows.shape) : (rows as OwnRows)
    yield { embeddings: own, ...(texts && { texts }) }
  }
}

/** @throws SentenceTorchError ERR_INVALID_ARGUMENT for the first source that does not fit the first one */
function mergedSettings(sources: readonly Source[], options: MergeIndexesOptions): IndexSettings {
  const [first, ...others] = sources as [Source, ...Source[]]
  const { settings: own } = first
  const kind = own.kind ?? 'dense'
  // Of the sources that say of which model they are.
  const known = sources.find(({ settings }) => settings.model !== undefined)
  for (const { path, settings } of others) {
    const unfit = (expected: string, found: string) => {
      const message = `${path} does not fit ${first.path}: expected ${expected}, found ${found}`
      return new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    const otherKind = settings.kind ?? 'dense'
    if (otherKind !== kind) throw unfit(KIND_NAMES[kind], KIND_NAMES[otherKind])
    if (settings.dimension !== own.dimension)
      throw unfit(`rows of ${own.dimension} numbers`, `rows of ${settings.dimension}`)
    if (settings.hasIds !== own.hasIds || settings.hasTexts !== own.hasTexts)
      throw unfit(presence(own), presence(settings))
    const name = settings.model?.name ?? path
    const other = known && settings.model && identityDifference(known.settings.model!, settings.model, name)
    if (other !== undefined) throw unfit(`rows of the same model as ${known!.path} has`, `those of another: ${other}`)
    for (const each of ['precision', 'scoreFunction'] as const) {
      if (options[each] !== undefined || settings[each] === own[each]) continue
      throw unfit(`${each} ${own[each]} (the option ${each} chooses one for all)`, settings[each])
    }
  }
  const precision = options.precision ?? own.precision
  const scoreFunction = scoreOf(kind, options.scoreFunction ?? (own.scoreFunction as ScoreFunction | MaxSimName))
  checkPrecision(kind, precision, scoreFunction)
  // Vectors of tokens are kept in few bits alone, from which others cannot be made.
  const coarse =
    kind === 'tokens' && sources.find(({ settings: { precision: its } }) => its !== 'float32' && its !== precision)
  if (coarse) {
    const message = `${coarse.path} has vectors of ${coarse.settings.precision}, which become none of ${precision}: only float32 does`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  const isKnown = sources.every(({ settings }) => settings.model !== undefined)
  const { dimension, hasIds, hasTexts, model } = own
  return {
    ...{ dimension, precision, scoreFunction, ...(kind !== 'dense' && { kind }), hasIds, hasTexts },
    ...(isKnown && { model }),
  }
}

function presence({ hasIds, hasTexts }: IndexSettings): string {
  return `${hasIds ? 'ids' : 'no ids'} and ${hasTexts ? 'texts' : 'no texts'}`
}

/** The index grows beside its place and takes it when it is complete. */
async function write(
  path: string,
  sources: readonly Source[],
  settings: IndexSettings,
  { onProgress, signal }: MergeIndexesOptions,
): Promise<MergedIndex> {
  const temporary = temporaryBeside(resolve(path), 'tmp')
  let file: IndexFile | undefined
  try {
    file = await IndexFile.create(temporary, settings, undefined)
    for (const source of sources) {
      for await (const rows of source.rows()) {
        throwIfAborted(signal, 'Merging')
        const data = await segmentOf(settings, rows)
        if (data) await file.append(data)
        onProgress?.(file.head.rows)
      }
    }
    await file.close()
    await rename(temporary, path).catch(failedTo(`write ${path}`))
    const { dimension, precision, scoreFunction } = settings
    return { rows: file.head.rows, dimension, precision, scoreFunction }
  } finally {
    await file?.close()
    await rm(temporary, { force: true })
  }
}
