// The losses of examples/tensor-losses.ts against the engine's: value and gradients, on random embeddings and through a transformer.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { losses, SentenceTransformer, StaticEmbedding } from 'sentence-torch'
import * as T from 'sentence-torch/tensor'
import * as written from '../../examples/tensor-losses.js'
import { loadAddon } from '../../lib/native/load.js'
import type { NativeTrainer, TensorRange } from '../../lib/native/types.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'
import { elements, mulberry32 } from '../helpers/tiny-model.js'
import { report } from './report.js'

const folder = mkdtempSync(join(tmpdir(), 'sentence-torch-'))
test.before(async () => void (await tinyFolder(folder)))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))

const ROWS = 9
const CLASSES = 3
type Written = (
  columns: readonly T.Tensor[],
  labels: T.Tensor,
  batch: { parameters: Record<string, T.Tensor> },
) => T.Tensor

interface LossCase {
  written: Written
  loss: losses.Loss
  columns: number
  labels?: Float32Array | Int32Array
}
const random = mulberry32(3)
const scores = Float32Array.from({ length: ROWS }, () => Math.round(random() * 4) / 4)
const binary = Float32Array.from({ length: ROWS }, (_, i) => (i % 3 === 0 ? 1 : 0))
const classes = Int32Array.from({ length: ROWS }, (_, i) => (i * 2) % CLASSES)

const cases: Record<string, LossCase> = {
  CosineSimilarityLoss: {
    written: written.cosineSimilarityLoss,
    loss: new losses.CosineSimilarityLoss(),
    columns: 2,
    labels: scores,
  },
  CoSENTLoss: { written: written.cosentLoss, loss: new losses.CoSENTLoss(), columns: 2, labels: scores },
  AnglELoss: { written: written.angleLoss, loss: new losses.AnglELoss(), columns: 2, labels: scores },
  MultipleNegativesRankingLoss: {
    ...{ written: written.multipleNegativesRankingLoss, columns: 3 },
    loss: new losses.MultipleNegativesRankingLoss(),
  },
  MultipleNegativesSymmetricRankingLoss: {
    ...{ written: written.multipleNegativesSymmetricRankingLoss, columns: 3 },
    loss: new losses.MultipleNegativesSymmetricRankingLoss(),
  },
  ContrastiveLoss: { written: written.contrastiveLoss, loss: new losses.ContrastiveLoss(), columns: 2, labels: binary },
  OnlineContrastiveLoss: {
    written: written.onlineContrastiveLoss,
    loss: new losses.OnlineContrastiveLoss(),
    columns: 2,
    labels: binary,
  },
  'OnlineContrastiveLoss, one kind': {
    ...{ written: written.onlineContrastiveLoss, columns: 2 },
    ...{ loss: new losses.OnlineContrastiveLoss(), labels: new Float32Array(ROWS).fill(1) },
  },
  TripletLoss: { written: written.tripletLoss, loss: new losses.TripletLoss(), columns: 3 },
  MarginMSELoss: { written: written.marginMSELoss, loss: new losses.MarginMSELoss(), columns: 3, labels: scores },
  BatchHardTripletLoss: {
    written: written.batchHardTripletLoss,
    loss: new losses.BatchHardTripletLoss(),
    columns: 1,
    labels: classes,
  },
  SoftmaxLoss: {
    written: written.softmaxLoss,
    loss: new losses.SoftmaxLoss({ numLabels: CLASSES }),
    columns: 2,
    labels: classes,
  },
}

/** Rows of a table of random numbers: one word is one row, so the embeddings are random numbers. */
async function randomEmbeddings(): Promise<SentenceTransformer> {
  return SentenceTransformer.fromModules([
    await StaticEmbedding.create({ tokenizer: folder, embeddingDimension: 16, seed: 5 }),
  ])
}
/** With dropout: the same masks are part of what is compared. */
const transformer = () => SentenceTransformer.load(folder)

async function gradients(trainer: NativeTrainer): Promise<Map<string, Float32Array>> {
  const found = new Map<string, Float32Array>()
  for (const tensor of trainer.tensors()) {
    if (tensor.name.startsWith('grad.')) found.set(tensor.name, new Float32Array(elements(tensor)))
  }
  await trainer.dump(
    [...found].map(([name, data]) => ({ name, start: 0, dtype: 'F32', data: new Uint8Array(data.buffer) })),
  )
  return found
}

/** The largest difference, as a part of the length of the whole gradient. */
function difference(found: Map<string, Float32Array>, expected: Map<string, Float32Array>): number {
  let [worst, squares] = [0, 0]
  for (const [name, values] of expected) {
    values.forEach((value, i) => {
      worst = Math.max(worst, Math.abs(found.get(name)![i]! - value))
      squares += value * value
    })
  }
  return worst / Math.sqrt(squares)
}

for (const [name, { written: compute, loss, columns, labels }] of Object.entries(cases)) {
  for (const [kind, make] of Object.entries({ 'random embeddings': randomEmbeddings, 'a transformer': transformer })) {
    test(`${name} with tensors is the engine's: ${kind}`, async (t) => {
      const model = await make()
      const draw = mulberry32(columns)
      const words = tinyWords.slice(0, 24)
      const text = () => words[Math.floor(draw() * words.length)]!
      const texts = Array.from({ length: columns }, () =>
        Array.from({ length: ROWS }, () => (kind === 'a transformer' ? `${text()} ${text()} ${text()}` : text())),
      )
      const features = await Promise.all(texts.map((column) => model.tokenize(column)))
      const dim = model.embeddingDimension
      const own = [
        { name: 'classifier.weight', shape: [CLASSES, 3 * dim] },
        { name: 'classifier.bias', shape: [CLASSES] },
      ].filter(() => loss.type === 'SoftmaxLoss')
      const values = own.map(({ shape }) =>
        Float32Array.from({ length: shape[0]! * (shape[1] ?? 1) }, () => draw() - 0.5),
      )

      const trainer = new (loadAddon().Trainer)(model.encoder, {
        losses: [{ name: '', spec: loss.spec(dim, model.config) }],
        optimizer: { type: 'sgd' },
        ...{ weightDecay: 0, maxGradNorm: 0, seed: 42 },
      })
      const ranges = own.map((tensor, i): TensorRange => {
        return { name: `loss.${tensor.name}`, start: 0, dtype: 'F32', data: new Uint8Array(values[i]!.buffer) }
      })
      await trainer.load(ranges)
      const batch = { ...model.packFeatures(features), ...(labels && { labels }) }
      const step = (await trainer.step(batch, { lr: 0, update: false, report: true }))!
      const expected = await gradients(trainer)
      await trainer.dispose()

      await T.scope(async () => {
        const parameters = Object.fromEntries(
          own.map((tensor, i) => [tensor.name, T.parameter(T.tensor(values[i]!, { shape: tensor.shape }))]),
        )
        const optimizer = new T.optim.SGD(model, { lr: 0, parameters, seed: 42 })
        const value = compute(T.forward(model, features), T.tensor(labels ?? []), { parameters })
        await value.backward()
        const found = await value.item()
        const off = difference(await gradients(optimizer.native), expected)
        const relative = Math.abs(found - step.loss) / Math.max(1, Math.abs(step.loss))
        report('tensor-losses', name, { part: kind, deviation: Math.max(off, relative), allowed: 1e-6 })
        t.true(relative <= 1e-6, `${found} instead of ${step.loss}`)
        t.true(off <= 1e-6, `gradient: ${off}`)
        await optimizer.dispose()
        for (const parameter of Object.values(parameters)) parameter.dispose()
      })
      await model.dispose()
    })
  }
}

test.after('no tensor is left', (t) => t.is(T.liveTensors(), 0))
