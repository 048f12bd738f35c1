import test from 'ava'
import * as losses from '../../lib/losses/index.js'

const code = 'ERR_INVALID_ARGUMENT'
const ranking = new losses.MultipleNegativesRankingLoss()

test('MatryoshkaLoss holds another loss and sorts its widths', (t) => {
  const loss = new losses.MatryoshkaLoss({ loss: ranking, matryoshkaDims: [2, 8, 4], matryoshkaWeights: [1, 2, 3] })
  t.deepEqual(loss.spec(8, {}), {
    type: 'MatryoshkaLoss',
    loss: ranking.spec(),
    matryoshkaDims: [8, 4, 2],
    matryoshkaWeights: [2, 3, 1],
    nDimsPerStep: -1,
  })
  t.is(loss.requirements, ranking.requirements)
  t.is(loss.caching, undefined)
  t.deepEqual(new losses.MatryoshkaLoss({ loss: ranking, matryoshkaDims: [4, 4] }).matryoshkaWeights, [1, 1])
  const softmax = new losses.SoftmaxLoss({ numLabels: 3 })
  t.is(new losses.MatryoshkaLoss({ loss: softmax, matryoshkaDims: [8] }).requirements, softmax.requirements)
})

test('a cached loss keeps its mini-batches inside another', (t) => {
  const loss = new losses.CachedMultipleNegativesRankingLoss({ miniBatchSize: 16 })
  t.deepEqual(new losses.MatryoshkaLoss({ loss, matryoshkaDims: [8] }).caching, { miniBatchSize: 16 })
  t.deepEqual(new losses.Matryoshka2dLoss({ loss, matryoshkaDims: [8] }).caching, { miniBatchSize: 16 })
})

test('widths are checked against the model, and one that lacks its width warns once', async (t) => {
  const loss = new losses.MatryoshkaLoss({ loss: ranking, matryoshkaDims: [8, 4] })
  t.throws(() => loss.spec(6, {}), { code, message: /cannot exceed the width of the model's embeddings, 6: found 8/ })
  const warnings: string[] = []
  const listen = ({ message }: Error) => warnings.push(message)
  process.on('warning', listen)
  loss.spec(8, {})
  loss.spec(12, {})
  loss.spec(12, {})
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', listen)
  t.is(warnings.length, 1)
  t.regex(warnings[0]!, /own width 12 is not among matryoshkaDims \(8, 4\)/)
})

test('options of MatryoshkaLoss that do not fit are refused', (t) => {
  const refused = (options: object, message: RegExp) =>
    t.throws(() => new losses.MatryoshkaLoss({ loss: ranking, matryoshkaDims: [8], ...options }), { code, message })
  refused({ loss: undefined }, /MatryoshkaLoss loss/)
  refused(
    { loss: { ...ranking, spec: () => ranking.spec(), requirements: { targets: 'column' }, type: 'X' } },
    /cannot hold X/,
  )
  refused({ loss: { ...ranking, spec: () => ranking.spec(), computed: {} } }, /that the engine computes/)
  refused({ matryoshkaDims: [] }, /at least one width/)
  refused({ matryoshkaDims: 8 }, /at least one width/)
  refused({ matryoshkaDims: [8, 0] }, /an integer of at least 1/)
  refused({ matryoshkaDims: [8, undefined] }, /an integer of at least 1/)
  refused({ matryoshkaDims: [8, 4], matryoshkaWeights: [1] }, /2 numbers, one for each width/)
  refused({ matryoshkaWeights: [Number.NaN] }, /1 numbers/)
  refused({ nDimsPerStep: 1.5 }, /nDimsPerStep/)
  t.throws(() => new losses.MatryoshkaLoss({ loss: ranking, dims: [8] } as never), { code: 'ERR_UNKNOWN_OPTION' })
})

test('the contrastive tension losses ask for what they compare', (t) => {
  const pairs = new losses.ContrastiveTensionLoss()
  t.deepEqual(pairs.spec(), { type: 'ContrastiveTensionLoss' })
  t.like(pairs.requirements, { minColumns: 2, maxColumns: 2, labels: 'float', labelsOptionalFrom: 2, textIds: true })
  t.throws(() => new losses.ContrastiveTensionLoss({ scale: 1 } as never), { code: 'ERR_UNKNOWN_OPTION' })
  const texts = new losses.ContrastiveTensionLossInBatchNegatives({ scale: 1, similarityFct: 'dot_score' })
  t.deepEqual(texts.spec(), { type: 'ContrastiveTensionLossInBatchNegatives', scale: 1, similarity: 'dot' })
  t.is(new losses.ContrastiveTensionLossInBatchNegatives().spec().scale, 20)
  t.like(texts.requirements, { minColumns: 1, maxColumns: 1, labels: 'none', copies: 2 })
  t.throws(() => new losses.ContrastiveTensionLossInBatchNegatives({ scale: 0 }), { code, message: /scale/ })
})

test('AdaptiveLayerLoss carries the defaults of sentence-transformers', (t) => {
  const loss = new losses.AdaptiveLayerLoss({ loss: ranking })
  t.deepEqual(loss.spec(8, {}), {
    type: 'AdaptiveLayerLoss',
    loss: ranking.spec(),
    nLayersPerStep: 1,
    lastLayerWeight: 1,
    priorLayersWeight: 1,
    klDivWeight: 1,
    klTemperature: 0.3,
    layerWeighting: 'uniform',
  })
  t.is(loss.requirements, ranking.requirements)
})

test('a function of the layer becomes a weight for each', (t) => {
  const spec = new losses.AdaptiveLayerLoss({ loss: ranking, layerWeighting: (layer) => layer / 4 }).spec(8, {})
  t.deepEqual((spec.layerWeights as number[]).slice(0, 4), [0, 0.25, 0.5, 0.75])
  t.false('layerWeighting' in spec)
  const bad = new losses.AdaptiveLayerLoss({ loss: ranking, layerWeighting: (layer) => 1 / layer })
  t.throws(() => bad.spec(8, {}), { code, message: /layerWeighting\(0\)/ })
})

test('Matryoshka2dLoss is AdaptiveLayerLoss around MatryoshkaLoss, one layer and one width at a time', (t) => {
  const loss = new losses.Matryoshka2dLoss({ loss: ranking, matryoshkaDims: [4, 8], klTemperature: 0 })
  const inside = new losses.MatryoshkaLoss({ loss: ranking, matryoshkaDims: [8, 4], nDimsPerStep: 1 })
  t.deepEqual(loss.spec(8, {}), new losses.AdaptiveLayerLoss({ loss: inside, klTemperature: 0 }).spec(8, {}))
  t.is(loss.type, 'Matryoshka2dLoss')
  t.throws(() => new losses.Matryoshka2dLoss({ loss: ranking, matryoshkaDim: [8] } as never), {
    code: 'ERR_UNKNOWN_OPTION',
    message: /did you mean matryoshkaDims\?/,
  })
})

test('options of AdaptiveLayerLoss that do not fit are refused', (t) => {
  const refused = (options: object, message: RegExp) =>
    t.throws(() => new losses.AdaptiveLayerLoss({ loss: ranking, ...options }), { code, message })
  refused({ loss: {} }, /AdaptiveLayerLoss loss/)
  refused({ nLayersPerStep: -2 }, /nLayersPerStep/)
  refused({ klTemperature: Number.NaN }, /klTemperature/)
  refused({ layerWeighting: 'cubic' }, /layerWeighting/)
})
