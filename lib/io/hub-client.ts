/** Requests to the hub. Loaded when the network is first used, because most processes never use it. */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { datasetInfo, listFiles, modelInfo } from '@huggingface/hub'
import { SentenceTorchError } from '../errors.js'
import { abortError, throwIfAborted } from './abort.js'
import { isCommit, type RepositoryKind } from './hub-cache.js'
import { HubFailure, HubRequests, HubUnreachable } from './hub-fetch.js'
import { PartialFile } from './partial-file.js'
import {
  anything,
  arrayOf,
  inside,
  integer,
  misfit,
  object,
  optional,
  type Place,
  parseJson,
  type Schema,
  text,
} from './schema.js'

/** Limit of files in a listing. A page has a thousand, and the hub advises against more than a hundred thousand. */
const MAX_PAGES = 500
const MAX_FILES = 250_000
/** Limit of interruptions during one file, the bytes that must arrive between two, and the first waiting time. */
const MAX_BREAKS = 20
const LEAST_PART = 1024 * 1024
const BREAK_MILLISECONDS = 100

type Fetch = typeof fetch

export interface HubAccess {
  kind: RepositoryKind
  id: string
  revision: string
  hubUrl: string
  token: string | undefined
  signal: AbortSignal | undefined
}

/** A file of a repository in the hub's listing. */
export interface RepositoryFile {
  /** Not checked: `fetchFiles` does. */
  path: string
  size: number
  /** Its name among the cache's blobs, after it has been checked. */
  digest: string
}

/** A repository on the hub. Every error is a SentenceTorchError. None contains a header, so no token can leak. */
export class HubClient {
  readonly #requests: HubRequests

  constructor(private readonly access: HubAccess) {
    this.#requests = new HubRequests(access.hubUrl, access.token, access.signal)
  }

  /** The current commit of the revision. */
  async commit(): Promise<string> {
    const { kind, id, revision, hubUrl } = this.access
    const fetch = this.#fetch(`the answer of ${hubUrl}`, commitAnswer)
    const request = { hubUrl, name: id, revision, additionalFields: ['sha' as const], fetch }
    const info: { sha?: unknown } = await this.#told(async () =>
      kind === 'model' ? modelInfo(request) : datasetInfo(request),
    )
    if (typeof info.sha === 'string' && isCommit(info.sha)) return info.sha
    throw new SentenceTorchError('ERR_NETWORK', `${hubUrl} gave no commit for ${id} at ${revision}`)
  }

  /** All files of a commit, by their unchecked path. */
  list(commit: string): Promise<Map<string, RepositoryFile>> {
    const { kind, id, hubUrl } = this.access
    const place: Place = { file: `the listing of ${id}`, key: '', code: 'ERR_NETWORK' }
    const ask = this.#fetch(place.file, arrayOf(anything))
    const pages = new Set<string>()
    const fetch: Fetch = (input, init) => {
      const url = String(input)
      if (pages.has(url)) throw new HubFailure('its listing goes round in circles')
      if (pages.add(url).size > MAX_PAGES) throw new HubFailure(`its listing has more than ${MAX_PAGES} pages`)
      return ask(url, init)
    }
    return this.#told(async () => {
      const files = new Map<string, RepositoryFile>()
      const repo = { type: kind, name: id }
      let count = 0
      for await (const entry of listFiles({ hubUrl, repo, recursive: true, revision: commit, fetch })) {
        if (count === MAX_FILES) throw new HubFailure(`its listing has more than ${MAX_FILES} files and folders`)
        const file = listed(entry, inside(place, count))
        if (file) files.set(file.path, file)
        count++
      }
      return files
    })
  }

  /**
   * Downloads a file to `target`, which may be partly there before and afterwards. Bytes that are there, or that came
   * before an interruption, are not requested again. The digest checks the parts together.
   * @param onBytes called with the number of received bytes; negative when they have to be received again
   * @throws ERR_NETWORK, also for bytes that do not match the listing; ERR_ABORTED; errors of the system
   */
  async download(
    commit: string,
    file: RepositoryFile,
    target: string,
    onBytes: (bytes: number) => void,
  ): Promise<void> {
    const { kind, id, hubUrl } = this.access
    const { path, size } = file
    const digest = digestOf(file)
    // Plain HTTP: one request that follows redirects, instead of the many of the xet protocol.
    const place = `${hubUrl}/${kind === 'model' ? '' : 'datasets/'}${id}/resolve/${commit}`
    const url = `${place}/${path.split('/').map(encodeURIComponent).join('/')}`
    // The file is opened before the first byte and closed after the last. A stream could still create it after the end.
    const output = await open(target, constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0))
    try {
      const part = new PartialFile(output, size, digest, onBytes)
      const isOld = await part.begin()
      await this.#told(() => this.#complete(url, part))
      let found = part.digest()
      if (found !== digest && isOld) {
        // The other process's part was not the beginning of this file.
        await part.restart()
        await this.#told(() => this.#complete(url, part))
        found = part.digest()
      }
      if (found === digest) return
      throw new SentenceTorchError('ERR_NETWORK', `${path} of ${id} arrived damaged: expected ${digest}, got ${found}`)
    } finally {
      await output.close()
    }
  }

  /** Requests the missing bytes of a file, and again when the connection breaks off after a good part of them. */
  async #complete(url: string, part: PartialFile): Promise<void> {
    if (part.length === part.size && part.size > 0) return
    for (let breaks = 1; ; breaks++) {
      const before = part.length
      try {
        return await this.#requests.download(url, part.size, (chunks, from) => part.append(chunks, from), before)
      } catch (error) {
        const isWorthwhile = error instanceof HubUnreachable && part.length - before >= LEAST_PART
        if (!isWorthwhile || breaks > MAX_BREAKS) throw error
        await setTimeout(BREAK_MILLISECONDS * breaks, undefined, { signal: this.access.signal })
      }
    }
  }

  /** For the hub's own client, which would fail in its own ways on an unexpected answer. It never sees one. */
  #fetch(what: string, schema: Schema<unknown>): Fetch {
    return async (input, init) => {
      const response = await this.#requests.fetch(input, init)
      const body = new Uint8Array(await response.arrayBuffer())
      parseJson(body, what, schema, 'ERR_NETWORK')
      return new Response(body, { headers: response.headers })
    }
  }

  /** Turns a failure of the hub into an error of this package. */
  async #told<T>(request: () => Promise<T>): Promise<T> {
    const { id, hubUrl, signal } = this.access
    const what = `Loading ${id}`
    throwIfAborted(signal, what)
    try {
      return await request()
    } catch (error) {
      if (signal?.aborted) throw abortError(signal, what)
      if (!(error instanceof HubFailure)) throw error
      if (error.status !== undefined && [401, 403, 404].includes(error.status)) throw this.#refused(error.status)
      const way = error instanceof HubUnreachable ? this.#localWay() : ''
      throw new SentenceTorchError('ERR_NETWORK', `Could not get ${id} from ${hubUrl}: ${error.message}${way}`)
    }
  }

  /** Advice for working without a network. */
  #localWay(): string {
    const what =
      this.access.kind === 'model'
        ? "load('./folder') takes a local folder"
        : "Dataset.fromFile('./file') reads a local file"
    return `. Without network, ${what}; HF_HUB_OFFLINE=1 takes what the cache holds, and HF_HOME names another cache`
  }

  #refused(status: number): SentenceTorchError {
    const { kind, id, revision, hubUrl, token } = this.access
    const noun = kind === 'model' ? 'model' : 'data set'
    const what = `the ${noun} ${id} at revision ${revision} on ${hubUrl}`
    const noFolder = kind === 'model' ? 'There is no folder and no hub model: ' : ''
    if (status === 404) return new SentenceTorchError('ERR_NOT_FOUND', `${noFolder}${what} was not found`)
    return new SentenceTorchError(
      'ERR_NOT_FOUND',
      token
        ? `The access token does not open ${what} (status ${status}); the ${noun} may be gated: ask for access on its page`
        : `${kind === 'model' ? `There is no folder ${id}, and ` : ''}${what} does not exist or is private (status ${status}); set HF_TOKEN if it is private`,
    )
  }
}

/** The client turns `lastModified` into a date. */
const commitAnswer = object({ lastModified: optional(text(100)) })
const entryType = object({ type: text(100) })
const fileEntry = object({
  path: text(4096),
  size: integer(0),
  oid: optional(text(100)),
  lfs: optional(object({ oid: text(100) })),
})

/** A file of a listing with its needed fields; undefined for a folder. */
function listed(entry: unknown, place: Place): RepositoryFile | undefined {
  if (entryType(entry, place).type !== 'file') return undefined
  const { path, size, oid, lfs } = fileEntry(entry, place)
  return { path, size, digest: lfs?.oid ?? oid ?? '' }
}

/**
 * SHA-256 of a large file, git's SHA-1 of a small one: the blob's name in the cache, which Python takes from the ETag.
 * @throws ERR_NETWORK where the hub gave neither
 */
export function digestOf({ path, digest }: RepositoryFile): string {
  if (/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(digest)) return digest
  throw misfit({ file: `the listing of ${path}`, key: 'oid', code: 'ERR_NETWORK' }, 'a SHA-1 or SHA-256', digest)
}
