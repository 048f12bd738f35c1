// node bench/curves.mjs [--steps 100] [--batch-size 16] [--threads N]: the losses of each step beside those of
// sentence-transformers, dropout off, the same batches, all-MiniLM-L6-v2, for six losses. One JSON line per loss: the largest
// relative difference. Needs ../shared and the peer's Python (see run.mjs).
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Dataset, losses, SentenceTransformer, SentenceTransformerTrainer } from 'sentence-torch'
import { cpuModel } from '../install/system.mjs'
import { engineFacts } from './trials/trial.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const shared = join(here, '..', '..', 'shared')
const text = (value) => ({ type: 'string', default: value })
const { values: options } = parseArgs({ options: { steps: text('100'), 'batch-size': text('16'), threads: text('0') } })
const [steps, batchSize, threads] = [options.steps, options['batch-size'], options.threads].map(Number)
const python = process.env.SENTENCE_TORCH_BENCH_PYTHON ?? join(here, 'peers', 'venv', 'bin', 'python')
// A batch without a hard pair has the loss 0.
const SMALL = 1e-3
const rows = steps * batchSize

/** Rows of the STS benchmark, scores from 0 to 1; a score of 3 of 5 is a positive pair. */
async function data() {
  const all = await Dataset.fromFile(join(shared, 'data', 'stsb', 'train.tsv'), {
    columns: ['sentence1', 'sentence2', 'score'],
  })
  const [first, second] = ['sentence1', 'sentence2'].map((name) => all.texts(name).slice(0, rows))
  const score = all.labels().slice(0, rows)
  const scored = { sentence1: first, sentence2: second, score: score.map((value) => value / 5) }
  const labelled = { sentence1: first, sentence2: second, label: score.map((value) => Number(value >= 3)) }
  return {
    CosineSimilarityLoss: scored,
    CoSENTLoss: scored,
    AnglELoss: scored,
    ContrastiveLoss: labelled,
    OnlineContrastiveLoss: labelled,
    MultipleNegativesRankingLoss: { anchor: first, positive: second },
  }
}

/** The model with dropout off. */
function quiet(folder) {
  const source = join(shared, 'models', 'all-MiniLM-L6-v2')
  for (const name of readdirSync(source))
    if (name !== 'config.json') symlinkSync(join(source, name), join(folder, name))
  const config = JSON.parse(readFileSync(join(source, 'config.json'), 'utf8'))
  Object.assign(config, { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 })
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  return folder
}

async function ours(folder, columns, loss) {
  const model = await SentenceTransformer.load(folder, threads ? { threads } : {})
  const found = []
  const args = {
    maxSteps: steps,
    perDeviceTrainBatchSize: batchSize,
    learningRate: 2e-5,
    warmupSteps: Math.floor(steps / 10),
    batchSampler: 'sequential',
    saveStrategy: 'no',
  }
  await new SentenceTransformerTrainer({
    model,
    trainDataset: Dataset.fromColumns(columns),
    loss: new losses[loss](),
    args,
    callbacks: [{ onStepEnd: ({ state }) => void found.push(state.lastLoss) }],
    progress: false,
  }).train()
  await model.dispose()
  return found
}

function theirs(folder, columns, loss) {
  const file = join(folder, 'columns.json')
  writeFileSync(file, JSON.stringify(columns))
  const args = ['--model', folder, '--data', file, '--loss', loss, '--batch-size', batchSize, '--steps', steps]
  const { status, stdout, stderr } = spawnSync(
    python,
    [join(here, 'curves_peer.py'), ...args, '--threads', threads].map(String),
    { encoding: 'utf8', maxBuffer: 1 << 26 },
  )
  if (status !== 0) throw new Error(`${python} failed: ${stderr.slice(-2000)}`)
  return JSON.parse(stdout.trim().split('\n').at(-1)).losses
}

const folder = quiet(mkdtempSync(join(tmpdir(), 'curves-')))
try {
  for (const [loss, columns] of Object.entries(await data())) {
    const [a, b] = [await ours(folder, columns, loss), theirs(folder, columns, loss)]
    if (a.length !== steps || b.length !== steps)
      throw new Error(`Expected ${steps} losses, found ${a.length} and ${b.length}`)
    const differences = a.map((value, i) => Math.abs(value - b[i]) / Math.max(Math.abs(b[i]), SMALL))
    console.log(
      JSON.stringify({
        theme: 'curves',
        loss,
        steps,
        batchSize,
        largestRelativeDifference: Math.max(...differences),
        first: [a[0], b[0]],
        last: [a.at(-1), b.at(-1)],
        processor: cpuModel(),
        ...(await engineFacts()),
      }),
    )
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
