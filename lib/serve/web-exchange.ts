/** Request and Response of the Web: Hono, Next, Deno-like servers. */
import { tooLarge } from './body.js'
import { ClientGone } from './errors.js'
import type { Answered, Answerer, Asked } from './exchange.js'

export async function answerWeb(core: Answerer, request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  const asked: Asked = {
    method: request.method,
    target: pathname + search,
    headers: Object.fromEntries(request.headers),
    read: (most, onBytes) => read(request, most, onBytes),
    signal: request.signal,
  }
  return response(await core.answer(asked))
}

function response({ status, headers, body, finish }: Answered): Response {
  if (status === 499) {
    finish(false)
    // Nobody reads it, and 499 is no status that Response knows by every runtime.
    return new Response(null, { status: 408 })
  }
  if (body === undefined || typeof body === 'string') {
    finish(true)
    return new Response(body ?? null, { status, headers })
  }
  return new Response(streamOf(body, finish), { status, headers })
}

function streamOf(pieces: AsyncIterable<string>, finish: (isSent: boolean) => void): ReadableStream<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await iterator.next()
      if (!done) return controller.enqueue(encoder.encode(value))
      finish(true)
      controller.close()
    },
    async cancel() {
      finish(false)
      await iterator.return?.()
    },
  })
}

async function read(request: Request, most: number, onBytes: (bytes: number) => void): Promise<Uint8Array> {
  if (Number(request.headers.get('content-length') ?? 0) > most) throw tooLarge(most)
  const pieces: Uint8Array[] = []
  let size = 0
  try {
    for await (const piece of request.body ?? []) {
      size += piece.length
      if (size > most) throw tooLarge(most)
      onBytes(piece.length)
      pieces.push(piece)
    }
  } catch (error) {
    if (request.signal.aborted) throw new ClientGone('The client has gone')
    throw error
  }
  return Buffer.concat(pieces, size)
}
