import type { Socket } from 'node:net'
import { errorBody, ServeError } from './errors.js'

const ANSWERS: Readonly<Record<string, readonly [status: number, reason: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large', 'The headers are larger than 16 KiB'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'Payload Too Large', 'The extensions of the chunks are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout', 'The request did not arrive in time'],
}
const OTHERS = [400, 'Bad Request', 'The request is not HTTP'] as const

/** Milliseconds in which a refused client gets to read why: closing at once, while it still sends, would take the answer with it. */
const LINGER = 5000

/** Sockets that have their answer; what else comes from them is no news. */
const answered = new WeakSet<Socket>()

/** Answers what node:http could not read as a request, and closes the connection. A listener of `clientError`. */
export function refuseClient(error: NodeJS.ErrnoException, socket: Socket): void {
  if (answered.has(socket)) return
  // Nobody is there any more, or an answer has begun.
  if (error.code === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) {
    socket.destroy()
    return
  }
  answered.add(socket)
  const [status, reason, message] = ANSWERS[error.code ?? ''] ?? OTHERS
  const body = JSON.stringify(errorBody(new ServeError('Validation', message, { status }), 'tei'))
  const head = `HTTP/1.1 ${status} ${reason}\r\nconnection: close\r\ncontent-type: application/json`
  socket.end(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
  setTimeout(() => socket.destroy(), LINGER).unref()
}
