// Losses that ask more of the trainer: a guide model, a cache of gradients, a teacher's vectors.
import { Dataset, losses } from 'sentence-torch'
import { assertClose, datasets, loadTiny, train } from '../support.mjs'

const guide = await loadTiny({}, 2)
const last = async (loss, data, args) => {
  const model = await loadTiny()
  return (await train(model, loss, data, args)).losses
}
const plain = await last(new losses.GISTEmbedLoss({ guide, temperature: 0.1 }), datasets.triplets)
for (const size of [1, 5, 64]) {
  const cached = new losses.CachedGISTEmbedLoss({ guide, temperature: 0.1, miniBatchSize: size })
  assertClose(await last(cached, datasets.triplets), plain, 1e-4, `a cache of ${size} rows`)
}
const ranked = await last(new losses.MultipleNegativesRankingLoss(), datasets.triplets)
for (const options of [
  { miniBatchSize: 1 },
  { miniBatchSize: 7 },
  { miniBatchNumTokens: 9 },
  { miniBatchNumTokens: 4096 },
]) {
  const cached = new losses.CachedMultipleNegativesRankingLoss(options)
  assertClose(await last(cached, datasets.triplets), ranked, 1e-4, JSON.stringify(options))
  // Every loss may be cached by arguments.
  const args = { miniBatchSize: options.miniBatchSize, miniBatchTokens: options.miniBatchNumTokens }
  assertClose(
    await last(new losses.MultipleNegativesRankingLoss(), datasets.triplets, args),
    ranked,
    1e-4,
    'by arguments',
  )
}
const rows = datasets.margins.length
const columns = Object.fromEntries(
  ['anchor', 'positive', 'negative'].map((name) => [name, datasets.margins.texts(name)]),
)
const label = Array.from({ length: rows }, (_, i) => [i % 3, (i % 5) - 2])
await last(new losses.DistillKLDivLoss({ temperature: 2 }), Dataset.fromColumns({ ...columns, label }))
await last(new losses.MarginMSELoss(), Dataset.fromColumns({ ...columns, label }))
