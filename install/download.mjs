// Downloads over HTTP that resume, show progress and are checked.

import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { megabytes, progress } from './progress.mjs'
import { ProxyError, proxyFetch } from './proxy.mjs'

const SILENCE_MS = 30_000
const MAX_REDIRECTS = 10
// The largest LibTorch zip has less than 3 GB.
const MAX_BYTES = 16e9

/**
 * Downloads `url` to `target`. What arrived before an interruption is kept in `target.part` and continued, in this run or in
 * the next, if the server still has the same file.
 * @param {string} url
 * @param {string} target
 * @param {{ sha256?: string, maxBytes?: number, attempts?: number, retryMs?: number, silenceMs?: number, stream?: { isTTY?: boolean, write(text: string): unknown } }} [options]
 * @returns {Promise<{ sha256: string, bytes: number }>}
 */
export async function download(url, target, options = {}) {
  const { sha256, maxBytes = MAX_BYTES, attempts = 4, retryMs = 1_000, silenceMs = SILENCE_MS, stream } = options
  const part = `${target}.part`
  for (let attempt = 1; ; attempt++) {
    const progressed = { answered: false }
    try {
      await transfer(url, part, progressed, { maxBytes, silenceMs, stream })
      break
    } catch (error) {
      if (error instanceof TooLong) await removePart(part)
      // A server that never answered is not asked again, unless it did in an earlier run.
      const reachable = progressed.answered || (await sizeOf(part)) > 0
      if (error instanceof HttpError || attempt >= attempts || !reachable) throw explain(url, error, silenceMs)
      await sleep(retryMs * attempt)
    }
  }
  const found = await hashFile(part)
  if (sha256 && found !== sha256) {
    await removePart(part)
    throw new Error(`${addressOf(url)} has the SHA-256 ${found}, but ${sha256} is expected; the file was removed`)
  }
  const bytes = await sizeOf(part)
  await rename(part, target)
  await removePart(part)
  return { sha256: found, bytes }
}

/**
 * An address for people: without user name and password, and without what follows a question mark, which may hold a token.
 * @param {string} url
 */
export function addressOf(url) {
  if (!URL.canParse(url)) return 'an address that cannot be read'
  const { protocol, host, pathname } = new URL(url)
  return `${protocol}//${host}${pathname}`
}

/** The server answered, and not with the file. */
class HttpError extends Error {}

/** More came than it may be: nothing of it is kept. */
class TooLong extends HttpError {}

/**
 * One attempt, from where the last one stopped.
 * @param {string} url
 * @param {string} part
 * @param {{ answered: boolean }} progressed
 * @param {{ maxBytes: number, silenceMs: number, stream?: { isTTY?: boolean, write(text: string): unknown } }} options
 */
async function transfer(url, part, progressed, { maxBytes, silenceMs, stream }) {
  const validator = await readFile(`${part}.etag`, 'utf8').catch(() => '')
  let start = validator ? await sizeOf(part) : 0
  const silence = new AbortController()
  let timer = setTimeout(() => silence.abort(), silenceMs)
  try {
    /** @type {Record<string, string>} */
    const range = start ? { range: `bytes=${start}-`, 'if-range': validator } : {}
    const headers = { 'accept-encoding': 'identity', ...range }
    const response = await follow(url, { headers, signal: silence.signal })
    if (response.status === 416) {
      // Nothing is left of the file, or it became shorter: what we have is checked or thrown away by starting over.
      await removePart(part)
      throw new Error('the server has no such range')
    }
    if (!response.ok || !response.body) throw new HttpError(`HTTP status ${response.status}`)
    if (response.status !== 206) start = 0
    else if (!response.headers.get('content-range')?.startsWith(`bytes ${start}-`))
      throw new HttpError('a range was answered that was not asked for')
    progressed.answered = true
    // Only a strong validator proves that the rest belongs to the same file.
    const etag = response.headers.get('etag') ?? ''
    const strong = etag && !etag.startsWith('W/') ? etag : (response.headers.get('last-modified') ?? '')
    await writeFile(`${part}.etag`, strong)

    const length = Number(response.headers.get('content-length') ?? 0)
    const total = length ? start + length : 0
    if (total > maxBytes) throw new TooLong(`it has ${megabytes(total)}, more than ${megabytes(maxBytes)}`)
    const bar = progress(`Downloading ${decodeURIComponent(basename(new URL(url).pathname))}`, total, stream)
    let done = start
    const count = new Transform({
      transform(chunk, _encoding, next) {
        clearTimeout(timer)
        timer = setTimeout(() => silence.abort(), silenceMs)
        done += chunk.length
        bar.update(done)
        const most = total || maxBytes
        next(done > most ? new TooLong(`more than ${megabytes(most)} came`) : null, chunk)
      },
    })
    const body = Readable.fromWeb(/** @type {import('node:stream/web').ReadableStream} */ (response.body))
    await pipeline(body, count, createWriteStream(part, { flags: start ? 'a' : 'w' }))
    if (total && done !== total) throw new Error(`the transfer ended after ${megabytes(done)} of ${megabytes(total)}`)
    bar.done()
  } finally {
    clearTimeout(timer)
  }
}

/**
 * By hand through redirects: what begins with https stays with it, as some files are trusted as far as that goes.
 * @param {string} url
 * @param {{ headers: Record<string, string>, signal: AbortSignal }} request
 */
async function follow(url, request) {
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const { address, authorization } = withoutPassword(url)
    const headers = { ...request.headers, ...authorization }
    const response = await proxyFetch(address, { ...request, headers, redirect: 'manual' })
    const location = [301, 302, 303, 307, 308].includes(response.status) ? response.headers.get('location') : null
    if (location === null) return response
    response.body?.cancel().catch(() => {})
    const next = URL.canParse(location, url) ? new URL(location, url) : undefined
    const allowed = new URL(url).protocol === 'https:' ? ['https:'] : ['https:', 'http:']
    if (!next || !allowed.includes(next.protocol))
      throw new HttpError(`it redirects to ${next ? addressOf(next.href) : 'no address'}, which is not followed`)
    url = next.href
  }
  throw new HttpError(`it redirects more than ${MAX_REDIRECTS} times`)
}

/**
 * `fetch` refuses an address with a user name and a password: they go into a header, for this address alone.
 * @param {string} url
 * @returns {{ address: string, authorization: Record<string, string> }}
 */
function withoutPassword(url) {
  const address = new URL(url)
  const { username, password } = address
  if (!username && !password) return { address: url, authorization: {} }
  address.username = ''
  address.password = ''
  const text = Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64')
  return { address: address.href, authorization: { authorization: `Basic ${text}` } }
}

/** As it is, where a percent sign stands for itself. @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/**
 * @param {string} url
 * @param {unknown} error
 * @param {number} silenceMs
 */
function explain(url, error, silenceMs) {
  const { message, name, cause } = /** @type {Error & { cause?: { code?: string, message?: string } }} */ (error)
  const reason =
    error instanceof ProxyError
      ? message
      : name === 'AbortError'
        ? `no answer for ${silenceMs / 1000} s`
        : (cause?.code ?? cause?.message ?? message)
  return new Error(`${addressOf(url)}: ${reason}`, { cause: error })
}

/**
 * @param {string} path
 * @returns {Promise<string>} SHA-256 in hexadecimal digits
 */
export async function hashFile(path) {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash)
  return hash.digest('hex')
}

/** @param {string} path */
async function sizeOf(path) {
  return (await stat(path).catch(() => ({ size: 0 }))).size
}

/** @param {string} part */
async function removePart(part) {
  await rm(part, { force: true })
  await rm(`${part}.etag`, { force: true })
}
