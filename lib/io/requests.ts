/** Requests to a service that may be busy: at a limited rate, some at once, and again after errors that pass. */
import { setTimeout } from 'node:timers/promises'
import { ProxyError, proxyFetch } from '#proxy'
import { SentenceTorchError } from '../errors.js'
import { abortError, throwIfAborted } from './abort.js'

export interface RequestLimits {
  /** Requests that wait for an answer at once. */
  concurrency: number
  /** Requests that begin within a minute; null: as many as there are. */
  requestsPerMinute: number | null
  /** Further tries after errors that may pass. */
  retries: number
  /** Seconds to wait for an answer. */
  timeout: number
}

/** Seconds before the second try; each later one waits twice as long. */
const FIRST_WAIT = 1
const LONGEST_WAIT = 60
/** Busy, overloaded or behind a gateway that is. */
const PASSING = [408, 409, 425, 429, 500, 502, 503, 504, 529]
const SHOWN_CHARACTERS = 300
/** Bytes of an answer: queries of a passage have some hundred. */
const MOST_BYTES = 8 * 1024 * 1024

type Request = Pick<RequestInit, 'method' | 'body'> & { headers: Readonly<Record<string, string>> }

/** An answer that another try may not give. */
class Passing extends Error {
  constructor(
    message: string,
    /** Seconds that the service asks to wait. */
    readonly wait?: number,
  ) {
    super(message)
  }
}

/** Sends JSON and reads JSON, within limits. */
export class Requests {
  readonly #limits: RequestLimits
  /** Milliseconds of a clock from which on the next request may begin. */
  #next = 0
  #sent = 0

  constructor(limits: RequestLimits) {
    this.#limits = limits
  }

  /** All requests that were sent, repeated ones too. */
  get sent(): number {
    return this.#sent
  }

  /** Works on all items, `concurrency` at once, and returns the results in their order. The first error stops the others. */
  async all<Item, Result>(
    items: readonly Item[],
    work: (item: Item, index: number, signal: AbortSignal) => Promise<Result>,
    signal?: AbortSignal,
  ): Promise<Result[]> {
    const results = new Array<Result>(items.length)
    const failed = new AbortController()
    const both = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal
    let next = 0
    const lane = async () => {
      while (next < items.length && !both.aborted) {
        const index = next++
        results[index] = await work(items[index]!, index, both)
      }
    }
    const lanes = Array.from({ length: Math.min(this.#limits.concurrency, items.length) }, () =>
      lane().catch((error: unknown) => {
        failed.abort()
        throw error
      }),
    )
    const ends = await Promise.allSettled(lanes)
    throwIfAborted(signal, 'Asking the service')
    const first = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []))
    // Lanes that were stopped by the error of another have errors of their own.
    if (first.length > 0) throw first.find((error) => !isAbort(error)) ?? first[0]
    return results
  }

  /**
   * @param headers not in any message
   * @throws ERR_NETWORK with the status and what the service says; ERR_ABORTED
   */
  async post(
    url: string,
    headers: Readonly<Record<string, string>>,
    body: object,
    signal?: AbortSignal,
  ): Promise<unknown> {
    const json = { 'content-type': 'application/json', ...headers }
    return this.#ask(url, { method: 'POST', headers: json, body: JSON.stringify(body) }, signal)
  }

  /** As `post`, for what the service has. */
  async get(url: string, headers: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<unknown> {
    return this.#ask(url, { method: 'GET', headers }, signal)
  }

  async #ask(url: string, request: Request, signal: AbortSignal | undefined): Promise<unknown> {
    for (let attempt = 0; ; attempt++) {
      await this.#turn(signal)
      try {
        return await this.#send(url, request, signal)
      } catch (error) {
        if (signal?.aborted) throw abortError(signal, `Asking ${url}`)
        if (!(error instanceof Passing)) throw error
        if (attempt >= this.#limits.retries) {
          const message = `${url}: ${error.message}, also in the last of ${attempt + 1} tries`
          throw new SentenceTorchError('ERR_NETWORK', message, { cause: error })
        }
        // A random part, so that requests that failed together do not come back together.
        const own = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** attempt) * (0.5 + Math.random() / 2)
        await pause(error.wait ?? own, signal)
      }
    }
  }

  /** Waits until the rate allows another request. */
  async #turn(signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(signal, 'Asking the service')
    const { requestsPerMinute } = this.#limits
    if (requestsPerMinute === null) return
    const now = performance.now()
    const start = Math.max(now, this.#next)
    this.#next = start + 60_000 / requestsPerMinute
    await pause((start - now) / 1000, signal)
  }

  async #send(url: string, asked: Request, signal: AbortSignal | undefined): Promise<unknown> {
    this.#sent++
    const late = AbortSignal.timeout(this.#limits.timeout * 1000)
    const request = {
      ...asked,
      // A redirect would take the key to another address.
      redirect: 'manual',
      signal: signal ? AbortSignal.any([signal, late]) : late,
    } as const
    const response = await proxyFetch(url, request).catch((error: unknown) => {
      throw unreachable(error, url)
    })
    const text = await textOf(response, url)
    if (response.status !== 200) {
      const said = `status ${response.status}${text === '' ? '' : `, ${text.slice(0, SHOWN_CHARACTERS)}`}`
      if (PASSING.includes(response.status)) throw new Passing(said, retryAfter(response.headers.get('retry-after')))
      throw new SentenceTorchError('ERR_NETWORK', `${url}: ${said}`)
    }
    try {
      return JSON.parse(text) as unknown
    } catch {
      throw new SentenceTorchError('ERR_NETWORK', `${url}: expected JSON, found ${text.slice(0, SHOWN_CHARACTERS)}`)
    }
  }
}

/** Seconds of a `Retry-After` header: a number of them, or a date. */
export function retryAfter(header: string | null, now = Date.now()): number | undefined {
  if (header === null) return undefined
  if (/^\s*\d+(\.\d+)?\s*$/.test(header)) return Number(header)
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, (date - now) / 1000)
}

/** @throws ERR_NETWORK for an answer that is too long; Passing for one that breaks off */
async function textOf(response: Response, url: string): Promise<string> {
  const parts: Uint8Array[] = []
  let bytes = 0
  try {
    for await (const part of response.body ?? []) {
      bytes += part.length
      if (bytes > MOST_BYTES) break
      parts.push(part)
    }
  } catch (error) {
    throw unreachable(error, url)
  }
  if (bytes <= MOST_BYTES) return Buffer.concat(parts).toString('utf8')
  throw new SentenceTorchError('ERR_NETWORK', `${url}: the answer is longer than ${MOST_BYTES} bytes`)
}

function unreachable(error: unknown, url: string): Error {
  if (error instanceof ProxyError) return new SentenceTorchError('ERR_NETWORK', `${url}: ${error.message}`)
  const { message, cause } = error as Error
  return new Passing(cause instanceof Error ? `${message}: ${cause.message}` : message)
}

async function pause(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  if (seconds <= 0) return
  await setTimeout(seconds * 1000, undefined, signal && { signal }).catch(() => {
    throw abortError(signal!, 'Asking the service')
  })
}

function isAbort(error: unknown): boolean {
  return error instanceof SentenceTorchError && error.code === 'ERR_ABORTED'
}
