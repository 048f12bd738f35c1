// What the example asks of Qdrant's server.
const url = process.env.QDRANT_URL ?? 'http://localhost:6333'
export const COLLECTION = 'parcels'

/** @returns the result, or undefined where there is no such thing */
export async function ask(method, path, body) {
  const response = await fetch(`${url}/collections/${COLLECTION}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
  const { result, status } = await response.json()
  if (response.status === 404) return undefined
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(status)}`)
  return result
}
