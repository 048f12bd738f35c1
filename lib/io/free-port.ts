import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below those that systems give to connections by themselves: one of these may be taken again before it is listened on. */
const [FIRST, END] = [10_000, 32_768]
const TRIES = 100

/** A port of this machine that nobody uses. @throws the system's error where none of many is free */
export async function freePort(): Promise<number> {
  for (let i = 1; ; i++) {
    const server = createServer().listen(randomInt(FIRST, END), '127.0.0.1')
    try {
      await once(server, 'listening')
    } catch (error) {
      if (i === TRIES) throw error
      continue
    }
    const { port } = server.address() as { port: number }
    server.close()
    await once(server, 'close')
    return port
  }
}
