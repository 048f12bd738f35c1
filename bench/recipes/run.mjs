// node bench/recipes/run.mjs [--cases softmax,multipleNegatives] [--seeds 1,2,3] [--dropout off|on|both] [--steps 50] [--most-steps 150]
//
// Each recipe beside the same training in sentence-transformers (twin.py). Dropout off: the same batches, and the losses of the
// first 50 steps. Dropout on: for each seed the Spearman correlation on the STS benchmark's dev split (or NDCG@10, where a case has data for
// retrieval), after the steps of the case or --most-steps. Every run is a JSON line in bench/results; runs that are there already are not run again. compare.mjs reads them. Needs
// ../shared and the peer's Python (see bench/run.mjs).
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import {
  Dataset,
  evaluation,
  Pooling,
  SentenceTransformer,
  SentenceTransformerTrainer,
  Transformer,
} from 'sentence-torch'
import { cpuModel } from '../../install/system.mjs'
import { CASES, stsDev } from './cases.mjs'
import { MODEL, squadEvaluator } from './squad.mjs'
import { STAGE_TWINS } from './stage-twins.mjs'
import { doneKeys, runTwin } from './twins.mjs'

const ALL = { ...CASES, ...STAGE_TWINS }
const here = fileURLToPath(new URL('.', import.meta.url))
const text = (value) => ({ type: 'string', default: value })
const { values: options } = parseArgs({
  options: {
    cases: text(Object.keys(ALL).join()),
    seeds: text('1,2,3'),
    dropout: text('both'),
    steps: text('50'),
    'most-steps': text('150'),
    results: text(join(here, '..', 'results', 'recipes.jsonl')),
  },
})

/** The model's folder with dropout off. */
function quiet(folder) {
  for (const name of readdirSync(MODEL)) {
    if (name !== 'config.json') symlinkSync(join(MODEL, name), join(folder, name))
  }
  const config = JSON.parse(readFileSync(join(MODEL, 'config.json'), 'utf8'))
  Object.assign(config, { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 })
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  return folder
}

async function ours({ recipe, options, args, log = '' }, job, { sts, retrieval }) {
  const given = typeof options === 'function' ? await options(job.seed) : options
  const outputDir = join(job.folder, 'run')
  const test = retrieval
    ? squadEvaluator(retrieval)
    : new evaluation.EmbeddingSimilarityEvaluator({ ...sts, name: 'sts', writeCsv: false })
  const start = performance.now()
  const { metrics } = await recipe({
    ...given,
    ...{ model: job.model, outputDir, seed: job.seed },
    ...(job.measure && { test }),
    args: { ...args, maxSteps: job.steps, ...(job.sampler && { batchSampler: job.sampler }), loggingSteps: 1 },
  })
  const records = readFileSync(join(outputDir, log, 'log.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const found = metrics.find(({ name }) => name === (retrieval ? 'squad_cosine_ndcg@10' : 'sts_spearman_cosine'))
  return {
    losses: records.filter(({ loss }) => loss !== undefined).map(({ loss }) => loss),
    ...(found && { before: found.before, after: found.after }),
    seconds: Math.round((performance.now() - start) / 100) / 10,
  }
}

function theirs({ loss, args, python: told = {} }, job, measured) {
  const file = join(job.folder, 'job.json')
  const { model, seed, steps, sampler, columns, head, measure } = job
  const { perDeviceTrainBatchSize: batchSize, learningRate, multiDatasetBatchSampler: multi } = args
  writeFileSync(
    file,
    JSON.stringify({
      model,
      seed,
      steps,
      sampler,
      columns,
      head,
      loss,
      batchSize,
      learningRate,
      ...told,
      multi,
      ...(measure && measured),
    }),
  )
  return runTwin('twin.py', file)
}

/** What our trainer draws for a loss's own parameters with this seed: a step with the learning rate 0 leaves them as they are. */
async function initialHead({ ours: makeLoss, python: { pooling } = {} }, { model: folder, seed, columns }) {
  if (makeLoss === undefined) return undefined
  const model = pooling
    ? await SentenceTransformer.fromModules([await Transformer.load(folder), new Pooling(pooling)])
    : await SentenceTransformer.load(folder)
  const few = Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values.slice(0, 8)]))
  const args = { maxSteps: 1, learningRate: 0, saveStrategy: 'no', seed }
  const parts = { model, trainDataset: Dataset.fromColumns(few), loss: makeLoss(), args, progress: false }
  const { lossTensors } = await new SentenceTransformerTrainer(parts).train()
  await model.dispose()
  return Object.fromEntries(
    Object.entries(lossTensors).map(([name, { shape, data }]) => [name, { shape, data: [...data] }]),
  )
}

const done = doneKeys(options.results)
const sts = await stsDev()

async function run(name, dropout, seed) {
  const one = ALL[name]
  const isQuiet = dropout === 'off'
  const steps = isQuiet ? Number(options.steps) : Math.min(one.args.maxSteps, Number(options['most-steps']))
  const keyOf = (side) => [name, `dropout ${dropout}`, `seed ${seed}`, `${steps} steps`, side].join(', ')
  if (['ours', 'theirs'].every((side) => done.has(keyOf(side)))) return
  const folder = mkdtempSync(join(tmpdir(), 'recipes-'))
  try {
    const model = isQuiet ? quiet(folder) : MODEL
    const sampler = isQuiet ? 'sequential' : one.sampler
    const job = { folder, model, seed, steps, sampler, columns: await one.columns?.(seed), measure: !isQuiet }
    const measured = one.retrieval ? { retrieval: await one.retrieval() } : { sts: (await one.sts?.()) ?? sts }
    if (isQuiet) job.head = await initialHead(one, job)
    for (const [side, work] of Object.entries({ ours, theirs })) {
      const key = keyOf(side)
      // Python needs the files of our run where a case has stages.
      if (done.has(key) && !(side === 'ours' && one.ofRun)) continue
      if (side === 'theirs') Object.assign(job, await one.ofRun?.(join(folder, 'run')))
      const result = await work(one, job, measured)
      if (done.has(key)) continue
      const facts = { case: name, dropout, seed, steps, side, processor: cpuModel(), node: process.versions.node }
      appendFileSync(options.results, `${JSON.stringify({ key, ...facts, ...result })}\n`)
      console.error(key)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

for (const name of options.cases.split(',')) {
  if (options.dropout !== 'on') await run(name, 'off', 1)
  if (options.dropout === 'off') continue
  for (const seed of options.seeds.split(',').map(Number)) await run(name, 'on', seed)
}
