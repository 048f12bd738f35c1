// Takes a lock when told to, and says what came of it: `node lock-worker.js <path>`; a line for every line of its input.
import { createInterface } from 'node:readline'
import { FileLock, takeLock } from '../../lib/io/lock.js'

const path = process.argv[2]
if (path !== undefined) {
  process.stdout.write('ready\n')
  for await (const _ of createInterface({ input: process.stdin })) {
    const taken = await takeLock(path)
    process.stdout.write(taken instanceof FileLock ? 'taken\n' : `held by ${taken.pid}\n`)
  }
}
