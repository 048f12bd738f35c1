// Arguments whose effect only the engine shows.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import {
  DataStream,
  Dataset,
  losses,
  SentenceTransformer,
  SentenceTransformerTrainer,
  type SentenceTransformerTrainerOptions,
  type TrainingArguments,
} from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const folder = await tinyFolder(mkdtempSync(join(tmpdir(), 'sentence-torch-')))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))

const words = tinyWords.slice(0, 24)
const anchor = words.map((word) => `the ${word}`)
const positive = words.map((word, i) => `a ${word} ${words[(i * 5) % words.length]}`)
const ranking = Dataset.fromColumns({ anchor, positive })
const classes = Dataset.fromColumns({ anchor, positive, label: words.map((_, i) => i % 3) })
const mnr = () => new losses.MultipleNegativesRankingLoss()

type Given = Partial<SentenceTransformerTrainerOptions> & { steps?: number }

async function train({ args, steps = 4, ...given }: Given) {
  await using model = await SentenceTransformer.load(folder)
  const before = await weights(model)
  const records: Readonly<Record<string, number>>[] = []
  const trainer = new SentenceTransformerTrainer({
    model,
    trainDataset: ranking,
    loss: mnr(),
    progress: false,
    ...given,
    callbacks: [{ onLog: (record) => void records.push(record) }, ...(given.callbacks ?? [])],
    args: {
      ...{ maxSteps: steps, learningRate: 1e-2, lrSchedulerType: 'constant', loggingSteps: 1, saveStrategy: 'no' },
      ...args,
    },
  })
  const result = await trainer.train()
  const after = await weights(model)
  const changed = [...after.keys()].filter((name) => String(after.get(name)) !== String(before.get(name)))
  return { records, result, after, changed, losses: records.flatMap(({ loss }) => loss ?? []) }
}

async function weights(model: SentenceTransformer): Promise<Map<string, Float32Array>> {
  const all = new Map<string, Float32Array>()
  for (const { name, shape } of model.encoder.tensors()) {
    const data = new Float32Array(shape.reduce((product, n) => product * n, 1))
    await model.encoder.dump([{ name, start: 0, dtype: 'F32', data: new Uint8Array(data.buffer) }])
    all.set(name, data)
  }
  return all
}

function distance(a: Map<string, Float32Array>, b: Map<string, Float32Array>): number {
  let most = 0
  for (const [name, values] of a)
    for (const [i, value] of values.entries()) most = Math.max(most, Math.abs(value - b.get(name)![i]!))
  return most
}

test('freeze: what the patterns find stays as it is, all else moves', async (t) => {
  const { changed } = await train({ args: { freeze: ['embeddings', /layer\.0\./], weightDecay: 0.1 } })
  t.true(changed.length > 0)
  t.deepEqual(
    changed.filter((name) => /embeddings|layer\.0\./.test(name)),
    [],
  )
})

test('learningRateMapping: rate 0 for all but one layer', async (t) => {
  const mapping = { '.': 0, 'layer\\.1\\.output\\.dense': 1e-2 }
  const { changed, records } = await train({ args: { learningRateMapping: mapping } })
  t.deepEqual(changed.sort(), ['0.encoder.layer.1.output.dense.bias', '0.encoder.layer.1.output.dense.weight'])
  t.is(records[0]!.learning_rate, 1e-2, 'the log has the rate of the first group, as there')
})

test('the parameters of a loss have names too', async (t) => {
  const loss = new losses.SoftmaxLoss({ numLabels: 3 })
  const given = { loss, trainDataset: classes }
  const frozen = await train({ ...given, args: { freeze: ['^classifier'] } })
  const still = await train({ ...given, args: { learningRate: 0 } })
  t.deepEqual(frozen.result.lossTensors, still.result.lossTensors)
  const trained = await train(given)
  t.notDeepEqual(trained.result.lossTensors, still.result.lossTensors)
})

test('optimisers: each trains, none like another', async (t) => {
  const rates = { adamw_torch: 1e-3, sgd: 0.05, rmsprop: 1e-4 } as const
  const found = []
  for (const optim of ['adamw_torch', 'sgd', 'rmsprop'] as const) {
    found.push(await train({ steps: 30, args: { optim, learningRate: rates[optim] } }))
  }
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value) / values.length
  for (const { losses: all } of found) t.true(mean(all.slice(-6)) < mean(all.slice(0, 6)), all.join(' '))
  t.true(distance(found[0]!.after, found[1]!.after) > 1e-4)
  t.true(distance(found[0]!.after, found[2]!.after) > 1e-4)
  const fused = await train({ steps: 30, args: { optim: 'adamw_torch_fused', learningRate: rates.adamw_torch } })
  t.is(distance(found[0]!.after, fused.after), 0)
})

test('memory savers change nothing but rounding', async (t) => {
  const args: Partial<TrainingArguments>[] = [
    ...[
      { gradientCheckpointing: true },
      { activationCheckpointing: true },
      { miniBatchSize: 5 },
      { miniBatchTokens: 30 },
      { miniBatchSize: 'auto' as const },
    ],
  ]
  const plain = await train({ args: { perDeviceTrainBatchSize: 12 } })
  for (const more of args) {
    const { after, losses: found } = await train({ args: { perDeviceTrainBatchSize: 12, ...more } })
    const apart = found.map((loss, i) => Math.abs(loss - plain.losses[i]!))
    t.true(Math.max(...apart) < 1e-4, `${JSON.stringify(more)} ${apart}`)
    // Adam turns rounding of tiny gradients into whole steps: most weights, not all, are alike.
    t.true(distance(after, plain.after) < 4 * 1e-2 + 1e-6)
  }
})

test('datasetWeights: weight 0 trains nothing of a dataset, the log has its loss all the same', async (t) => {
  const data = {
    trainDataset: { a: ranking, b: classes },
    loss: { a: mnr(), b: new losses.SoftmaxLoss({ numLabels: 3 }) },
  }
  const weightless = await train({ ...data, args: { datasetWeights: { a: 0, b: 0 }, weightDecay: 0 } })
  t.deepEqual(weightless.changed, [])
  t.true(weightless.losses.every((loss) => loss > 0))
  t.true((await train({ ...data, args: { datasetWeights: { b: 0.5 } } })).changed.length > 0)
})

test('several datasets and streams, with evaluation by dataset', async (t) => {
  const stream = DataStream.from(() => anchor.map((text, i) => ({ a: text, b: positive[i]! })), { length: 24 })
  const { records, result } = await train({
    trainDataset: { one: ranking, two: stream },
    evalDataset: { one: ranking, two: stream },
    evaluator: { evaluate: async () => ({ metrics: { dev_x: 1 }, primaryMetric: 'dev_x' }) },
    args: { maxSteps: -1, numTrainEpochs: 2, evalStrategy: 'epoch', multiDatasetBatchSampler: 'round_robin' },
  })
  t.is(result.globalStep, 12)
  const evaluations = records.filter((record) => Object.keys(record).some((key) => key.startsWith('eval_')))
  t.is(evaluations.length, 4)
  t.true(evaluations[0]!.eval_one_loss! > 0 && evaluations[0]!.eval_dev_x === 1)
  t.true(evaluations[1]!.eval_two_loss! > 0 && evaluations[1]!.eval_dev_x === undefined)
})

test('a stream without a length needs maxSteps; its rows are checked as they come', async (t) => {
  const stream = (rows: object[]) => DataStream.from(() => rows as Record<string, unknown>[])
  const good = stream(anchor.map((text, i) => ({ a: text, b: positive[i]! })))
  await t.throwsAsync(train({ trainDataset: good, args: { maxSteps: -1 } }), { message: /maxSteps/ })
  t.is((await train({ trainDataset: good, steps: 7 })).result.globalStep, 7)
  const one = stream(anchor.map((text) => ({ a: text })))
  await t.throwsAsync(train({ trainDataset: one }), { code: 'ERR_INVALID_DATA', message: /at least 2 text columns/ })
})

test('columns are looked at before the first step, those of streams with their first batch, once', async (t) => {
  const heard: string[] = []
  const onWarning = ({ code, message }: { code: string; message: string }) => void heard.push(`${code} ${message}`)
  const ids = positive.map((_, i) => `${i}`)
  const rows = anchor.map((text, i) => ({ text, doc_id: ids[i]! }))
  const stream = DataStream.from(() => rows, { length: 24 })
  await train({
    trainDataset: { one: Dataset.fromColumns({ positive, anchor }), two: stream },
    evalDataset: { two: stream, three: DataStream.from(() => rows, { length: 24, columns: ['doc_id', 'text'] }) },
    args: { maxSteps: -1, numTrainEpochs: 2, evalStrategy: 'epoch' },
    callbacks: [{ onWarning }],
  })
  const found = heard.filter((text) => /WARN_(COLUMN|ID)/.test(text)).map((text) => text.slice(0, 80))
  t.is(found.length, 5, heard.join('\n'))
  t.regex(found[0]!, /^WARN_COLUMN_ORDER The columns of trainDataset\.one are positive/)
  for (const which of ['trainDataset.two', 'evalDataset.two', 'evalDataset.three']) {
    t.true(
      heard.some((text) => text.startsWith(`WARN_ID_COLUMN Column "doc_id" of ${which} `)),
      which,
    )
  }
  t.true(heard.some((text) => text.startsWith('WARN_COLUMN_ORDER The columns of evalDataset.three are doc_id, text')))
})

test('prompts change what is trained', async (t) => {
  const plain = await train({})
  t.notDeepEqual((await train({ args: { prompts: { anchor: 'one ' } } })).losses, plain.losses)
  t.notDeepEqual((await train({ args: { maxSeqLength: { anchor: 3 } } })).losses, plain.losses)
})

test('names that no column or dataset has are refused, of a stream with its first batch', async (t) => {
  const refused = (given: Given, message: RegExp) =>
    t.throwsAsync(train(given), { code: 'ERR_INVALID_ARGUMENT', message })
  await refused({ args: { prompts: { ancor: 'one ' } } }, /prompts names the column "ancor".*did you mean anchor\?/)
  await refused({ args: { maxSeqLength: { ancor: 3 } } }, /maxSeqLength names the column "ancor"/)
  await refused({ args: { datasetWeights: { z: 2 } } }, /datasetWeights names the dataset "z"/)
  const stream = DataStream.from(() => anchor.map((text, i) => ({ anchor: text, positive: positive[i]! })))
  await refused({ trainDataset: stream, args: { prompts: { ancor: 'one ' } } }, /did you mean anchor\?/)
  const evalDataset = DataStream.from(() => anchor.map((text, i) => ({ a: text, b: positive[i]! })))
  const evaluated = { evalStrategy: 'steps', evalSteps: 2 } as const
  await refused({ evalDataset, args: { ...evaluated, maxSeqLength: { c: 3 } } }, /there are anchor, positive, a, b/)
  t.is((await train({ evalDataset, args: { ...evaluated, maxSeqLength: { b: 3 } } })).result.globalStep, 4)
  const loss = { a: mnr(), c: mnr() }
  await refused({ trainDataset: { a: ranking }, loss }, /loss names the dataset "c", but there is a/)
})

test('batch samplers by dataset serve the evaluation too', async (t) => {
  const evaluated = { evalStrategy: 'steps', evalSteps: 2 } as const
  const batchSampler = { a: 'no_duplicates', b: 'sequential' } as const
  const by = { a: ranking, b: ranking }
  const { records } = await train({ trainDataset: by, evalDataset: by, args: { ...evaluated, batchSampler } })
  t.is(records.filter(({ eval_b_loss }) => eval_b_loss! > 0).length, 2)
  const one = await train({ trainDataset: by, evalDataset: ranking, args: { ...evaluated, batchSampler } })
  t.is(one.records.filter(({ eval_loss }) => eval_loss! > 0).length, 2)
})

test("a loss that was given a model is the trainer's", async (t) => {
  await using model = await SentenceTransformer.load(folder)
  await using other = await SentenceTransformer.load(folder)
  const make = (loss: losses.Loss) =>
    new SentenceTransformerTrainer({ model, trainDataset: ranking, loss, progress: false, args: { maxSteps: 1 } })
  const loss = new losses.MultipleNegativesRankingLoss(model, { scale: 5 })
  t.is(loss.scale, 5)
  t.notThrows(() => make(new losses.MatryoshkaLoss(model, loss, { matryoshkaDims: [32, 8] })))
  for (const wrong of [
    new losses.CoSENTLoss(other),
    new losses.MatryoshkaLoss({ loss: new losses.TripletLoss(other), matryoshkaDims: [32] }),
  ]) {
    const message = new RegExp(`^${wrong.type} was made with another model than the trainer's`)
    t.throws(() => make(wrong), { code: 'ERR_INVALID_ARGUMENT', message })
  }
  const narrow = new losses.SoftmaxLoss(model, { sentenceEmbeddingDimension: 384, numLabels: 3 })
  await t.throwsAsync(train({ trainDataset: classes, loss: narrow }), { message: /another model/ })
  const unfit = new losses.SoftmaxLoss({ sentenceEmbeddingDimension: 384, numLabels: 3 })
  await t.throwsAsync(train({ trainDataset: classes, loss: unfit }), { message: /the model's width, 32,/ })
})

test('tokenizer threads and a dataSeed of its own', async (t) => {
  const plain = await train({})
  t.deepEqual((await train({ args: { dataloaderNumWorkers: 1 } })).losses, plain.losses)
  t.notDeepEqual((await train({ args: { dataSeed: 7 } })).losses, plain.losses)
  t.deepEqual((await train({ args: { dataSeed: 42 } })).losses, plain.losses)
})

test('losses by dataset that do not fit are refused', async (t) => {
  const refused = (given: Given, message: RegExp) =>
    t.throwsAsync(train(given), { code: 'ERR_INVALID_ARGUMENT', message })
  await refused({ trainDataset: { a: ranking }, loss: { b: mnr() } }, /no entry for a of trainDataset/)
  await refused({ trainDataset: ranking, loss: { b: mnr() } }, /trainDataset must be an object/)
  const by = { a: mnr() }
  const evaluated = { evalDataset: ranking, args: { evalStrategy: 'epoch' } as const }
  await refused({ trainDataset: { a: ranking }, loss: by, ...evaluated }, /evalDataset must be an object/)
})

test('saveOnlyModel and saveTotalLimit', async (t) => {
  const outputDir = await temporaryFolder(t)
  await train({ args: { outputDir, saveStrategy: 'steps', saveSteps: 1, saveTotalLimit: 2, saveOnlyModel: true } })
  t.deepEqual(readdirSync(outputDir).sort(), ['checkpoint-3', 'checkpoint-4'])
  t.false(readdirSync(join(outputDir, 'checkpoint-4')).includes('optimizer.safetensors'))
  await t.throwsAsync(train({ args: { outputDir, resumeFromCheckpoint: true } }), { message: /saveOnlyModel/ })
})
