import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import type { Json } from './case.js'

/** What the hub does otherwise than a hub does, at the first question of a kind, or at all. */
export interface Act {
  on: Kind
  status?: number
  /** `{own}` and `{other}` stand for the two servers. */
  headers?: Record<string, Json>
  /** Of the body: `endless` goes on as long as anybody reads, `bomb` is zeros in gzip, `cut` ends in the middle,
   *  `stall` never ends. */
  body?: 'empty' | 'cut' | 'short' | 'endless' | 'bomb' | 'garbage' | 'longer' | 'stall'
}

export type Kind = 'commit' | 'tree' | 'file' | 'other'

export const TOKEN = 'hf_fuzzfuzzfuzz'

/** More than anything that is listed. */
const ENDLESS = 300 * 2 ** 20
const CHUNK = Buffer.alloc(2 ** 20)
/** Gzip is made of any number of members. */
const BOMB = Buffer.concat(Array<Buffer>(ENDLESS / CHUNK.length).fill(gzipSync(CHUNK)))

/** Two servers of this process: the hub, and one that only redirects lead to, which must never see the token. */
export class HostileHub {
  acts: readonly Act[] = []
  answers = new Map<Kind, Buffer>()
  files = new Map<string, Buffer>()
  /** Whether the token came to the other server. */
  leaked = false
  #own = ''
  #other = ''

  async listen(): Promise<string> {
    const start = async (answer: (request: IncomingMessage, response: ServerResponse) => void) => {
      const server = createServer((request, response) => {
        response.on('error', () => {})
        answer(request, response)
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    }
    this.#own = await start((request, response) => this.#answer(kindOf(request.url!), request, response))
    this.#other = await start((request, response) => {
      if (request.headers.authorization !== undefined) this.leaked = true
      this.#answer('other', request, response)
    })
    return this.#own
  }

  #answer(kind: Kind, request: IncomingMessage, response: ServerResponse): void {
    const act = this.acts.find(({ on }) => on === kind)
    const whole = this.answers.get(kind) ?? this.files.get(pathIn(request.url!))
    const range = request.headers.range === 'bytes=0-0' && whole !== undefined
    const body = range ? whole.subarray(0, 1) : (whole ?? Buffer.from('{"error":"no"}'))
    const headers: Record<string, string | number> = { 'content-length': body.length, 'x-repo-commit': 'a'.repeat(40) }
    if (range) headers['content-range'] = `bytes 0-0/${whole.length}`
    if (whole && kind === 'file') headers.etag = `"${gitHash(whole)}"`
    if (kind === 'commit' || kind === 'tree') headers['content-type'] = 'application/json'
    if (act?.body) delete headers['content-length']
    for (const [name, value] of Object.entries(act?.headers ?? {})) {
      const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
      headers[name] = text.replaceAll('{own}', this.#own).replaceAll('{other}', this.#other)
    }
    if (act?.body === 'bomb') headers['content-encoding'] = 'gzip'
    if (act?.body === 'short') headers['content-length'] = body.length + 100
    try {
      response.writeHead(act?.status ?? (whole ? (range ? 206 : 200) : 404), headers)
    } catch {
      // A header that no server could send.
      response.writeHead(500)
    }
    write(response, body, act?.body)
  }
}

function write(response: ServerResponse, body: Buffer, how: Act['body']): void {
  if (how === 'cut' || how === 'short') response.write(body.subarray(0, body.length >> 1), () => response.destroy())
  else if (how === 'stall') response.write(body.subarray(0, 1))
  else if (how === 'endless') endless(response, ENDLESS)
  else if (how === 'bomb') response.end(BOMB)
  else if (how === 'garbage') response.end(Buffer.alloc(300, 0xfe))
  else if (how === 'longer') response.end(Buffer.concat([body, CHUNK]))
  else response.end(how === 'empty' ? undefined : body)
}

function endless(response: ServerResponse, left: number): void {
  if (response.destroyed || left <= 0) response.destroy()
  else response.write(CHUNK, () => endless(response, left - CHUNK.length))
}

function pathIn(url: string): string {
  try {
    return decodeURIComponent(/\/resolve\/[^/]+\/([^?]*)/.exec(url)?.[1] ?? '')
  } catch {
    return ''
  }
}

function kindOf(url: string): Kind {
  return url.includes('/tree/')
    ? 'tree'
    : url.includes('/resolve/')
      ? 'file'
      : url.startsWith('/api/')
        ? 'commit'
        : 'other'
}

export function gitHash(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}
