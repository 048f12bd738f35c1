// node bench/generation.mjs [--rounds 3] [--shapes t5-small,t5-base] [--dtypes float32,bfloat16]: texts written by random weights of T5's
// shapes, 8 prompts of 128 tokens, 64 new tokens each, beside transformers' generate(): greedy, 3 samples, 4 beams. Programs take turns,
// each in a process of its own, after one text that does not count. One JSON line for each shape, dtype and way of writing: seconds
// (medians), the ratio Python / ours, the bytes of decoder weights that are read a second, and the peak of memory above what the process
// has with its weights, up to and with this way.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { loadAddon } from '../dist/lib/native/load.js'
import { missing, pythonProgram } from './common/peers.mjs'
import { median } from './common/statistics.mjs'

const PROMPTS = { count: 8, tokens: 128, written: 64 }
const SHAPES = {
  't5-small': { d_model: 512, d_kv: 64, d_ff: 2048, num_layers: 6, num_decoder_layers: 6, num_heads: 8 },
  't5-base': { d_model: 768, d_kv: 64, d_ff: 3072, num_layers: 12, num_decoder_layers: 12, num_heads: 12 },
}
const WAYS = {
  greedy: {},
  samples: { sample: true, answers: 3, topK: 50 },
  beams: { beams: 4 },
}
const VOCABULARY = 32_128

const memoryMB = (key) =>
  Math.round(Number(readFileSync('/proc/self/status', 'utf8').match(`${key}:\\s*(\\d+)`)[1]) / 1024)

/** Runs in a process of its own, one JSON line for all ways. */
async function ours(shape, dtype) {
  const config = { model_type: 't5', vocab_size: VOCABULARY, decoder_start_token_id: 0, ...SHAPES[shape] }
  const addon = loadAddon()
  const encoder = new addon.Encoder({
    ...{ architecture: 't5', config, modules: [], pooler: false, decoder: true, device: 'cpu', dtype },
  })
  const tensors = encoder.tensors()
  await encoder.initialize(
    tensors.map(({ name }) => name),
    1,
  )
  const { count, tokens, written } = PROMPTS
  const batch = {
    ids: Int32Array.from({ length: count * tokens }, (_, i) => 100 + ((i * 7919) % 30_000)),
    offsets: Int32Array.from({ length: count + 1 }, (_, i) => i * tokens),
    columns: 1,
  }
  const write = async (options) => {
    const generation = new addon.Generation(encoder, batch, {
      ...{ start: 0, ends: Int32Array.of(1), mostTokens: written, leastTokens: written, seed: 1 },
      ...options,
    })
    while (!(await generation.next()).done);
    await generation.dispose()
  }
  const before = memoryMB('VmRSS')
  writeFileSync('/proc/self/clear_refs', '5') // the peak starts from here
  const seconds = {}
  const aboveMB = {}
  for (const [way, options] of Object.entries(WAYS)) {
    await write({ ...options, mostTokens: 4, leastTokens: 4 })
    const start = performance.now()
    await write(options)
    seconds[way] = (performance.now() - start) / 1000
    aboveMB[way] = memoryMB('VmHWM') - before
  }
  const bytes = (names) =>
    tensors
      .filter(({ name }) => names.test(name))
      .reduce((sum, { shape: sizes }) => sum + sizes.reduce((a, b) => a * b, 1), 0) * (dtype === 'bfloat16' ? 2 : 4)
  console.log(JSON.stringify({ seconds, aboveMB, decoderBytes: bytes(/^0\.(decoder|shared)/) }))
}

function run(program, args) {
  const { status, stdout } = spawnSync(program, args, { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}`)
  return JSON.parse(stdout.trimEnd().split('\n').at(-1))
}

function compare({ rounds, shapes, dtypes }) {
  const why = missing('python')
  if (why) throw new Error(why)
  const peer = fileURLToPath(new URL('generation_peer.py', import.meta.url))
  const self = fileURLToPath(import.meta.url)
  for (const shape of shapes.split(',')) {
    for (const dtype of dtypes.split(',')) {
      const own = []
      const theirs = []
      const spec = JSON.stringify({ shape: SHAPES[shape], vocabulary: VOCABULARY, dtype, ...PROMPTS })
      for (let round = 0; round < Number(rounds); round++) {
        theirs.push(run(pythonProgram, [peer, spec]))
        own.push(run(process.execPath, [self, 'ours', shape, dtype]))
      }
      for (const way of Object.keys(WAYS)) {
        const seconds = (trials) => median(trials.map((trial) => trial.seconds[way]))
        const [a, b] = [seconds(own), seconds(theirs)]
        console.log(
          JSON.stringify({
            ...{ theme: 'generation', shape, dtype, way, rounds: Number(rounds), oursSeconds: a, pythonSeconds: b },
            ratio: b / a,
            weightsGBs: (own[0].decoderBytes * PROMPTS.written) / a / 1e9,
            aboveMB: {
              ours: median(own.map((o) => o.aboveMB[way])),
              python: median(theirs.map((o) => o.aboveMB[way])),
            },
            processor: cpus()[0].model,
          }),
        )
      }
    }
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    shapes: { type: 'string', default: Object.keys(SHAPES).join(',') },
    dtypes: { type: 'string', default: 'float32' },
  },
})
if (positionals[0] === 'ours') await ours(positionals[1], positionals[2])
else compare(values)
