import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { writeFileAtomic } from '../../io/atomic.js'
import type { RepositoryFile } from '../../io/hub-client.js'
import { type DownloadProgress, HubRepository } from '../../io/hub-repository.js'
import { readWhole } from '../../io/open-file.js'
import { checkRelativePath } from '../../io/safe-path.js'
import { arrayOf, parseJson } from '../../io/schema.js'
import { failedTo } from '../../io/system-error.js'
import { checkOptions, checkSignal, checkType } from '../../options.js'
import { chooseFiles, conversionLayout, type Layout, repositoryLayout } from './splits.js'

export interface DatasetHubOptions {
  /**
   * The configuration (subset), such as `stsb` of `nyu-mll/glue`. Needed where there are several and none is the default.
   */
  config?: string
  /** Default `train`. May be a part of a split, as in Python: `train[:1000]`, `train[10%:20%]`. */
  split?: string
  /** Branch, tag or commit. Default `main`. */
  revision?: string
  /** Columns to read (a name or several), in this order. Default all. */
  columns?: string | readonly string[]
  /** The Hugging Face cache. Default `HF_HUB_CACHE`, else `HF_HOME/hub`, else `~/.cache/huggingface/hub`. */
  cacheDir?: string
  /** Access token for private data sets. Default `HF_TOKEN`; false for none. Never logged. */
  token?: string | false
  /** Never touch the network. Default: whether `HF_HUB_OFFLINE` is set. */
  localFilesOnly?: boolean
  onProgress?: (progress: DownloadProgress) => void
  /** Stops downloading and reading; the promise rejects with ERR_ABORTED. */
  signal?: AbortSignal
}

const OPTIONS = [
  'config',
  'split',
  'revision',
  'columns',
  'cacheDir',
  'token',
  'localFilesOnly',
  'onProgress',
  'signal',
]

/** Limit of bytes in a card, which is read as a whole. */
const MAX_CARD = 10 * 1024 * 1024
/** Limit of bytes in a list of file names. A split has some thousands at most. */
const MAX_LIST = 64 * 1024 * 1024

const fileList = arrayOf<string>((value, { file, code }) => checkRelativePath(value, file, code), { min: 1 })

/** Names from the time when data sets had no owner. */
const MOVED: Record<string, string> = { glue: 'nyu-mll/glue', snli: 'stanfordnlp/snli', squad: 'rajpurkar/squad' }

/** The branch with the hub's conversions of other formats. */
const CONVERSION = 'refs/convert/parquet'

/**
 * Paths of the Parquet files of a split, in order. They come from the cache or are downloaded.
 * @param split without the part in brackets
 */
export async function datasetFiles(id: string, split: string, options: DatasetHubOptions): Promise<string[]> {
  const name = typeof id === 'string' && Object.hasOwn(MOVED, id) ? MOVED[id]! : id
  const legal = typeof name === 'string' && /^[\w.-]+(\/[\w.-]+)?$/.test(name)
  if (!legal || name.includes('..') || name.includes('--')) {
    throw invalidArgument('the id of a data set', 'a text such as "sentence-transformers/all-nli"', id)
  }
  const own = new HubDataset(name, options, options.revision ?? 'main')
  const cached = (await own.cached(split)) ?? (await conversion(name, options)?.cached(split))
  if (cached) return cached
  if (own.offline) return own.fetchedByOthers(split)
  const layout = await own.layout(repositoryLayout)
  const isThere = layout && (options.config === undefined || layout.configs.has(options.config))
  const converted = isThere ? undefined : conversion(name, options)
  const other = await converted?.layout(conversionLayout).catch(undefinedIfNotFound)
  if (converted && other) return converted.fetch(other, split)
  if (layout) return own.fetch(layout, split)
  throw new SentenceTorchError(
    'ERR_NOT_FOUND',
    `The data set ${name} has no Parquet files at revision ${options.revision ?? 'main'}` +
      (converted ? ', and the hub has not converted it' : '; the hub converts only the main branch'),
  )
}

/** @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION */
export function checkHubOptions(options: DatasetHubOptions): void {
  checkOptions('Dataset.fromHub', options, OPTIONS)
  for (const name of ['config', 'split', 'revision', 'cacheDir'] as const) checkType(name, options[name], 'string')
  if (options.token !== false) checkType('token', options.token, 'string')
  checkType('localFilesOnly', options.localFilesOnly, 'boolean')
  checkType('onProgress', options.onProgress, 'function')
  checkSignal(options.signal)
}

function undefinedIfNotFound(error: unknown): undefined {
  if (error instanceof SentenceTorchError && error.code === 'ERR_NOT_FOUND') return undefined
  throw error
}

/** The hub's conversion, which exists only for the main branch. */
function conversion(name: string, options: DatasetHubOptions): HubDataset | undefined {
  return options.revision === undefined ? new HubDataset(name, options, CONVERSION) : undefined
}

/** One revision of a data set. */
class HubDataset {
  private readonly repository: HubRepository
  private readonly config: string | undefined
  private found: { commit: string; entries: Map<string, RepositoryFile> } | undefined

  constructor(id: string, options: DatasetHubOptions, revision: string) {
    const { cacheDir, token, localFilesOnly, onProgress, signal } = options
    this.config = options.config
    this.repository = new HubRepository('dataset', id, {
      revision,
      ...(cacheDir !== undefined && { cacheFolder: cacheDir }),
      ...(token !== undefined && { token }),
      ...(localFilesOnly !== undefined && { localFilesOnly }),
      ...(onProgress && { onProgress }),
      ...(signal && { signal }),
    })
  }

  private get cardName(): string {
    return `README.md of the data set ${this.repository.id}`
  }

  get offline(): boolean {
    return this.repository.offline
  }

  /** The files of a split that was downloaded before. The hub is not asked again. */
  async cached(split: string): Promise<string[] | undefined> {
    const { cache, revision } = this.repository
    const commit = await cache.commit(revision)
    if (commit === undefined) return undefined
    const path = this.listPath(commit, split)
    const list = await readWhole(path, MAX_LIST, 'ERR_INVALID_FILE').catch(() => undefined)
    if (list === undefined) return undefined
    let files: string[]
    try {
      files = parseJson(list, path, fileList)
    } catch {
      return undefined // A damaged list is made anew.
    }
    const paths = files.map((file) => cache.file(commit, file))
    for (const path of paths) if (!(await stat(path).catch(() => undefined))?.isFile()) return undefined
    return paths
  }

  /** The content of the revision; undefined when `read` finds nothing in it. */
  async layout(read: typeof repositoryLayout): Promise<Layout | undefined> {
    const { repository } = this
    const commit = await repository.askCommit()
    const entries = await repository.list(commit)
    let card: string | undefined
    const readme = entries.get('README.md')
    if (readme) {
      await repository.fetchFiles(commit, [readme], MAX_CARD)
      card = await readCard(join(repository.cache.snapshot(commit), 'README.md'))
    }
    this.found = { commit, entries }
    return read([...entries.keys()], card, this.cardName)
  }

  /** Downloads the files of a split that the cache lacks. */
  async fetch(layout: Layout, split: string): Promise<string[]> {
    const { cache, id, revision } = this.repository
    const { commit, entries } = this.found!
    const files = chooseFiles(id, layout, this.config, split)
    await this.repository.fetchFiles(
      commit,
      files.map((file) => entries.get(file)!),
    )
    await cache.writeRef(revision, commit)
    // A snapshot may hold only some files of a split. This list names them all, and shows that all were downloaded.
    const path = this.listPath(commit, split)
    await writeFileAtomic(path, JSON.stringify(files)).catch(failedTo(`write ${path}`))
    return files.map((file) => cache.file(commit, file))
  }

  /** The files of a split that Python downloaded, where their names include their number. */
  async fetchedByOthers(split: string): Promise<string[]> {
    const { id, cache, revision } = this.repository
    const commit = await cache.commit(revision)
    if (commit !== undefined) {
      const card = await readCard(join(cache.snapshot(commit), 'README.md')).catch(() => undefined)
      const layout = repositoryLayout([...(await cache.files(commit))], card, this.cardName)
      const files = layout && chooseFiles(id, layout, this.config, split)
      const counts = files?.map((file) => Number(/-of-(\d+)/.exec(file)?.[1] ?? 1))
      if (files && counts?.every((count) => count === files.length)) {
        return files.map((file) => cache.file(commit, file))
      }
    }
    throw new SentenceTorchError(
      'ERR_NOT_FOUND',
      `The split ${split}${this.config === undefined ? '' : ` (config ${this.config})`} of the data set ${id} at revision ` +
        `${revision} is not in the cache ${cache.path}, and downloading is off (HF_HUB_OFFLINE or localFilesOnly); Dataset.fromFile reads local files`,
    )
  }

  private listPath(commit: string, split: string): string {
    const text = `${this.config ?? ''} ${split}`
    // encodeURIComponent throws for a lone surrogate, and a file name has at most 255 bytes.
    const name = encodeURIComponent(Buffer.from(text).toString())
    const short = name.length <= 180 ? name : createHash('sha256').update(text).digest('hex')
    return join(this.repository.cache.path, `.splits-${commit}-${short}.json`)
  }
}

/**
 * Splits `train[10%:20%]` into the name of the split and a range of rows (from, to), as the `datasets` package does.
 * Percentages are rounded to the nearest row (halves to the even one). Negative numbers count from the end.
 */
export function parseSplit(text: string): { split: string; rows?: (length: number) => [number, number] } {
  checkType('split', text, 'string')
  const match = /^([\w.-]+)(?:\[(-?\d+%?)?:(-?\d+%?)?\])?$/.exec(text)
  if (!match) throw invalidArgument('split', 'a name such as train, or a part of it such as train[:1000]', text)
  const [, split, from, to] = match
  if (!text.includes('[')) return { split: split! }
  return {
    split: split!,
    rows: (length) => {
      const place = (bound: string | undefined, otherwise: number) => {
        if (bound === undefined) return otherwise
        const value = bound.endsWith('%') ? roundToEven((Number(bound.slice(0, -1)) * length) / 100) : Number(bound)
        return Math.min(length, Math.max(0, value < 0 ? length + value : value))
      }
      const start = place(from, 0)
      return [start, Math.max(start, place(to, length))]
    },
  }
}

function roundToEven(value: number): number {
  return Math.abs(value % 1) === 0.5 ? 2 * Math.round(value / 2) : Math.round(value)
}

/** The text of a data set's card. @throws ERR_NOT_FOUND, ERR_INVALID_FILE where it is not a file */
async function readCard(path: string): Promise<string> {
  return (await readWhole(path, MAX_CARD, 'ERR_INVALID_FILE')).toString()
}
