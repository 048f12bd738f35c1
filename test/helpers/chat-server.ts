/** A service with the API of chat completions, in this process. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ChatServer {
  baseUrl: string
  /** What was asked, in order. */
  asked: { content: string; headers: IncomingMessage['headers'] }[]
  close(): void
}

/** @param answer what it says; a response that it ended itself is left alone */
export async function chatServer(
  answer: (content: string, response: ServerResponse, count: number) => string | undefined,
): Promise<ChatServer> {
  const asked: ChatServer['asked'] = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const piece of request) text += piece
    const { content } = JSON.parse(text).messages[0]
    asked.push({ content, headers: request.headers })
    const said = answer(content, response, asked.length)
    if (said !== undefined) response.end(JSON.stringify({ choices: [{ message: { content: said } }] }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  return {
    baseUrl,
    asked,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
