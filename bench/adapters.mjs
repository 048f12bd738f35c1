// Training with an adapter beside training the whole model, and encoding with one beside encoding without:
//
//   node bench/adapters.mjs [--rows 16] [--tokens 64] [--steps 4] [--rank 16] [--dropout 0] [--dtype float32] [--rounds 3]
//
// bert-base's shape (or --shape qwen3: that of Qwen3-0.6B) with random weights, LoRA on all linear layers. Trials run in turns, each in a process of its own, after a
// warm-up that does not count. The last line is JSON: medians of a step in milliseconds, peak memory beyond that of the process
// before it in MiB, and the ratios. On a busy machine the processor's time (cpuTime) says more, and most of all the median of
// its ratios from pairs of steps in one process: `--pairs 20`, by one thread, because threads that wait for each other count as work.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { loadAddon } from '../dist/lib/native/load.js'
import { median } from './common/statistics.mjs'

const number = (fallback) => ({ type: 'string', default: String(fallback) })
const { values } = parseArgs({
  options: {
    ...{
      rows: number(16),
      tokens: number(64),
      steps: number(4),
      rank: number(16),
      dropout: number(0),
      rounds: number(3),
    },
    ...{ dtype: { type: 'string', default: 'float32' }, shape: { type: 'string', default: 'bert' } },
    ...{ warmup: number(2), pairs: number(0), trial: { type: 'string' } },
  },
})
const [rows, tokens, steps, rank, dropout] = ['rows', 'tokens', 'steps', 'rank', 'dropout'].map((name) =>
  Number(values[name]),
)

const bert = {
  ...{ model_type: 'bert', vocab_size: 30522, hidden_size: 768, num_hidden_layers: 12, num_attention_heads: 12 },
  ...{ intermediate_size: 3072, max_position_embeddings: 512, type_vocab_size: 2, hidden_act: 'gelu' },
}
const qwen3 = {
  ...{ model_type: 'qwen3', vocab_size: 151669, hidden_size: 1024, num_hidden_layers: 28, num_attention_heads: 16 },
  ...{ num_key_value_heads: 8, head_dim: 128, intermediate_size: 3072, max_position_embeddings: 32768 },
  ...{ hidden_act: 'silu', rms_norm_eps: 1e-6, rope_theta: 1000000, tie_word_embeddings: true },
}
const config = values.shape === 'qwen3' ? qwen3 : bert

function batchOf(count) {
  const ids = Int32Array.from({ length: count * tokens }, (_, i) => (i * 7919) % config.vocab_size)
  return { ids, offsets: Int32Array.from({ length: count + 1 }, (_, i) => i * tokens) }
}

async function makeEncoder(adapter) {
  const { Encoder } = loadAddon()
  const modules = [{ type: 'Pooling', modes: ['mean'], includePrompt: true }]
  const encoder = new Encoder({
    architecture: config.model_type,
    config,
    modules,
    pooler: false,
    device: 'cpu',
    dtype: values.dtype,
  })
  const names = encoder.tensors().map(({ name }) => name)
  await encoder.initialize(names, 1)
  if (adapter) await addAdapter(encoder)
  return encoder
}

async function addAdapter(encoder) {
  const targets = encoder.tensors().filter(({ linear }) => linear)
  await encoder.addAdapter(
    { name: 'a', dropout, rankStabilized: false, targets: targets.map(({ name }) => ({ name, rank, alpha: 16 })) },
    1,
  )
}

async function timed(work) {
  const start = performance.now()
  await work()
  return performance.now() - start
}

const peakMiB = () => process.resourceUsage().maxRSS / 1024

/** A function that does one step. */
async function makeStep(adapter) {
  const encoder = await makeEncoder(adapter)
  const trainer = new (loadAddon().Trainer)(encoder, {
    losses: [{ name: '', spec: { type: 'MultipleNegativesRankingLoss', scale: 20 } }],
    ...{
      optimizer: { type: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
      weightDecay: 0.01,
      maxGradNorm: 1,
      seed: 1,
    },
  })
  const batch = { ...batchOf(rows), columns: 2 }
  return () => trainer.step(batch, { lr: 1e-4, report: true })
}

async function cpuMs(work) {
  const start = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1000
}

async function pairs(count) {
  const steps = [await makeStep(true), await makeStep(false)]
  for (const step of steps) await step()
  const adapter = []
  const whole = []
  for (let i = 0; i < count; i++) {
    adapter.push(await cpuMs(steps[0]))
    whole.push(await cpuMs(steps[1]))
  }
  const ratio = median(adapter.map((ms, i) => ms / whole[i]))
  return { ratio, adapter, whole }
}

async function train(adapter) {
  loadAddon().runtime()
  const before = peakMiB()
  const step = await makeStep(adapter)
  for (let i = 0; i < Number(values.warmup); i++) await step()
  const times = []
  const { user } = process.cpuUsage()
  for (let i = 0; i < steps; i++) times.push(await timed(step))
  return { ms: median(times), cpuMs: (process.cpuUsage().user - user) / 1000 / steps, MiB: peakMiB() - before }
}

async function encode() {
  const plain = await makeEncoder(false)
  const adapted = await makeEncoder(true)
  const batch = { ...batchOf(rows), columns: 1 }
  const out = new Float32Array(rows * config.hidden_size)
  const times = { base: [], adapter: [] }
  for (let i = 0; i < 3 * steps + 2; i++) {
    for (const [name, encoder] of [
      ['base', plain],
      ['adapter', adapted],
    ]) {
      const ms = await timed(() => encoder.encode(batch, out))
      if (i >= 2) times[name].push(ms)
    }
  }
  return { base: median(times.base), adapter: median(times.adapter) }
}

function trial(name) {
  const args = [fileURLToPath(import.meta.url), ...process.argv.slice(2), '--trial', name]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  const found = JSON.parse(stdout)
  console.error(name, stdout.trim())
  return found
}

if (values.trial !== undefined) {
  const trials = { whole: () => train(false), adapter: () => train(true), encode }
  console.log(JSON.stringify(await trials[values.trial]()))
} else if (Number(values.pairs) > 0) {
  loadAddon().setThreads(1)
  const { cpuKernels, threads } = loadAddon().runtime()
  const found = await pairs(Number(values.pairs))
  console.log(JSON.stringify({ rows, tokens, rank, dropout, dtype: values.dtype, cpuKernels, threads, ...found }))
} else {
  const found = { whole: [], adapter: [] }
  for (let i = 0; i < Number(values.rounds); i++) {
    for (const name of ['whole', 'adapter']) found[name].push(trial(name))
  }
  const of = (name, key) => median(found[name].map((one) => one[key]))
  const encoding = trial('encode')
  const { cpuKernels, threads } = loadAddon().runtime()
  const result = {
    ...{ rows, tokens, rank, dropout, dtype: values.dtype, cpuKernels, threads },
    whole: { ms: of('whole', 'ms'), MiB: of('whole', 'MiB') },
    adapter: { ms: of('adapter', 'ms'), MiB: of('adapter', 'MiB') },
    time: of('adapter', 'ms') / of('whole', 'ms'),
    cpuTime: of('adapter', 'cpuMs') / of('whole', 'cpuMs'),
    memory: of('adapter', 'MiB') / of('whole', 'MiB'),
    encoding: { ...encoding, ratio: encoding.adapter / encoding.base },
  }
  console.log(JSON.stringify(result))
}
