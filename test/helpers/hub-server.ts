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
}

/** Serves the files of `folder` as the model `org/model` at `main`, `v1` and COMMIT. */
export async function hubServer(t: ExecutionContext, folder: string): Promise<HubServer> {
  const files = new Map<string, Buffer>()
  for (const name of await readdir(folder, { recursive: true })) {
    if ((await stat(join(folder, name))).isFile()) files.set(name, await readFile(join(folder, name)))
  }
  const hub: HubServer = {
    url: '',
    requests: [],
    etag: (path) => etag(files.get(path)!, hub.largeFrom),
    largeFrom: 10_000,
    private: false,
  }
  const server = createServer((request, response) => answer(hub, files, request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  hub.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return hub
}

function answer(hub: HubServer, files: Map<string, Buffer>, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(request.url!, hub.url)
  hub.requests.push(pathname)
  const json = (status: number, body: unknown, headers = {}) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(body))
  }
  if (hub.private && !pathname.startsWith('/cdn/') && request.headers.authorization !== `Bearer ${TOKEN}`) {
    json(401, { error: 'Invalid username or password.' })
    return
  }
  const info = /^\/api\/models\/org\/model\/revision\/(.+)$/.exec(pathname)
  if (info && ['main', 'v1'].includes(info[1]!)) {
    json(200, { _id: '1', id: 'org/model', sha: COMMIT, lastModified: '2024-01-01T00:00:00Z' })
    return
  }
  if (pathname === `/api/models/org/model/tree/${COMMIT}`) {
    tree(hub, files, searchParams, json)
    return
  }
  const file = /^\/(?:org\/model\/resolve\/[0-9a-f]{40}|cdn)\/(.+)$/.exec(pathname)
  const bytes = file && files.get(file[1]!)
  if (!bytes) {
    json(404, { error: 'Not found' })
    return
  }
  const large = bytes.length >= hub.largeFrom
  const headers = { etag: `"${etag(bytes, hub.largeFrom)}"`, 'x-repo-commit': COMMIT, 'accept-ranges': 'bytes' }
  if (large && !pathname.startsWith('/cdn/')) {
    response.writeHead(302, { ...headers, 'x-linked-etag': headers.etag, location: `/cdn/${file[1]}` })
    response.end()
  } else if (request.headers.range === 'bytes=0-0') {
    response.writeHead(206, { ...headers, 'content-range': `bytes 0-0/${bytes.length}`, 'content-length': 1 })
    response.end(bytes.subarray(0, 1))
  } else {
    response.writeHead(200, { ...headers, 'content-length': bytes.length })
    if (hub.cutOff === file[1]) response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy())
    else response.end(hub.damaged === file[1] ? Buffer.alloc(bytes.length) : bytes)
  }
}

/** The listing, in two pages. */
function tree(
  hub: HubServer,
  files: Map<string, Buffer>,
  query: URLSearchParams,
  json: (status: number, body: unknown, headers?: object) => void,
): void {
  const entries = [...files].map(([path, bytes]) => {
    const oid = gitHash(bytes)
    if (bytes.length < hub.largeFrom) return { type: 'file', path, size: bytes.length, oid }
    const lfs = { oid: etag(bytes, hub.largeFrom), size: bytes.length, pointerSize: 130 }
    return { type: 'file', path, size: bytes.length, oid, lfs }
  })
  const half = Math.ceil(entries.length / 2)
  const second = query.get('page') === '2'
  const next = `<${hub.url}/api/models/org/model/tree/${COMMIT}?page=2>; rel="next"`
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
