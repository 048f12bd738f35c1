// Proxies as the environment names them, for everything that is downloaded.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { nameOf, ProxyError, proxiesOf, proxyFetch } from '#proxy'
import { HubRequests, HubUnreachable } from '../../lib/io/hub-fetch.js'
import { type ProxyServer, proxyServer, setProxies } from '../helpers/proxy.js'
import { installModule, temporaryFolder } from './install-helpers.js'

const { download } = await installModule<{
  download(url: string, target: string, options: object): Promise<{ sha256: string; bytes: number }>
}>('download.mjs')

// The environment belongs to the process: the tests follow each other.
const serial = test.serial
const TOKEN = 'hf_secret'

async function listen(t: ExecutionContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

async function setUp(t: ExecutionContext, answer: RequestListener = (_, response) => response.end('bytes')) {
  const proxy = await proxyServer()
  t.teardown(() => proxy.close())
  const server = createServer(answer)
  const port = await listen(t, server)
  t.teardown(() => server.closeAllConnections())
  return { proxy, port, url: `http://127.0.0.1:${port}/file` }
}

function use(t: ExecutionContext, values: Record<string, string>): void {
  t.teardown(setProxies(values))
}

const withPassword = ({ url }: ProxyServer) => url.replace('http://', 'http://me:pass%3Aword@')

for (const variable of ['HTTP_PROXY', 'http_proxy']) {
  serial(`${variable} serves what is downloaded over http, with its password`, async (t) => {
    const { proxy, url } = await setUp(t)
    use(t, { [variable]: withPassword(proxy) })
    t.is(await (await proxyFetch(url)).text(), 'bytes')
    const target = join(temporaryFolder(), 'file')
    t.is((await download(url, target, { stream: { write() {} } })).bytes, 5)
    t.deepEqual(proxy.requests, [`GET ${url}`, `GET ${url}`])
    t.is(proxy.credentials[1], `Basic ${Buffer.from('me:pass:word').toString('base64')}`)
  })
}

serial('https goes through a tunnel, also by HTTP_PROXY; HTTPS_PROXY alone does not serve http', async (t) => {
  const { proxy, url } = await setUp(t)
  proxy.refuse = 503
  use(t, { HTTP_PROXY: proxy.url })
  await t.throwsAsync(proxyFetch('https://hub.example/file'), { message: /refuses the connection \(status 503\)/ })
  t.deepEqual(proxy.requests, ['CONNECT hub.example:443'])
  use(t, { HTTPS_PROXY: proxy.url })
  t.is(await (await proxyFetch(url)).text(), 'bytes')
  t.is(proxy.requests.length, 1)
})

serial('NO_PROXY: hosts, ports, subdomains, everything', async (t) => {
  const { proxy, port, url } = await setUp(t)
  const through = async (noProxy: string) => {
    use(t, { HTTP_PROXY: proxy.url, NO_PROXY: noProxy })
    const before = proxy.requests.length
    t.is(await (await proxyFetch(url)).text(), 'bytes')
    return proxy.requests.length > before
  }
  for (const value of ['127.0.0.1', `127.0.0.1:${port}`, 'hub.example, 127.0.0.1', '*', '.0.1'])
    t.false(await through(value), value)
  for (const value of ['', 'localhost', '127.0.0.1:1', '7.0.0.1', 'hub.example']) t.true(await through(value), value)
  use(t, { HTTP_PROXY: proxy.url, no_proxy: '127.0.0.1' })
  await proxyFetch(url)
  t.is(proxy.requests.length, 5)
})

serial('no variable, or an empty one, is no proxy: the global fetch', async (t) => {
  const original = globalThis.fetch
  t.teardown(() => {
    globalThis.fetch = original
  })
  globalThis.fetch = async () => new Response('global')
  for (const values of [{}, { HTTPS_PROXY: '', http_proxy: '' }, { NO_PROXY: 'a' }] as Record<string, string>[]) {
    use(t, values)
    t.is(await (await proxyFetch('https://hub.example/')).text(), 'global')
  }
})

serial('an address that is none is refused by the name of its variable, without its password', (t) => {
  for (const value of [
    'socks5://me:secret@proxy:1080',
    'http://',
    'http://me:secret@pro xy:1',
    'http://me:secret@proxy:port',
  ]) {
    const error = t.throws(() => proxiesOf({ https_proxy: value }), { instanceOf: ProxyError, message: /https_proxy/ })
    t.notRegex(String(error?.stack), /secret/)
  }
  const error = t.throws(() => proxiesOf({ HTTPS_PROXY: 'http://me:sec%ret@proxy:3128' }), { instanceOf: ProxyError })
  t.is(error.message, 'HTTPS_PROXY: a percent sign in the user name or the password is expected as %25')
  t.is(nameOf(proxiesOf({ HTTPS_PROXY: 'me:secret@proxy:3128' }).https!), 'the proxy http://proxy:3128 (HTTPS_PROXY)')
  t.deepEqual(proxiesOf({}), { http: undefined, https: undefined })
})

async function closedPort(): Promise<number> {
  const server = createTcpServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

serial(
  'a proxy that cannot be reached, wants a password or refuses: one error that names it, not its password',
  async (t) => {
    const { proxy, url } = await setUp(t)
    const closed = await closedPort()
    const check = async (address: string, target: string, message: RegExp) => {
      use(t, { HTTP_PROXY: address })
      const folder = temporaryFolder()
      const asked = [
        () => proxyFetch(target),
        () => download(target, join(folder, 'file'), { stream: { write() {} }, retryMs: 1 }),
        () => new HubRequests(new URL(target).origin, TOKEN, undefined).fetch(target),
      ]
      for (const ask of asked) {
        const error = await t.throwsAsync(ask(), { message })
        for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
          t.notRegex(`${cause.message} ${cause.stack}`, /secret|pass:word|pass%3Aword/)
      }
      t.deepEqual(readdirSync(folder), [])
    }
    for (const target of [url, 'https://hub.example/file']) {
      const name = 'the proxy http://127.0.0.1:\\d+ \\(HTTP_PROXY\\)'
      await check(`http://me:secret@127.0.0.1:${closed}`, target, new RegExp(`${name} cannot be reached: ECONNREFUSED`))
      proxy.refuse = 407
      await check(withPassword(proxy), target, new RegExp(`${name} wants a user name and a password \\(status 407\\)`))
      proxy.refuse = undefined
    }
    proxy.refuse = 403
    await check(withPassword(proxy), 'https://hub.example/file', /the proxy .* refuses the connection \(status 403\)/)
  },
)

serial('a name of a proxy that is not there', async (t) => {
  use(t, { HTTPS_PROXY: 'http://proxy.invalid:3128' })
  await t.throwsAsync(proxyFetch('https://hub.example/'), {
    instanceOf: ProxyError,
    message: /the proxy http:\/\/proxy\.invalid:3128 \(HTTPS_PROXY\) cannot be reached: (ENOTFOUND|EAI_AGAIN)/,
  })
})

serial('a proxy that is silent is given up, and so is one that a caller has no more patience with', async (t) => {
  const server = createTcpServer((socket) => t.teardown(() => socket.destroy()))
  const port = await listen(t, server)
  use(t, { HTTPS_PROXY: `http://127.0.0.1:${port}` })
  process.env.HF_HUB_DOWNLOAD_TIMEOUT = '0.3'
  t.teardown(() => delete process.env.HF_HUB_DOWNLOAD_TIMEOUT)
  const ask = (signal?: AbortSignal) =>
    new HubRequests('https://hub.example', TOKEN, signal).fetch('https://hub.example/')
  await t.throwsAsync(ask(), { instanceOf: HubUnreachable, message: /silent for 0\.3 s/ })
  await t.throwsAsync(ask(AbortSignal.timeout(50)), { message: /aborted/ })
})

/** A certificate for the loopback, which only a client that trusts everything takes. */
function certificate(t: ExecutionContext): { key: Buffer; cert: Buffer } | undefined {
  const folder = temporaryFolder()
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const options = 'req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost'.split(' ')
  try {
    execFileSync('openssl', [...options, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  } catch {
    t.log('skipped: openssl was not found')
    t.pass()
    return undefined
  }
  return { key: readFileSync(key), cert: readFileSync(cert) }
}

serial('through tunnels the token goes to the endpoint alone, and what comes is counted', async (t) => {
  const pair = certificate(t)
  if (!pair) return
  const told: [host: string | undefined, authorization: string | undefined, own: string | undefined][] = []
  const server = createTlsServer(pair, (request, response) => {
    const { host, authorization } = request.headers
    told.push([host, authorization, request.headers['proxy-authorization']])
    if (host === 'hub.example' && request.url === '/file')
      response.writeHead(302, { location: 'https://cdn.example/file' }).end()
    else if (host === 'hub.example') response.writeHead(302, { location: 'http://hub.example/file' }).end()
    else response.end(request.url === '/file' ? Buffer.alloc(100_000) : 'bytes')
  })
  const port = await listen(t, server)
  t.teardown(() => server.closeAllConnections())
  const { proxy } = await setUp(t)
  proxy.route = () => `127.0.0.1:${port}`
  use(t, { HTTPS_PROXY: withPassword(proxy) })
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  t.teardown(() => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED)

  const requests = new HubRequests('https://hub.example', TOKEN, undefined)
  const get = async (size: number, path = '/file') => {
    const hash = createHash('sha256')
    await requests.download(`https://hub.example${path}`, size, async (chunks) => {
      for await (const chunk of chunks) hash.update(chunk)
    })
    return hash.digest('hex')
  }
  t.is(await get(100_000), createHash('sha256').update(Buffer.alloc(100_000)).digest('hex'))
  t.deepEqual(told, [
    ['hub.example', `Bearer ${TOKEN}`, undefined],
    ['cdn.example', undefined, undefined],
  ])
  t.deepEqual(proxy.requests, ['CONNECT hub.example:443', 'CONNECT cdn.example:443'])
  await t.throwsAsync(get(99_999), { message: /more bytes came/ })
  await t.throwsAsync(get(100_001), { message: /100000 bytes came of 100001/ })
  await t.throwsAsync(get(5, '/down'), { message: /only https is followed/ })

  // Tunnels stay open: a fresh one breaks off in the middle.
  proxy.cutAfter = 50_000
  proxy.close()
  await new Promise((resolve) => setTimeout(resolve, 100))
  await t.throwsAsync(get(100_000), { instanceOf: HubUnreachable })
  const folder = temporaryFolder()
  const cut = download('https://cdn.example/file', join(folder, 'file'), { attempts: 1, stream: { write() {} } })
  await t.throwsAsync(cut, { message: /cdn\.example\/file: / })
  t.false(existsSync(join(folder, 'file')))

  delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
  proxy.cutAfter = undefined
  use(t, { HTTPS_PROXY: `${proxy.url}/` })
  await t.throwsAsync(get(100_000), { message: /SELF_SIGNED/ })
})
