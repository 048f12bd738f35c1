// Uses the addon in a worker thread (and, as `process.argv[2]`, in a child process) in the way that its mode names.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { loadAddon } from '../../lib/native/load.js'
import { longBatch, tinyBatch, tinyEncoder, tinyTrainerSpec } from './tiny-model.js'

const mode = isMainThread ? process.argv[2] : (workerData as string)
const say = (message: string) => (parentPort ? parentPort.postMessage(message) : console.log(message))

const addon = loadAddon()
const encoder = await tinyEncoder(addon)
const batch = longBatch()
const out = new Float32Array((batch.offsets.length - 1) * encoder.embeddingDimension)

switch (mode) {
  case 'encode': {
    const small = tinyBatch([3, 5])
    const embeddings = new Float32Array(2 * encoder.embeddingDimension)
    await encoder.encode(small, embeddings)
    say(embeddings.join())
    break
  }
  case 'busy':
    // Until it is stopped from outside.
    say('started')
    for (;;) await Promise.all([encoder.encode(batch, out), encoder.encode(batch, out)])
  case 'pending': {
    let settled = 0
    for (let i = 0; i < 3; i++) void encoder.encode(batch, out).then(() => settled++)
    process.on('exit', () => console.log(`settled ${settled}`))
    break
  }
  case 'exit':
  case 'throw': {
    const trainer = new addon.Trainer(encoder, tinyTrainerSpec())
    const pairs = longBatch(256, 2)
    for (let i = 0; i < 20; i++) void trainer.step(pairs, { lr: 1e-4 })
    setTimeout(() => {
      if (mode === 'throw') throw new Error('on purpose')
      process.exit(7)
    }, 10)
    break
  }
  case 'exit-beside-worker': {
    const worker = new Worker(new URL(import.meta.url), { workerData: 'busy' })
    worker.once('message', () => {
      void encoder.encode(batch, out)
      process.exit(7)
    })
    break
  }
  default:
    throw new Error(`unknown mode ${mode}`)
}
