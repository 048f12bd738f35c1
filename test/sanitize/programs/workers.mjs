// Worker threads that compute at once, end in the middle of their jobs in every way, and leave the others as they were.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { assert, loadAddon, tinyBatch, tinyEncoder } from '../support.mjs'

const script = new URL('../../../dist/test/helpers/binding-worker.js', import.meta.url)
const start = (mode) => new Worker(script, { workerData: mode })
const encoder = await tinyEncoder(loadAddon())
const vectors = async () => {
  const out = new Float32Array(64)
  await encoder.encode(tinyBatch([3, 5]), out)
  return out.join()
}
const expected = await vectors()

const several = Array.from({ length: 4 }, () => start('encode'))
const answers = await Promise.all(several.map(async (worker) => (await once(worker, 'message'))[0]))
assert.deepEqual(answers, [expected, expected, expected, expected])

for (let i = 0; i < 6; i++) {
  const busy = [start('busy'), start('busy')]
  await Promise.all(busy.map((worker) => once(worker, 'message')))
  await new Promise((resolve) => setTimeout(resolve, 7 * i))
  const [, , own] = await Promise.all([...busy.map((worker) => worker.terminate()), vectors()])
  assert.equal(own, expected)
}
for (const mode of ['exit', 'exit', 'exit']) assert.deepEqual((await once(start(mode), 'exit'))[0], 7)
for (let i = 0; i < 3; i++) assert.equal((await once(start('throw'), 'error'))[0].message, 'on purpose')
assert.equal(await vectors(), expected)
