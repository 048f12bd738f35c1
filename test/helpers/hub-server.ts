// A Hugging Face hub in miniature: commit, tree and file requests, private models, redirects, interrupted files.
import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'

export const COMMIT = '0123456789abcdef0123456789abcdef01234567'
export const TOKEN = 'hf_abcdefghijkl'

export interface HubServer {
  url: string
  /** Paths asked for, in order. */
  requests: string[]
  /** The digest under which a file is cached. */
  etag(path: string): string
  /** Files of at least this size are "large": known by SHA-256, and answered through a redirect. */
  largeFrom: number
  private: boolean
  /** Path of a file that is answered with other bytes, or cut off. */
  damaged?: string
  cutOff?: string
  /** Answers in place of the hub, where it gives true. */
  intercept?: ((path: string, response: ServerResponse, request: IncomingMessage) => boolean) | undefined
  /** What the listing says in place of its entries, on one page. */
  entries?: ((entries: ListedFile[]) => unknown) | undefined
}

export interface ListedFile {
  type: string
  path: string
  size: number
  oid: string
  lfs?: { oid: string; size: number; pointerSize: number }
}

/** The commit of the branch `refs/convert/parquet`. */
export const CONVERSION_COMMIT = 'fedcba9876543210fedcba9876543210fedcba98'

/**
 * Serves the files of `folder` as the model `org/model` at `main`, `v1` and COMMIT.
 * @param dataset serves the data set of this id instead, `folder` as its main branch and `conversion` as the hub's conversion
 */
export async function hubServer(
  t: ExecutionContext,
  folder: string,
  dataset?: { id: string; conversion?: string },
): Promise<HubServer> {
  const files = await readFolder(folder)
  const hub: HubServer = {
    url: '',
    requests: [],
    etag: (path) => etag(files.get(path)!, hub.largeFrom),
    largeFrom: 10_000,
    private: false,
  }
  const repository: Repository = {
    api: dataset ? `/api/datasets/${dataset.id}` : '/api/models/org/model',
    files: dataset ? `/datasets/${dataset.id}` : '/org/model',
    commits: new Map([[COMMIT, files]]),
    revisions: new Map([
      ['main', COMMIT],
      ['v1', COMMIT],
    ]),
  }
  if (dataset?.conversion !== undefined) {
    repository.revisions.set('refs/convert/parquet', CONVERSION_COMMIT)
    repository.commits.set(CONVERSION_COMMIT, await readFolder(dataset.conversion))
  }
  const server = createServer((request, response) => answer(hub, repository, request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  hub.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return hub
}

interface Repository {
  /** Where the hub answers questions about it, and where its files are. */
  api: string
  files: string
  commits: Map<string, Map<string, Buffer>>
  revisions: Map<string, string>
}

async function readFolder(folder: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>()
  for (const name of await readdir(folder, { recursive: true })) {
    if ((await stat(join(folder, name))).isFile()) files.set(name, await readFile(join(folder, name)))
  }
  return files
}

function answer(hub: HubServer, repository: Repository, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(request.url!, hub.url)
  hub.requests.push(pathname)
  if (hub.intercept?.(pathname, response, request)) return
  const json = (status: number, body: unknown, headers = {}) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(body))
  }
  if (hub.private && !pathname.startsWith('/cdn/') && request.headers.authorization !== `Bearer ${TOKEN}`) {
    json(401, { error: 'Invalid username or password.' })
    return
  }
  const revision = pathname.startsWith(`${repository.api}/revision/`)
    ? decodeURIComponent(pathname.slice(repository.api.length + 10))
    : ''
  const sha = repository.revisions.get(revision)
  if (sha !== undefined) {
    json(200, { _id: '1', id: 'org/model', sha, lastModified: '2024-01-01T00:00:00Z' })
    return
  }
  for (const [commit, files] of repository.commits) {
    const treePath = `${repository.api}/tree/${commit}`
    if (pathname === treePath) {
      tree(hub, files, { path: treePath, query: searchParams }, json)
      return
    }
  }
  const [prefix] = [`${repository.files}/resolve/`, '/cdn/'].filter((start) => pathname.startsWith(start))
  const [commit = '', ...rest] = prefix ? pathname.slice(prefix.length).split('/') : []
  const path = rest.map(decodeURIComponent).join('/')
  const bytes = repository.commits.get(commit)?.get(path)
  if (!bytes) {
    json(404, { error: 'Not found' })
    return
  }
  const large = bytes.length >= hub.largeFrom
  const headers = { etag: `"${etag(bytes, hub.largeFrom)}"`, 'x-repo-commit': commit, 'accept-ranges': 'bytes' }
  if (large && !pathname.startsWith('/cdn/')) {
    response.writeHead(302, { ...headers, 'x-linked-etag': headers.etag, location: `/cdn/${commit}/${path}` })
    response.end()
  } else {
    response.writeHead(200, { ...headers, 'content-length': bytes.length })
    if (hub.cutOff === path) response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy())
    else response.end(hub.damaged === path ? Buffer.alloc(bytes.length) : bytes)
  }
}

/** The listing, in two pages. */
function tree(
  hub: HubServer,
  files: Map<string, Buffer>,
  { path, query }: { path: string; query: URLSearchParams },
  json: (status: number, body: unknown, headers?: object) => void,
): void {
  const entries = [...files].map(([name, bytes]): ListedFile => {
    const oid = gitHash(bytes)
    if (bytes.length < hub.largeFrom) return { type: 'file', path: name, size: bytes.length, oid }
    const lfs = { oid: etag(bytes, hub.largeFrom), size: bytes.length, pointerSize: 130 }
    return { type: 'file', path: name, size: bytes.length, oid, lfs }
  })
  if (hub.entries) {
    json(200, hub.entries(entries))
    return
  }
  const half = Math.ceil(entries.length / 2)
  const second = query.get('page') === '2'
  const next = `<${hub.url}${path}?page=2>; rel="next"`
  const folder = { type: 'directory', path: '1_Pooling', size: 0, oid: gitHash(Buffer.of()) }
  if (second) json(200, entries.slice(half))
  else json(200, [folder, ...entries.slice(0, half)], { link: next })
}

function etag(bytes: Buffer, largeFrom: number): string {
  return bytes.length < largeFrom ? gitHash(bytes) : createHash('sha256').update(bytes).digest('hex')
}

function gitHash(bytes: Buffer): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}
