import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import {
  Dataset,
  losses,
  SparseEncoder,
  SparseEncoderTrainer,
  SpladeRegularizerWeightSchedulerCallback,
} from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const BERT = fileURLToPath(new URL('../../../test/parity/golden/sparse/bert/', import.meta.url))
const PAIRS = [
  ['the man', 'the man plays guitar .'],
  ['woman flute', 'a woman plays the flute in the field'],
  ['red dog', 'is the big dog red ?'],
  ['small house', 'the house is small'],
] as const
const trainDataset = Dataset.fromRows(PAIRS.map(([anchor, positive]) => ({ anchor, positive })))
const args = {
  perDeviceTrainBatchSize: 4,
  learningRate: 1e-3,
  maxSteps: 9,
  loggingSteps: 1,
  saveStrategy: 'no',
} as const
const splade = (options = {}) =>
  new losses.SpladeLoss({
    loss: new losses.SparseMultipleNegativesRankingLoss(),
    ...{ documentRegularizerWeight: 0.3, queryRegularizerWeight: 0.5 },
    ...options,
  })

test('a training makes embeddings sparser, with weights that rise and are logged', async (t) => {
  await using model = await SparseEncoder.load(BERT)
  const texts = PAIRS.map(([, text]) => text)
  const before = model.sparsity(await model.encode(texts)).activeDims
  const loss = splade()
  const trainer = new SparseEncoderTrainer({
    model,
    trainDataset,
    loss,
    args: { ...args, maxSteps: 60 },
    progress: false,
  })
  const { trainingLoss } = await trainer.train()
  t.true(Number.isFinite(trainingLoss))
  const after = model.sparsity(await model.encode(texts)).activeDims
  t.true(after < before, `${after} words, before ${before}`)
  const records = trainer.state.logHistory.filter((record) => 'loss' in record)
  t.is(records[0]!.document_regularizer_weight, 0)
  t.is(records[10]!.query_regularizer_weight, 0.5 * 0.25)
  t.is(records.at(-1)!.document_regularizer_weight, 0.3)
  // The engine had these weights: the part of step 1 is 0, and the loss is the sum of its parts.
  t.is(records[0]!.document_regularizer_loss, 0)
  t.true(records.at(-1)!.document_regularizer_loss! > 0)
  for (const record of records) {
    const parts = ['base_loss', 'document_regularizer_loss', 'query_regularizer_loss'].map((name) => record[name]!)
    const sum = parts.reduce((total, part) => total + part, 0)
    t.true(Math.abs(record.loss! - sum) < 1e-3 * Math.max(1, sum), JSON.stringify(record))
  }
})

test('in mini-batches the steps are the same', async (t) => {
  const train = async (loss: losses.Loss) => {
    await using model = await SparseEncoder.load(BERT)
    const trainer = new SparseEncoderTrainer({ model, trainDataset, loss, args: { ...args, seed: 5 }, progress: false })
    await trainer.train()
    const embeddings = await model.encode(PAIRS.map(([, text]) => text))
    return embeddings
  }
  const inner = () => new losses.SparseMultipleNegativesRankingLoss()
  const options = { loss: inner(), documentRegularizerWeight: 0.3, queryRegularizerWeight: 0.5 }
  const plain = (await train(splade())).toDense()
  const cached = (await train(new losses.CachedSpladeLoss({ ...options, miniBatchSize: 3 }))).toDense()
  for (const [i, value] of plain.data.entries()) t.true(Math.abs(value - cached.data[i]!) < 1e-3)
})

test('a saved model has the card of a sparse encoder, and its checkpoints load', async (t) => {
  await using model = await SparseEncoder.load(BERT)
  const outputDir = await temporaryFolder(t)
  const saving = { ...args, outputDir, maxSteps: 4, saveStrategy: 'steps', saveSteps: 2 } as const
  const trainer = new SparseEncoderTrainer({ model, trainDataset, args: saving, progress: false })
  await trainer.train()
  const folder = join(outputDir, 'checkpoint-4')
  const card = await readFile(join(folder, 'README.md'), 'utf8')
  for (const text of [
    '# SPLADE Sparse Encoder',
    '- splade',
    'loss:SpladeLoss',
    '73-dimensional sparse vector space',
    'sparse_encoder/losses.html#spladeloss',
  ]) {
    t.true(card.includes(text), text)
  }
  await using again = await SparseEncoder.load(folder)
  t.deepEqual(await again.encode('dog'), await model.encode('dog'))
  await using other = await SparseEncoder.load(BERT)
  const goingOn = new SparseEncoderTrainer({ model: other, trainDataset, args: saving, progress: false })
  await goingOn.train({ resumeFromCheckpoint: join(outputDir, 'checkpoint-2') })
  t.deepEqual(await other.encode('dog'), await model.encode('dog'), 'a run that goes on ends with the same weights')
})

test('a loss for cosines sets what the model compares by; losses that are parts are refused', async (t) => {
  await using model = await SparseEncoder.load(BERT)
  const pairs = Dataset.fromRows(PAIRS.map(([a, b]) => ({ a, b, label: 0.5 })))
  const cosine = new losses.SpladeLoss({ loss: new losses.SparseCoSENTLoss(), documentRegularizerWeight: 0.1 })
  new SparseEncoderTrainer({ model, trainDataset: pairs, loss: cosine, progress: false })
  t.is(model.similarityFnName, 'cosine')
  t.throws(
    () =>
      new SparseEncoderTrainer({
        model,
        trainDataset,
        loss: new losses.SparseMultipleNegativesRankingLoss(),
        progress: false,
      }),
    { code: 'ERR_INVALID_ARGUMENT', message: /within SpladeLoss/ },
  )
  t.throws(() => new SparseEncoderTrainer({ model: {} as SparseEncoder, trainDataset, progress: false }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /a SparseEncoder/,
  })
  for (const callbacks of [5, null])
    t.throws(() => new SparseEncoderTrainer({ model, trainDataset, callbacks: callbacks as never, progress: false }), {
      code: 'ERR_INVALID_ARGUMENT',
      message: /an array for callbacks/,
    })
})

test('a loss whose training stopped while its weights rose has its own weights in the next one', async (t) => {
  await using model = await SparseEncoder.load(BERT)
  const loss = splade()
  const train = async (options: object) => {
    const trainer = new SparseEncoderTrainer({ model, trainDataset, loss, args, progress: false, ...options })
    await trainer.train()
    return trainer.state.logHistory.flatMap(({ document_regularizer_weight: weight }) => weight ?? []).at(-1)
  }
  const onStepEnd = () => {
    throw new Error('stopped')
  }
  await t.throwsAsync(train({ callbacks: [{ onStepEnd }] }))
  t.true(loss.documentRegularizerWeight < 0.3)
  t.is(await train({}), 0.3)
  t.is(loss.queryRegularizerWeight, 0.5)
  await t.throwsAsync(train({ callbacks: [{ onStepEnd }] }))
  loss.documentRegularizerWeight = 0.2
  t.is(await train({}), 0.2)
})

test('a schedule of the caller takes the place of the usual one', async (t) => {
  await using model = await SparseEncoder.load(BERT)
  const loss = splade()
  const callbacks = [new SpladeRegularizerWeightSchedulerCallback(loss, { schedulerType: 'linear', warmupRatio: 1 })]
  const trainer = new SparseEncoderTrainer({ model, trainDataset, loss, callbacks, args, progress: false })
  await trainer.train()
  const found = trainer.state.logHistory.flatMap(({ document_regularizer_weight: weight }) => weight ?? [])
  found.forEach((weight, step) => {
    t.true(Math.abs(weight - 0.3 * (step / 9)) < 1e-9, `${weight} in step ${step}`)
  })
})
