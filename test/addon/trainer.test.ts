import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import {
  Dataset,
  evaluation,
  losses,
  SentenceTransformer,
  SentenceTransformerTrainer,
  type SentenceTransformerTrainerOptions,
  type TrainingAbortedError,
} from '../../lib/index.js'
import { loadAddon } from '../../lib/native/load.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'
import { tinyEncoder, tinySpec, tinyTrainerSpec } from '../helpers/tiny-model.js'

const folder = await tinyFolder(mkdtempSync(join(tmpdir(), 'sentence-torch-')))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))
const load = () => SentenceTransformer.load(folder)

/** A pair says the same; what is to be learned is that the word counts, not the one before it. */
const words = tinyWords.slice(0, 24)
const anchor = words.map((word) => `the ${word}`)
const positive = words.map((word) => `a ${word}`)
const negative = words.map((_, i) => positive[(i + 7) % positive.length]!)
const ranking = Dataset.fromColumns({ anchor, positive })
const graded = Dataset.fromColumns({
  sentence1: [...anchor, ...anchor],
  sentence2: [...positive, ...negative],
  score: [...anchor.map(() => 1), ...anchor.map(() => 0)],
})
const classes = Dataset.fromColumns({
  sentence1: [...anchor, ...anchor],
  sentence2: [...positive, ...negative],
  label: [...anchor.map(() => 1), ...anchor.map(() => 0)],
})

const quiet = {
  perDeviceTrainBatchSize: 8,
  learningRate: 5e-3,
  lrSchedulerType: 'constant',
  loggingSteps: 10,
  maxSteps: 60,
  saveStrategy: 'no',
} as const

type Given = Partial<SentenceTransformerTrainerOptions>

/** A trainer, and the losses that it logs. */
function trainerOf(model: SentenceTransformer, { args, callbacks = [], ...rest }: Given) {
  const logged: number[] = []
  const trainer = new SentenceTransformerTrainer({
    model,
    trainDataset: ranking,
    loss: new losses.MultipleNegativesRankingLoss(),
    progress: false,
    args: { ...quiet, ...args },
    callbacks: [...callbacks, { onLog: (record) => void (record.loss !== undefined && logged.push(record.loss)) }],
    ...rest,
  })
  return { trainer, logged }
}

async function vectors(model: SentenceTransformer): Promise<number[]> {
  return [...(await model.encode(anchor)).data]
}

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const dot = (x: ArrayLike<number>, y: ArrayLike<number>) => Array.from(x, (v, i) => v * y[i]!).reduce((p, q) => p + q)
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}

const cases: [string, Given][] = [
  ['MultipleNegativesRankingLoss', {}],
  [
    'MultipleNegativesRankingLoss with dot products',
    { loss: new losses.MultipleNegativesRankingLoss({ scale: 1, similarityFct: 'dot_score' }) },
  ],
  ['hard negatives', { trainDataset: Dataset.fromColumns({ anchor, positive, negative }) }],
  ['CoSENTLoss', { loss: new losses.CoSENTLoss(), trainDataset: graded }],
  ['CosineSimilarityLoss', { loss: new losses.CosineSimilarityLoss(), trainDataset: graded }],
  ['SoftmaxLoss', { loss: new losses.SoftmaxLoss({ numLabels: 2 }), trainDataset: classes }],
  ['gradient accumulation', { args: { gradientAccumulationSteps: 2 } }],
  [
    'no duplicates, weight decay, cosine schedule',
    {
      args: { batchSampler: 'no_duplicates', weightDecay: 0.01, lrSchedulerType: 'cosine', warmupSteps: 0.1 },
    },
  ],
]
for (const [name, given] of cases) {
  test(`${name}: the loss falls`, async (t) => {
    await using model = await load()
    const before = await vectors(model)
    const { trainer, logged } = trainerOf(model, given)
    const { globalStep, trainingLoss, metrics, skippedSteps } = await trainer.train()
    t.is(globalStep, 60)
    t.is(skippedSteps, 0)
    t.is(logged.length, 6)
    t.true(logged.at(-1)! < 0.5 * logged[0]!, logged.join(', '))
    t.true(Math.abs(trainingLoss - logged.reduce((sum, loss) => sum + loss) / logged.length) < 1e-5)
    t.true(metrics.trainRuntime > 0 && metrics.trainStepsPerSecond > 0)
    t.notDeepEqual(await vectors(model), before)
  })
}

test('bf16: true computes in bfloat16 while training, and only then', async (t) => {
  const args = { maxSteps: 20 }
  await using plain = await load()
  await trainerOf(plain, { args }).trainer.train()

  await using model = await load()
  const before = await model.encode(anchor[0]!)
  const untrained = await vectors(model)
  const warnings: string[] = []
  const listen = (warning: Error) => void (/bf16/.test(warning.message) && warnings.push(warning.name))
  process.on('warning', listen)
  let during: Float32Array | undefined
  const { trainer, logged } = trainerOf(model, {
    args: { ...args, bf16: true, learningRate: 0 },
    callbacks: [
      {
        async onStepEnd() {
          during = await model.encode(anchor[0]!)
        },
      },
    ],
  })
  await trainer.train()
  process.off('warning', listen)
  t.deepEqual(warnings, loadAddon().runtime().fastDTypes.includes('bfloat16') ? [] : ['SentenceTorchWarning'])
  t.true(logged.length > 0)
  // At learning rate 0 the weights stay as they are: what differs is the number type.
  t.notDeepEqual(during, before)
  t.true(cosine(during!, before) > 0.999, `${cosine(during!, before)}`)
  t.deepEqual(await model.encode(anchor[0]!), before)

  const { trainer: second } = trainerOf(model, { args: { ...args, bf16: true } })
  await second.train()
  const [found, expected] = [await vectors(model), await vectors(plain)]
  t.true(found.every(Number.isFinite))
  t.notDeepEqual(found, expected)
  t.true(cosine(found, expected) > 0.99, `${cosine(found, expected)}`)
  t.true(cosine(untrained, expected) < 0.99, 'training moves further than the number type')
})

test('a float64 encoder does not train in bfloat16', async (t) => {
  const addon = loadAddon()
  const encoder = await tinyEncoder(addon, tinySpec({}, { dtype: 'float64' }))
  t.throws(() => new addon.Trainer(encoder, { ...tinyTrainerSpec(), precision: 'bfloat16' }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /float64 encoder cannot train in bfloat16/,
  })
  await encoder.dispose()
})

test('a model that was loaded in bfloat16 is trained in it, with bf16 or without', async (t) => {
  const train = async (bf16: boolean) => {
    await using model = await SentenceTransformer.load(folder, { dtype: 'bfloat16' })
    const { trainer, logged } = trainerOf(model, { args: { bf16 } })
    await trainer.train()
    t.true(logged.at(-1)! < 0.5 * logged[0]!, logged.join(', '))
    t.is(model.dtype, 'bfloat16')
    return await vectors(model)
  }
  t.deepEqual(await train(true), await train(false))
})

test('steps without a finite gradient change nothing and are counted', async (t) => {
  await using model = await load()
  const before = await vectors(model)
  // The square of such a label is beyond float32.
  const trainDataset = Dataset.fromColumns({ a: anchor, b: positive, score: anchor.map(() => 1e38) })
  const records: Readonly<Record<string, number>>[] = []
  const { trainer } = trainerOf(model, {
    trainDataset,
    loss: new losses.CosineSimilarityLoss(),
    args: { maxSteps: 4, loggingSteps: 2 },
    callbacks: [{ onLog: (record) => void records.push(record) }],
  })
  const { globalStep, skippedSteps } = await trainer.train()
  t.is(globalStep, 4)
  t.is(skippedSteps, 4)
  t.is(records[0]!.skipped_steps, 2)
  t.deepEqual(await vectors(model), before)
})

test('equal seeds give equal weights, other seeds others', async (t) => {
  const run = async (seed: number) => {
    await using model = await load()
    await trainerOf(model, { args: { maxSteps: 5, seed } }).trainer.train()
    return await vectors(model)
  }
  const first = await run(1)
  t.deepEqual(await run(1), first)
  t.notDeepEqual(await run(2), first)
})

test('learning rate 0 leaves the model as it is', async (t) => {
  await using model = await load()
  const before = await vectors(model)
  await trainerOf(model, { args: { maxSteps: 3, learningRate: 0, weightDecay: 0.1 } }).trainer.train()
  t.deepEqual(await vectors(model), before)
})

test('evaluation while training: loss, evaluator, CSV file; the events in order', async (t) => {
  await using model = await load()
  const outputDir = await temporaryFolder(t)
  const events: string[] = []
  const records: Record<string, number>[] = []
  const { trainer } = trainerOf(model, {
    trainDataset: graded,
    evalDataset: graded,
    loss: new losses.CoSENTLoss(),
    evaluator: new evaluation.EmbeddingSimilarityEvaluator({
      sentences1: [...anchor, ...anchor],
      sentences2: [...positive, ...negative],
      scores: graded.labels() as number[],
      name: 'dev',
    }),
    args: { outputDir, maxSteps: 10, evalStrategy: 'steps', evalSteps: 5, loggingSteps: 5 },
    callbacks: [
      {
        onTrainBegin: () => void events.push('begin'),
        onLog: (_, { state }) => void events.push(`log ${state.globalStep}`),
        onEvaluate(metrics, { state }) {
          events.push(`evaluate ${state.globalStep}`)
          records.push(metrics)
        },
        onTrainEnd: () => void events.push('end'),
      },
    ],
  })
  await trainer.train()
  const block = (step: number) => [`log ${step}`, `log ${step}`, `evaluate ${step}`]
  t.deepEqual(events, ['begin', ...block(5), ...block(10), 'log 10', 'end'])
  t.deepEqual(Object.keys(records[0]!).slice(0, 3), [
    'eval_loss',
    'eval_dev_pearson_cosine',
    'eval_dev_spearman_cosine',
  ])
  t.true(records[1]!.eval_loss! < records[0]!.eval_loss!)
  t.true(records[1]!.eval_dev_spearman_cosine! > records[0]!.eval_dev_spearman_cosine!)

  const csv = readFileSync(join(outputDir, 'eval', 'similarity_evaluation_dev_results.csv'), 'utf8')
    .trimEnd()
    .split('\r\n')
  t.is(csv.length, 3)
  t.is(csv[0], 'epoch,steps,cosine_pearson,cosine_spearman')
  t.is(Number(csv[2]!.split(',')[1]), 10)
  t.is(Number(csv[2]!.split(',')[3]), records[1]!.eval_dev_spearman_cosine!)
})

test('checkpoints are models that can be loaded', async (t) => {
  await using model = await load()
  const outputDir = await temporaryFolder(t)
  await trainerOf(model, { args: { outputDir, maxSteps: 5, saveStrategy: 'steps', saveSteps: 3 } }).trainer.train()
  t.deepEqual(readdirSync(outputDir).sort(), ['checkpoint-3', 'checkpoint-5'])
  await using last = await SentenceTransformer.load(join(outputDir, 'checkpoint-5'))
  t.deepEqual(await vectors(last), await vectors(model))
  await using earlier = await SentenceTransformer.load(join(outputDir, 'checkpoint-3'))
  t.notDeepEqual(await vectors(earlier), await vectors(model))
  const state = JSON.parse(readFileSync(join(outputDir, 'checkpoint-3', 'trainer_state.json'), 'utf8'))
  t.is(state.global_step, 3)
})

test('a loss that owns parameters: they are in the result and in checkpoints, and training starts from them', async (t) => {
  await using model = await load()
  const outputDir = await temporaryFolder(t)
  const loss = new losses.SoftmaxLoss({ numLabels: 2 })
  const given = { loss, trainDataset: classes } as const
  const train = (args: object, more: Given = {}) => trainerOf(model, { ...given, ...more, args }).trainer.train()

  const { lossTensors } = await train({ outputDir, saveStrategy: 'steps', saveSteps: 30 })
  t.deepEqual(Object.keys(lossTensors).sort(), ['classifier.bias', 'classifier.weight'])
  const weight = lossTensors['classifier.weight']!
  t.deepEqual([weight.shape, lossTensors['classifier.bias']!.shape], [[2, 96], [2]])
  t.true(weight.data.length === 192 && weight.data.every(Number.isFinite) && weight.data.some((value) => value !== 0))

  // At learning rate 0 they come back bit for bit: from the result, and from the file.
  const still = { maxSteps: 1, learningRate: 0 }
  t.deepEqual((await train(still, { lossTensors })).lossTensors, lossTensors)
  const file = join(outputDir, 'checkpoint-60', 'loss.safetensors')
  t.deepEqual((await train(still, { lossTensors: file })).lossTensors, lossTensors)
  const earlier = await train(still, { lossTensors: join(outputDir, 'checkpoint-30', 'loss.safetensors') })
  t.notDeepEqual(earlier.lossTensors, lossTensors)
  // Without, they are the seed's.
  const fresh = await train(still)
  t.deepEqual((await train(still)).lossTensors, fresh.lossTensors)
  t.notDeepEqual((await train({ ...still, seed: 7 })).lossTensors, fresh.lossTensors)

  // A classifier that is trained already starts with a smaller loss, on the model that it belongs to.
  const first = async (more: Given) => (await train({ ...still, perDeviceTrainBatchSize: 48 }, more)).trainingLoss
  const [continued, anew] = [await first({ lossTensors }), await first({})]
  t.true(continued < 0.5 * anew, `${continued}, ${anew}`)

  const bias = lossTensors['classifier.bias']!
  await t.throwsAsync(train(still, { lossTensors: { 'classifier.bias': bias } }), {
    code: 'ERR_INVALID_TENSORS',
    message: /classifier\.weight is missing/,
  })
  await t.throwsAsync(train(still, { lossTensors, loss: new losses.SoftmaxLoss({ numLabels: 3 }) }), {
    code: 'ERR_INVALID_TENSORS',
    message: /expected \[3,96\]/,
  })
  await t.throwsAsync(train(still, { lossTensors: join(outputDir, 'nowhere') }), { code: 'ERR_NOT_FOUND' })
  t.throws(() => trainerOf(model, { ...given, lossTensors: { a: [1] } as never }), { message: /lossTensors\.a/ })
  t.throws(() => trainerOf(model, { ...given, lossTensors: 3 as never }), { code: 'ERR_INVALID_ARGUMENT' })
  t.deepEqual((await trainerOf(model, { args: still }).trainer.train()).lossTensors, {})
})

test('an aborted training leaves the parameters of the loss', async (t) => {
  await using model = await load()
  const controller = new AbortController()
  const given = { loss: new losses.SoftmaxLoss({ numLabels: 2 }), trainDataset: classes } as const
  const { trainer } = trainerOf(model, { ...given, callbacks: [{ onStepEnd: () => controller.abort() }] })
  const error = await t.throwsAsync<TrainingAbortedError>(trainer.train({ signal: controller.signal }), {
    name: 'AbortError',
  })
  const { lossTensors } = error!.result
  t.deepEqual(lossTensors['classifier.weight']!.shape, [2, 96])
  const again = trainerOf(model, { ...given, lossTensors, args: { maxSteps: 1, learningRate: 0 } })
  t.deepEqual((await again.trainer.train()).lossTensors, lossTensors)
})

test('abort in the middle: the model stays usable and can be trained again', async (t) => {
  await using model = await load()
  const controller = new AbortController()
  const { trainer } = trainerOf(model, {
    args: { maxSteps: 1000 },
    callbacks: [{ onStepEnd: ({ state }) => void (state.globalStep === 7 && controller.abort()) }],
  })
  const error = await t.throwsAsync<TrainingAbortedError>(trainer.train({ signal: controller.signal }), {
    name: 'AbortError',
    code: 'ERR_ABORTED',
  })
  const { result } = error!
  t.true(result.globalStep >= 7 && result.globalStep <= 8, `${result.globalStep}`)
  t.true(Number.isFinite(result.trainingLoss))

  const after = await vectors(model)
  t.true(after.every(Number.isFinite))
  t.deepEqual(await vectors(model), after)
  t.is((await trainerOf(model, { args: { maxSteps: 3 } }).trainer.train()).globalStep, 3)
})

test('texts can be encoded while the model is trained', async (t) => {
  await using model = await load()
  const training = trainerOf(model, {}).trainer.train()
  const { shape } = await model.encode(anchor)
  t.deepEqual(shape, [anchor.length, 32])
  t.is((await training).globalStep, 60)
})

test('two trainers on one model', async (t) => {
  await using model = await load()
  const first = trainerOf(model, {}).trainer.train()
  await t.throwsAsync(trainerOf(model, {}).trainer.train(), { code: 'ERR_BUSY' })
  t.is((await first).globalStep, 60)
  t.is((await trainerOf(model, { args: { maxSteps: 1 } }).trainer.train()).globalStep, 1)
})

test('a disposed model', async (t) => {
  const model = await load()
  const { trainer } = trainerOf(model, {})
  await model.dispose()
  await t.throwsAsync(trainer.train(), { code: 'ERR_DISPOSED' })
})

test('empty texts train too', async (t) => {
  await using model = await load()
  const trainDataset = Dataset.fromColumns({ a: ['', ' ', 'the cat', ''], b: ['', 'a dog', ' ', 'one'] })
  const { globalStep, trainingLoss } = await trainerOf(model, { trainDataset, args: { maxSteps: 2 } }).trainer.train()
  t.is(globalStep, 2)
  t.true(Number.isFinite(trainingLoss))
})

test('bad data and arguments are refused before anything runs', async (t) => {
  await using model = await load()
  const refused = (given: Given, code: string, message: RegExp) =>
    t.throws(() => trainerOf(model, given), { code, message })
  const loss = new losses.SoftmaxLoss({ numLabels: 2 })
  refused({ trainDataset: Dataset.fromRows([]) }, 'ERR_INVALID_DATA', /at least one row in trainDataset/)
  refused({ trainDataset: Dataset.fromColumns({ a: ['x'] }) }, 'ERR_INVALID_DATA', /at least 2 text columns/)
  refused({ trainDataset: ranking, loss: undefined }, 'ERR_INVALID_DATA', /CoSENTLoss needs a label column/)
  refused({ trainDataset: graded.select([0, 1]), evalDataset: ranking, loss }, 'ERR_INVALID_DATA', /evalDataset/)
  refused(
    { trainDataset: Dataset.fromColumns({ a: ['x', 'y'], b: ['x', 'y'], label: [0, 2] }), loss },
    'ERR_INVALID_DATA',
    /from 0 to 1 in row 1/,
  )
  refused({ args: { evalStrategy: 'epoch' } }, 'ERR_INVALID_ARGUMENT', /neither an evalDataset nor an evaluator/)
  refused({ args: { torchCompile: true } as never }, 'ERR_NOT_IMPLEMENTED', /torchCompile/)
  refused({ model: {} as never }, 'ERR_INVALID_ARGUMENT', /SentenceTransformer/)
  refused({ computeMetrics: () => {} } as never, 'ERR_NOT_IMPLEMENTED', /computeMetrics/)
  refused({ traindataset: ranking } as never, 'ERR_UNKNOWN_OPTION', /trainDataset/)
})

test.serial('what is left aside is told as a warning', async (t) => {
  await using model = await load()
  const warnings: string[] = []
  const listen = (warning: Error) => void (warning.name === 'SentenceTorchWarning' && warnings.push(warning.message))
  process.on('warning', listen)
  trainerOf(model, { trainDataset: graded })
  const evaluating = trainerOf(model, { evalDataset: ranking, args: { maxSteps: 1, saveStrategy: 'no' } })
  await evaluating.trainer.train()
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', listen)
  t.is(warnings.length, 2)
  t.regex(warnings[0]!, /uses no labels: the column score/)
  t.regex(warnings[1]!, /evalStrategy is 'no'/)
})
