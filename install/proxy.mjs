// `fetch` through the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name (upper or lower case). Node's own fetch does not read
// them before Node 24; undici does, and is loaded where one of them is set alone, since most processes need neither.

/** The proxy, or its name, is the reason why nothing came. Its message never holds the password. */
export class ProxyError extends Error {
  /** @param {string} message @param {{ cause?: unknown }} [options] */
  constructor(message, options) {
    super(message, options)
    this.name = 'ProxyError'
    this.code = 'ERR_NETWORK'
  }
}

/** A proxy answers a tunnel before anything has to be sent. */
const TUNNEL_MS = 30_000

/** @typedef {{ variable: string, url: URL }} Proxy */

/** @type {{ key: string, undici: typeof import('undici'), dispatcher: import('undici').Dispatcher } | undefined} */
let made

/**
 * As the global `fetch`, which it is where no proxy is set.
 * @param {string | URL} url
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 */
export async function proxyFetch(url, init) {
  const proxies = proxiesOf(process.env)
  const proxy = new URL(url).protocol === 'https:' ? proxies.https : proxies.http
  if (!proxies.http && !proxies.https) return fetch(url, init)
  const { undici, dispatcher } = await prepare(proxies)
  const request = /** @type {import('undici').RequestInit} */ ({ ...init, dispatcher })
  // Node's fetch may be of another undici, which does not know this one's dispatchers.
  const response = await undici.fetch(url, request).catch((error) => {
    throw explain(error, proxy)
  })
  if (response.status === 407 && proxy) {
    response.body?.cancel().catch(() => {})
    throw new ProxyError(wantsPassword(proxy))
  }
  return /** @type {Response} */ (/** @type {unknown} */ (response))
}

/**
 * What the environment says, the lower case first, as curl and undici. HTTP_PROXY serves https where HTTPS_PROXY is not set.
 * @param {NodeJS.ProcessEnv} env
 * @returns {{ http?: Proxy, https?: Proxy }}
 * @throws ProxyError for an address that is none
 */
export function proxiesOf(env) {
  const http = readProxy(env, ['http_proxy', 'HTTP_PROXY'])
  return { http, https: readProxy(env, ['https_proxy', 'HTTPS_PROXY']) ?? http }
}

/**
 * For people: without user name and password.
 * @param {Proxy} proxy
 */
export function nameOf({ url, variable }) {
  return `the proxy ${url.protocol}//${url.host} (${variable})`
}

/** @param {NodeJS.ProcessEnv} env @param {string[]} variables @returns {Proxy | undefined} */
function readProxy(env, variables) {
  const variable = variables.find((name) => env[name] !== undefined)
  const text = variable && env[variable]
  if (!variable || !text) return undefined
  const full = text.includes('://') ? text : `http://${text}`
  const url = URL.canParse(full) ? new URL(full) : undefined
  // The value is not shown: it may hold a password.
  if (!url || !/^https?:$/.test(url.protocol) || !url.hostname)
    throw new ProxyError(`expected the address of an http or https proxy for ${variable}, such as http://proxy:3128`)
  try {
    decodeURIComponent(`${url.username}:${url.password}`)
  } catch {
    throw new ProxyError(`${variable}: a percent sign in the user name or the password is expected as %25`)
  }
  return { variable, url }
}

/** @param {ReturnType<typeof proxiesOf>} proxies */
async function prepare({ http, https }) {
  const key = `${http?.url.href} ${https?.url.href}`
  if (made?.key === key) return made
  const undici = await import('undici')
  const addresses = new Map([http, https].flatMap((proxy) => (proxy ? [[proxy.url.href, proxy]] : [])))
  /**
   * A connector whose failures say that they are the proxy's.
   * @param {import('undici').buildConnector.connector} connect
   * @param {Proxy} proxy
   * @returns {import('undici').buildConnector.connector}
   */
  const told = (connect, proxy) => (options, callback) => {
    connect(options, (...[error, socket]) => {
      if (error) callback(unreachable(error, proxy), null)
      else callback(null, /** @type {NonNullable<typeof socket>} */ (socket))
    })
  }
  /** Connections to a proxy or, with its own connector, to what lies behind one. @param {string | URL} origin @param {any} options */
  const factory = (origin, options) => {
    const proxy = addresses.get(String(origin))
    return new undici.Pool(origin, proxy ? { ...options, connect: told(options.connect, proxy) } : options)
  }
  const dispatcher = new undici.EnvHttpProxyAgent({
    // An empty name is none; the other variable, and NO_PROXY, are read by the agent.
    httpProxy: http?.url.href ?? '',
    httpsProxy: https?.url.href ?? '',
    // Many proxies allow tunnels to port 443 alone.
    proxyTunnel: false,
    // Tunnels are asked for by this one. Who waits may have gone, but the question would keep the process alive.
    clientFactory: (origin, options) => factory(origin, { ...options, headersTimeout: TUNNEL_MS }),
    factory,
  })
  made = { key, undici, dispatcher }
  return made
}

/** @param {Error} error @param {Proxy} proxy */
function unreachable(error, proxy) {
  const code = /** @type {NodeJS.ErrnoException} */ (error).code ?? error.message
  return new ProxyError(`${nameOf(proxy)} cannot be reached: ${code}`, { cause: error })
}

/** @param {Proxy} proxy */
function wantsPassword(proxy) {
  return `${nameOf(proxy)} wants a user name and a password (status 407): ${proxy.variable}=http://user:password@host:port gives them`
}

/**
 * `fetch failed` hides what happened in its cause.
 * @param {Error} error
 * @param {Proxy | undefined} proxy
 */
function explain(error, proxy) {
  for (let cause = /** @type {unknown} */ (error); cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ProxyError) return cause
    // undici says this in words alone: the first of a tunnel, the second of a request without one.
    const status = /^Proxy (?:response|Authentication Required) \((\d+)\)/.exec(cause.message)?.[1]
    if (status && proxy)
      return new ProxyError(
        status === '407' ? wantsPassword(proxy) : `${nameOf(proxy)} refuses the connection (status ${status})`,
        { cause: error },
      )
  }
  return error
}
