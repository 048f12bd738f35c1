/** Headers that let web pages of other origins ask. */

const METHODS = 'GET, POST'
const HEADERS = 'authorization, content-type, x-model-version, x-request-id'
const EXPOSED = 'retry-after, x-compute-tokens, x-model-name, x-model-version, x-request-id'

/** @param origins that are allowed; `*` for all */
export function corsHeaders(origins: readonly string[], origin: string | undefined): Record<string, string> {
  if (origins.length === 0) return {}
  if (origins.includes('*')) return { 'access-control-allow-origin': '*', 'access-control-expose-headers': EXPOSED }
  // Caches keep an answer for each origin.
  if (origin === undefined || !origins.includes(origin)) return { vary: 'origin' }
  return { 'access-control-allow-origin': origin, 'access-control-expose-headers': EXPOSED, vary: 'origin' }
}

/** What a browser asks for before it sends a request. */
export const PREFLIGHT = {
  'access-control-allow-methods': METHODS,
  'access-control-allow-headers': HEADERS,
  'access-control-max-age': '600',
}

/** Whether a text is `*` or an origin as browsers send it: a scheme, a host in small letters, and a port where it is not the usual one. */
export function isOrigin(text: string): boolean {
  return text === '*' || /^[a-z][a-z\d+.-]*:\/\/[^\s/?#@A-Z]+$/.test(text)
}
