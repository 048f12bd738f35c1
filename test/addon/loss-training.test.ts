// Losses that ask the trainer for more than embeddings: guides, numbers of texts, mini-batches, twins, layers.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Dataset, losses, SentenceTransformer, SentenceTransformerTrainer } from '../../lib/index.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const folder = await tinyFolder(mkdtempSync(join(tmpdir(), 'sentence-torch-')))
const guideFolder = await tinyFolder(mkdtempSync(join(tmpdir(), 'sentence-torch-')), 2)
test.after.always(() => {
  for (const path of [folder, guideFolder]) rmSync(path, { recursive: true, force: true })
})

const words = tinyWords.slice(0, 16)
const anchor = words.map((word) => `the ${word}`)
const positive = words.map((word, i) => `a ${word} ${words[(i * 5) % 16]}`)
const pairs = Dataset.fromColumns({ anchor, positive })

/** The same with other texts. */
function others(dataset: Dataset): Dataset {
  const longer = (value: unknown) => (typeof value === 'string' ? `${value} very` : value)
  return Dataset.fromColumns(
    Object.fromEntries(dataset.columnNames.map((name) => [name, Array.from(dataset.column(name), longer)])),
  )
}

/** Three steps: what was logged, what the trained model makes of the texts. */
async function train(loss: losses.Loss, trainDataset = pairs) {
  await using model = await SentenceTransformer.load(folder)
  const records: Readonly<Record<string, number>>[] = []
  const trainer = new SentenceTransformerTrainer({
    model,
    loss,
    trainDataset,
    evalDataset: others(trainDataset),
    progress: false,
    callbacks: [{ onLog: (record) => void records.push(record) }],
    args: {
      ...{ perDeviceTrainBatchSize: 8, maxSteps: 3, learningRate: 1e-3, loggingSteps: 1, saveStrategy: 'no' },
      ...{ evalStrategy: 'steps', evalSteps: 3, seed: 3 },
    },
  })
  const { lossTensors } = await trainer.train()
  const { data } = await model.encode(anchor)
  return {
    records,
    losses: records.flatMap(({ loss, eval_loss }) => loss ?? eval_loss ?? []),
    vectors: [...data],
    lossTensors,
  }
}

const difference = (a: number[], b: number[]) => Math.max(...a.map((value, i) => Math.abs(value - b[i]!)))

function close(t: ExecutionContext, a: Awaited<ReturnType<typeof train>>, b: Awaited<ReturnType<typeof train>>) {
  t.is(a.losses.length, 4)
  t.true(difference(a.losses, b.losses) <= 1e-5, `${a.losses}; ${b.losses}`)
  t.true(difference(a.vectors, b.vectors) <= 1e-4, `${difference(a.vectors, b.vectors)}`)
}

test('cached losses train as the plain ones', async (t) => {
  await using guide = await SentenceTransformer.load(guideFolder)
  const plain = await train(new losses.MultipleNegativesRankingLoss())
  close(t, await train(new losses.CachedMultipleNegativesRankingLoss({ miniBatchSize: 3 })), plain)
  close(t, await train(new losses.CachedMultipleNegativesRankingLoss({ miniBatchNumTokens: 20 })), plain)
  const guided = await train(new losses.GISTEmbedLoss({ guide, temperature: 0.1 }))
  close(t, await train(new losses.CachedGISTEmbedLoss({ guide, temperature: 0.1, miniBatchSize: 5 })), guided)
  t.true(difference(guided.losses, plain.losses) > 0.1)
  const loss = (inner: losses.Loss) => new losses.MatryoshkaLoss({ loss: inner, matryoshkaDims: [32, 8] })
  const cut = await train(loss(new losses.MultipleNegativesRankingLoss()))
  close(t, await train(loss(new losses.CachedMultipleNegativesRankingLoss({ miniBatchSize: 3 }))), cut)
  const layers = await train(new losses.AdaptiveLayerLoss({ loss: new losses.MultipleNegativesRankingLoss() }))
  const cached = new losses.CachedMultipleNegativesRankingLoss({ miniBatchSize: 3 })
  close(t, await train(new losses.AdaptiveLayerLoss({ loss: cached })), layers)
})

test('what is masked is logged: by equal texts, by a guide', async (t) => {
  const doubled = Dataset.fromColumns({ anchor, positive: positive.map((_, i) => positive[i - (i % 2)]!) })
  const masked = await train(new losses.MultipleNegativesRankingLoss({ maskDuplicates: true }), doubled)
  const shares = masked.records.flatMap(({ masked_share }) => masked_share ?? [])
  t.is(shares.length, 3)
  // Of 16 rows, 8 in a batch: at most one double for each row, 7 negatives.
  t.true(shares.some((share) => share > 0) && shares.every((share) => share <= 1 / 7), `${shares}`)
  await using guide = await SentenceTransformer.load(guideFolder)
  const guided = await train(new losses.GISTEmbedLoss({ guide }))
  t.true(guided.records.some(({ masked_share: share = 0 }) => share > 0 && share < 1))
})

test('contrastive tension trains a copy of the model along', async (t) => {
  const texts = await train(new losses.ContrastiveTensionLossInBatchNegatives(), Dataset.fromColumns({ anchor }))
  t.true(texts.losses.every(Number.isFinite))
  t.true(Math.abs(texts.lossTensors.logit_scale!.data[0]! - Math.log(20)) > 1e-5, 'the scale is learned')
  const copy = 'model1.0.encoder.layer.0.attention.self.query.weight'
  t.truthy(texts.lossTensors[copy], Object.keys(texts.lossTensors).slice(0, 5).join())
  // Half of the pairs hold one text twice.
  const other = anchor.map((text, i) => (i % 2 ? text : positive[i]!))
  const label = anchor.map((_, i) => i % 2)
  const inferred = await train(new losses.ContrastiveTensionLoss(), Dataset.fromColumns({ anchor, other }))
  const labelled = await train(new losses.ContrastiveTensionLoss(), Dataset.fromColumns({ anchor, other, label }))
  t.deepEqual(inferred.losses, labelled.losses)
  t.deepEqual(inferred.vectors, labelled.vectors)
})

test('layers and widths that can be left out', async (t) => {
  const loss = new losses.MultipleNegativesRankingLoss({ falseNegativeMargin: 0 })
  const { losses: values, records } = await train(new losses.Matryoshka2dLoss({ loss, matryoshkaDims: [32, 8] }))
  t.is(values.length, 4)
  t.true(values.every(Number.isFinite))
  const names = new Set(
    records.flatMap((record) => Object.keys(record).filter((name) => name.startsWith('masked_share'))),
  )
  for (const name of names) t.regex(name, /^masked_share_dim_(32|8)(_layer_[01])?$/)
  t.true(names.size >= 2, [...names].join())
})
