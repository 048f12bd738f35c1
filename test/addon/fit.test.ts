import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { DataLoader, InputExample, losses, SentenceTransformer } from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const folder = await tinyFolder(mkdtempSync(join(tmpdir(), 'sentence-torch-')))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))
const load = () => SentenceTransformer.load(folder)
type FitOptions = Parameters<SentenceTransformer['fit']>[0]

const words = tinyWords.slice(0, 20)
const pairs = words.map((word) => new InputExample({ texts: [`the ${word}`, `a ${word}`] }))
const classes = words
  .slice(0, 12)
  .map((word, i) => new InputExample({ texts: [`the ${word}`, `one ${word}`], label: i % 3 }))
const ranking = () =>
  [new DataLoader(pairs, { shuffle: true, batchSize: 4 }), new losses.MultipleNegativesRankingLoss()] as const
const labelled = () =>
  [new DataLoader(classes, { shuffle: true, batchSize: 4 }), new losses.SoftmaxLoss({ numLabels: 3 })] as const
const quiet = { progress: false, warmupSteps: 0, optimizerParams: { lr: 1e-2 } } as const

/** Scores that go up, then down. */
function evaluator(...scores: number[]) {
  return { evaluate: async () => ({ metrics: { dev_score: scores.shift()! }, primaryMetric: 'dev_score' }) }
}

test('two objectives in turn, as many batches of each as the smaller has; losses train their parameters', async (t) => {
  await using model = await load()
  const train = async (lr: number) =>
    model.fit({ ...quiet, trainObjectives: [ranking(), labelled()], epochs: 2, optimizerParams: { lr } })
  const fresh = await train(0)
  t.is(fresh.globalStep, 2 * 2 * 3)
  const trained = await train(1e-2)
  t.deepEqual(Object.keys(trained.lossTensors).sort(), ['_dataset_2.classifier.bias', '_dataset_2.classifier.weight'])
  t.notDeepEqual(trained.lossTensors, fresh.lossTensors)
  const alone = await model.fit({ ...quiet, trainObjectives: [labelled()], epochs: 1 })
  t.deepEqual(Object.keys(alone.lossTensors).sort(), ['classifier.bias', 'classifier.weight'])
})

test('the best model is saved, the callback is told, the evaluator runs after steps and epochs', async (t) => {
  await using model = await load()
  const outputPath = join(await temporaryFolder(t), 'out')
  const heard: number[][] = []
  const saved: (Float32Array | undefined)[] = []
  await model.fit({
    ...quiet,
    ...{ trainObjectives: [ranking()], epochs: 2, evaluationSteps: 3, outputPath },
    evaluator: evaluator(1, 3, 2, 0, 1),
    callback: async (...values) => {
      heard.push(values)
      saved.push(await model.encode('the cat'))
    },
  })
  // After step 3, epoch 1 (step 5), step 6, step 9 and 10 with the last one, epoch 2.
  t.deepEqual(heard.slice(0, 4), [
    [1, 0.6, 3],
    [3, 1, 5],
    [2, 1.2, 6],
    [0, 1.8, 9],
  ])
  await using best = await SentenceTransformer.load(outputPath)
  t.deepEqual(await best.encode('the cat'), saved[1])
})

test('without an evaluator the model is saved in the end; checkpoints where they are asked for', async (t) => {
  await using model = await load()
  const root = await temporaryFolder(t)
  const [outputPath, checkpointPath] = [join(root, 'out'), join(root, 'checkpoints')]
  const checkpoints = { checkpointPath, checkpointSaveSteps: 2, checkpointSaveTotalLimit: 2 }
  const options: FitOptions = { ...quiet, trainObjectives: [ranking()], outputPath, ...checkpoints }
  await model.fit(options)
  t.deepEqual(readdirSync(checkpointPath).sort(), ['checkpoint-4', 'checkpoint-5'])
  await using again = await SentenceTransformer.load(outputPath)
  t.deepEqual(await again.encode('the cat'), await model.encode('the cat'))
  const more = await model.fit({ ...options, epochs: 2, resumeFromCheckpoint: true })
  t.is(more.globalStep, 10)
  t.is((await model.fit({ ...quiet, trainObjectives: [ranking()], stepsPerEpoch: 2 })).globalStep, 2)
  t.false(existsSync(join(root, 'none')))
})

test("the defaults are those of Python's fit", async (t) => {
  await using model = await load()
  const records: Record<string, number>[] = []
  const output = { write: (line: string) => void records.push(JSON.parse(line)), isTTY: false }
  // lr 2e-5, 10,000 steps of warm-up: step 5 has 4 / 10,000 of the rate.
  await model.fit({ trainObjectives: [ranking()], progress: output, epochs: 200 })
  t.is(records[0]!.learning_rate, (2e-5 * 499) / 10_000)
})

test('what does not fit is refused', async (t) => {
  await using model = await load()
  const refused = (options: object, message: RegExp, code = 'ERR_INVALID_ARGUMENT') =>
    t.throwsAsync(model.fit({ ...quiet, trainObjectives: [ranking()], ...options } as FitOptions), { code, message })
  await refused({ trainObjectives: [] }, /trainObjectives/)
  await refused({ trainObjectives: [ranking()[0]] }, /trainObjectives\[0\]/)
  await refused({ scheduler: 'linear' }, /warmuplinear/)
  await refused({ optimizerClass: 'Adam' }, /optimizerClass/)
  await refused({ optimizerParams: { alpha: 1 } }, /optimizerParams/, 'ERR_UNKNOWN_OPTION')
  await refused({ resumeFromCheckpoint: true }, /checkpointPath/)
  await refused({ batchSize: 3 }, /batchSize/, 'ERR_UNKNOWN_OPTION')
})
