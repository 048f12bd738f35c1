import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { lstat, unlink } from 'node:fs/promises'
import { createServer, type Server, type ServerOptions } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { dirname } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { SentenceTorchError } from '../errors.js'
import { checkInteger, checkOptions, checkType } from '../options.js'
import { createHandler, type ServeHandler } from './handler.js'
import { refuseClient } from './refuse-client.js'
import { METRICS_TYPE } from './routes/metrics.js'
import { HANDLER_OPTIONS, type HandlerOptions } from './settings.js'

export interface ServeOptions extends HandlerOptions {
  /** Address to listen on. Default 127.0.0.1: this machine alone; 0.0.0.0 for all. */
  host?: string
  /** Default 3000; 0 for any that is free. */
  port?: number
  /** A unix socket to listen on, in place of host and port. */
  udsPath?: string
  /** A port of its own for `/metrics`, on the same host. Default: none. */
  prometheusPort?: number
  /** Milliseconds that a client may take to send its headers. Default 10,000. */
  headersTimeout?: number
  /** Milliseconds that a client may take to send a whole request. Default 30,000. */
  requestTimeout?: number
  /** Milliseconds that `close` waits for requests in work before it cuts them off. Default 30,000. */
  drainTimeout?: number
}

/** A server that listens. */
export interface RunningServer {
  /** `http://127.0.0.1:3000`, or `unix:/path`. */
  readonly url: string
  readonly handler: ServeHandler
  /** Takes no more connections, answers what is in work, and ends. Idempotent. */
  close(): Promise<void>
}

/**
 * Node's own limits. Who sends its headers or its body too slowly is cut off; a connection without a request waits a bit longer than
 * the load balancers in front of it do (60 s), so that they close first.
 */
const LIMITS = {
  maxHeaderSize: 16 * 1024,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 1000,
}
const OWN = ['host', 'port', 'udsPath', 'prometheusPort']
const MOST_CONNECTIONS = 4096
const TIMEOUTS = { headersTimeout: 10_000, requestTimeout: 30_000, drainTimeout: 30_000 }

/**
 * Listens for requests, with `createHandler`'s routes.
 *
 * ```ts
 * const server = await serve({ models: { minilm: model }, port: 3000 })
 * process.once('SIGTERM', () => server.close())
 * ```
 * The models stay the caller's: dispose them after `close`.
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION; ERR_NETWORK for a port or socket that is in use or not permitted
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { host = '127.0.0.1', port = 3000, udsPath, prometheusPort, ...others } = options
  const { headersTimeout, requestTimeout, drainTimeout, ...rest } = { ...TIMEOUTS, ...others }
  checkOptions('serve', options, [...HANDLER_OPTIONS, ...OWN, ...Object.keys(TIMEOUTS)])
  for (const [name, value] of Object.entries({ host, udsPath })) checkType(name, value, 'string')
  for (const [name, value] of Object.entries({ port, prometheusPort })) checkInteger(name, value, 0, 65535)
  for (const [name, value] of Object.entries({ headersTimeout, requestTimeout })) checkInteger(name, value, 1)
  checkInteger('drainTimeout', drainTimeout, 0)
  const limits = { ...LIMITS, headersTimeout, requestTimeout }
  const handler = createHandler({ page: true, ...rest })
  const server = newServer(limits)
  server.on('request', handler)
  const metrics = prometheusPort === undefined ? undefined : metricsServer(handler, limits)
  const place = udsPath === undefined ? { host, port } : { path: udsPath }
  await listen(server, place)
  try {
    if (metrics) await listen(metrics, { host, port: prometheusPort! })
  } catch (error) {
    server.close()
    throw error
  }
  let closed: Promise<void> | undefined
  const close = () => {
    closed ??= drain([server, ...(metrics ? [metrics] : [])], handler, drainTimeout)
    return closed
  }
  return { url: urlOf(server, host), handler, close }
}

function newServer(limits: ServerOptions): Server {
  const server = createServer(limits)
  server.maxConnections = MOST_CONNECTIONS
  server.on('clientError', refuseClient)
  return server
}

function metricsServer(handler: ServeHandler, limits: ServerOptions): Server {
  return newServer(limits).on('request', ({ url }, response) => {
    const isThere = url === '/metrics' || url === '/'
    response.writeHead(isThere ? 200 : 404, { 'content-type': isThere ? METRICS_TYPE : 'text/plain' })
    response.end(isThere ? handler.metrics() : 'There is only /metrics\n')
  })
}

type Place = { readonly host: string; readonly port: number } | { readonly path: string }

async function listen(server: Server, place: Place): Promise<void> {
  if ('path' in place) await removeStaleSocket(place.path)
  server.listen(place)
  try {
    await once(server, 'listening')
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const where = 'path' in place ? place.path : `port ${place.port} of ${place.host}`
    const folder = 'path' in place && !existsSync(dirname(place.path)) ? dirname(place.path) : undefined
    const known = { EADDRINUSE: 'another program uses it', EACCES: 'not permitted' }[code ?? '']
    // For a folder that is absent the system says EACCES.
    const reason = folder !== undefined ? `the folder ${folder} does not exist` : (known ?? message)
    throw new SentenceTorchError('ERR_NETWORK', `Cannot serve on ${where}: ${reason}`, { cause })
  }
}

/**
 * A socket that a program has left behind refuses connections, and so does its name to whoever wants to listen there.
 * @throws ERR_NETWORK where a file stands in the way
 */
async function removeStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (found === undefined) return
  // Files refuse connections as well, and are not ours to remove.
  if (!found.isSocket()) {
    const kind = found.isDirectory() ? 'folder' : 'file'
    throw new SentenceTorchError('ERR_NETWORK', `Cannot serve on ${path}: it is a ${kind}, not a socket`)
  }
  const socket = connect(path)
  try {
    await once(socket, 'connect')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') await unlink(path)
  } finally {
    socket.destroy()
  }
}

function urlOf(server: Server, host: string): string {
  const address = server.address() as AddressInfo | string
  if (typeof address === 'string') return `unix:${address}`
  return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`
}

/** Ends servers: no new connection, the answers of what is in work, and an end for what takes too long. */
async function drain(servers: readonly Server[], handler: ServeHandler, timeout: number): Promise<void> {
  const ended = Promise.all(servers.map((server) => once(server, 'close')))
  for (const server of servers) {
    server.close()
    server.closeIdleConnections()
  }
  const stop = new AbortController()
  const late = wait(timeout, undefined, { signal: stop.signal }).catch(() => {})
  await Promise.race([handler.drain(), late])
  stop.abort()
  for (const server of servers) server.closeAllConnections()
  await ended
}
