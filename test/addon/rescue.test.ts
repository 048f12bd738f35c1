// What was trained is not lost when its files cannot be written.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import {
  CrossEncoder,
  DataLoader,
  Dataset,
  evaluation,
  InputExample,
  losses,
  NotSavedError,
  SentenceTransformer,
  SentenceTransformerTrainer,
  type TrainerCallback,
  type TrainingArguments,
} from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const root = mkdtempSync(join(tmpdir(), 'sentence-torch-'))
process.env.TMPDIR = root
const folder = await tinyFolder(join(root, 'tiny'))
test.after.always(() => rmSync(root, { recursive: true, force: true }))
const ONE = fileURLToPath(new URL('../../../test/parity/golden/cross-encoder/one/', import.meta.url))

const words = tinyWords.slice(0, 20)
const trainDataset = Dataset.fromColumns({
  anchor: words.map((word) => `the ${word}`),
  positive: words.map((word) => `a ${word}`),
})
const similarities = () =>
  new evaluation.EmbeddingSimilarityEvaluator({
    ...{ sentences1: ['the cat', 'a dog', 'rain'], sentences2: ['a cat', 'the sun', 'snow'], scores: [1, 0, 0.5] },
    name: 'dev',
  })

/** The model in the temporary folder embeds as the one in memory. */
async function assertSame(t: ExecutionContext, error: NotSavedError, model: SentenceTransformer): Promise<void> {
  await using saved = await SentenceTransformer.load(error.savedIn!)
  t.deepEqual(await saved.encode('the cat'), await model.encode('the cat'))
}

async function trained(t: ExecutionContext, args: Partial<TrainingArguments>, blocked: string) {
  await using model = await SentenceTransformer.load(folder)
  const before = await model.encode('the cat')
  const outputDir = await temporaryFolder(t)
  writeFileSync(join(outputDir, blocked), 'a file where a folder shall be')
  const trainer = new SentenceTransformerTrainer({
    ...{ model, trainDataset, loss: new losses.MultipleNegativesRankingLoss(), progress: false },
    args: { outputDir, perDeviceTrainBatchSize: 4, learningRate: 1e-2, saveStrategy: 'no', ...args },
  })
  const error = (await t.throwsAsync(trainer.train(), { instanceOf: NotSavedError }))!
  t.notDeepEqual(await model.encode('the cat'), before)
  await assertSame(t, error, model)
  return { error, outputDir }
}

test.serial('a checkpoint: whole, so that training goes on from it', async (t) => {
  const saving = { saveStrategy: 'steps', saveSteps: 3 } as const
  const { error, outputDir } = await trained(t, saving, 'checkpoint-3')
  rmSync(join(outputDir, 'checkpoint-3'))
  await using model = await SentenceTransformer.load(folder)
  const trainer = new SentenceTransformerTrainer({
    ...{ model, trainDataset, loss: new losses.MultipleNegativesRankingLoss(), progress: false },
    args: { outputDir, perDeviceTrainBatchSize: 4, learningRate: 1e-2, ...saving },
  })
  t.is((await trainer.train({ resumeFromCheckpoint: error.savedIn! })).globalStep, 3 * 5)
})

test.serial("an evaluator's file is a warning; what a callback cannot write saves the model", async (t) => {
  await using model = await SentenceTransformer.load(folder)
  const outputDir = await temporaryFolder(t)
  writeFileSync(join(outputDir, 'eval'), 'a file where a folder shall be')
  const warnings: string[] = []
  const hear = ({ message }: Error) => void warnings.push(message)
  process.on('warning', hear)
  t.teardown(() => process.off('warning', hear))
  const train = (callbacks: TrainerCallback[]) => {
    const trainer = new SentenceTransformerTrainer({
      ...{ model, trainDataset, loss: new losses.MultipleNegativesRankingLoss(), progress: false, callbacks },
      evaluator: similarities(),
      args: { outputDir, maxSteps: 4, saveStrategy: 'no', evalStrategy: 'steps', evalSteps: 2 },
    })
    return trainer.train()
  }
  t.is((await train([])).globalStep, 4)
  t.is(warnings.filter((text) => /Cannot write .*eval.*csv: .*EEXIST/.test(text)).length, 1)
  const onStepEnd = () => writeFileSync(join(outputDir, 'eval', 'notes'), '')
  const error = (await t.throwsAsync(train([{ onStepEnd }]), { instanceOf: NotSavedError }))!
  t.regex(error.message, /eval/)
  await assertSame(t, error, model)
})

test.serial('fit: the model at the end, and the best one', async (t) => {
  const outputPath = join(await temporaryFolder(t), 'out')
  writeFileSync(outputPath, 'a file')
  const examples = words.map((word) => new InputExample({ texts: [`the ${word}`, `a ${word}`] }))
  const train = (model: SentenceTransformer, more: object) =>
    model.fit({
      ...{ trainObjectives: [[new DataLoader(examples, { batchSize: 4 }), new losses.MultipleNegativesRankingLoss()]] },
      ...{ outputPath, progress: false, warmupSteps: 0, ...more },
    })
  for (const more of [{}, { evaluator: similarities() }]) {
    await using model = await SentenceTransformer.load(folder)
    await assertSame(t, (await t.throwsAsync(train(model, more), { instanceOf: NotSavedError }))!, model)
  }
})

test.serial('a cross-encoder', async (t) => {
  const target = join(await temporaryFolder(t), 'file')
  writeFileSync(target, 'a file')
  await using model = await CrossEncoder.load(ONE)
  const error = (await t.throwsAsync(model.save(target), { instanceOf: NotSavedError }))!
  await using saved = await CrossEncoder.load(error.savedIn!)
  const pair = ['the cat', 'a dog'] as const
  t.deepEqual(await saved.predict(pair), await model.predict(pair))
})
