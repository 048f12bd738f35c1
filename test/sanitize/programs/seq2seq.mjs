// Texts that are written, stopped in the middle and written beside a training; the training of encoder and decoder.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Dataset, Seq2SeqModel, Seq2SeqTrainer } from 'sentence-torch'
import { assert, work } from '../support.mjs'

const folder = fileURLToPath(new URL('../../parity/golden/seq2seq-folder', import.meta.url))
const { sources, targets } = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'))
const model = await Seq2SeqModel.load(folder)
const before = await model.generate(sources)
for (const options of [
  { doSample: true, topK: 5, numReturnSequences: 2 },
  { numBeams: 3, numReturnSequences: 2, noRepeatNgramSize: 2 },
  { numBeams: 2, doSample: true, minNewTokens: 4, batchSize: 3 },
]) {
  const written = await model.generate(sources, options)
  assert.ok(written.every((text) => typeof text === 'string'))
}
for (let i = 0; i < 8; i++) {
  for await (const _ of model.generateStream(sources, { maxNewTokens: 200, batchSize: 2 })) break
  const aborted = model.generate(sources, { maxNewTokens: 2000, minNewTokens: 1999, signal: AbortSignal.timeout(i) })
  await assert.rejects(aborted, { code: 'ERR_ABORTED' })
}
assert.deepEqual(await model.generate(sources), before)

const trainDataset = Dataset.fromColumns({ source: sources, target: targets })
for (const args of [{}, { miniBatchSize: 3 }, { gradientCheckpointing: true }, { bf16: true }]) {
  const trainer = new Seq2SeqTrainer({
    model,
    trainDataset,
    args: { maxSteps: 6, perDeviceTrainBatchSize: 6, learningRate: 1e-3, saveStrategy: 'no', ...args },
    progress: false,
  })
  const [, written] = await Promise.all([trainer.train(), model.generate(sources)])
  assert.equal(written.length, sources.length)
}
const target = join(work, 'seq2seq')
await model.save(target)
const again = await Seq2SeqModel.load(target)
const stopped = assert.rejects(again.generate(sources, { maxNewTokens: 500 }), { code: 'ERR_DISPOSED' })
await again.dispose()
await stopped
await model.dispose()
