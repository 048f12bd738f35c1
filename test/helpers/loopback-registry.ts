import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

type Json = Record<string, unknown>

interface Version {
  manifest: Json
  /** Read when it is asked for: LibTorch's has 111 MB. */
  tarball: () => Buffer | Promise<Buffer>
  integrity: string
}

interface Published {
  versions: Record<string, Json & { dist?: { integrity?: string } }>
  _attachments: Record<string, { data: string }>
  'dist-tags': Record<string, string>
}

/**
 * A registry on the loopback interface with what npm asks for when it installs and publishes. Packages that it does not have are
 * redirected to `upstream`, or are not found.
 */
export class LoopbackRegistry {
  url = ''
  readonly packages = new Map<string, Map<string, Version>>()
  readonly tags = new Map<string, Record<string, string>>()
  /** Names in the order in which they were published. */
  readonly published: string[] = []
  /** Publishing one of these fails, as in a registry that goes down. */
  readonly broken = new Set<string>()
  readonly #server: Server
  readonly #upstream: string | undefined

  private constructor(upstream?: string) {
    this.#upstream = upstream?.replace(/\/$/, '')
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error) => {
        response.writeHead(500).end(String(error))
      })
    })
  }

  static async start(options: { upstream?: string } = {}): Promise<LoopbackRegistry> {
    const registry = new LoopbackRegistry(options.upstream)
    await new Promise<void>((resolve) => void registry.#server.listen(0, '127.0.0.1', resolve))
    registry.url = `http://127.0.0.1:${(registry.#server.address() as AddressInfo).port}/`
    return registry
  }

  add(manifest: Json, integrity: string, tarball: Version['tarball'], tag = 'latest'): void {
    const { name, version } = manifest as { name: string; version: string }
    const versions = this.packages.get(name) ?? new Map<string, Version>()
    this.packages.set(name, versions.set(version, { manifest, integrity, tarball }))
    this.tags.set(name, { ...this.tags.get(name), [tag]: version })
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return
    this.#server.closeAllConnections()
    await new Promise((resolve) => void this.#server.close(resolve))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = decodeURIComponent(new URL(request.url ?? '/', this.url).pathname).slice(1)
    if (request.method === 'PUT') {
      const error = this.#publish(path, JSON.parse(String(await buffer(request))))
      send(response, error?.status ?? 201, error ? { error: error.message } : { ok: true })
      return
    }
    const [name = '', file] = path.split('/-/')
    const versions = this.packages.get(name)
    const version = [...(versions ?? [])].find(([key]) => file?.endsWith(`-${key}.tgz`))?.[1]
    if (version) response.end(await version.tarball())
    else if (versions && !file) send(response, 200, this.#packument(name, versions))
    else if (this.#upstream) response.writeHead(307, { location: `${this.#upstream}${request.url}` }).end()
    else send(response, 404, { error: 'not found' })
  }

  #packument(name: string, versions: Map<string, Version>): Json {
    const entries = [...versions].map(([version, { manifest, integrity }]) => {
      const tarball = `${this.url}${name}/-/${name.split('/').at(-1)}-${version}.tgz`
      return [version, { ...manifest, dist: { integrity, tarball } }] as const
    })
    return { name, 'dist-tags': this.tags.get(name), versions: Object.fromEntries(entries) }
  }

  #publish(name: string, document: Published): { status: number; message: string } | undefined {
    if (this.broken.has(name)) return { status: 500, message: 'the registry is down' }
    for (const [version, manifest] of Object.entries(document.versions)) {
      if (this.packages.get(name)?.has(version)) return { status: 403, message: `${version} is there already` }
      const bytes = Buffer.from(Object.values(document._attachments)[0]?.data ?? '', 'base64')
      const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`
      if (manifest.dist?.integrity !== integrity) return { status: 400, message: 'the integrity is wrong' }
      this.add(manifest, integrity, () => bytes, Object.keys(document['dist-tags'])[0])
      this.published.push(name)
    }
    return undefined
  }
}

function send(response: ServerResponse, status: number, body: Json): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
