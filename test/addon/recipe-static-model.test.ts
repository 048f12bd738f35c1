import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import anyTest, { type ExecutionContext } from 'ava'
import { Dataset, Normalize, recipes, SentenceTransformer, StaticEmbedding } from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { hasShared, MINILM, sharedData, shuffledColumn, stsDev } from '../helpers/shared.js'

const test = hasShared ? anyTest : anyTest.skip
const TEACHER = fileURLToPath(new URL('../../../test/parity/golden/distillation/teacher', import.meta.url))
const metric = ({ metrics }: recipes.RecipeResult, name: string) => metrics.find((found) => found.name === name)!

test('a table distilled from all-MiniLM-L6-v2 gains by pairs, and less by shuffled ones', async (t) => {
  const table = await StaticEmbedding.fromDistillation(MINILM, { pcaDims: 64 })
  const folder = join(await temporaryFolder(t), 'static')
  const start = await SentenceTransformer.fromModules([table, new Normalize()])
  t.true(start.isStatic)
  await start.save(folder)
  await start.dispose()
  const rows = await recipes.nliRows(await Dataset.fromFile(sharedData('nli/mnli-train-13k.jsonl')))
  const { dataset: pairs } = await recipes.nliPairs(rows.dataset, { negatives: 'none' })
  const run = async (t: ExecutionContext, train: Dataset) =>
    recipes.staticModel({
      ...{ model: folder, outputDir: await temporaryFolder(t), train, test: await stsDev('sts', 0, 1500), seed: 1 },
      args: { saveStrategy: 'no' },
    })
  const found = await run(t, pairs)
  const control = await run(t, await shuffledColumn(pairs, pairs.columnNames[1]!))
  const [score, chance] = [found, control].map((result) => metric(result, 'sts_spearman_cosine'))
  t.log(`${score!.before} → ${score!.after}, control ${chance!.after}`)
  t.true(score!.after > score!.before + 0.002)
  t.true(score!.after > chance!.after + 0.01)
  t.true(found.notes.some((note) => /static already/.test(note)))
})

anyTest('the recipe distils, trains at several widths and saves a model without a transformer', async (t) => {
  const train = Dataset.fromColumns({
    anchor: ['the cat sat', 'a red mat', 'running dogs', 'green tree'],
    positive: ['a cat is on the mat', 'blue mat', 'dog was running', 'a tree'],
  })
  const { model, counts, notes } = await recipes.staticModel({
    ...{ model: TEACHER, outputDir: await temporaryFolder(t), train, pcaDims: 8, leastDims: 3, seed: 1 },
    args: { perDeviceTrainBatchSize: 2, saveStrategy: 'no' },
  })
  t.like(counts, { pairs: 4, dimensions: 8 })
  t.true(notes.some((note) => /The model that was distilled/.test(note)))
  const loaded = await SentenceTransformer.load(model)
  t.true(loaded.isStatic)
  const base = await StaticEmbedding.fromDistillation(TEACHER, { pcaDims: 8 })
  const before = await SentenceTransformer.fromModules([base, new Normalize()])
  const [now, old] = [await loaded.encode('the cat'), await before.encode('the cat')]
  t.is(now.length, 8)
  t.true(now.some((value, i) => Math.abs(value - old[i]!) > 1e-4))
  await loaded.dispose()
  await before.dispose()
})

anyTest('a table of one number has no map, and is saved', async (t) => {
  const train = Dataset.fromColumns({
    anchor: ['the cat sat', 'a red mat', 'running dogs', 'green tree'],
    positive: ['a cat is on the mat', 'blue mat', 'dog was running', 'a tree'],
  })
  const options = { model: TEACHER, outputDir: await temporaryFolder(t), train, pcaDims: 1, seed: 1 }
  const { model } = await recipes.staticModel({ ...options, args: { saveStrategy: 'no', maxSteps: 1 } })
  await using loaded = await SentenceTransformer.load(model)
  t.is(loaded.embeddingDimension, 1)
})
