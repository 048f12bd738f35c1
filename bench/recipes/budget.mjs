// node bench/recipes/budget.mjs [--cases sts,squad,banking77] [--seeds 1,2,3] [--budget 60] [--factor 6] [--sides ours,theirs] [--cpu-time]
//
// `finetune` with a budget beside Optuna with sentence-transformers (budget_peer.py: TPE and a pruner over the same losses, rates, batches
// and epochs), which gets `factor` times as long. Both get the same rows, of which each holds a fifth out (ours half of that for dev, the
// other half unused); both models are measured by the same evaluator on rows that neither saw. Every run is a JSON line in
// bench/results; runs that are there already are not run again. With --cpu-time both budgets are processor seconds of one thread, which a
// busy machine disturbs less than the clock. Needs ../shared, and optuna beside the peer's packages
// (SENTENCE_TORCH_BENCH_PYTHON).
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Dataset, evaluation, recipes, SentenceTransformer } from 'sentence-torch'
import { cpuModel } from '../../install/system.mjs'
import { stsDev } from './cases.mjs'
import { file, MODEL } from './squad.mjs'
import { doneKeys, runTwin } from './twins.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const text = (value) => ({ type: 'string', default: value })
const { values: options } = parseArgs({
  options: {
    ...{ cases: text('sts,squad,banking77'), seeds: text('1,2,3'), budget: text('60'), factor: text('6') },
    'cpu-time': { type: 'boolean', default: false },
    ...{ sides: text('ours,theirs'), results: text(join(here, '..', 'results', 'budget.jsonl')) },
  },
})
if (options['cpu-time']) {
  if (process.env.OMP_NUM_THREADS !== '1') throw new Error('--cpu-time needs OMP_NUM_THREADS=1')
  performance.now = () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1000
  }
}

/** The rows, the losses that fit them, and what measures a model on other rows. */
const CASES = {
  async sts() {
    const train = await Dataset.fromFile(file('stsb/train.tsv'), { columns: ['sentence1', 'sentence2', 'score'] })
    const test = new evaluation.EmbeddingSimilarityEvaluator({ ...(await stsDev()), name: 'sts', writeCsv: false })
    return { train, test, losses: ['CoSENTLoss', 'CosineSimilarityLoss', 'AnglELoss'], kind: 'scores' }
  },
  async squad() {
    const path = file('squad/train-question-sentences.jsonl')
    const all = (await Dataset.fromFile(path)).selectColumns(['question', 'answer_sentence'])
    const rows = (from, to) => all.select(Array.from({ length: to - from }, (_, i) => from + i))
    const [held, train] = [rows(0, 1000), rows(1000, 5000)]
    const texts = [...new Set(all.texts('answer_sentence'))]
    const ids = new Map(texts.map((one, i) => [one, `d${i}`]))
    const queries = new Map(held.texts('question').map((one, i) => [`q${i}`, one]))
    const relevantDocs = new Map(held.texts('answer_sentence').map((one, i) => [`q${i}`, new Set([ids.get(one)])]))
    const corpus = new Map([...ids].map(([one, id]) => [id, one]))
    const test = new evaluation.InformationRetrievalEvaluator({
      queries,
      corpus,
      relevantDocs,
      name: 'squad',
      writeCsv: false,
    })
    const losses = ['MultipleNegativesRankingLoss', 'MultipleNegativesSymmetricRankingLoss']
    return { train, test, losses, kind: 'pairs' }
  },
  async banking77() {
    const read = async (split) => {
      const rows = await Dataset.fromFile(file(`banking77/${split}.jsonl`))
      return { texts: rows.texts('text'), labels: rows.texts('category') }
    }
    const [train, test] = [await read('train'), await read('test')]
    const names = [...new Set(train.labels)].sort()
    const losses = ['Batch All', 'Batch Hard', 'Batch Semi Hard', 'Batch Hard Soft Margin']
    return {
      train: Dataset.fromColumns({ text: train.texts, label: train.labels.map((name) => names.indexOf(name)) }),
      test: new evaluation.Banking77Classification({ train, test, name: 'banking77', writeCsv: false }),
      ...{ losses: losses.map((name) => `${name.replaceAll(' ', '')}TripletLoss`), kind: 'classes' },
    }
  },
}

async function score(folder, test) {
  const model = await SentenceTransformer.load(folder)
  const { metrics, primaryMetric } = await test.evaluate(model)
  await model.dispose()
  return metrics[primaryMetric]
}

async function ours({ train }, { folder, seed, budget }) {
  const outputDir = join(folder, 'run')
  const options = { model: MODEL, outputDir, train, holdOut: 0.2, budget, seed }
  const result = await recipes.finetune(options, { log: (line) => console.error(performance.now() / 1000, line) })
  return {
    model: result.model,
    trials: result.counts.trials,
    trainings: result.counts.trainings,
    note: result.notes.at(-1),
  }
}

function theirs({ train, losses, kind }, { folder, seed, budget }) {
  const job = join(folder, 'job.json')
  const columns = Object.fromEntries(train.columnNames.map((name) => [name, [...train.column(name)]]))
  const seconds = budget * Number(options.factor)
  writeFileSync(
    job,
    JSON.stringify({
      model: MODEL,
      columns,
      losses,
      kind,
      seconds,
      seed,
      cpuTime: options['cpu-time'],
      output: join(folder, 'peer'),
    }),
  )
  return runTwin('budget_peer.py', job)
}

const done = doneKeys(options.results)
const sides = { ours, theirs }
for (const name of options.cases.split(',')) {
  const data = await CASES[name]()
  for (const seed of options.seeds.split(',').map(Number)) {
    for (const side of options.sides.split(',')) {
      const key = [
        name,
        `seed ${seed}`,
        `budget ${options.budget}${options['cpu-time'] ? ' of CPU' : ''}`,
        side === 'ours' ? side : `${side} × ${options.factor}`,
      ].join(', ')
      if (done.has(key)) continue
      const folder = mkdtempSync(join(tmpdir(), 'budget-'))
      try {
        const start = performance.now()
        const { model, ...found } = await sides[side](data, { folder, seed, budget: Number(options.budget) })
        const seconds = Math.round((performance.now() - start) / 100) / 10
        const facts = {
          case: name,
          side,
          seed,
          seconds,
          load: loadavg()[0],
          processor: cpuModel(),
          node: process.versions.node,
        }
        const numbers = { before: await score(MODEL, data.test), after: await score(model, data.test) }
        appendFileSync(options.results, `${JSON.stringify({ key, ...facts, ...numbers, ...found })}\n`)
        console.error(key, numbers, seconds)
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    }
  }
}
