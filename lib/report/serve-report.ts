import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { finished } from 'node:stream/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { SentenceTorchError } from '../errors.js'
import { checkInteger, checkOptions } from '../options.js'
import { livePolicy } from './live-page.js'
import { LiveReport, type Rendered } from './live-report.js'

export interface ServeOptions {
  /** Of 127.0.0.1. Default 0: any that is free. */
  port?: number
}

/** A page that is being served. */
export interface ServedReport {
  /** Its address. */
  readonly url: string
  /** Ends it. Who has looked at the page in the last seconds gets its last state first. */
  close(): Promise<void>
}

/** Nobody reads a report over more connections, or asks with longer headers. */
const LIMITS = { maxHeaderSize: 8192, headersTimeout: 5000, requestTimeout: 5000, connectionsCheckingInterval: 1000 }
const MOST_CONNECTIONS = 32
/** Milliseconds for the last state of the page. */
const GRACE = 5000

/**
 * Serves the report of a run while it goes on: a page on this machine alone (127.0.0.1) that is made anew when the folder has
 * changed and someone looks at it. The folder need not be there yet.
 *
 * Only `GET /` and `HEAD /` are answered, and only under the names of this machine, so that no page of another origin can read it
 * by a name of its own (DNS rebinding). Nothing of a request is used as a path.
 *
 *     const page = await report.serveReport('runs/a', { port: 8090 })
 *     console.error(page.url)
 *     await trainer.train()
 *     await page.close()
 *
 * @param folder of a run
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION; ERR_NETWORK for a port that is in use or not permitted
 */
export async function serveReport(folder: string, options: ServeOptions = {}): Promise<ServedReport> {
  checkOptions('serveReport', options, ['port'])
  checkInteger('serveReport port', options.port, 0, 65535)
  const report = new LiveReport(folder)
  const server = createServer(LIMITS)
  server.maxConnections = MOST_CONNECTIONS
  const port = await listen(server, options.port ?? 0)
  const names = new Set([`127.0.0.1:${port}`, `localhost:${port}`, ...(port === 80 ? ['127.0.0.1', 'localhost'] : [])])
  const readers = { last: Number.NEGATIVE_INFINITY, seen: '' }
  server.on('request', (request, response) => {
    answer(request, response, names, report)
      .then((tag) => {
        if (tag !== undefined) Object.assign(readers, { last: performance.now(), seen: tag })
      })
      // A reader who has gone is no fault of the run.
      .catch(() => response.destroy())
  })
  return {
    url: `http://127.0.0.1:${port}/`,
    async close() {
      const end = performance.now() + GRACE
      const newest = await report.page('', { isFresh: true }).catch(() => undefined)
      const isWatched = () => performance.now() - readers.last < GRACE
      while (newest !== undefined && isWatched() && readers.seen !== newest.tag && performance.now() < end)
        await wait(50)
      server.close()
      server.closeAllConnections()
    },
  }
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const reason = code === 'EADDRINUSE' ? 'another program uses it' : code === 'EACCES' ? 'not permitted' : message
    throw new SentenceTorchError('ERR_NETWORK', `Cannot serve on port ${port} of 127.0.0.1: ${reason}`, {
      cause: error,
    })
  }
  return (server.address() as AddressInfo).port
}

const HEADERS = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
}

/** @returns the tag of the page that the reader now has, if it is one */
async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  names: ReadonlySet<string>,
  report: LiveReport,
): Promise<string | undefined> {
  const { method = '', url = '', headers } = request
  const refuse = (status: number, text: string, more: Readonly<Record<string, string>> = {}): undefined => {
    response.writeHead(status, {
      ...HEADERS,
      'Content-Type': 'text/plain; charset=utf-8',
      Connection: 'close',
      ...more,
    })
    response.end(method === 'HEAD' ? undefined : `${text}\n`)
  }
  if (!names.has((headers.host ?? '').toLowerCase())) return refuse(403, 'This page has another name.')
  if (method !== 'GET' && method !== 'HEAD') return refuse(405, 'This page can only be read.', { Allow: 'GET, HEAD' })
  if (url !== '/') return refuse(404, 'There is only one page here: /')
  const nonce = randomBytes(18).toString('base64')
  let found: Rendered
  try {
    found = await report.page(nonce)
  } catch (error) {
    if (!(error instanceof SentenceTorchError)) throw error
    return refuse(503, error.message)
  }
  const head = {
    ...HEADERS,
    ETag: found.tag,
    'Content-Security-Policy': `${livePolicy(nonce)}; frame-ancestors 'none'`,
  }
  if (headers['if-none-match'] === found.tag) {
    response.writeHead(304, head).end()
    return found.tag
  }
  response.writeHead(200, { ...head, 'Content-Type': 'text/html; charset=utf-8' })
  response.end(method === 'HEAD' ? undefined : found.html)
  await finished(response)
  return method === 'HEAD' ? undefined : found.tag
}
