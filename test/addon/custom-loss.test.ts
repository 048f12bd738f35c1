import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import {
  Dataset,
  losses,
  SentenceTransformer,
  SentenceTransformerTrainer,
  type SentenceTransformerTrainerOptions,
} from '../../lib/index.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const folder = await tinyFolder(mkdtempSync(join(tmpdir(), 'sentence-torch-')))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))

const words = tinyWords.slice(0, 18)
const anchor = words.map((word) => `the ${word}`)
const positive = words.map((word, i) => `a ${word} ${words[(i * 5) % words.length]}`)
const ranking = Dataset.fromColumns({ anchor, positive })
const classes = Dataset.fromColumns({ anchor, positive, label: words.map((_, i) => i % 3) })

/** In float64: what is compared is the engine's rounding alone. */
const row = (all: Float32Array, i: number, width: number) => Float64Array.from(all.subarray(i * width, (i + 1) * width))
const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0)

/** Softmax of logits, and the cross-entropy with `target`. */
function crossEntropy(logits: number[], target: number): { shares: number[]; loss: number } {
  const most = Math.max(...logits)
  const powers = logits.map((logit) => Math.exp(logit - most))
  const sum = powers.reduce((a, b) => a + b)
  return { shares: powers.map((power) => power / sum), loss: Math.log(sum) + most - logits[target]! }
}

/** MultipleNegativesRankingLoss by hand: cosine, scale 20, positives of the batch as candidates. */
const handRanking: losses.CustomLossFunction = ([a, b], _labels, { rows, dimension, training }) => {
  const unit = (all: Float32Array, i: number) => {
    const vector = row(all, i, dimension)
    const norm = Math.sqrt(dot(vector, vector))
    return { norm, vector: vector.map((value) => value / norm) }
  }
  const anchors = Array.from({ length: rows }, (_, i) => unit(a!, i))
  const candidates = Array.from({ length: rows }, (_, i) => unit(b!, i))
  const da = new Float64Array(rows * dimension)
  const db = new Float64Array(rows * dimension)
  let loss = 0
  for (let i = 0; i < rows; i++) {
    const cosines = candidates.map(({ vector }) => dot(anchors[i]!.vector, vector))
    const { shares, loss: own } = crossEntropy(
      cosines.map((value) => 20 * value),
      i,
    )
    loss += own / rows
    for (let j = 0; j < rows; j++) {
      const slope = (20 * (shares[j]! - (i === j ? 1 : 0))) / rows
      const [u, v] = [anchors[i]!, candidates[j]!]
      for (let d = 0; d < dimension; d++) {
        da[i * dimension + d]! += (slope * (v.vector[d]! - cosines[j]! * u.vector[d]!)) / u.norm
        db[j * dimension + d]! += (slope * (u.vector[d]! - cosines[j]! * v.vector[d]!)) / v.norm
      }
    }
  }
  return training ? { loss, gradients: [Float32Array.from(da), Float32Array.from(db)] } : { loss }
}

/** SoftmaxLoss by hand: W [u; v; |u − v|] + b. */
const handSoftmax: losses.CustomLossFunction = ([a, b], labels, { rows, dimension, parameters }) => {
  const weight = parameters['classifier.weight']!
  const bias = parameters['classifier.bias']!
  const width = 3 * dimension
  const gradients = [new Float32Array(a!.length), new Float32Array(b!.length)]
  const dWeight = new Float32Array(weight.length)
  const dBias = new Float32Array(bias.length)
  let loss = 0
  for (let i = 0; i < rows; i++) {
    const [u, v] = [row(a!, i, dimension), row(b!, i, dimension)]
    const features = Float64Array.of(...u, ...v, ...u.map((value, d) => Math.abs(value - v[d]!)))
    const logits = Array.from(bias, (value, k) => value + dot(row(weight, k, width), features))
    const { shares, loss: own } = crossEntropy(logits, labels![i]!)
    loss += own / rows
    const dFeatures = new Float64Array(width)
    shares.forEach((share, k) => {
      const slope = (share - (k === labels![i] ? 1 : 0)) / rows
      dBias[k]! += slope
      for (let f = 0; f < width; f++) {
        dWeight[k * width + f]! += slope * features[f]!
        dFeatures[f]! += slope * weight[k * width + f]!
      }
    })
    for (let d = 0; d < dimension; d++) {
      const apart = dFeatures[2 * dimension + d]! * Math.sign(u[d]! - v[d]!)
      gradients[0]![i * dimension + d] = dFeatures[d]! + apart
      gradients[1]![i * dimension + d] = dFeatures[dimension + d]! - apart
    }
  }
  return {
    loss,
    gradients,
    parameterGradients: { 'classifier.weight': dWeight, 'classifier.bias': dBias },
    components: { half: loss / 2 },
  }
}

type Given = Pick<SentenceTransformerTrainerOptions, 'loss' | 'trainDataset' | 'args'>

async function train({ args, ...given }: Given) {
  await using model = await SentenceTransformer.load(folder)
  const records: Readonly<Record<string, number>>[] = []
  const trainer = new SentenceTransformerTrainer({
    model,
    ...given,
    evalDataset: given.trainDataset,
    progress: false,
    callbacks: [{ onLog: (record) => void records.push(record) }],
    args: {
      ...{ perDeviceTrainBatchSize: 6, maxSteps: 7, learningRate: 1e-3, lrSchedulerType: 'constant', loggingSteps: 1 },
      ...{ saveStrategy: 'no', weightDecay: 0.01, evalStrategy: 'steps', evalSteps: 7, ...args },
    },
  })
  const { lossTensors } = await trainer.train()
  const losses = records.flatMap(({ loss, eval_loss }) => loss ?? eval_loss ?? [])
  const { data } = await model.encode(anchor)
  return { losses, vectors: [...data], lossTensors, records }
}

function close(t: { true(value: boolean, message?: string): void }, found: number[], expected: number[], most: number) {
  const difference = Math.max(...found.map((value, i) => Math.abs(value - expected[i]!)))
  t.true(found.length === expected.length && difference <= most, `${difference}`)
}

for (const [name, args] of Object.entries({ plain: {}, cached: { miniBatchSize: 4 } })) {
  test(`a ranking loss in TypeScript trains like the engine's: ${name}`, async (t) => {
    const loss = new losses.Custom(handRanking, { minColumns: 2, maxColumns: 2 })
    const hand = await train({ loss, trainDataset: ranking, args })
    const native = await train({ loss: new losses.MultipleNegativesRankingLoss(), trainDataset: ranking, args })
    t.is(hand.losses.length, 8)
    close(t, hand.losses, native.losses, 1e-5)
    close(t, hand.vectors, native.vectors, 1e-4)
  })
}

test("a classifier in TypeScript trains its parameters like the engine's", async (t) => {
  const shape = { weight: [3, 96], bias: [3] }
  const init = Float32Array.from({ length: 288 }, (_, i) => Math.sin(i) / 10)
  const loss = new losses.Custom(handSoftmax, {
    ...{ minColumns: 2, maxColumns: 2, labels: 'int', numLabels: 3 },
    parameters: { 'classifier.weight': { shape: shape.weight, init }, 'classifier.bias': { shape: shape.bias } },
  })
  const hand = await train({ loss, trainDataset: classes })
  const native = await (async () => {
    await using model = await SentenceTransformer.load(folder)
    const records: Readonly<Record<string, number>>[] = []
    const trainer = new SentenceTransformerTrainer({
      model,
      loss: new losses.SoftmaxLoss({ numLabels: 3 }),
      trainDataset: classes,
      evalDataset: classes,
      progress: false,
      lossTensors: {
        'classifier.weight': { shape: shape.weight, data: init },
        'classifier.bias': { shape: shape.bias, data: new Float32Array(3) },
      },
      callbacks: [{ onLog: (record) => void records.push(record) }],
      args: {
        ...{ perDeviceTrainBatchSize: 6, maxSteps: 7, learningRate: 1e-3, lrSchedulerType: 'constant' },
        ...{ loggingSteps: 1, saveStrategy: 'no', weightDecay: 0.01, evalStrategy: 'steps', evalSteps: 7 },
      },
    })
    const { lossTensors } = await trainer.train()
    return { losses: records.flatMap(({ loss, eval_loss }) => loss ?? eval_loss ?? []), lossTensors }
  })()
  close(t, hand.losses, native.losses, 1e-5)
  for (const name of ['classifier.weight', 'classifier.bias']) {
    close(t, [...hand.lossTensors[name]!.data], [...native.lossTensors[name]!.data], 1e-5)
  }
  t.notDeepEqual(hand.lossTensors['classifier.weight']!.data, init)
  t.is(hand.records[0]!.half, Math.round((hand.losses[0]! / 2) * 1e4) / 1e4)
})

test('what a function gives is checked', async (t) => {
  const refused = (value: unknown, message: RegExp) =>
    t.throwsAsync(train({ loss: new losses.Custom(() => value as never, { minColumns: 2 }), trainDataset: ranking }), {
      code: 'ERR_INVALID_DATA',
      message,
    })
  await refused({}, /the number loss/)
  await refused({ loss: 1 }, /gradients/)
  await refused({ loss: 1, gradients: [new Float32Array(3)] }, /gradients/)
  const gradients = [new Float32Array(6 * 32), new Float32Array(6 * 32)]
  await refused({ loss: 1, gradients, parameterGradients: { w: new Float32Array(1) } }, /no gradient of w/)
  t.throws(() => new losses.Custom(3 as never), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(() => new losses.Custom(handRanking, { parameters: { w: { shape: [2], init: new Float32Array(3) } } }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /Float32Array of 2/,
  })
  t.throws(() => new losses.Custom(handRanking, { columns: 2 } as never), { code: 'ERR_UNKNOWN_OPTION' })
})

test('a step whose loss is not finite is skipped and counted, whatever its gradients', async (t) => {
  await using model = await SentenceTransformer.load(folder)
  const before = await model.encode(anchor)
  let batch = 0
  const trainer = new SentenceTransformerTrainer({
    model,
    trainDataset: ranking,
    loss: new losses.Custom((embeddings) => ({ loss: ++batch === 2 ? 3 : Number.NaN, gradients: embeddings })),
    progress: false,
    args: { maxSteps: 1, learningRate: 1e-2, saveStrategy: 'no', loggingSteps: 1 },
  })
  t.is((await trainer.train()).skippedSteps, 1)
  t.deepEqual((await model.encode(anchor)).data, before.data)
  const { skippedSteps, trainingLoss } = await trainer.train()
  t.deepEqual([skippedSteps, trainingLoss], [0, 3])
})
