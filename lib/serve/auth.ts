import { createHash, timingSafeEqual } from 'node:crypto'
import { ServeError } from './errors.js'

const digest = (text: string) => createHash('sha256').update(text).digest()

/**
 * A check of the header `Authorization: Bearer …` that takes as long for a wrong key as for the right one.
 * @param keys that are accepted; none: everybody is
 */
export function keyCheck(keys: readonly string[]): (authorization: string | undefined) => void {
  const digests = keys.map(digest)
  return (authorization) => {
    if (digests.length === 0) return
    const given = digest(/^Bearer +(.*)$/i.exec(authorization ?? '')?.[1]?.trim() ?? '')
    // All are compared, so that the time does not tell which one was close.
    const fits = digests.map((each) => timingSafeEqual(each, given)).includes(true)
    if (fits) return
    const message =
      authorization === undefined ? 'An API key is needed: Authorization: Bearer <key>' : 'The API key is wrong'
    throw new ServeError('Validation', message, {
      status: 401,
      code: 'invalid_api_key',
      headers: { 'www-authenticate': 'Bearer' },
    })
  }
}
