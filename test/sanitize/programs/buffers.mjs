// Buffers that are views, off their alignment, empty, dropped, or written to while their job waits.
import { assert, loadAddon, longBatch, mulberry32, tinyBatch, tinyEncoder, tinyTrainerSpec } from '../support.mjs'

const addon = loadAddon()
const encoder = await tinyEncoder(addon)
const trainer = new addon.Trainer(encoder, tinyTrainerSpec())

// A batch is copied at the call, whatever view it is.
const whole = new Float32Array(64)
await encoder.encode(tinyBatch([3, 5]), whole)
for (let i = 0; i < 50; i++) {
  const { ids, offsets } = tinyBatch([3, 5])
  const large = new Int32Array(100).fill(-1)
  large.set(ids, i)
  const view = { ids: large.subarray(i, i + 8), offsets, columns: 1 }
  const around = new Float32Array(64 + 2 * i).fill(-9)
  const done = encoder.encode(view, around.subarray(i, i + 64))
  large.fill(-7)
  offsets.fill(-7)
  await done
  assert.deepEqual(around.slice(i, i + 64), whole)
  assert.ok([...around.subarray(0, i), ...around.subarray(i + 64)].every((value) => value === -9))
}

// Ranges at the very ends of every tensor, in every type, off the alignment.
const sizes = { F64: 8, F32: 4, F16: 2, BF16: 2 }
for (const target of [encoder, trainer]) {
  const tensors = target.tensors().map(({ name, shape }) => [name, shape.reduce((product, n) => product * n, 1)])
  for (const [name, elements] of tensors) {
    for (const [dtype, size] of Object.entries(sizes)) {
      for (const count of [0, 1, elements]) {
        const bytes = count * size
        const data = new Uint8Array(bytes + 1).subarray(1)
        const range = { name, start: elements - count, dtype, data }
        await target.dump([range])
        await target.load([range])
        const beyond = { ...range, start: elements - count + 1 }
        if (count > 0) await assert.rejects(target.dump([beyond]), { code: 'ERR_INVALID_TENSORS' })
      }
    }
  }
}

// What is left of nothing: buffers that only their jobs know, collected meanwhile.
const jobs = []
for (let i = 0; i < 30; i++) {
  jobs.push(encoder.encode(longBatch(20), new Float32Array(20 * 32)))
  jobs.push(trainer.dump([{ name: trainer.tensors()[0].name, start: 0, dtype: 'F32', data: new Uint8Array(4) }]))
  const next = mulberry32(i)
  const rows = () => Float32Array.from({ length: 500 * 16 }, () => next() - 0.5)
  jobs.push(addon.topK(rows(), rows(), 16, 5, 'cosine', new Float32Array(2500), new Int32Array(2500)))
  globalThis.gc()
}
await Promise.all(jobs)
