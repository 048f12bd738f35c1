import { once } from 'node:events'
import { createServer } from 'node:net'
import test from 'ava'
import { freePort } from '../../lib/io/free-port.js'

test('a free port can be listened on, and is none that connections are given', async (t) => {
  for (let i = 0; i < 20; i++) {
    const port = await freePort()
    t.true(port >= 10_000 && port < 32_768, String(port))
    const server = createServer().listen(port, '127.0.0.1')
    await once(server, 'listening')
    server.close()
  }
})
