// node bench/vocabulary.mjs: masked language modelling over a vocabulary of 250,002 tokens, width 384, 32 rows of 128 tokens, beside
// BertForMaskedLM with AdamW in Python. Prints one JSON line: peak memory of each process above weights, gradients and moments, and
// processor seconds a step. Programs run one after the other, each in a process of its own; the shares are ours by Python's.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  Dataset,
  losses,
  Pooling,
  SentenceTransformer,
  SentenceTransformerTrainer,
  Transformer,
} from '../dist/lib/index.js'
import { missing, modelFolder, pythonProgram } from './common/peers.mjs'

const SHAPE = { vocabulary: 250_002, width: 384, layers: 6, rows: 32, tokens: 128, warmUp: 1, steps: 1 }
const CONFIG = {
  model_type: 'bert',
  vocab_size: SHAPE.vocabulary,
  hidden_size: SHAPE.width,
  num_hidden_layers: SHAPE.layers,
  num_attention_heads: 12,
  intermediate_size: 4 * SHAPE.width,
}

/** Saves a model for `train`. Each runs in a process of its own. */
async function create(folder) {
  const tokenizer = modelFolder('all-MiniLM-L6-v2')
  const transformer = await Transformer.create(CONFIG, { tokenizer, seed: 1, maxSeqLength: SHAPE.tokens })
  const model = await SentenceTransformer.fromModules([transformer, new Pooling('mean')])
  await model.save(folder)
  console.log('{}')
}

async function train(folder) {
  const model = await SentenceTransformer.load(folder)
  // Long enough that every row is truncated to the same number of tokens.
  const text = (i) => Array.from({ length: 2 * SHAPE.tokens }, (_, word) => `word ${i} ${word}`).join(' ')
  const trainDataset = Dataset.fromColumns({ text: Array.from({ length: SHAPE.rows }, (_, i) => text(i)) })
  const cpu = []
  const seconds = () => process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6
  await new SentenceTransformerTrainer({
    model,
    trainDataset,
    loss: new losses.MaskedLanguageModelLoss(),
    args: { maxSteps: SHAPE.warmUp + SHAPE.steps, perDeviceTrainBatchSize: SHAPE.rows, saveStrategy: 'no' },
    callbacks: [{ onStepEnd: () => void cpu.push(seconds()) }],
    progress: false,
  }).train()
  const step = (cpu.at(-1) - cpu[SHAPE.warmUp - 1]) / SHAPE.steps
  console.log(JSON.stringify({ peakMB: process.resourceUsage().maxRSS / 1024, stepCpuSeconds: step }))
}

function run(program, args) {
  const { status, stdout } = spawnSync(program, args, { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}`)
  return JSON.parse(stdout.trimEnd().split('\n').at(-1))
}

function compare() {
  const why = missing('python')
  if (why) throw new Error(why)
  const folder = mkdtempSync(join(tmpdir(), 'vocabulary-'))
  try {
    const spec = join(folder, 'spec.json')
    writeFileSync(spec, JSON.stringify({ config: CONFIG, ...SHAPE }))
    const peer = fileURLToPath(new URL('vocabulary_peer.py', import.meta.url))
    const theirs = run(pythonProgram, [peer, spec])
    const [program, model] = [fileURLToPath(import.meta.url), join(folder, 'model')]
    run(process.execPath, [program, 'create', model])
    const own = run(process.execPath, [program, 'train', model])
    // Weights, gradients and two moments, float32. The head adds a dense layer, a norm and a bias.
    const stateMB = (4 * 4 * theirs.parameters) / 2 ** 20
    const above = ({ peakMB }) => Math.round(peakMB - stateMB)
    console.log(
      JSON.stringify({
        theme: 'vocabulary',
        shape: SHAPE,
        stateMB: Math.round(stateMB),
        ours: { ...own, aboveMB: above(own) },
        python: { ...theirs, aboveMB: above(theirs) },
        memoryShare: above(own) / above(theirs),
        timeShare: own.stepCpuSeconds / theirs.stepCpuSeconds,
        processor: cpus()[0].model,
        flags: (readFileSync('/proc/cpuinfo', 'utf8').match(/avx512_bf16|amx_bf16/g) ?? []).slice(0, 1),
      }),
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const [command, folder] = process.argv.slice(2)
if (command === 'create') await create(folder)
else if (command === 'train') await train(folder)
else compare()
