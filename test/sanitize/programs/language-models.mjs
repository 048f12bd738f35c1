// Losses that predict tokens: masked ones, and those of a denoising autoencoder.
import { join } from 'node:path'
import { Dataset, DenoisingAutoEncoderDataset, losses, SentenceTransformer } from 'sentence-torch'
import { assert, loadTiny, texts, train, work } from '../support.mjs'

const text = texts(24, 3, 20)
const cases = [
  [new losses.MaskedLanguageModelLoss({ mlmProbability: 0.5 }), Dataset.fromColumns({ text })],
  [new losses.MaskedLanguageModelLoss({ wholeWordMask: true }), Dataset.fromColumns({ text })],
  [new losses.DenoisingAutoEncoderLoss(), new DenoisingAutoEncoderDataset(text).toStream()],
]
for (const [i, [loss, data]] of cases.entries()) {
  for (const args of [{}, { miniBatchSize: 3 }, { gradientCheckpointing: true }, { bf16: true }]) {
    const model = await loadTiny()
    const { lossTensors } = await train(model, loss, data, { learningRate: 1e-2, ...args })
    if (i === 2) continue
    const folder = join(work, `masked-${i}`)
    await model.saveMaskedLanguageModel(folder, lossTensors)
    const again = await SentenceTransformer.load(folder)
    assert.deepEqual((await again.encode(text)).data, (await model.encode(text)).data)
  }
}
