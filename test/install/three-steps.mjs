// What a processor or a system computes: `node three-steps.mjs <model>` with SENTENCE_TORCH_ADDON for another addon.
// Loads the model, encodes, trains three steps with its own dropout (the masks are the same everywhere) and encodes again.
// The last line is JSON.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Dataset, losses, SentenceTransformer, SentenceTransformerTrainer } from '../../dist/lib/index.js'
import { cpuFeatures } from '../../install/system.mjs'

const texts = ['A red fox jumps.', 'Snow']
const words = ['red', 'green', 'blue', 'cat', 'dog', 'cow', 'rain', 'sun', 'snow', 'bread', 'milk', 'cheese']
const pairs = words.map((word, i) => ({ anchor: `the ${word}`, positive: `a ${word} is ${words[(i * 5 + 1) % 12]}` }))

const folder = mkdtempSync(join(tmpdir(), 'sentence-torch-steps-'))
try {
  const model = await SentenceTransformer.load(process.argv[2])
  const encode = async () => Array.from((await model.encode(texts)).data)
  const before = await encode()
  const steps = []
  const trainer = new SentenceTransformerTrainer({
    model,
    trainDataset: Dataset.fromRows(pairs),
    // Not 20: scores of that size leave the loss, their difference, six digits.
    loss: new losses.MultipleNegativesRankingLoss({ scale: 1 }),
    args: {
      ...{ outputDir: folder, maxSteps: 3, perDeviceTrainBatchSize: 2, learningRate: 1e-4, seed: 7 },
      ...{ loggingSteps: 1, saveStrategy: 'no' },
    },
    callbacks: [{ onLog: (record) => void (typeof record.loss === 'number' && steps.push(record.loss)) }],
    progress: false,
  })
  await trainer.train()
  const after = await encode()
  await model.dispose()
  console.log(JSON.stringify({ arch: process.arch, features: cpuFeatures(), losses: steps, before, after }))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
