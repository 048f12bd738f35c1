import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import anyTest, { type ExecutionContext } from 'ava'
import { Dataset, recipes } from '../../lib/index.js'
import { RunFolder } from '../../lib/report/run-folder.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { hasShared, MINILM, sharedData, shuffledColumn, stsDev } from '../helpers/shared.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const test = hasShared ? anyTest : anyTest.skip

/** Sentences that are alike if they share words, with a random model and its tokenizer. */
function tinyPairs(rows: number): Dataset {
  const word = (i: number) => tinyWords[i % tinyWords.length]!
  const pair = (i: number) => ({
    sentence1: `${word(i)} ${word(i + 5)} ${word(i * 3)}`,
    sentence2: `${word(i)} ${word(i * 7 + 2)} ${word(i * 3)}`,
    label: i % 2,
  })
  return Dataset.fromRows(Array.from({ length: rows }, (_, i) => pair(i)))
}

async function tinyRun(t: ExecutionContext, train = tinyPairs(40)) {
  const folder = await temporaryFolder(t)
  const model = await tinyFolder(join(folder, 'tiny'))
  return { folder, given: { model, outputDir: join(folder, 'run'), train } }
}

test('silver pairs of shuffled labels train a worse model than those of real ones', async (t) => {
  const gold = (await Dataset.fromFile(sharedData('stsb/train.tsv'))).head(120)
  const folder = await temporaryFolder(t)
  const run = async (name: string, train: Dataset) =>
    recipes.augmentedSbert({
      ...{ model: MINILM, outputDir: join(folder, name), train, scale: 5, topK: 1, heldOut: 0.25, seed: 1 },
      ...{ compareGold: false, test: await stsDev('test', 600, 150) },
      crossEncoderArgs: { learningRate: 3e-4, saveStrategy: 'no' },
      args: { maxSteps: 10, learningRate: 2e-4, saveStrategy: 'no' },
    })
  const { metrics, counts } = await run('a', gold)
  const control = await run('b', await shuffledColumn(gold, 'score'))
  t.is(metrics[0]!.name, 'test_spearman_cosine')
  t.log(`before ${metrics[0]!.before}, after ${metrics[0]!.after}, control ${control.metrics[0]!.after}`)
  t.log(`agreement ${counts.labelSpearman}, control ${control.counts.labelSpearman}`)
  t.true(metrics[0]!.after > control.metrics[0]!.after + 0.01)
  t.true(counts.labelSpearman! > control.counts.labelSpearman! + 0.1)

  // Every stage left its files. No silver pair is a gold one, and none comes twice.
  const stages = join(folder, 'a', 'stages')
  t.deepEqual(await readdir(stages), ['1-cross-encoder', '2-silver-pairs', '3-silver-labels', '4-gold-and-silver'])
  const silver = await Dataset.fromFile(join(stages, '3-silver-labels', 'silver.jsonl'))
  t.is(silver.length, counts.silverPairs!)
  const keys = (pairs: Dataset) =>
    pairs.texts('sentence1').map((text, i) => [text, pairs.texts('sentence2')[i]!].sort().join('\n'))
  const golden = new Set(keys(gold))
  t.false(keys(silver).some((pair) => golden.has(pair)))
  t.is(new Set(keys(silver)).size, silver.length)
  t.true((silver.labels() as number[]).every((score) => score > 0 && score < 1))
  const { figures } = await RunFolder.read(join(folder, 'a'))
  for (const name of ['gold-and-silver', 'silver-agreement', 'silver-balance']) t.true(figures.has(name), name)
})

test('two labels: the cross-encoder decides, and given silver pairs get 0 or 1', async (t) => {
  const { given } = await tinyRun(t)
  const silver = Dataset.fromRows([
    { a: 'red cat', b: 'the cat is red' },
    { a: 'the cat is red', b: 'red cat' },
    { a: 'red cat', b: 'very cold rain' },
  ])
  const { counts, notes, folder } = await recipes.augmentedSbert({ ...given, silver, numLabels: 2, heldOut: 0.2 })
  t.true(notes.some((note) => note.startsWith('Trained on the gold pairs alone: ')))
  t.is(counts.silverPairs, 2)
  t.true(counts.labelAgreement! >= 0 && counts.labelAgreement! <= 1)
  const labelled = await Dataset.fromFile(join(folder, 'stages/3-silver-labels/silver.jsonl'))
  t.true(labelled.labels()!.every((label) => label === 0 || label === 1))
  t.deepEqual((await readdir(join(folder, 'stages'))).slice(3), ['4-gold-alone', '5-gold-and-silver'])
})

test('a stopped run goes on where it was, and ends with the same model', async (t) => {
  const { folder, given } = await tinyRun(t)
  const options = (name: string): recipes.AugmentedSbertOptions => ({
    ...{ ...given, outputDir: join(folder, name), pairing: 'bm25' },
    crossEncoderArgs: { saveSteps: 1, loggingSteps: 1 },
    args: { saveSteps: 1, loggingSteps: 1 },
  })
  const whole = await recipes.augmentedSbert(options('whole'))
  const lines: string[] = []
  for (const last of ['stage 1', 'stage 2', 'stage 3', 'stage 5']) {
    const stop = new AbortController()
    let isThere = false
    const log = (line: string) => {
      lines.push(line)
      isThere ||= line.startsWith(last) && !line.includes('reused')
      // Trainings are stopped in their second step, below.
      if (isThere && (last === 'stage 2' || last === 'stage 3')) stop.abort()
    }
    let writes = 0
    const progress = { write: () => void (isThere && ++writes === 3 && stop.abort()) }
    await t.throwsAsync(recipes.augmentedSbert(options('stopped'), { log, progress, signal: stop.signal }), {
      code: 'ERR_ABORTED',
    })
  }
  const resumed = await recipes.augmentedSbert(options('stopped'), { log: (line) => lines.push(line) })
  t.deepEqual(resumed.counts, whole.counts)
  const times = (part: string) => lines.filter((line) => line.includes(part)).length
  t.is(times('stage 4, gold-alone: runs'), 1)
  for (const name of ['1, cross-encoder', '2, silver-pairs', '3, silver-labels', '5, gold-and-silver'])
    t.is(times(`stage ${name}: continues`), 1, name)
  const weights = [whole, resumed].map(({ model }) => readFile(join(model, 'model.safetensors')))
  t.true((await weights[0]!).equals(await weights[1]!))
})

test('labels that do not fit are errors that name the row', async (t) => {
  const row = { a: 'x', b: 'y' }
  const { given } = await tinyRun(
    t,
    Dataset.fromRows([
      { ...row, score: 1 },
      { ...row, score: 3 },
    ]),
  )
  const run = (more: Partial<recipes.AugmentedSbertOptions>) => recipes.augmentedSbert({ ...given, ...more })
  await t.throwsAsync(run({}), { code: 'ERR_INVALID_DATA', message: /scores from 0 to 1, found 3 in row 1/ })
  await t.throwsAsync(run({ scale: 3, numLabels: 2 }), { message: /the labels 0 and 1 .*found 1 in row 0/ })
  await t.throwsAsync(run({ train: Dataset.fromRows([row]) }), { message: /a label column .*found only a, b/ })
  await t.throwsAsync(run({ numLabels: 3 }), { code: 'ERR_INVALID_ARGUMENT', message: /from 1 to 2/ })
  await t.throwsAsync(run({ scale: 3, silver: Dataset.fromRows([row]), heldOut: 0 }), {
    message: /silver pairs that are no gold pairs, found none among 1/,
  })
})
