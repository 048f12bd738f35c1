// Models and trainers that are disposed of, or forgotten, while their jobs are queued or running.
import { losses } from 'sentence-torch'
import {
  assert,
  datasets,
  loadAddon,
  loadTiny,
  longBatch,
  texts,
  tinyEncoder,
  tinyTrainerSpec,
  train,
} from '../support.mjs'

const addon = loadAddon()
const settle = (promises) => Promise.allSettled(promises)
for (let i = 0; i < 20; i++) {
  const encoder = await tinyEncoder(addon)
  const batch = longBatch(64, 2)
  const out = new Float32Array(64 * 32)
  const trainer = new addon.Trainer(encoder, tinyTrainerSpec())
  const jobs = [
    encoder.encode(batch, out),
    trainer.step(batch, { lr: 1e-4 }),
    trainer.evaluate(batch),
    trainer.counters(),
  ]
  const last = i % 2 ? [encoder.dispose(), trainer.dispose()] : [trainer.dispose(), encoder.dispose()]
  const refused = [encoder.encode(batch, out), trainer.step(batch, { lr: 1e-4 })]
  const [good, bad] = await Promise.all([settle([jobs[0], ...last]), settle(refused), settle(jobs)])
  for (const { status } of good) assert.equal(status, 'fulfilled')
  for (const { reason } of bad) assert.equal(reason.code, 'ERR_DISPOSED')
}

// Forgotten in the middle of a job: collected while it runs.
const forgotten = []
for (let i = 0; i < 20; i++) {
  await (async () => {
    const encoder = await tinyEncoder(addon)
    const trainer = new addon.Trainer(encoder, tinyTrainerSpec())
    forgotten.push(
      trainer.step(longBatch(64, 2), { lr: 1e-4 }),
      encoder.encode(longBatch(64), new Float32Array(64 * 32)),
    )
  })()
  globalThis.gc()
  await new Promise((resolve) => setImmediate(resolve))
  globalThis.gc()
}
for (const { status } of await settle(forgotten)) assert.equal(status, 'fulfilled')

const model = await loadTiny()
const encoding = model.encode(texts(500))
const [outcome, ...disposed] = await settle([encoding, model.dispose(), model.dispose()])
assert.ok(outcome.status === 'fulfilled' || outcome.reason.code === 'ERR_DISPOSED', outcome.reason?.stack)
for (const { status } of disposed) assert.equal(status, 'fulfilled')
await assert.rejects(model.encode('a'), { code: 'ERR_DISPOSED' })

const trained = await loadTiny()
const training = train(trained, new losses.MultipleNegativesRankingLoss(), datasets.pairs, { maxSteps: 100_000 })
setTimeout(() => trained.dispose(), 50)
await assert.rejects(training, { code: 'ERR_DISPOSED' })
