// node bench/multi-vector.mjs [--python PYTHON] [--rounds N] [--parts scores,encode,train] [--steps N] [--texts N]
// [--clock wall|processor]: models with a vector for each token (ColBERT) beside sentence-transformers, in turns (ours, theirs, ours, …),
// each trial in a process of its own. One JSON line a part:
//
//   scores  milliseconds of MaxSim: 64 queries of 32 vectors with 1,000 documents of 40 to 180, of 128 numbers
//   encode  texts a second of SQuAD passages (500): a vector for each token, beside `encode` of our own dense model, and Python's
//   train   milliseconds a step on SQuAD pairs, batch 32, from all-MiniLM-L6-v2 with a new projection, dropout on
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import {
  Dataset,
  MultiVectorEncoder,
  MultiVectorEncoderTrainer,
  maxSimMatrix,
  SentenceTransformer,
  TokenEmbeddings,
} from '../dist/lib/index.js'
import { loadAddon } from '../dist/lib/native/load.js'
import { modelFolder, pythonProgram } from './common/peers.mjs'
import { median } from './common/statistics.mjs'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: 'string', default: pythonProgram },
    rounds: { type: 'string', default: '3' },
    parts: { type: 'string', default: 'scores,encode,train' },
    steps: { type: 'string', default: '8' },
    texts: { type: 'string', default: '500' },
    // The processor time of all threads says more where other programs run beside.
    clock: { type: 'string', default: 'wall' },
  },
})
const STEPS = Number(options.steps)
const DATA = new URL('../../shared/data/squad/', import.meta.url)
const MODEL = modelFolder('all-MiniLM-L6-v2')
const [QUERIES, QUERY_VECTORS, DOCUMENTS, DIMENSION] = [64, 32, 1000, 128]

function lines(name) {
  return readFileSync(new URL(name, DATA), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

/** Questions with their passages, the same for all programs. */
function pairs(count) {
  const passages = new Map(lines('train-passages.jsonl').map(({ passage_id, passage }) => [passage_id, passage]))
  const all = lines('train-questions.jsonl')
  return Array.from({ length: count }, (_, i) => all[(i * 37) % all.length]).map(({ question, passage_id }) => ({
    question,
    passage: passages.get(passage_id),
  }))
}

/** Milliseconds. */
function now() {
  if (options.clock === 'wall') return performance.now()
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

function passages() {
  return lines('dev-passages.jsonl')
    .slice(0, Number(options.texts))
    .map(({ passage }) => passage)
}

async function timed(work, least = 3) {
  await work()
  const start = now()
  for (let i = 0; i < least; i++) await work()
  return (now() - start) / least
}

function randomRows(lengths) {
  const data = Float32Array.from({ length: lengths.reduce((a, b) => a + b) * DIMENSION }, () => Math.random() - 0.5)
  const offsets = Int32Array.from([0, ...lengths])
  for (let i = 1; i < offsets.length; i++) offsets[i] += offsets[i - 1]
  return new TokenEmbeddings(data, offsets, DIMENSION)
}

const OURS = {
  async scores() {
    const queries = randomRows(new Array(QUERIES).fill(QUERY_VECTORS))
    const documents = randomRows(Array.from({ length: DOCUMENTS }, (_, i) => 40 + ((i * 53) % 141)))
    return timed(() => maxSimMatrix('maxsim', queries, documents), 5)
  },
  async encode() {
    const texts = passages()
    const model = await MultiVectorEncoder.load(MODEL)
    return (1000 * texts.length) / (await timed(() => model.encodeDocument(texts), 2))
  },
  async dense() {
    const texts = passages()
    const model = await SentenceTransformer.load(MODEL)
    return (1000 * texts.length) / (await timed(() => model.encode(texts), 2))
  },
  async train() {
    const model = await MultiVectorEncoder.load(MODEL)
    const times = []
    await new MultiVectorEncoderTrainer({
      model,
      trainDataset: Dataset.fromRows(pairs(32 * (STEPS + 2))),
      args: {
        maxSteps: STEPS + 2,
        perDeviceTrainBatchSize: 32,
        saveStrategy: 'no',
        loggingStrategy: 'no',
        reportTo: 'none',
      },
      callbacks: [{ onStepEnd: () => void times.push(now()) }],
      progress: false,
    }).train()
    return (times.at(-1) - times[1]) / STEPS
  },
}

function trial(program, args) {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 28 })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${stderr.slice(-2000)}`)
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)).value
}

if (positionals[0] === 'trial') {
  console.log(JSON.stringify({ value: await OURS[positionals[1]]() }))
} else {
  const own = fileURLToPath(import.meta.url)
  const peer = fileURLToPath(new URL('multi_vector_peer.py', import.meta.url))
  const { cpuKernels, threads } = loadAddon().runtime()
  const machine = { processor: cpus()[0].model, kernels: cpuKernels, threads, cores: cpus().length }
  for (const part of options.parts.split(',')) {
    const amounts = ['--steps', options.steps, '--texts', options.texts, '--clock', options.clock]
    const found = { ours: [], theirs: [], ...(part === 'encode' && { dense: [] }) }
    for (let round = 0; round < Number(options.rounds); round++) {
      found.ours.push(trial(process.execPath, [own, 'trial', part, ...amounts]))
      found.dense?.push(trial(process.execPath, [own, 'trial', 'dense', ...amounts]))
      found.theirs.push(
        trial(options.python, [peer, part, MODEL, fileURLToPath(DATA), options.steps, options.texts, options.clock]),
      )
    }
    const [ours, theirs] = [median(found.ours), median(found.theirs)]
    const times = part === 'encode' ? ours / theirs : theirs / ours
    const dense = found.dense && {
      dense: median(found.dense),
      ofDense: Number((ours / median(found.dense)).toFixed(3)),
    }
    console.log(
      JSON.stringify({
        theme: 'multi-vector',
        part,
        clock: options.clock,
        ours,
        theirs,
        ...dense,
        times: Number(times.toFixed(2)),
        trials: found,
        ...machine,
      }),
    )
  }
}
