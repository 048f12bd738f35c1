// Matryoshka, 2d matryoshka and adaptive layers around losses, with dimensions and layers drawn by chance.
import { losses } from 'sentence-torch'
import { datasets, loadTiny, train } from '../support.mjs'

const ranking = () => new losses.MultipleNegativesRankingLoss()
const cases = [
  [new losses.MatryoshkaLoss({ loss: ranking(), matryoshkaDims: [32, 16, 3, 1] }), 'pairs'],
  [new losses.MatryoshkaLoss({ loss: ranking(), matryoshkaDims: [32, 16, 8], nDimsPerStep: 2 }), 'triplets'],
  [new losses.MatryoshkaLoss({ loss: new losses.CoSENTLoss(), matryoshkaDims: [32, 5] }), 'scores'],
  [
    new losses.MatryoshkaLoss({
      loss: new losses.CachedMultipleNegativesRankingLoss({ miniBatchSize: 3 }),
      matryoshkaDims: [32, 8],
    }),
    'pairs',
  ],
  [new losses.AdaptiveLayerLoss({ loss: ranking() }), 'pairs'],
  [new losses.Matryoshka2dLoss({ loss: ranking(), matryoshkaDims: [32, 8] }), 'triplets'],
]
for (const [loss, data] of cases) {
  const model = await loadTiny()
  for (const gradientCheckpointing of [false, true]) await train(model, loss, datasets[data], { gradientCheckpointing })
}
