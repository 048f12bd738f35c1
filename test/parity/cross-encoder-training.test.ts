// Losses and training of cross-encoders against sentence-transformers' own, on the tiny models without dropout.
import { readFileSync } from 'node:fs'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import type { CrossEncoderLoss } from '../../lib/losses/cross-encoder/index.js'
import * as losses from '../../lib/losses/cross-encoder/index.js'
import { CrossEncoder, type Pair } from '../../lib/models/cross-encoder.js'
import type { PackedBatch } from '../../lib/native/types.js'
import { checkPairData } from '../../lib/training/batches/check-pair-data.js'
import { CrossEncoderBatchMaker } from '../../lib/training/batches/cross-encoder-batch-maker.js'
import { CrossEncoderTrainer } from '../../lib/training/cross-encoder-trainer.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { report } from './report.js'
import { addon, distance, dump, gradients, maxDifference, norm, trainerSpec } from './support.js'

const SECTION = 'cross-encoder-training'
const GOLDEN = fileURLToPath(new URL('../../../test/parity/golden/', import.meta.url))

interface LossCase {
  loss: string | null
  options: Record<string, unknown>
  data: Record<string, unknown[]>
  numLabels: number
}
interface Golden {
  losses: (LossCase & {
    loss: string
    value: number
    norms: Record<string, number>
    classifier: number[]
    negatives?: string[][]
  })[]
  training: (LossCase & {
    losses: number[]
    pairs: Pair[]
    predictions: number[]
    arguments: { weight_decay?: number }
  })[]
}
const golden = JSON.parse(readFileSync(join(GOLDEN, 'cross-encoder-training.json'), 'utf8')) as Golden

function lossOf(name: string, options: object): CrossEncoderLoss {
  return new (losses as unknown as Record<string, new (options: object) => CrossEncoderLoss>)[name]!(options)
}

async function modelOf(t: ExecutionContext, numLabels: number): Promise<CrossEncoder> {
  const folder = join(await temporaryFolder(t), 'model')
  await cp(join(GOLDEN, 'cross-encoder', numLabels === 1 ? 'one' : 'three'), folder, { recursive: true })
  const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'))
  Object.assign(config, { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 })
  await writeFile(join(folder, 'config.json'), JSON.stringify(config))
  return CrossEncoder.load(folder)
}

/** The batch of a case; with the negatives that Python drew in place of those that are drawn here. */
async function batchOf(
  model: CrossEncoder,
  loss: CrossEncoderLoss,
  entry: Golden['losses'][number],
): Promise<PackedBatch> {
  const tokenize = (first: readonly string[], second: readonly string[]) =>
    model.pairTokenizer.encode(first, second, model.maxLength)
  const dataset = Dataset.fromColumns(entry.data)
  checkPairData(dataset, loss, 'trainDataset', model.numLabels)
  const rows = Int32Array.from({ length: dataset.length }, (_, i) => i)
  if (!entry.negatives)
    return new CrossEncoderBatchMaker({ loss, tokenize, seed: 1 }).make({ dataset, rows }, { epoch: 0, index: 0 })
  const [queries, positives, ...hard] = dataset.textColumns.map((name) => dataset.texts(name))
  const columns = [positives!, ...entry.negatives, ...hard]
  const first = columns.flatMap(() => queries!)
  return { ...(await tokenize(first, columns.flat())), columns: columns.length }
}

const engineName = (name: string) => `0.${name.replace(/^bert\./, '')}`

for (const [i, entry] of golden.losses.entries()) {
  const title = `${entry.loss} ${i} ${JSON.stringify(entry.options)}`
  test(`value and gradients are those of sentence-transformers: ${title}`, async (t) => {
    await using model = await modelOf(t, entry.numLabels)
    const loss = lossOf(entry.loss, entry.options)
    const trainer = new addon.Trainer(model.encoder, trainerSpec(loss.spec(model.numLabels, model.config)))
    const batch = await batchOf(model, loss, entry)
    const chunks = loss.caching?.miniBatchSize === undefined ? {} : { miniBatchRows: loss.caching.miniBatchSize }
    const step = (await trainer.step(batch, { lr: 0, update: false, report: true, ...chunks }))!
    const allowed = 1e-5 * Math.max(1, Math.abs(entry.value))
    const value = Math.abs(step.loss - entry.value) / allowed
    t.true(value <= 1, `${step.loss}, expected ${entry.value}`)
    report(SECTION, entry.loss, { part: 'value', deviation: value * 1e-5, allowed: 1e-5 })
    const found = await gradients(trainer)
    const total = norm(Object.values(entry.norms)) || 1
    t.deepEqual([...found.keys()].sort(), Object.keys(entry.norms).map(engineName).sort())
    let worst = 0
    for (const [name, size] of Object.entries(entry.norms)) {
      const off = Math.abs(norm(found.get(engineName(name))!) - size)
      const allowed = 1e-4 * size + 1e-6 * total
      t.true(off <= allowed, `${name}: off by ${off} of ${size}`)
      worst = Math.max(worst, off / allowed)
    }
    const off = distance(found.get('0.classifier.weight')!, entry.classifier)
    const classifierAllowed = 1e-4 * norm(entry.classifier) + 1e-6 * total
    t.true(off <= classifierAllowed, `classifier: off by ${off}`)
    worst = Math.max(worst, off / classifierAllowed)
    report(SECTION, entry.loss, { part: 'gradient', deviation: worst * 1e-4, allowed: 1e-4 })
    await trainer.dispose()
  })
}

for (const [i, entry] of golden.training.entries()) {
  test(`20 steps are those of CrossEncoderTrainer: ${i} ${entry.loss ?? 'default loss'}`, async (t) => {
    await using model = await modelOf(t, entry.numLabels)
    const found: number[] = []
    const trainer = new CrossEncoderTrainer({
      model,
      trainDataset: Dataset.fromColumns(entry.data),
      ...(entry.loss && { loss: lossOf(entry.loss, entry.options) }),
      args: {
        outputDir: await temporaryFolder(t),
        maxSteps: 20,
        perDeviceTrainBatchSize: 4,
        learningRate: 2e-3,
        warmupSteps: 3,
        weightDecay: entry.arguments.weight_decay ?? 0,
        saveStrategy: 'no',
        loggingSteps: 1,
        batchSampler: (dataset, { batchSize }) => ({
          length: Math.ceil(dataset.length / batchSize),
          async *batches() {
            for (let start = 0; start < dataset.length; start += batchSize) {
              const size = Math.min(batchSize, dataset.length - start)
              yield Int32Array.from({ length: size }, (_, row) => start + row)
            }
          },
        }),
      },
      progress: false,
      callbacks: [
        {
          onLog: ({ loss }) => {
            if (typeof loss === 'number') found.push(loss)
          },
        },
      ],
    })
    const bias = (await dump(model.encoder, (name) => name === '0.classifier.bias')).get('0.classifier.bias')!
    await trainer.train()
    t.is(found.length, 20)
    const worst = Math.max(...found.map((value, step) => Math.abs(value / entry.losses[step]! - 1)))
    t.log(`largest relative deviation of a loss: ${worst.toExponential(1)}`)
    t.true(worst < 1e-4, `${worst}: ${found}, expected ${entry.losses}`)
    const { data } = await model.predict(entry.pairs)
    const off = maxDifference(data, entry.predictions)
    const allowed = 2e-4
    t.true(off < allowed, `predictions are off by ${off}`)
    // Losses of differences of scores give the classifier's bias no gradient, not even by rounding.
    const after = (await dump(model.encoder, (name) => name === '0.classifier.bias')).get('0.classifier.bias')!
    const still = entry.loss === 'MarginMSELoss' || entry.loss === 'LambdaLoss'
    t.is(Buffer.from(after.buffer).equals(Buffer.from(bias.buffer)), still, `bias ${bias} became ${after}`)
    report(SECTION, 'CrossEncoderTrainer', { part: 'losses of 20 steps', deviation: worst, allowed: 1e-4 })
    report(SECTION, 'CrossEncoderTrainer', { part: 'predictions after them', deviation: off, allowed })
  })
}
