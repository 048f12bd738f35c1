/** The proxy, or its name, is the reason why nothing came. Its message never holds the password. */
export class ProxyError extends Error {
  readonly code: 'ERR_NETWORK'
}

/** `fetch` through the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name; the global one where none is set. */
export function proxyFetch(url: string | URL, init?: RequestInit): Promise<Response>

export interface Proxy {
  /** The variable that names it. */
  variable: string
  url: URL
}

/** What the environment says. @throws ProxyError for an address that is none */
export function proxiesOf(env: NodeJS.ProcessEnv): { http?: Proxy; https?: Proxy }

/** For people: without user name and password. */
export function nameOf(proxy: Proxy): string
