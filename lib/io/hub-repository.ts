import { stat } from 'node:fs/promises'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { throwIfAborted } from './abort.js'
import { CachedRepo, hubCacheFolder, isCommit, type RepositoryKind } from './hub-cache.js'
import type { HubClient, RepositoryFile } from './hub-client.js'
import { checkRelativePath } from './safe-path.js'
import { failedTo } from './system-error.js'

/** The progress of a download. */
export interface DownloadProgress {
  /** The current file, by its path in the repository. */
  file: string
  /** Bytes downloaded so far and bytes to download, over all files. */
  loaded: number
  total: number
}

export interface RepositoryOptions {
  /** Branch, tag or commit. Default `main`. */
  revision?: string
  /** The Hugging Face cache. Default `HF_HUB_CACHE`, else `HF_HOME/hub`, else `~/.cache/huggingface/hub`. */
  cacheFolder?: string
  /** Access token for private repositories. Default `HF_TOKEN`; false for none. Never logged. */
  token?: string | false
  /** Never touch the network. Default: whether `HF_HUB_OFFLINE` is set. */
  localFilesOnly?: boolean
  onProgress?: (progress: DownloadProgress) => void
  /** Stops the running work; the promise rejects with ERR_ABORTED. */
  signal?: AbortSignal
}

/** A model or data set on the Hugging Face hub, and its copy in the cache that Python shares. */
export class HubRepository {
  readonly revision: string
  readonly cache: CachedRepo
  /** Whether the network must not be touched. */
  readonly offline: boolean
  private readonly token: string | undefined
  private readonly hubUrl = (process.env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '')
  #client: Promise<HubClient> | undefined

  constructor(
    private readonly kind: RepositoryKind,
    readonly id: string,
    private readonly options: RepositoryOptions,
  ) {
    this.revision = options.revision ?? 'main'
    if (!/^[\w./-]+$/.test(this.revision) || this.revision.split('/').some((part) => part === '..' || part === '')) {
      throw invalidArgument('revision', 'a branch, tag or commit', this.revision)
    }
    if (options.cacheFolder?.includes('\0')) throw invalidArgument('cacheFolder', 'a path', options.cacheFolder)
    this.cache = new CachedRepo(options.cacheFolder ?? hubCacheFolder(), kind, id)
    // Trimmed as in Python, because files of tokens end in a line break.
    const token = options.token === false ? undefined : (options.token || process.env.HF_TOKEN)?.trim()
    this.token = token || undefined
    if (token && !/^hf_[!-~]*$/.test(token)) {
      throw new SentenceTorchError(
        'ERR_INVALID_ARGUMENT',
        'Expected an access token (option token or HF_TOKEN) that starts with hf_ and has letters of ASCII alone',
      )
    }
    this.offline = options.localFilesOnly ?? isSet(process.env.HF_HUB_OFFLINE)
  }

  /** The current commit of the revision. */
  async askCommit(): Promise<string> {
    if (isCommit(this.revision)) return this.revision
    return (await this.#connect()).commit()
  }

  /** All files of a commit, by their path. */
  async list(commit: string): Promise<Map<string, RepositoryFile>> {
    return (await this.#connect()).list(commit)
  }

  /**
   * Downloads the files that the cache lacks, and makes them visible in the commit's snapshot.
   * @param maxBytes limit of bytes in one of the files
   */
  async fetchFiles(
    commit: string,
    files: readonly RepositoryFile[],
    maxBytes = Number.MAX_SAFE_INTEGER,
  ): Promise<void> {
    for (const { path, size } of files) {
      checkRelativePath(path, `The listing of ${this.id}`, 'ERR_NETWORK')
      if (size <= maxBytes) continue
      const message = `The hub lists ${path} of ${this.id} with ${size} bytes, more than the ${maxBytes} that it may have`
      throw new SentenceTorchError('ERR_NETWORK', message)
    }
    const { digestOf } = await import('./hub-client.js')
    const absent = new Map<string, RepositoryFile>()
    for (const file of files) {
      const there = await stat(this.cache.blob(digestOf(file))).catch(() => undefined)
      if (there?.size !== file.size) absent.set(digestOf(file), file)
    }
    let total = 0
    for (const { size } of absent.values()) total += size
    let loaded = 0
    if (absent.size > 0) await this.cache.removeLeftovers()
    for (const file of files) {
      if (absent.delete(digestOf(file))) {
        await this.#fetchBlob(commit, file, (bytes) => {
          loaded += bytes
          this.options.onProgress?.({ file: file.path, loaded, total })
        })
      }
      throwIfAborted(this.options.signal, `Loading ${this.id}`)
      await this.cache.link(commit, file.path, digestOf(file))
    }
  }

  /** Downloads one file next to its place and renames it when its digest is right, so no partial file is ever visible. */
  async #fetchBlob(commit: string, file: RepositoryFile, onBytes: (bytes: number) => void): Promise<void> {
    const client = await this.#connect()
    const make = async (partial: string) => {
      await this.cache.adoptLeftover(file.digest, partial)
      await client.download(commit, file, partial, onBytes)
    }
    await this.cache
      .put(this.cache.blob(file.digest), make)
      .catch(failedTo(`write ${file.path} of ${this.id} into ${this.cache.path} (HF_HOME names another cache)`))
  }

  #connect(): Promise<HubClient> {
    const { kind, id, revision, hubUrl, token, options } = this
    this.#client ??= import('./hub-client.js').then(
      ({ HubClient }) => new HubClient({ kind, id, revision, hubUrl, token, signal: options.signal }),
    )
    return this.#client
  }
}

function isSet(value: string | undefined): boolean {
  return /^(1|true|yes|on)$/i.test(value ?? '')
}
