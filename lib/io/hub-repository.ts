import { createHash, randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ListFileEntry } from '@huggingface/hub'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { CachedRepo, hubCacheFolder, isCommit, type RepositoryKind } from './hub-cache.js'

/** How far a download is. */
export interface DownloadProgress {
  /** The file that is being downloaded, by its path in the repository. */
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
}

type HubClient = typeof import('@huggingface/hub')

/** Loaded when the network is first used: most processes never do. */
function hubClient(): Promise<HubClient> {
  return import('@huggingface/hub')
}

/** A file of a repository; `oid` and `lfs.oid` are the digests. */
export type RepositoryFile = ListFileEntry

/** A model or data set on the Hugging Face hub, and its copy in the cache that Python shares. */
export class HubRepository {
  readonly revision: string
  readonly cache: CachedRepo
  /** Whether the network must not be touched. */
  readonly offline: boolean
  private readonly token: string | undefined
  private readonly hubUrl = (process.env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '')

  constructor(
    private readonly kind: RepositoryKind,
    readonly id: string,
    private readonly options: RepositoryOptions,
  ) {
    this.revision = options.revision ?? 'main'
    if (!/^[\w./-]+$/.test(this.revision) || this.revision.split('/').some((part) => part === '..' || part === '')) {
      throw invalidArgument('revision', 'a branch, tag or commit', this.revision)
    }
    this.cache = new CachedRepo(options.cacheFolder ?? hubCacheFolder(), kind, id)
    this.token = options.token === false ? undefined : options.token || process.env.HF_TOKEN || undefined
    // The hub client checks this too, but its error says nothing of where the token came from.
    if (this.token && !this.token.startsWith('hf_')) {
      throw new SentenceTorchError(
        'ERR_INVALID_ARGUMENT',
        'Expected an access token (option token or HF_TOKEN) that starts with hf_',
      )
    }
    this.offline = options.localFilesOnly ?? isSet(process.env.HF_HUB_OFFLINE)
  }

  /** What every request to the hub needs. */
  private get access() {
    return { hubUrl: this.hubUrl, ...(this.token ? { accessToken: this.token } : {}) }
  }

  /** The commit that the revision is now. */
  async askCommit(): Promise<string> {
    if (isCommit(this.revision)) return this.revision
    const request = { ...this.access, name: this.id, revision: this.revision, additionalFields: ['sha' as const] }
    const info = await this.guard<{ sha?: string }>(({ modelInfo, datasetInfo }) =>
      this.kind === 'model' ? modelInfo(request) : datasetInfo(request),
    )
    if (typeof info.sha === 'string' && isCommit(info.sha)) return info.sha
    throw new SentenceTorchError('ERR_NETWORK', `${this.hubUrl} gave no commit for ${this.id} at ${this.revision}`)
  }

  /** All files of a commit, by their path. */
  async list(commit: string): Promise<Map<string, RepositoryFile>> {
    return this.guard(async ({ listFiles }) => {
      const files = new Map<string, RepositoryFile>()
      const repo = { type: this.kind, name: this.id }
      for await (const entry of listFiles({ ...this.access, repo, recursive: true, revision: commit })) {
        if (entry.type === 'file') files.set(entry.path, entry)
      }
      return files
    })
  }

  /** Downloads what the cache lacks, and makes the files visible in the commit's snapshot. */
  async fetchFiles(commit: string, entries: RepositoryFile[]): Promise<void> {
    const absent: RepositoryFile[] = []
    for (const entry of entries) {
      const there = await stat(this.cache.blob(etagOf(entry))).catch(() => undefined)
      if (there?.size !== entry.size) absent.push(entry)
    }
    const total = absent.reduce((sum, entry) => sum + entry.size, 0)
    let loaded = 0
    for (const entry of entries) {
      if (absent.includes(entry)) {
        await this.fetchBlob(commit, entry, (bytes) => {
          loaded += bytes
          this.options.onProgress?.({ file: entry.path, loaded, total })
        })
      }
      await this.cache.link(commit, entry.path, etagOf(entry))
    }
  }

  /** Downloads one file next to its place and renames it once its digest is right: no partial file is ever visible. */
  private async fetchBlob(commit: string, entry: RepositoryFile, onBytes: (bytes: number) => void): Promise<void> {
    const etag = etagOf(entry)
    const partial = `${this.cache.blob(etag)}.${randomUUID()}.incomplete`
    const hash = entry.lfs ? createHash('sha256') : createHash('sha1').update(`blob ${entry.size}\0`)
    await mkdir(join(this.cache.path, 'blobs'), { recursive: true })
    try {
      await this.guard(async ({ downloadFile }) => {
        const repo = { type: this.kind, name: this.id }
        // Plain HTTP: one request that follows redirects, rather than the many of the xet protocol.
        const blob = await downloadFile({ ...this.access, repo, path: entry.path, revision: commit, xet: false })
        if (!blob)
          throw new SentenceTorchError('ERR_NETWORK', `The hub lists ${entry.path} of ${this.id} but does not have it`)
        const source = Readable.fromWeb(blob.stream() as Parameters<typeof Readable.fromWeb>[0])
        const observed = async function* (chunks: AsyncIterable<Uint8Array>) {
          for await (const chunk of chunks) {
            hash.update(chunk)
            onBytes(chunk.length)
            yield chunk
          }
        }
        await pipeline(source, observed, createWriteStream(partial))
      })
      const digest = hash.digest('hex')
      if (digest !== etag) {
        throw new SentenceTorchError(
          'ERR_NETWORK',
          `${entry.path} of ${this.id} arrived damaged: expected ${etag}, got ${digest}`,
        )
      }
      await rename(partial, this.cache.blob(etag))
    } finally {
      await rm(partial, { force: true })
    }
  }

  /** Turns the hub client's errors into ours. They carry no header, so no token can leak. */
  private async guard<T>(request: (client: HubClient) => Promise<T>): Promise<T> {
    const client = await hubClient()
    const { HubApiError } = client
    try {
      return await request(client)
    } catch (error) {
      if (error instanceof SentenceTorchError) throw error
      const code = (error as NodeJS.ErrnoException).code
      if (code === 'ENOSPC' || code === 'EACCES' || code === 'EROFS') throw error
      if (error instanceof HubApiError && [401, 403, 404].includes(error.statusCode))
        throw this.refused(error.statusCode)
      const reason = error instanceof HubApiError ? `status ${error.statusCode}` : reasonOf(error)
      throw new SentenceTorchError('ERR_NETWORK', `Could not get ${this.id} from ${this.hubUrl}: ${reason}`)
    }
  }

  private refused(status: number): SentenceTorchError {
    const noun = this.kind === 'model' ? 'model' : 'data set'
    const what = `the ${noun} ${this.id} at revision ${this.revision} on ${this.hubUrl}`
    const noFolder = this.kind === 'model' ? 'There is no folder and no hub model: ' : ''
    if (status === 404) return new SentenceTorchError('ERR_NOT_FOUND', `${noFolder}${what} was not found`)
    return new SentenceTorchError(
      'ERR_NOT_FOUND',
      this.token
        ? `The access token does not open ${what} (status ${status}); the ${noun} may be gated: ask for access on its page`
        : `${this.kind === 'model' ? `There is no folder ${this.id}, and ` : ''}${what} does not exist or is private (status ${status}); set HF_TOKEN if it is private`,
    )
  }
}

/** The blob's name: SHA-256 of a large file, git's SHA-1 of a small one; as Python takes it from the ETag. */
function etagOf(entry: RepositoryFile): string {
  const etag = entry.lfs?.oid ?? entry.oid ?? ''
  if (/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(etag)) return etag
  throw new SentenceTorchError('ERR_NETWORK', `The hub gave no digest for ${entry.path}`)
}

/** `fetch failed` hides its reason in the cause. */
function reasonOf(error: unknown): string {
  const cause = (error as Error).cause
  const inner = cause instanceof Error ? ` (${(cause as NodeJS.ErrnoException).code ?? cause.message})` : ''
  return `${(error as Error).message ?? error}${inner}`
}

function isSet(value: string | undefined): boolean {
  return /^(1|true|yes|on)$/i.test(value ?? '')
}
