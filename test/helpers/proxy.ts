// A proxy as companies have them: forwards plain requests, tunnels to https, wants a password or refuses where it is told to.
import { createServer, request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'

export interface ProxyServer {
  /** `http://127.0.0.1:port` */
  url: string
  /** `GET http://host/path` or `CONNECT host:port`, in order. */
  requests: string[]
  /** What clients said who they are, in order. */
  credentials: (string | undefined)[]
  /** What it answers in place of the target. */
  refuse?: number | undefined
  /** Where a tunnel leads, as `host:port`, in place of what it was asked for. */
  route?: ((target: string) => string) | undefined
  /** Answers after so many bytes with the end of the connection. */
  cutAfter?: number | undefined
  close(): void
}

export async function proxyServer(): Promise<ProxyServer> {
  const proxy: ProxyServer = { url: '', requests: [], credentials: [], close: () => server.closeAllConnections() }
  const server = createServer((incoming, outgoing) => {
    proxy.requests.push(`${incoming.method} ${incoming.url}`)
    proxy.credentials.push(incoming.headers['proxy-authorization'])
    if (proxy.refuse !== undefined) {
      outgoing.writeHead(proxy.refuse, { 'proxy-authenticate': 'Basic realm="x"' }).end('<html>no</html>')
      return
    }
    const { 'proxy-authorization': _, ...headers } = incoming.headers
    const forward = request(incoming.url!, { method: incoming.method!, headers, agent: false }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.statusMessage, answer.rawHeaders)
      answer.pipe(outgoing)
      answer.on('error', () => outgoing.destroy())
    })
    forward.on('error', () => {
      if (outgoing.headersSent) outgoing.destroy()
      else outgoing.writeHead(502).end('<html>no such server</html>')
    })
    outgoing.on('close', () => forward.destroy())
    incoming.pipe(forward)
  })
  server.on('connect', (incoming, socket) => {
    proxy.requests.push(`CONNECT ${incoming.url}`)
    proxy.credentials.push(incoming.headers['proxy-authorization'])
    if (proxy.refuse !== undefined) {
      socket.end(`HTTP/1.1 ${proxy.refuse} No\r\ncontent-length: 2\r\n\r\nno`)
      return
    }
    const [, host, port] = /^(.*):(\d+)$/.exec(proxy.route?.(incoming.url!) ?? incoming.url!)!
    let isOpen = false
    const tunnel = connect(Number(port), host!, () => {
      isOpen = true
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      tunnel.pipe(socket)
      socket.pipe(tunnel)
    })
    let bytes = 0
    tunnel.on('data', (chunk) => {
      bytes += chunk.length
      if (proxy.cutAfter !== undefined && bytes > proxy.cutAfter) socket.destroy()
    })
    tunnel.on('error', () => {
      if (!isOpen) socket.end('HTTP/1.1 502 No such server\r\n\r\n')
    })
    tunnel.on('close', () => isOpen && socket.destroy())
    socket.on('error', () => tunnel.destroy())
    socket.on('close', () => tunnel.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.unref()
  proxy.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return proxy
}

const VARIABLES = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'NO_PROXY', 'no_proxy']

/** Sets these variables of proxies and removes all others; gives what undoes it. */
export function setProxies(values: Record<string, string>): () => void {
  const before = VARIABLES.map((name) => [name, process.env[name]] as const)
  for (const name of VARIABLES) delete process.env[name]
  Object.assign(process.env, values)
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}
