import { existsSync, readFileSync } from 'node:fs'
import { copyFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import anyTest, { type ExecutionContext } from 'ava'
import { Dataset, evaluation, recipes, SentenceTransformer, TextClassifier } from '../../lib/index.js'
import { callProgram } from '../helpers/call-program.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { hasShared, MINILM, sharedData, shuffledColumn } from '../helpers/shared.js'

const test = hasShared ? anyTest : anyTest.skip

/** Ten intents about top-ups, which are easily confused. */
const INTENTS = /top_up|topping/

/** Rows of some intents, `count` of each from `start` on. */
async function intents(split: 'train' | 'test', count: number, start = 0): Promise<Dataset> {
  const rows = await Dataset.fromFile(sharedData(`banking77/${split}.jsonl`))
  const seen = new Map<unknown, number>()
  return rows.filter(({ category }) => {
    if (!INTENTS.test(category as string)) return false
    const before = seen.get(category) ?? 0
    seen.set(category, before + 1)
    return before >= start && before < start + count
  })
}

const ARGS = { maxSteps: 60, learningRate: 1e-4, saveStrategy: 'no' } as const
const metric = ({ metrics }: recipes.RecipeResult, name: string) => metrics.find((found) => found.name === name)!

test('eight texts a class beat the head alone and shuffled labels; what is saved predicts the same', async (t) => {
  const [train, testTexts] = [await intents('train', 8), await intents('test', 20)]
  const run = async (t: ExecutionContext, rows: Dataset) =>
    recipes.fewShot({
      ...{ model: MINILM, outputDir: await temporaryFolder(t), train: rows, testTexts, seed: 1 },
      args: ARGS,
    })
  const found = await run(t, train)
  const control = await run(t, await shuffledColumn(train, 'category'))
  const [accuracy, f1, chance] = [
    metric(found, 'test_accuracy'),
    metric(found, 'test_f1'),
    metric(control, 'test_accuracy'),
  ]
  t.log(`accuracy ${accuracy.before} → ${accuracy.after}, F1 ${f1.before} → ${f1.after}, control ${chance.after}`)
  t.true(accuracy.after > chance.after + 0.3)
  t.true(accuracy.after > accuracy.before + 0.01 && f1.after > f1.before + 0.01)
  for (const { interval, before, after } of [accuracy, f1]) {
    t.true(interval!.low < after - before && after - before < interval!.high)
  }
  t.like(found.counts, { texts: 80, classes: 10, textsLeftOut: 0, pairs: 960 })

  const classifier = await TextClassifier.load(found.model)
  const texts = testTexts.texts('text')
  const predicted = await classifier.predict(texts)
  const right = predicted.filter((label, i) => label === testTexts.column('category')[i]).length
  t.is(right / texts.length, accuracy.after)
  const one = await classifier.predictProba(texts[0]!)
  t.is(classifier.labels[one.indexOf(Math.max(...one))], predicted[0])
  t.true(Math.abs(one.reduce((sum, value) => sum + value) - 1) < 1e-6)
  await classifier.dispose()
  // The program says the same.
  const { code, out } = await callProgram(
    ['classify', found.model, '-', '--probabilities'],
    texts.slice(0, 3).join('\n'),
  )
  t.is(code, 0)
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.deepEqual(
    lines.map(({ text }) => text),
    texts.slice(0, 3),
  )
  t.deepEqual(
    lines.map(({ label }) => label),
    predicted.slice(0, 3),
  )
  t.true(Math.abs(lines[0].probabilities[predicted[0]!] - Math.max(...one)) < 1e-6)
  const headless = await callProgram(['classify', MINILM, '-'], 'a')
  t.is(headless.code, 1)
  t.regex(headless.err, /found no classifier/)
  // The folder is that of any model.
  const model = await SentenceTransformer.load(found.model)
  t.deepEqual((await model.encode(['a'])).shape, [1, 384])
  await model.dispose()
  t.true(existsSync(join(found.folder, 'report.html')))
})

test('a classifier of the program: fit, save, load; two classes with names', async (t) => {
  const rows = (await intents('train', 6)).head(12)
  const data = {
    texts: rows.texts('text'),
    labels: rows.column('category') as string[],
  }
  const classifier = await TextClassifier.create(MINILM, { c: 2 })
  t.deepEqual(classifier.labels, [])
  await t.throwsAsync(classifier.predict('x'), { code: 'ERR_INVALID_ARGUMENT', message: /fit/ })
  const result = await classifier.fit(data, { args: { maxSteps: 3, outputDir: await temporaryFolder(t) } })
  t.is(result.globalStep, 3)
  const folder = join(await temporaryFolder(t), 'model')
  await classifier.save(folder)
  const again = await TextClassifier.load(folder)
  t.deepEqual(again.labels, [...new Set(data.labels)].sort())
  const [before, after] = [await classifier.predictProba(data.texts), await again.predictProba(data.texts)]
  t.deepEqual(after.shape, [12, again.labels.length])
  t.true(after.data.every((value, i) => Math.abs(value - before.data[i]!) < 1e-6))
  t.deepEqual(await again.predict([]), [])
  await classifier.dispose()
  await again.dispose()
  // Files that do not belong together are refused, and so is a model without a head.
  const settings = JSON.parse(readFileSync(join(folder, 'config_setfit.json'), 'utf8'))
  await writeFile(
    join(folder, 'config_setfit.json'),
    JSON.stringify({ ...settings, labels: ['a', 'b', 'c', 'd', 'e'] }),
  )
  await t.throwsAsync(TextClassifier.load(folder), { code: 'ERR_INVALID_MODEL', message: /coef_ of 5 rows/ })
  await rm(join(folder, 'config_setfit.json'))
  await t.throwsAsync(TextClassifier.load(folder), { code: 'ERR_NOT_FOUND', message: /config_setfit\.json/ })
})

test('labels may be names in a column label; faults of the data name them, and nothing is written', async (t) => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'intents.jsonl')
  const rows = await (await intents('train', 4)).filter(({ category }) => /topping|failed/.test(category as string))
  const lines = rows.texts('text').map((text, i) => JSON.stringify({ text, label: rows.column('category')[i] }))
  await writeFile(path, lines.join('\n'))
  const outputDir = join(folder, 'run')
  const run = (train: recipes.DataOption, more: Partial<recipes.FewShotOptions> = {}) =>
    recipes.fewShot({ model: MINILM, outputDir, train, args: { ...ARGS, maxSteps: 1 }, ...more })
  const refused = async (expected: RegExp, ...options: Parameters<typeof run>) => {
    await t.throwsAsync(run(...options), { code: 'ERR_INVALID_DATA', message: expected })
    t.false(existsSync(outputDir))
  }
  const csv = join(folder, 'intents.csv')
  await writeFile(csv, 'text,label\nhello,greet\ngood bye,leave\nhi there,\n')
  await refused(/as label in column "class" of .*intents\.csv, row 2, found ""/, csv)
  await refused(/two labels at least/, Dataset.fromColumns({ text: ['a', 'b'], label: [1, 1] }))
  await refused(/column of texts and one of labels/, Dataset.fromColumns({ text: ['a', 'b'] }))
  await refused(/label other is not among those of train/, path, {
    testTexts: Dataset.fromColumns({ text: ['a'], class: ['other'] }),
  })
  const { counts, model } = await run(path, { samplesPerLabel: 3 })
  t.like(counts, { texts: 6, textsLeftOut: 2, classes: 2 })
  const classifier = await TextClassifier.load(model)
  t.deepEqual(classifier.labels, [...new Set(rows.column('category') as string[])].sort())
  await classifier.dispose()
  // A head whose file is cut off.
  await copyFile(join(model, 'config.json'), join(model, 'model_head.safetensors'))
  await t.throwsAsync(TextClassifier.load(model), { code: 'ERR_INVALID_FILE' })
})

anyTest('the evaluator refuses data that do not fit', (t) => {
  const data = { texts: ['a', 'b'], labels: ['x', 'y'] }
  const make = (options: object) => () => new evaluation.TextClassificationEvaluator(options as never)
  t.throws(make({ train: data }), { code: 'ERR_INVALID_ARGUMENT', message: /test/ })
  t.throws(make({ train: data, test: { texts: ['a'], labels: ['z'] } }), {
    code: 'ERR_INVALID_DATA',
    message: /label z/,
  })
  t.throws(make({ train: { texts: ['a', 'b'], labels: ['x', 1] }, test: data }), { message: /found both/ })
  t.throws(make({ train: data, test: data, c: 0 }), { code: 'ERR_INVALID_ARGUMENT', message: /c/ })
})
