// What tutorials call beside train(): evaluate, state, saveModel, evaluators as lists and functions.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import {
  CrossEncoder,
  CrossEncoderTrainer,
  crossEncoderLosses,
  Dataset,
  engine,
  evaluation,
  losses,
  SentenceTransformer,
  SentenceTransformerTrainer,
  type SentenceTransformerTrainerOptions,
} from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const folder = await tinyFolder(mkdtempSync(join(tmpdir(), 'sentence-torch-')))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))

const words = tinyWords.slice(0, 16)
const classes = Dataset.fromColumns({
  text1: words.map((word) => `the ${word}`),
  text2: words.map((word, i) => `a ${word} ${words[(i * 5) % words.length]}`),
  label: words.map((_, i) => i % 3),
})
const similarity = (name: string) =>
  new evaluation.EmbeddingSimilarityEvaluator({
    sentences1: classes.texts('text1'),
    sentences2: classes.texts('text2'),
    scores: words.map((_, i) => i / 16),
    name,
    writeCsv: false,
  })

async function trainer(outputDir: string, options: Partial<SentenceTransformerTrainerOptions> = {}) {
  const model = await SentenceTransformer.load(folder)
  return new SentenceTransformerTrainer({
    model,
    trainDataset: classes,
    loss: new losses.SoftmaxLoss({ numLabels: 3 }),
    progress: false,
    ...options,
    args: {
      ...{ outputDir, maxSteps: 4, learningRate: 1e-2, loggingSteps: 2, saveStrategy: 'no' as const },
      ...options.args,
    },
  })
}

test('evaluate before and after training: the loss with the parameters that training left', async (t) => {
  const heard: string[] = []
  const made = await trainer(await temporaryFolder(t), {
    evalDataset: classes,
    evaluator: similarity('dev'),
    callbacks: [{ onEvaluate: (metrics) => void heard.push(Object.keys(metrics).join()) }],
    args: { evalStrategy: 'steps', evalSteps: 4 },
  })
  const before = await made.evaluate()
  t.deepEqual([before.epoch, made.state.globalStep], [0, 0])
  t.true(Number.isFinite(before.eval_loss) && Number.isFinite(before.eval_dev_spearman_cosine))
  await made.train()
  const last = made.state.logHistory.findLast((record) => 'eval_loss' in record)!
  const after = await made.evaluate()
  t.not(after.eval_loss, before.eval_loss)
  t.deepEqual([after.eval_loss, after.eval_dev_spearman_cosine], [last.eval_loss, last.eval_dev_spearman_cosine])
  t.is(after.epoch, 2)
  t.is(heard.length, 3)
  t.is(made.state.logHistory.at(-1)!.step, 4)
  const other = await made.evaluate({ odd: classes.select([0, 2]), even: classes.select([1]) })
  t.deepEqual(
    Object.keys(other).filter((name) => name.endsWith('loss')),
    ['eval_odd_loss', 'eval_even_loss'],
  )
  await made.model.dispose()
})

test('evaluate without anything to evaluate, with a wrong dataset, and beside training', async (t) => {
  const made = await trainer(await temporaryFolder(t), {
    callbacks: [
      {
        onStepEnd: async () => {
          await t.throwsAsync(made.evaluate(classes), { code: 'ERR_BUSY' })
        },
      },
    ],
  })
  await t.throwsAsync(made.evaluate(), { code: 'ERR_INVALID_ARGUMENT', message: /evalDataset/ })
  await t.throwsAsync(made.evaluate(classes.removeColumns(['label'])), { code: 'ERR_INVALID_DATA' })
  await t.throwsAsync(made.evaluate([] as unknown as Dataset), { code: 'ERR_INVALID_ARGUMENT' })
  await made.train()
  await made.model.dispose()
})

test('two calls at once: the second is told to wait, the first goes on', async (t) => {
  const made = await trainer(await temporaryFolder(t), { evalDataset: classes })
  const busy = { code: 'ERR_BUSY', message: /wait until train of this trainer has ended/ }
  const training = made.train()
  await t.throwsAsync(made.evaluate(), busy)
  await t.throwsAsync(made.train(), busy)
  t.is((await training).globalStep, 4)
  t.true(Number.isFinite((await made.evaluate()).eval_loss))
  await made.model.dispose()
})

test('state is that of the run', async (t) => {
  const steps: number[] = []
  const made = await trainer(await temporaryFolder(t), {
    callbacks: [{ onStepEnd: () => void steps.push(made.state.globalStep) }],
  })
  t.is(made.state.globalStep, 0)
  await made.train()
  t.deepEqual(steps, [1, 2, 3, 4])
  t.is(made.state.maxSteps, 4)
  t.deepEqual(
    made.state.logHistory.map(({ step }) => step),
    [2, 4, 4],
  )
  await made.model.dispose()
})

test('saveModel and savePretrained save as save does', async (t) => {
  const outputDir = await temporaryFolder(t)
  const made = await trainer(outputDir)
  await made.train()
  const expected = await made.model.encode('the runner')
  await made.saveModel()
  await made.saveModel(join(outputDir, 'named'))
  await made.model.savePretrained(join(outputDir, 'pretrained'))
  for (const path of [outputDir, join(outputDir, 'named'), join(outputDir, 'pretrained')]) {
    await using again = await SentenceTransformer.load(path)
    t.deepEqual(await again.encode('the runner'), expected)
  }
  await made.model.dispose()
})

test('evaluators: one, several, a function; and model.evaluate', async (t) => {
  const outputDir = await temporaryFolder(t)
  const several = await trainer(outputDir, { evaluator: [similarity('a'), similarity('b')] })
  const metrics = await several.evaluate()
  t.is(metrics.eval_sequential_score, metrics.eval_b_spearman_cosine)
  t.is(metrics.eval_a_spearman_cosine, metrics.eval_b_spearman_cosine)
  const found = await several.model.evaluate(similarity('a'))
  t.is(found.a_spearman_cosine, metrics.eval_a_spearman_cosine)
  const mixed = await trainer(outputDir, { evaluator: [similarity('a'), () => ({ own: 3 })] })
  t.like(await mixed.evaluate(), { eval_own: 3, eval_sequential_score: 3 })
  const number = await trainer(outputDir, { evaluator: async (model) => (await model.encode('a')).length })
  t.is((await number.evaluate()).eval_evaluator, several.model.embeddingDimension)
  const wrong = await trainer(outputDir, { evaluator: () => 'good' as unknown as number })
  await t.throwsAsync(wrong.evaluate(), { code: 'ERR_INVALID_ARGUMENT', message: /a number/ })
  await t.throwsAsync(trainer(outputDir, { evaluator: {} as never }), { code: 'ERR_INVALID_ARGUMENT' })
  await t.throwsAsync(several.model.evaluate({} as never), { code: 'ERR_INVALID_ARGUMENT' })
})

test('a cross-encoder evaluates and saves in the same ways', async (t) => {
  const outputDir = await temporaryFolder(t)
  await using model = await CrossEncoder.load(folder, { numLabels: 1 })
  const sentencePairs = words.map((word, i): [string, string] => [word, words[(i + 1) % 16]!])
  const evaluator = new evaluation.CrossEncoderCorrelationEvaluator({
    sentencePairs,
    scores: words.map((_, i) => i / 16),
  })
  const data = Dataset.fromColumns({ a: words, b: [...words].reverse(), label: words.map((_, i) => i % 2) })
  const made = new CrossEncoderTrainer({ model, trainDataset: data, evaluator, args: { outputDir }, progress: false })
  t.is((await made.evaluate()).eval_spearman, (await model.evaluate(evaluator)).spearman)
  await made.saveModel()
  await using again = await CrossEncoder.load(outputDir)
  t.deepEqual(await again.predict(['a', 'b']), await model.predict(['a', 'b']))
})

test('losses of the other kind of model are refused by name', async (t) => {
  await using model = await SentenceTransformer.load(folder)
  const cross = new crossEncoderLosses.BinaryCrossEntropyLoss()
  t.throws(() => new SentenceTransformerTrainer({ model, trainDataset: classes, loss: cross as never }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /`losses` for the loss of SentenceTransformerTrainer.*BinaryCrossEntropyLoss/,
  })
  await using crossEncoder = await CrossEncoder.load(folder, { numLabels: 1 })
  const loss = new losses.CoSENTLoss() as never
  t.throws(() => new CrossEncoderTrainer({ model: crossEncoder, trainDataset: classes, loss }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /`crossEncoderLosses` for the loss of CrossEncoderTrainer.*CoSENTLoss/,
  })
})

test('pairs without labels and without a loss: the error names the loss for them', async (t) => {
  const pairs = classes.removeColumns(['label'])
  await using model = await SentenceTransformer.load(folder)
  t.throws(() => new SentenceTransformerTrainer({ model, trainDataset: pairs }), {
    code: 'ERR_INVALID_DATA',
    message: /CoSENTLoss needs a label column.*MultipleNegativesRankingLoss/,
  })
})

test('devices of the engine', (t) => {
  const names = engine.devices().map(({ name }) => name)
  t.true(names.includes('cpu'))
  t.is(engine.isCudaAvailable(), names.includes('cuda:0'))
})
