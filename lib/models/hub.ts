import { createHash, randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { downloadFile, HubApiError, type ListFileEntry, listFiles, modelInfo } from '@huggingface/hub'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { CachedRepo, hubCacheFolder, isCommit } from './hub-cache.js'
import { planFiles, unusable } from './hub-files.js'
import { readJson } from './json.js'

/** How far a download is. */
export interface DownloadProgress {
  /** The file that is being downloaded, by its path in the repository. */
  file: string
  /** Bytes downloaded so far and bytes to download, over all files. */
  loaded: number
  total: number
}

export interface HubOptions {
  /** Branch, tag or commit. Default `main`. */
  revision?: string
  /** The Hugging Face cache. Default `HF_HUB_CACHE`, else `HF_HOME/hub`, else `~/.cache/huggingface/hub`. */
  cacheFolder?: string
  /** Access token for private models. Default `HF_TOKEN`; false for none. Never logged. */
  token?: string | false
  /** Never touch the network. Default: whether `HF_HUB_OFFLINE` is set. */
  localFilesOnly?: boolean
  onProgress?: (progress: DownloadProgress) => void
  /** What a bare name belongs to. Default `sentence-transformers`. */
  organization?: string
}

/** A model on this machine. */
export interface ResolvedModel {
  /** The folder that holds it. */
  path: string
  /** Its hub id; undefined for a local folder. */
  id?: string
}

/** Names without an organisation that are models of their own, not of sentence-transformers. */
const BARE_NAMES =
  /^(bert-(base|large)-(cased|uncased|chinese|german|multilingual)|distilbert-base-(cased|uncased|german|multilingual)|((distil|xlm-)?roberta|camembert)-(base|large)|albert-|xlnet-|(distil)?gpt2|t5-(small|base|large|3b|11b)$)/

/**
 * Finds a model: a local folder, else the Hugging Face cache (shared with Python), else a download of the files that
 * loading needs into that cache. A bare name such as `all-MiniLM-L6-v2` means `sentence-transformers/all-MiniLM-L6-v2`.
 * @throws SentenceTorchError ERR_NOT_FOUND (no such folder, model or revision; or private), ERR_NETWORK, ERR_UNSUPPORTED
 * (weights only as a pickle), ERR_INVALID_MODEL (files missing).
 */
export async function resolveModel(idOrPath: string, options: HubOptions = {}): Promise<ResolvedModel> {
  const local = await stat(idOrPath).catch(() => undefined)
  if (local?.isDirectory()) return { path: idOrPath }
  if (local) throw new SentenceTorchError('ERR_INVALID_MODEL', `Expected a model folder, but ${idOrPath} is a file`)
  const id = hubId(idOrPath, options.organization)
  const hub = new HubModel(id, options)
  return { path: await hub.resolve(), id }
}

function hubId(name: string, organization = 'sentence-transformers'): string {
  const looksLikePath = isAbsolute(name) || /^[.~]/.test(name) || name.includes('\\') || name.split('/').length > 2
  const legal = /^[\w.-]+(\/[\w.-]+)?$/.test(name) && !name.includes('..') && !name.includes('--')
  if (looksLikePath || !legal) {
    throw new SentenceTorchError(
      'ERR_NOT_FOUND',
      `There is no model folder ${name}, and it is not a Hugging Face model id`,
    )
  }
  if (name.includes('/') || BARE_NAMES.test(name.toLowerCase())) return name
  return `${organization}/${name}`
}

class HubModel {
  private readonly revision: string
  private readonly cache: CachedRepo
  private readonly token: string | undefined
  private readonly offline: boolean
  private readonly hubUrl = (process.env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '')

  constructor(
    private readonly id: string,
    private readonly options: HubOptions,
  ) {
    this.revision = options.revision ?? 'main'
    if (!/^[\w./-]+$/.test(this.revision) || this.revision.split('/').some((part) => part === '..' || part === '')) {
      throw invalidArgument('revision', 'a branch, tag or commit', this.revision)
    }
    this.cache = new CachedRepo(options.cacheFolder ?? hubCacheFolder(), id)
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

  async resolve(): Promise<string> {
    const commit = await this.cache.commit(this.revision)
    const found = commit === undefined ? undefined : await this.cache.check(commit)
    const usable = found !== undefined && found.missing.length === 0
    if (usable && found.unknown.length === 0) return this.cache.snapshot(commit!)
    if (this.offline) {
      if (!found || found.files.size === 0) throw this.notCached()
      if (!usable) throw unusable(`The cached copy of ${this.id} (offline)`, found.missing, found.files)
      return this.useUncertain(commit!, found.unknown)
    }
    try {
      return await this.download()
    } catch (error) {
      const unreachable = error instanceof SentenceTorchError && error.code === 'ERR_NETWORK'
      if (unreachable && usable) return this.useUncertain(commit!, found.unknown)
      throw error
    }
  }

  private useUncertain(commit: string, unknown: string[]): string {
    process.emitWarning(
      `The cached copy of ${this.id} has no ${unknown.join(', ')}, and the hub cannot be asked whether they exist; ` +
        'the model is loaded without them and may differ from the original',
    )
    return this.cache.snapshot(commit)
  }

  private async download(): Promise<string> {
    const commit = isCommit(this.revision) ? this.revision : await this.askCommit()
    const entries = await this.list(commit)
    const names = new Set(entries.keys())
    let modules: unknown
    if (names.has('modules.json')) {
      await this.fetchFiles(commit, [entries.get('modules.json')!])
      modules = await readJson(join(this.cache.snapshot(commit), 'modules.json'))
    }
    const plan = planFiles(names, modules)
    if (plan.missing.length > 0) throw unusable(this.id, plan.missing, names)
    await this.fetchFiles(
      commit,
      plan.needed.map((name) => entries.get(name)!),
    )
    await this.cache.markAbsent(commit, names)
    await this.cache.writeRef(this.revision, commit)
    return this.cache.snapshot(commit)
  }

  /** What every request to the hub needs. */
  private get access() {
    return { hubUrl: this.hubUrl, ...(this.token ? { accessToken: this.token } : {}) }
  }

  private async askCommit(): Promise<string> {
    const info = await this.guard(() =>
      modelInfo({ ...this.access, name: this.id, revision: this.revision, additionalFields: ['sha'] }),
    )
    if (typeof info.sha === 'string' && isCommit(info.sha)) return info.sha
    throw new SentenceTorchError('ERR_NETWORK', `${this.hubUrl} gave no commit for ${this.id} at ${this.revision}`)
  }

  private async list(commit: string): Promise<Map<string, ListFileEntry>> {
    return this.guard(async () => {
      const files = new Map<string, ListFileEntry>()
      const repo = { type: 'model' as const, name: this.id }
      for await (const entry of listFiles({ ...this.access, repo, recursive: true, revision: commit })) {
        if (entry.type === 'file') files.set(entry.path, entry)
      }
      return files
    })
  }

  private async fetchFiles(commit: string, entries: ListFileEntry[]): Promise<void> {
    const absent: ListFileEntry[] = []
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
  private async fetchBlob(commit: string, entry: ListFileEntry, onBytes: (bytes: number) => void): Promise<void> {
    const etag = etagOf(entry)
    const partial = `${this.cache.blob(etag)}.${randomUUID()}.incomplete`
    const hash = entry.lfs ? createHash('sha256') : createHash('sha1').update(`blob ${entry.size}\0`)
    await mkdir(join(this.cache.path, 'blobs'), { recursive: true })
    try {
      await this.guard(async () => {
        const repo = { type: 'model' as const, name: this.id }
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
  private async guard<T>(request: () => Promise<T>): Promise<T> {
    try {
      return await request()
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
    const what = `the model ${this.id} at revision ${this.revision} on ${this.hubUrl}`
    if (status === 404)
      return new SentenceTorchError('ERR_NOT_FOUND', `There is no folder and no hub model: ${what} was not found`)
    return new SentenceTorchError(
      'ERR_NOT_FOUND',
      this.token
        ? `The access token does not open ${what} (status ${status}); the model may be gated: ask for access on its page`
        : `There is no folder ${this.id}, and ${what} does not exist or is private (status ${status}); set HF_TOKEN if it is private`,
    )
  }

  private notCached(): SentenceTorchError {
    return new SentenceTorchError(
      'ERR_NOT_FOUND',
      `${this.id} at revision ${this.revision} is neither a folder nor in the cache ${this.cache.path}, ` +
        'and downloading is off (HF_HUB_OFFLINE or localFilesOnly)',
    )
  }
}

/** The blob's name: SHA-256 of a large file, git's SHA-1 of a small one; as Python takes it from the ETag. */
function etagOf(entry: ListFileEntry): string {
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
