// The loops of examples/ against the Trainer: the same losses, step by step, and the same model at the end.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import {
  customBatchSampler,
  Dataset,
  losses,
  SentenceTransformer,
  SentenceTransformerTrainer,
  type SentenceTransformerTrainerOptions,
} from 'sentence-torch'
import { liveTensors } from 'sentence-torch/tensor'
import * as ranking from '../../examples/mnr-by-hand.js'
import * as sbert from '../../examples/sbert-by-hand.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'
import { mulberry32 } from '../helpers/tiny-model.js'

const folder = await tinyFolder(mkdtempSync(join(tmpdir(), 'sentence-torch-')))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))
const config = join(folder, 'config.json')
writeFileSync(config, readFileSync(config, 'utf8').replace(/(_dropout_prob": )0.1/g, '$10'))

const random = mulberry32(1)
const text = () =>
  Array.from({ length: 3 + Math.floor(random() * 5) }, () => tinyWords[Math.floor(random() * tinyWords.length)]).join(
    ' ',
  )
const texts = (rows: number) => Array.from({ length: rows }, text)

const ARGS = { numTrainEpochs: 1, learningRate: 2e-5, warmupSteps: 0.1, loggingSteps: 1, saveStrategy: 'no' } as const

async function trained(
  model: SentenceTransformer,
  options: Omit<SentenceTransformerTrainerOptions, 'model' | 'progress'>,
): Promise<number[]> {
  const trainer = new SentenceTransformerTrainer({ model, progress: false, ...options })
  await trainer.train()
  return trainer.state.logHistory.flatMap((record) => (record.loss === undefined ? [] : [record.loss as number]))
}

const largest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!) / Math.max(1e-3, Math.abs(b[i]!))))

test.serial('sbert-by-hand: 50 losses are those of the Trainer with SoftmaxLoss', async (t) => {
  const rows = 50 * 16 - 3
  const dataset = Dataset.fromColumns({
    ...{ premise: texts(rows), hypothesis: texts(rows) },
    label: Array.from({ length: rows }, () => Math.floor(random() * 3)),
  })
  const [one, other] = [await SentenceTransformer.load(folder), await SentenceTransformer.load(folder)]
  const head = sbert.classifier(3 * one.embeddingDimension)
  const data = async (tensor: typeof head.weight) => new Float32Array((await tensor.data()) as Float32Array)
  const start = {
    'classifier.weight': { shape: head.weight.shape, data: await data(head.weight) },
    'classifier.bias': { shape: head.bias.shape, data: await data(head.bias) },
  }
  const found: number[] = []
  await sbert.train(one, dataset, head, (_, loss) => found.push(loss), 1)
  const expected = await trained(other, {
    trainDataset: dataset,
    loss: new losses.SoftmaxLoss({ numLabels: 3 }),
    lossTensors: start,
    args: { ...ARGS, perDeviceTrainBatchSize: 16, batchSampler: 'sequential' },
  })
  t.is(found.length, 50)
  t.true(largest(found, expected) <= 1e-5, `${largest(found, expected)}`)
  t.notDeepEqual(await data(head.weight), start['classifier.weight'].data)
  t.true(largest(await one.encode('the red cat'), await other.encode('the red cat')) <= 1e-4)
  for (const each of [head.weight, head.bias]) each.dispose()
  for (const model of [one, other]) await model.dispose()
  t.is(liveTensors(), 0)
})

test.serial(
  'mnr-by-hand: the losses are those of the Trainer with MultipleNegativesRankingLoss, in batches without duplicates',
  async (t) => {
    const rows = 330
    const anchor = texts(rows)
    // Some premises come twice.
    anchor.splice(40, 20, ...anchor.slice(0, 20))
    const dataset = Dataset.fromColumns({ anchor, positive: texts(rows), negative: texts(rows) })
    const batches = ranking.batchesWithoutDuplicates(dataset)
    t.deepEqual(
      batches.flat().sort((a, b) => a - b),
      Array.from({ length: rows }, (_, row) => row),
    )
    for (const batch of batches) {
      const all = ['anchor', 'positive', 'negative'].map((name) => batch.map((row) => dataset.texts(name)[row]!))
      // A text may stand twice in one row, never in two.
      for (const [row, own] of batch.entries()) {
        const others = new Set(all.flatMap((column) => column.filter((_, other) => other !== row)))
        t.false(
          all.some((column) => others.has(column[row]!)),
          `row ${own}`,
        )
      }
    }
    const [one, other] = [await SentenceTransformer.load(folder), await SentenceTransformer.load(folder)]
    const found: number[] = []
    await ranking.train(one, dataset, (_, loss) => found.push(loss), 1)
    const expected = await trained(other, {
      trainDataset: dataset,
      loss: new losses.MultipleNegativesRankingLoss({ scale: 20 }),
      args: {
        ...{ ...ARGS, perDeviceTrainBatchSize: 32 },
        batchSampler: customBatchSampler(() => batches, { length: batches.length }),
      },
    })
    t.is(found.length, batches.length)
    t.true(batches.length > 10)
    t.true(largest(found, expected) <= 1e-5, `${largest(found, expected)}`)
    for (const model of [one, other]) await model.dispose()
    t.is(liveTensors(), 0)
  },
)
