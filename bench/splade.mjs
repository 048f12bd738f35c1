// A training step of SPLADE at 32 texts of 256 tokens beside Python's, in turns (A B A B), with the memory above weights, gradients
// and moments.
//
//     node bench/splade.mjs FOLDER [--steps 3] [--turns 2]     # FOLDER: a SPLADE model; SENTENCE_TORCH_TEST_PYTHON: a Python
//
// Prints JSON: a line for each turn, and one with the ratios.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const [folder, ...rest] = process.argv.slice(2)
const option = (name, fallback) => Number(rest[rest.indexOf(`--${name}`) + 1] ?? fallback) || fallback
const steps = option('steps', 3)

const kilobytes = (key) =>
  Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))[1])

async function measure() {
  const { SparseEncoder, losses } = await import('../dist/lib/index.js')
  const { loadAddon } = await import('../dist/lib/native/load.js')
  const model = await SparseEncoder.load(folder, { threads: 2 })
  const loss = new losses.SpladeLoss({
    ...{ loss: new losses.SparseMultipleNegativesRankingLoss() },
    ...{ documentRegularizerWeight: 3e-5, queryRegularizerWeight: 5e-5 },
  })
  const { Trainer } = loadAddon()
  const trainer = new Trainer(model.encoder, {
    losses: [{ name: '', spec: loss.spec(model.embeddingDimension, model.config) }],
    optimizer: { type: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    ...{ weightDecay: 0.01, maxGradNorm: 1, seed: 1 },
  })
  const step = async (rows, length) => {
    const ids = Int32Array.from({ length: 2 * rows * length }, (_, i) => 1000 + ((i * 7) % 20000))
    const offsets = Int32Array.from({ length: 2 * rows + 1 }, (_, row) => row * length)
    return (await trainer.step({ ids, offsets, columns: 2 }, { lr: 1e-5, report: true })).loss
  }
  await step(2, 8)
  const before = kilobytes('VmRSS')
  writeFileSync('/proc/self/clear_refs', '5')
  const seconds = []
  let value
  for (let i = 0; i < steps; i++) {
    const start = performance.now()
    value = await step(16, 256)
    seconds.push((performance.now() - start) / 1000)
  }
  const megabytes = (kilobytes('VmHWM') - before) / 1024
  console.log(JSON.stringify({ program: 'sentence-torch', seconds: Math.min(...seconds), loss: value, megabytes }))
}

function run(program, args) {
  const env = { ...process.env, OMP_NUM_THREADS: '2', SENTENCE_TORCH_THREADS: '2', CUDA_VISIBLE_DEVICES: '' }
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', env })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed: ${stderr}`)
  const line = JSON.parse(stdout.trim().split('\n').at(-1))
  console.log(JSON.stringify(line))
  return line
}

if (rest.includes('--measure')) await measure()
else {
  const own = fileURLToPath(import.meta.url)
  const python = process.env.SENTENCE_TORCH_TEST_PYTHON ?? 'python3'
  const lines = []
  for (let turn = 0; turn < option('turns', 2); turn++) {
    lines.push(run(process.execPath, [own, folder, '--measure', '--steps', String(steps)]))
    lines.push(run(python, [own.replace(/mjs$/, 'py'), folder, String(steps)]))
  }
  const best = (program, key) => Math.min(...lines.filter((line) => line.program === program).map((line) => line[key]))
  const ratio = (key) => best('sentence-transformers', key) / best('sentence-torch', key)
  console.log(JSON.stringify({ speed: ratio('seconds'), memory: 1 / ratio('megabytes') }))
}
