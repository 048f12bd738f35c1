// `finetune` with a budget, on a model that computes in microseconds.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { parse } from 'yaml'
import { Dataset, recipes, SentenceTransformer } from '../../lib/index.js'
import type { FigureOf } from '../../lib/report/figures.js'
import { RunFolder } from '../../lib/report/run-folder.js'
import { callProgram } from '../helpers/call-program.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { shuffledColumn } from '../helpers/shared.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

// Of one thread: two that wait for each other would count twice.
process.env.SENTENCE_TORCH_THREADS = '1'
/** Seconds of the processor: on a machine that does other things the clock would leave no time for a search. */
performance.now = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

const folder = mkdtempSync(join(tmpdir(), 'sentence-torch-search-'))
const MODEL = await tinyFolder(join(folder, 'model'))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))

/** Texts belong together that share their animal. */
const [ANIMALS, COLOURS] = [tinyWords.slice(6, 12), tinyWords.slice(0, 6)]
const ROWS = Array.from({ length: 400 }, (_, i) => {
  const [one, two] = [(i * 7) % 6, i % 2 ? (i * 7) % 6 : (i * 7 + 1 + (i % 5)) % 6]
  const colour = (at: number) => COLOURS[Math.floor(at) % 6]
  return {
    one: `${ANIMALS[one]} ${colour(i / 6)} is a ${i}`,
    two: `the ${ANIMALS[two]} and ${colour(i / 3)} ${i}`,
    score: one === two ? 5 : (i % 3) / 2,
  }
})
const train = Dataset.fromRows(ROWS)

interface Given extends Partial<recipes.FinetuneOptions> {
  outputDir: string
}
const search = (options: Given, context: recipes.RecipeContext = {}) =>
  recipes.finetune({ model: MODEL, train, holdOut: 0.3, budget: '12s', seed: 5, ...options }, context)

const stagesOf = (folder: string) => readdirSync(join(folder, 'stages')).filter((name) => name.includes('-trial-'))

/** A model that small learns at such rates. */
const RATES = { learningRate: { min: 1e-4, max: 1e-2 } }

async function run(t: ExecutionContext, options: Partial<Given> = {}) {
  const outputDir = options.outputDir ?? (await temporaryFolder(t))
  const lines: string[] = []
  const start = performance.now()
  /** When the last training was done: the report is measured by nobody. */
  let seconds = 0
  const log = (line: string) => {
    lines.push(line)
    if (line.startsWith('trials: ')) seconds = (performance.now() - start) / 1000
  }
  const result = await search({ ...options, outputDir }, { log })
  t.log(`${seconds.toFixed(1)} s of search, ${((performance.now() - start) / 1000).toFixed(1)} s in all`)
  return { ...result, lines, seconds }
}

test.serial('within its time it finds settings that are better than those on shuffled scores', async (t) => {
  const { folder, metrics, notes, counts, seconds, lines } = await run(t, { search: RATES })
  const control = await run(t, { search: RATES, train: await shuffledColumn(train, 'score') })
  const test = metrics.find(({ data }) => data === 'test')!
  const other = control.metrics.find(({ data }) => data === 'test')!
  t.log(`${test.before} → ${test.after}, control ${other.after}; ${JSON.stringify(counts)}`)
  t.true(test.after > other.after + 0.2 && test.after > test.before + 0.2)
  t.true(seconds < 12 * 1.5, `${seconds} s`)
  t.true(counts.trials! >= 2 && counts.trainings! > counts.trials!)
  t.regex(notes.join(' '), /Scores were divided by 5.*the best on dev of \d+ trials/)
  t.is(stagesOf(folder).length, counts.trainings!)

  // The first trial is the recipe's own; of each rung the best third went on.
  const { figures } = await RunFolder.read(folder)
  const { columns, rows } = figures.get('search-1-trials') as FigureOf<'table'>
  t.is(rows.length, counts.trials!)
  const cell = (row: number, column: string) => rows[row]![columns.indexOf(column)]
  t.deepEqual(
    ['loss', 'learningRate', 'perDeviceTrainBatchSize'].map((name) => cell(0, name)),
    ['CoSENTLoss', 1e-3, 32],
  )
  t.true(figures.has('search-2-rates'))
  const best = rows.findIndex((row) => row.at(-1) === 'best')
  const dev = metrics.find(({ data }) => data === 'dev')!
  t.true(Math.abs((cell(best, 'dev') as number) - dev.after) < 1e-6)
  for (const [i, row] of rows.entries())
    if (cell(i, 'rows of dev') === 'all') t.true((cell(i, 'dev') as number) <= dev.after + 1e-9, String(row))
  const settings = parse(readFileSync(join(folder, 'settings.yaml'), 'utf8'))
  t.is(settings.training.learningRate, cell(best, 'learningRate'))
  // bfloat16 is taken where it is faster, and told.
  t.is(settings.training.bf16 === true, /Trainings compute in bfloat16, \S+ times as fast/.test(notes.join(' ')))
  t.is(lines.filter((line) => /^trial \d+: /.test(line)).length, counts.trainings!)
  const model = await SentenceTransformer.load(join(folder, 'model'))
  await model.dispose()
  t.regex(readFileSync(join(folder, 'model', 'README.md'), 'utf8'), /Dataset: `test`/)
  t.regex(readFileSync(join(folder, 'report.html'), 'utf8'), /Trials of the search/)
})

test.serial('a search that was stopped goes on: no training is done twice', async (t) => {
  const outputDir = await temporaryFolder(t)
  const controller = new AbortController()
  let done = 0
  const log = (line: string) => void (/^trial \d+: /.test(line) && ++done === 4 && controller.abort())
  await t.throwsAsync(search({ outputDir }, { signal: controller.signal, log }), { code: 'ERR_ABORTED' })
  const before = new Map(
    stagesOf(outputDir).flatMap((name) => {
      const file = join(outputDir, 'stages', name, 'trial.json')
      return existsSync(file) ? [[file, readFileSync(file, 'utf8')] as const] : []
    }),
  )
  t.is(before.size, 4)
  const { lines, counts, metrics } = await run(t, { outputDir })
  for (const [file, text] of before) t.is(readFileSync(file, 'utf8'), text)
  t.is(lines.filter((line) => /stage \d+, trial-.*: reused/.test(line)).length, 4)
  t.is(lines.filter((line) => /stage \d+, trial-.*: runs/.test(line)).length, counts.trainings! - 4)
  // What is complete gives the same again, without a training.
  const again = await run(t, { outputDir })
  t.deepEqual(again.metrics, metrics)
  t.is(again.lines.filter((line) => /stage \d+, trial-.*: runs/.test(line)).length, 0)
})

test.serial('what is to be tried can be said, and a loss that fails does not end the search', async (t) => {
  const { folder, counts } = await run(t, {
    ...{ loss: 'CosineSimilarityLoss', args: { learningRate: 1e-3, weightDecay: 0.01 } },
    search: {
      loss: ['CosineSimilarityLoss', 'MarginMSELoss'],
      learningRate: [1e-3, 2e-3],
      perDeviceTrainBatchSize: [8],
    },
  })
  const { figures } = await RunFolder.read(folder)
  const { columns, rows } = figures.get('search-1-trials') as FigureOf<'table'>
  const values = (name: string) => new Set(rows.map((row) => row[columns.indexOf(name)]))
  t.deepEqual(values('perDeviceTrainBatchSize'), new Set([8]))
  t.deepEqual(values('learningRate'), new Set([1e-3, 2e-3]))
  t.deepEqual(values('loss'), new Set(['CosineSimilarityLoss', 'MarginMSELoss']))
  t.true(rows.some((row) => /MarginMSELoss/.test(String(row.at(-1))) && row[columns.indexOf('dev')] === null))
  t.true(counts.trials! >= 3)
  const settings = parse(readFileSync(join(folder, 'settings.yaml'), 'utf8'))
  t.like(settings, { loss: 'CosineSimilarityLoss', training: { weightDecay: 0.01 } })
})

test.serial('with several batches a step no training is longer than its epochs', async (t) => {
  const { folder } = await run(t, {
    ...{ args: { gradientAccumulationSteps: 4, bf16: false } },
    search: { perDeviceTrainBatchSize: [8], numTrainEpochs: [1] },
  })
  t.false(parse(readFileSync(join(folder, 'settings.yaml'), 'utf8')).training.bf16)
  const { figures } = await RunFolder.read(folder)
  const { columns, rows } = figures.get('search-1-trials') as FigureOf<'table'>
  const epochs = rows.map((row) => row[columns.indexOf('epochs')] as number)
  t.true(Math.max(...epochs) > 0.9 && Math.max(...epochs) < 1.2, epochs.join())
})

test.serial('a cross-encoder', async (t) => {
  const { metrics, counts } = await run(t, { modelType: 'cross-encoder' })
  t.is(metrics.find(({ data }) => data === 'test')!.name, 'test_spearman')
  t.true(counts.trials! >= 1)
})

test.serial('what a search does not take is told before anything is written', async (t) => {
  const outputDir = join(await temporaryFolder(t), 'run')
  const refused = (options: object, code: string, message: RegExp) =>
    t.throwsAsync(search({ outputDir, ...options }), { code, message })
  await refused({ budget: 'soon' }, 'ERR_INVALID_ARGUMENT', /a duration such as '90s'/)
  await refused({ holdOut: 0 }, 'ERR_INVALID_ARGUMENT', /budget needs dev, or holdOut/)
  await refused({ train: { a: train, b: train } }, 'ERR_INVALID_ARGUMENT', /one data set, because of budget/)
  await refused({ args: { maxSteps: 5 } }, 'ERR_INVALID_ARGUMENT', /budget, which decides it, for training maxSteps/)
  await refused({ search: { learningRte: [1] } }, 'ERR_UNKNOWN_OPTION', /learningRte/)
  await refused({ budget: undefined, search: { learningRate: [1] } }, 'ERR_INVALID_ARGUMENT', /nothing without budget/)
  t.false(existsSync(outputDir))
  await refused({ budget: '0.05s' }, 'ERR_INVALID_ARGUMENT', /too short to train anything/)
})

test.serial('train --budget', async (t) => {
  const data = join(folder, 'rows.jsonl')
  writeFileSync(data, ROWS.map((row) => `${JSON.stringify(row)}\n`).join(''))
  const config = join(folder, 'rows.yaml')
  const made = await callProgram([
    'init',
    data,
    '--model',
    MODEL,
    '--output',
    config,
    '--run-folder',
    join(folder, 'run'),
  ])
  t.is(made.code, 0, made.err)
  const { code, out, err } = await callProgram(['train', config, '--budget', '40s', '--json'])
  t.is(code, 0, err)
  t.true(JSON.parse(out).counts.trials >= 1)
  t.is(parse(readFileSync(join(folder, 'run', 'config.yaml'), 'utf8')).budget, '40s')
  const wrong = await callProgram(['train', config, '--budget', 'soon'])
  t.regex(wrong.err, /budget: .*a duration/)
  writeFileSync(config, `recipe: simcse\nmodel: ${MODEL}\noutputDir: x\ntrain: ${data}\n`)
  const other = await callProgram(['train', config, '--budget', '6s'])
  t.regex(other.err, /no "budget"/)
})
