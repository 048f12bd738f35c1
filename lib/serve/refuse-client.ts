import type { Socket } from 'node:net'
import { errorBody, ServeError } from './errors.js'

const ANSWERS: Readonly<Record<string, readonly [status: number, reason: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large', 'The headers are larger than 16 KiB'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'Payload Too Large', 'The extensions of the chunks are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout', 'The request did not arrive in time'],
}
const OTHERS = [400, 'Bad Request', 'The request is not HTTP'] as const

/** Answers what node:http could not read as a request, and closes the connection. A listener of `clientError`. */
export function refuseClient(error: NodeJS.ErrnoException, socket: Socket): void {
  // Nobody is there any more, or an answer has begun.
  if (error.code === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) return void socket.destroy()
  const [status, reason, message] = ANSWERS[error.code ?? ''] ?? OTHERS
  const body = JSON.stringify(errorBody(new ServeError('Validation', message, { status }), 'tei'))
  const head = `HTTP/1.1 ${status} ${reason}\r\nconnection: close\r\ncontent-type: application/json`
  socket.end(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}
