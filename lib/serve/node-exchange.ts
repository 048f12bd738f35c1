/** Requests of node:http. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { tooLarge } from './body.js'
import { ClientGone } from './errors.js'
import type { Answered, Answerer, Asked } from './exchange.js'

/** Bytes of a body that is too large that are still read, so that its client gets to read the answer. */
const THROWN_AWAY = 64 * 1024 * 1024

/** @param sendTimeout milliseconds that a client may take to read an answer */
export function answerNode(
  core: Answerer,
  sendTimeout: number,
  request: IncomingMessage,
  response: ServerResponse,
  next?: (error?: unknown) => void,
): void {
  const { method = 'GET', url = '/' } = request
  if (next && !core.serves(method, url)) {
    next()
    return
  }
  const controller = new AbortController()
  // Comes for every answer, also for one that is whole.
  const closed = new Promise<void>((resolve) => {
    response.on('close', () => {
      if (!response.writableFinished) controller.abort()
      resolve()
    })
  })
  const { body } = request as { body?: unknown }
  const asked: Asked = {
    method,
    target: url,
    headers: request.headers as Readonly<Record<string, string | undefined>>,
    ...(body !== undefined && { parsed: body }),
    read: (most, onBytes) => read(request, most, onBytes),
    signal: controller.signal,
  }
  core
    .answer(asked)
    .then((answered) => send(answered, response, { closed, signal: controller.signal, timeout: sendTimeout }))
    .catch((error) => (next ? next(error) : response.destroy()))
}

interface Sending {
  /** Settles when the answer is whole, or the connection has ended. */
  readonly closed: Promise<void>
  /** Fires when the client has gone. */
  readonly signal: AbortSignal
  /** Milliseconds. */
  readonly timeout: number
}

async function send(answered: Answered, response: ServerResponse, { closed, signal, timeout }: Sending): Promise<void> {
  const { status, headers, body = '', isLast, finish } = answered
  // Who does not read would hold the model's version, and the memory of the answer, for ever.
  const { socket } = response
  const late = setTimeout(() => (socket ?? response).destroy(), timeout)
  try {
    const isWhole = typeof body === 'string'
    response.writeHead(status, {
      ...headers,
      ...(isWhole && status !== 204 && { 'content-length': Buffer.byteLength(body) }),
      // Of a body that is too large the rest may still come.
      ...((isLast || status === 413) && { connection: 'close' }),
    })
    // No faster than the client reads.
    if (!isWhole) await pipeline(Readable.from(body), response)
    else {
      response.end(body)
      await closed
    }
  } catch {
    // The client has gone.
    response.destroy()
  }
  // An answer that is whole counts as sent when Node has it, which is before the client has read it.
  if (socket?.writableLength) socket.once('drain', () => clearTimeout(late)).once('close', () => clearTimeout(late))
  else clearTimeout(late)
  // What is written to a connection that was closed before is finished to Node, too.
  finish(response.writableFinished && !signal.aborted)
}

/**
 * The bytes of a body. One that is too large is read to its end and thrown away before it is refused: a client that still writes
 * would otherwise lose the answer with the connection.
 */
function read(request: IncomingMessage, most: number, onBytes: (bytes: number) => void): Promise<Uint8Array> {
  const told = Number(request.headers['content-length'] ?? 0)
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = []
    let size = 0
    let refusal: unknown = told > most ? tooLarge(most) : undefined
    const refuse = (error: unknown) => {
      refusal ??= error
      pieces.length = 0
    }
    if (told > Math.max(THROWN_AWAY, most)) return reject(refusal)
    request.on('data', (piece: Buffer) => {
      size += piece.length
      if (size > most) refuse(tooLarge(most))
      if (size > Math.max(THROWN_AWAY, most)) {
        request.removeAllListeners('data')
        request.pause()
        reject(refusal)
      }
      if (refusal !== undefined) return
      try {
        onBytes(piece.length)
        pieces.push(piece)
      } catch (error) {
        refuse(error)
      }
    })
    request.on('end', () => (refusal === undefined ? resolve(Buffer.concat(pieces, size)) : reject(refusal)))
    // Whoever closes the connection in the middle of a body waits for no answer.
    request.on('close', () => {
      if (!request.complete) reject(new ClientGone('The client has gone'))
    })
    request.on('error', () => reject(new ClientGone('The client has gone')))
  })
}
