import type { Call } from './call.js'
import { ServeError } from './errors.js'
import type { Asked } from './exchange.js'

const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * The JSON of a request's body. Its bytes count as used until the request ends.
 * @throws ServeError 413 for a body that is too large, 415 for another type, 400 for what is no JSON, 429 where bodies fill the memory
 */
export async function readJson(asked: Asked, call: Call): Promise<unknown> {
  const { settings, bytes } = call.service
  if (asked.parsed !== undefined) return asked.parsed
  const type = asked.headers['content-type'] ?? ''
  if (!/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) {
    throw new ServeError('Validation', 'Expected request with `Content-Type: application/json`', { status: 415 })
  }
  const encoding = asked.headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') {
    throw new ServeError('Validation', `A body is read without Content-Encoding, not as ${encoding.slice(0, 40)}`, {
      status: 415,
    })
  }
  const body = await asked.read(settings.payloadLimit, (size) => call.atEnd(bytes.take(size)))
  try {
    return JSON.parse(decoder.decode(body))
  } catch (cause) {
    const message = `Failed to parse the request body as JSON: ${(cause as Error).message}`
    throw new ServeError('Validation', message, { status: 400, cause })
  }
}

/** @param most bytes that are accepted */
export function tooLarge(most: number): ServeError {
  const message = `The body is larger than the payload limit of ${most} bytes`
  return new ServeError('Validation', message, { status: 413, code: 'payload_too_large' })
}
