import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import anyTest from 'ava'
import { Dataset, recipes, SentenceTransformer } from '../../lib/index.js'
import { qualityBySize } from '../../lib/recipes/few-bytes.js'
import { RunFolder } from '../../lib/report/run-folder.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { hasShared, MINILM, runsControls, sharedData, shuffledColumn, stsDev } from '../helpers/shared.js'
import { retrieval } from '../helpers/squad.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const test = hasShared ? anyTest : anyTest.skip
const controlled = runsControls ? anyTest : anyTest.skip

interface Golden {
  sizes: { devRows: number; calibrationRows: number; found: { dim: number; precision: string; spearman: number }[] }
}
const path = fileURLToPath(new URL('../../../test/parity/golden/recipe-distillation.json', import.meta.url))
const { sizes } = JSON.parse(await readFile(path, 'utf8')) as Golden

test('each size is worth what it is in Python', async (t) => {
  await using model = await SentenceTransformer.load(MINILM)
  const train = (await Dataset.fromFile(sharedData('stsb/train.tsv'))).head(sizes.calibrationRows)
  const dims = [...new Set(sizes.found.map(({ dim }) => dim))]
  const precisions = ['float32', 'int8', 'binary'] as const
  const calibration = [...new Set(train.texts('sentence1'))]
  const evaluator = await stsDev('sts', 0, sizes.devRows)
  const rows = await qualityBySize(model, evaluator, { dims, precisions }, calibration)
  t.deepEqual(
    rows.map(({ dim, precision }) => [dim, precision]),
    sizes.found.map(({ dim, precision }) => [dim, precision]),
  )
  t.deepEqual(
    rows.slice(6).map(({ bytes }) => bytes),
    [132, 33, 5],
  )
  // A code may differ where a number lies on an edge of its step.
  for (const [i, { spearman, precision }] of sizes.found.entries())
    t.true(
      Math.abs(rows[i]!.value - spearman) < (precision === 'int8' ? 2e-4 : 1e-6),
      `${rows[i]!.value}, not ${spearman}`,
    )
})

controlled('scores train better embeddings than shuffled scores, and short ones gain from the widths', async (t) => {
  const train = (await (await Dataset.fromFile(sharedData('stsb/train.tsv'))).shuffle(1)).head(240)
  const evaluator = await stsDev('test', 600, 200)
  const folder = await temporaryFolder(t)
  const run = async (name: string, rows: Dataset, compare: boolean) => {
    const outputDir = join(folder, name)
    const { metrics } = await recipes.matryoshka({
      ...{
        model: MINILM,
        outputDir,
        train: rows,
        test: evaluator,
        dims: [384, 8],
        loss: 'CoSENTLoss',
        compare,
        seed: 1,
      },
      args: { perDeviceTrainBatchSize: 16, learningRate: 4e-4, maxSteps: 15, saveStrategy: 'no' },
    })
    const table = (await RunFolder.read(outputDir)).figures.get('sizes')!
    if (table.kind !== 'table') throw new Error(table.kind)
    return { after: metrics[0]!.after, table }
  }
  const real = await run('real', train, true)
  const control = await run('control', await shuffledColumn(train, 'score'), false)
  t.log(`${real.after}, control ${control.after}`, real.table.rows)
  t.true(real.after > control.after + 0.03)
  t.deepEqual(real.table.columns, [
    'numbers',
    'precision',
    'bytes',
    'as it was',
    'trained without widths',
    'trained with widths',
  ])
  t.is(real.table.rows.length, 6)
  const short = real.table.rows.find(([dim, precision]) => dim === 8 && precision === 'float32') as number[]
  t.true(short[5]! > short[4]! + 0.01)
  t.is(real.table.rows[0]![5], real.after)
  t.true((await RunFolder.read(join(folder, 'real'))).figures.has('sizes-curves'))
  const saved = await SentenceTransformer.load(join(folder, 'real/model'))
  t.is(saved.embeddingDimension, 384)
  await saved.dispose()
})

test('in retrieval, codes are also measured with whole queries, which find more', async (t) => {
  await using model = await SentenceTransformer.load(MINILM)
  const rows = await Dataset.fromFile(sharedData('squad/train-question-sentences.jsonl'))
  const pairs = rows.head(200).renameColumns({ question: 'query', answer_sentence: 'passage' })
  const evaluator = retrieval(pairs, [...new Set(rows.head(800).texts('answer_sentence'))])
  const grid = { dims: [384, 64], precisions: ['float32', 'binary'] as const }
  const found = await qualityBySize(model, evaluator, grid, rows.head(200).texts('answer_sentence'))
  t.deepEqual(
    found.map(({ dim, precision, isRescored, bytes }) => [dim, precision, isRescored, bytes]),
    [
      [384, 'float32', false, 1536],
      [384, 'binary', false, 48],
      [384, 'binary', true, 48],
      [64, 'float32', false, 256],
      [64, 'binary', false, 8],
      [64, 'binary', true, 8],
    ],
  )
  const [full, cut, codes, rescored] = [0, 3, 4, 5].map((i) => found[i]!.value) as [number, number, number, number]
  t.log(found.map(({ value }) => value))
  t.true(full > cut && cut > rescored && rescored > codes)
  t.is(full, (await evaluator.evaluate(model)).metrics[found[0]!.metric]!)
})

anyTest('widths by default, with layers, without an evaluator, and what is refused', async (t) => {
  const folder = await temporaryFolder(t)
  const model = await tinyFolder(join(folder, 'tiny'))
  const pairs = Array.from({ length: 24 }, (_, i) => ({
    anchor: `the ${tinyWords[i]}`,
    positive: `a ${tinyWords[i]} is ${tinyWords[39 - i]}`,
  }))
  const train = Dataset.fromRows(pairs)
  const run = (more: Partial<recipes.MatryoshkaOptions>) =>
    recipes.matryoshka({
      model,
      train,
      outputDir: join(folder, 'run'),
      args: { maxSteps: 2, saveStrategy: 'no' },
      ...more,
    })
  const { notes } = await run({ dims: [32, 16], layers: true, compare: false })
  t.true(notes.includes('Sizes were not compared: there is neither a test nor a dev evaluator.'))
  const lines: string[] = []
  const options = { model, train, outputDir: join(folder, 'run'), args: { maxSteps: 2, saveStrategy: 'no' } } as const
  const loss = { name: 'MultipleNegativesRankingLoss', scale: 10 }
  const rows = Dataset.fromRows(pairs.map((pair, i) => ({ ...pair, score: (i % 5) / 5 })))
  const result = await recipes.matryoshka(
    { ...options, loss, dev: { sts: await written(folder, rows) } },
    { log: (line) => lines.push(line) },
  )
  t.true(lines.includes('stage 1, loss-alone: runs') && lines.includes('stage 2, all-widths: runs'))
  // As wide as the tiny model, half and a quarter of it.
  const table = (await RunFolder.read(result.folder)).figures.get('sizes')!
  t.deepEqual(table.kind === 'table' && [...new Set(table.rows.map(([dim]) => dim))], [32, 16, 8])
  const refused: [Partial<recipes.MatryoshkaOptions>, RegExp][] = [
    [{ dims: [64, 16] }, /widths up to 32, that of the model's embeddings, found 64/],
    [{ dims: [] }, /dims/],
    [{ dims: [32, 16], weights: [1] }, /2 numbers, one for each width/],
    [{ precisions: ['int4' as never] }, /precisions/],
    [{ loss: 'CosentLoss' }, /did you mean CoSENTLoss/],
  ]
  for (const [more, message] of refused) await t.throwsAsync(run(more), { code: 'ERR_INVALID_ARGUMENT', message })
})

async function written(folder: string, rows: Dataset): Promise<string> {
  await rows.toFile(join(folder, 'dev.jsonl'))
  return join(folder, 'dev.jsonl')
}
