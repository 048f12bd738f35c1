// What all recipes have in common, on a model that computes in microseconds.
import { mkdtempSync, rmSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Dataset, evaluation, recipes } from '../../lib/index.js'
import type { FigureOf } from '../../lib/report/figures.js'
import { RunFolder } from '../../lib/report/run-folder.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const model = await tinyFolder(mkdtempSync(join(tmpdir(), 'sentence-torch-')))
test.after.always(() => rmSync(model, { recursive: true, force: true }))

const words = tinyWords.slice(0, 16)
const train = Dataset.fromColumns({
  anchor: words.map((word) => `the ${word}`),
  positive: words.map((word) => `a ${word}`),
})
const evaluator = (name: string) =>
  new evaluation.EmbeddingSimilarityEvaluator({
    sentences1: train.texts('anchor'),
    sentences2: train.texts('positive'),
    scores: words.map((_, i) => (i * 7) % 16),
    name,
  })

async function run(
  t: ExecutionContext,
  options: Partial<recipes.MultipleNegativesOptions> = {},
  context: recipes.RecipeContext = {},
) {
  const outputDir = options.outputDir ?? (await temporaryFolder(t))
  const args = { perDeviceTrainBatchSize: 4, maxSteps: 4, learningRate: 1e-3, ...options.args }
  return recipes.multipleNegatives({ model, train, seed: 3, ...options, outputDir, args }, context)
}

test('the run folder: numbers before and after, what was run, the logs, and no checkpoint', async (t) => {
  const lines: string[] = []
  const evaluators = { dev: evaluator('dev'), test: evaluator('test'), outside: evaluator('far') }
  const { folder, metrics, notes } = await run(t, evaluators, { log: (line) => lines.push(line) })
  t.deepEqual(notes, [])
  t.deepEqual(
    metrics.map(({ name, data, evaluator }) => [name, data, evaluator]),
    [
      ['dev_spearman_cosine', 'dev', 'dev'],
      ['dev_pearson_cosine', 'dev', 'dev'],
      ['test_spearman_cosine', 'test', 'test'],
      ['test_pearson_cosine', 'test', 'test'],
      ['far_spearman_cosine', 'outside', 'far'],
      ['far_pearson_cosine', 'outside', 'far'],
    ],
  )
  for (const { before, after, interval } of metrics) {
    t.not(before, after)
    t.true(interval!.low < after - before && after - before < interval!.high)
  }
  const { manifest, config, result, logs, figures } = await RunFolder.read(folder)
  t.is(manifest.state, 'finished')
  const [old, now] = ['similarity-1-before', 'similarity-2-after'].map(
    (name) => figures.get(name) as unknown as { rows: string[]; values: number[][] },
  )
  t.is(old!.rows.length, 10)
  const map = figures.get('map') as FigureOf<'map'>
  t.deepEqual([map.labels.length, map.panels.map(({ title }) => title)], [32, ['before', 'after']])
  t.deepEqual(new Set(map.groups), new Set(['anchor', 'positive']))
  t.notDeepEqual(map.panels[0]!.x, map.panels[1]!.x)
  // The evaluators of this test measure on the training pairs.
  const leaking = ['dev', 'test', 'outside'].map((role) => [role, 16, 0, 32, 16, 32])
  t.deepEqual((figures.get('data-overlap') as FigureOf<'table'>).rows, [['train', 16, 0, 32, null, null], ...leaking])
  t.deepEqual((figures.get('data-lengths') as FigureOf<'histogram'>).series[0]!.values, Array(32).fill(2))
  const report = await readFile(join(folder, 'report.html'), 'utf8')
  for (const id of ['results', 'training', 'similarity', 'map', 'data', 'config', 'manifest']) {
    t.true(report.includes(`<section id="${id}">`), id)
  }
  t.true(Math.abs(now!.values[0]![0]! - 1) < 1e-5)
  t.not(old!.values[0]![1], now!.values[0]![1])
  t.deepEqual(manifest.seeds, { seed: 3 })
  t.regex(manifest.data![0]!.sha256!, /^[0-9a-f]{64}$/)
  t.regex(config!, /recipe: multipleNegatives/)
  t.deepEqual(result!.metrics, metrics)
  t.true(logs[0]!.records.some((record) => 'eval_dev_spearman_cosine' in record))
  t.true(lines.some((line) => line.startsWith('before: dev dev_spearman_cosine')))
  const names = await readdir(folder)
  t.true(names.includes('model') && !names.some((name) => name.startsWith('checkpoint-')))
})

test('the same seed gives the same numbers; what is not measured is named', async (t) => {
  const [first, second] = [await run(t, { test: evaluator('x') }), await run(t, { test: evaluator('x') })]
  t.deepEqual(first.metrics, second.metrics)
  t.is(first.notes.length, 2)
  t.regex(first.notes.join(), /dev evaluator.*outside evaluator/)
  const other = await run(t, { test: evaluator('x'), seed: 4 })
  t.notDeepEqual(other.metrics, first.metrics)
})

test('wrong options are refused before anything is written', async (t) => {
  const outputDir = join(await temporaryFolder(t), 'run')
  const wrong = (options: object, code: string, message: RegExp) =>
    t.throwsAsync(run(t, { outputDir, ...options }), { code, message })
  await wrong({ sacle: 3 }, 'ERR_UNKNOWN_OPTION', /did you mean scale/)
  await wrong({ args: { learningRte: 3 } }, 'ERR_UNKNOWN_OPTION', /did you mean learningRate/)
  await wrong({ args: { outputDir: 'x' } }, 'ERR_INVALID_ARGUMENT', /args: outputDir follows the option outputDir/)
  await wrong({ args: { seed: 1 } }, 'ERR_INVALID_ARGUMENT', /args: seed follows the option seed/)
  await wrong({ train: [] }, 'ERR_INVALID_ARGUMENT', /at least one data set/)
  await wrong({ test: { stss: 'x' } }, 'ERR_UNKNOWN_OPTION', /sts/)
  await wrong({ model: undefined }, 'ERR_INVALID_ARGUMENT', /model/)
  await t.throwsAsync(readdir(outputDir), { code: 'ENOENT' })
})

test('a failed run and a stopped one say so, and a stopped one goes on', async (t) => {
  const outputDir = await temporaryFolder(t)
  await t.throwsAsync(run(t, { outputDir, train: join(outputDir, 'none.jsonl') }), { code: 'ERR_NOT_FOUND' })
  const failed = await RunFolder.read(outputDir)
  t.is(failed.manifest.state, 'failed')
  t.regex(failed.manifest.error!, /none\.jsonl/)

  const whole = await run(t, { test: evaluator('x') })
  const controller = new AbortController()
  // The second log record, after two steps.
  const args = { loggingSteps: 1 }
  const progress = { write: (text: string) => void (/"step":2/.test(text) && controller.abort()) }
  const stopping = run(t, { outputDir, test: evaluator('x'), args }, { signal: controller.signal, progress })
  await t.throwsAsync(stopping, { code: 'ERR_ABORTED' })
  t.is((await RunFolder.read(outputDir)).manifest.state, 'interrupted')
  const lines: string[] = []
  const resumed = await run(
    t,
    { outputDir, test: evaluator('x'), args },
    { resume: true, log: (line) => lines.push(line) },
  )
  t.true(lines.includes('going on from the newest checkpoint'))
  t.deepEqual(resumed.metrics, whole.metrics)
})

test('sentences: each once, of the column text if there is one', async (t) => {
  const rows = Dataset.fromRows([
    { text: 'one', category: 'x' },
    { text: 'two', category: 'x' },
    { text: ' ', category: 'y' },
    { text: 'one', category: 'y' },
  ])
  t.deepEqual(recipes.sentencesOf(rows), { sentences: ['one', 'two'], dropped: 2 })
  t.deepEqual(recipes.sentencesOf(train).sentences.length, 32)
  t.throws(() => recipes.sentencesOf(rows.selectColumns(['category']), 3), {
    code: 'ERR_INVALID_DATA',
    message: /found 2/,
  })
  const file = join(await temporaryFolder(t), 'rows.jsonl')
  await writeFile(file, '{"anchor":"the cat"}\n{"anchor":"the dog"}\n')
  await t.throwsAsync(run(t, { train: file }), { code: 'ERR_INVALID_DATA', message: /at least two columns of texts/ })
})
