// A client that asks and does not read what it is answered.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import test from 'ava'
import type { Answered } from '../../lib/serve/exchange.js'
import { answerNode } from '../../lib/serve/node-exchange.js'

async function* pieces() {
  for (let i = 0; i < 64; i++) yield 'x'.repeat(1 << 20)
}

for (const [kind, body] of [
  ['a whole answer', () => 'x'.repeat(64 << 20)],
  ['an answer in pieces', pieces],
] as const) {
  test(`${kind} that nobody reads is cut off, and its end is told`, async (t) => {
    let ended: ((isSent: boolean) => void) | undefined
    const finished = new Promise<boolean>((resolve) => {
      ended = resolve
    })
    const answered = (): Answered => ({ status: 200, headers: {}, body: body(), isLast: false, finish: ended! })
    const core = { serves: () => true, answer: async () => answered() }
    const server = createServer((request, response) => answerNode(core, 200, request, response))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const connected = once(server, 'connection')
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    t.teardown(() => {
      socket.destroy()
      server.close()
    })
    socket.on('error', () => {}).pause()
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const [peer] = (await connected) as [Socket]
    if (!peer.destroyed) await once(peer, 'close')
    t.is(await finished, kind === 'a whole answer')
  })
}
