// node bench/recipes/few-shot.mjs [--seeds 1,2,3] [--steps 60] [--results FILE]
//
// The recipe fewShot beside SetFit (few_shot_twin.py): the ten intents of Banking77 about top-ups, eight texts of each, accuracy and
// F1 on 20 others of each before and after training. Every run is a JSON line; runs that are there already are not run again. At the
// end the means and their difference. Needs ../shared, and setfit in the peer's Python (see bench/run.mjs).
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Dataset, recipes } from 'sentence-torch'
import { cpuModel } from '../../install/system.mjs'
import { runTwin } from './twins.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const shared = fileURLToPath(new URL('../../../shared/', import.meta.url))
const model = join(shared, 'models', 'all-MiniLM-L6-v2')
const text = (value) => ({ type: 'string', default: value })
const { values: options } = parseArgs({
  options: {
    seeds: text('1,2,3'),
    steps: text('60'),
    results: text(join(here, '..', 'results', 'few-shot.jsonl')),
  },
})

/** The first rows of each intent. */
async function intents(split, count) {
  const rows = await Dataset.fromFile(join(shared, 'data', 'banking77', `${split}.jsonl`))
  const seen = new Map()
  return rows.filter(({ category }) => {
    const before = seen.get(category) ?? 0
    seen.set(category, before + 1)
    return /top_up|topping/.test(category) && before < count
  })
}

async function ours({ train, test, seed, steps, learningRate, batchSize, folder }) {
  const start = performance.now()
  const { metrics } = await recipes.fewShot({
    ...{ model, train, testTexts: test, seed, outputDir: join(folder, 'run') },
    args: { maxSteps: steps, learningRate, perDeviceTrainBatchSize: batchSize, saveStrategy: 'no' },
  })
  const side = (when) =>
    Object.fromEntries(
      ['accuracy', 'f1'].map((name) => [name, metrics.find((metric) => metric.name === `test_${name}`)[when]]),
    )
  return { before: side('before'), after: side('after'), seconds: Math.round((performance.now() - start) / 100) / 10 }
}

function theirs({ train, test, folder, ...job }) {
  const file = join(folder, 'job.json')
  const columns = (rows) => ({ texts: rows.texts('text'), labels: rows.column('category') })
  writeFileSync(file, JSON.stringify({ ...job, model, train: columns(train), test: columns(test) }))
  return runTwin('few_shot_twin.py', file)
}

const read = () =>
  existsSync(options.results)
    ? readFileSync(options.results, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    : []
const [train, test] = [await intents('train', 8), await intents('test', 20)]
for (const seed of options.seeds.split(',').map(Number)) {
  for (const [side, work] of Object.entries({ ours, theirs })) {
    const facts = { side, seed, steps: Number(options.steps), learningRate: 1e-4, batchSize: 16 }
    if (read().some((run) => Object.entries(facts).every(([key, value]) => run[key] === value))) continue
    const folder = mkdtempSync(join(tmpdir(), 'few-shot-'))
    try {
      const found = await work({ train, test, folder, ...facts })
      const machine = { processor: cpuModel(), node: process.versions.node }
      appendFileSync(options.results, `${JSON.stringify({ ...facts, ...found, ...machine })}\n`)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
    console.error(side, `seed ${seed}`)
  }
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length
const variance = (values) => values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1)
const runs = read().filter((run) => run.steps === Number(options.steps))
for (const name of ['accuracy', 'f1']) {
  const [a, b] = ['ours', 'theirs'].map((side) =>
    runs.filter((run) => run.side === side).map(({ after }) => after[name]),
  )
  if (a.length < 3 || b.length < 3) continue
  const limit = Math.max(0.005, 2 * Math.sqrt(variance(a) / a.length + variance(b) / b.length))
  const difference = mean(a) - mean(b)
  console.log(
    `${name}: before ${runs[0].before[name].toFixed(4)}, ours ${mean(a).toFixed(4)}, theirs ${mean(b).toFixed(4)}, ` +
      `difference ${difference.toFixed(4)}, allowed ${limit.toFixed(4)}`,
  )
  if (!(Math.abs(difference) <= limit)) process.exitCode = 1
}
