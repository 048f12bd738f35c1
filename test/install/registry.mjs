// A registry on the loopback: verdaccio. It serves the packed packages itself and asks the registry that npm is configured with for all
// others. A second port can stand before it and break off in the middle.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Skip } from './run-program.mjs'
import { npm, tool } from './toolbox.mjs'

/** A package that sentence-torch needs and the loopback registry has to fetch. */
const UPSTREAM_PROBE = 'hyparquet'
const DAY_MS = 86_400_000

/** Configuration of npm that the uplink needs as well. */
async function upstream() {
  const get = async (name) => {
    const value = (await npm(['config', 'get', name])).trim()
    return ['', 'null', 'undefined'].includes(value) ? undefined : value
  }
  const names = ['registry', 'cafile', 'proxy', 'https-proxy']
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await get(name)])))
}

/**
 * Starts it.
 * @param {string} folder for its configuration and packages
 * @returns {Promise<{ url: string, userconfig: string, storage: string, stop: () => Promise<void> }>}
 */
export async function startRegistry(folder) {
  const program = await tool('verdaccio')
  const { registry: uplink, cafile, proxy, 'https-proxy': httpsProxy } = await upstream()
  const storage = join(folder, 'storage')
  mkdirSync(storage, { recursive: true })
  const own = { access: '$all', publish: '$all', unpublish: '$all' }
  const config = {
    storage,
    max_body_size: '1gb',
    web: { enable: false },
    auth: { htpasswd: { file: join(folder, 'htpasswd') } },
    uplinks: { upstream: { url: uplink, maxage: '1d', timeout: '60s' } },
    ...(proxy && { http_proxy: proxy }),
    ...(httpsProxy && { https_proxy: httpsProxy }),
    packages: {
      'sentence-torch': own,
      '@sentence-torch/*': own,
      '**': { access: '$all', publish: '$nobody', proxy: 'upstream' },
    },
    log: { type: 'file', path: join(folder, 'verdaccio.log'), format: 'pretty', level: 'http' },
  }
  // JSON is YAML, too.
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config, null, 2))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/`
  const child = spawn(
    process.execPath,
    [program, '--config', join(folder, 'config.yaml'), '--listen', `127.0.0.1:${port}`],
    {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...(cafile && { NODE_EXTRA_CA_CERTS: cafile }) },
    },
  )
  let complaint = ''
  child.stderr.on('data', (chunk) => {
    complaint += chunk
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const stop = async () => {
    child.kill()
    await ended
  }
  for (let wait = 0; !(await answers(`${url}-/ping`)); wait++) {
    if (child.exitCode !== null || wait > 300) {
      child.kill()
      throw new Error(`The loopback registry does not start: ${complaint.slice(-2000)}`)
    }
    await sleep(100)
  }
  const userconfig = join(folder, 'npmrc')
  writeFileSync(userconfig, `registry=${url}\n//127.0.0.1:${port}/:_authToken=loopback\n`)
  if (!(await answers(`${url}${UPSTREAM_PROBE}`))) {
    await stop()
    throw new Skip(
      `offline: the loopback registry cannot fetch ${UPSTREAM_PROBE} from the registry that npm is configured with`,
    )
  }
  return { url, userconfig, storage, stop }
}

/** @param {string} url */
async function answers(url) {
  try {
    const response = await fetch(url)
    await response.arrayBuffer()
    return response.ok
  } catch {
    return false
  }
}

/**
 * Publishes tarballs, in this order.
 * @param {{ url: string, userconfig: string, storage: string }} registry
 * @param {string[]} tarballs
 * @param {string} [tag]
 */
export async function publish({ userconfig, storage }, tarballs, tag = 'latest') {
  const options = ['--ignore-scripts', '--access', 'public', '--tag', tag, '--userconfig', userconfig]
  for (const tarball of tarballs) await npm(['publish', ...options, tarball])
  for (const folder of ['sentence-torch', ...scoped(storage)]) age(join(storage, folder, 'package.json'))
}

const scoped = (storage) => {
  const scope = join(storage, '@sentence-torch')
  return existsSync(scope) ? readdirSync(scope).map((name) => join('@sentence-torch', name)) : []
}

/** Package managers may refuse what was published within the last day; a user's package is older. @param {string} file */
function age(file) {
  if (!existsSync(file)) return
  const manifest = JSON.parse(readFileSync(file, 'utf8'))
  const then = new Date(Date.now() - 30 * DAY_MS).toISOString()
  for (const version of Object.keys(manifest.time)) manifest.time[version] = then
  writeFileSync(file, JSON.stringify(manifest))
}

/**
 * Has the loopback registry fetch what sentence-torch needs of others, so that no case waits for the network.
 * @param {{ userconfig: string }} registry
 * @param {string} folder an empty one
 */
export async function warm({ userconfig }, folder) {
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ private: true, dependencies: { 'sentence-torch': '*' } }),
  )
  const cache = join(folder, 'cache')
  await npm(['install', '--package-lock-only', '--userconfig', userconfig, '--cache', cache], { cwd: folder })
  const { packages } = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'))
  for (const [path, { resolved }] of Object.entries(packages))
    if (resolved && !path.includes('sentence-torch')) await answers(resolved)
}

/**
 * A registry that goes down in the middle: hands everything on to `url`, until an answer to a request that matches has sent `bytes` of
 * its body. Then it breaks off and refuses all connections, until `resume` brings it back at the same address.
 * @param {string} url
 * @param {RegExp} matches
 * @param {number} bytes
 */
export async function startCutRegistry(url, matches, bytes) {
  let state = 'waits'
  const sockets = new Set()
  const stop = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer((incoming, outgoing) => {
    const { hostname, port } = new URL(url)
    // With the host as the client knows it: the addresses of tarballs are made of it.
    const options = { hostname, port, path: incoming.url, method: incoming.method, headers: incoming.headers }
    const onward = request(options, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      let sent = 0
      answer.on('data', (chunk) => {
        sent += chunk.length
        if (state !== 'waits' || !matches.test(incoming.url ?? '') || sent <= bytes) return
        state = 'cut'
        stop()
      })
      answer.pipe(outgoing)
      answer.on('error', () => {})
    })
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => {})
  })
  const listen = (port) =>
    new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server.address().port)))
  const port = await listen(0)
  const resume = async () => {
    if (state !== 'cut') throw new Error(`nothing was asked of the registry that matches ${matches}`)
    state = 'back'
    await listen(port)
  }
  return { url: `http://127.0.0.1:${port}/`, resume, stop }
}

function freePort() {
  const server = createTcpServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}
