// The second half of cuda-check.mjs: loads the addon that SENTENCE_TORCH_ADDON names and uses it.

import { strict as assert } from 'node:assert'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { judgeRuntime } from './cuda-check.mjs'
import { packageRoot } from './system.mjs'

const spec = {
  architecture: 'bert',
  config: {
    ...{ vocab_size: 50, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 64 },
    ...{ max_position_embeddings: 40, type_vocab_size: 2, hidden_act: 'gelu' },
  },
  modules: [{ type: 'Pooling', modes: ['mean'], includePrompt: true }, { type: 'Normalize' }],
  pooler: false,
  dtype: 'float32',
}
const batch = { ids: Int32Array.from([2, 11, 12, 3, 2, 13, 3]), offsets: Int32Array.from([0, 4, 7]), columns: 1 }

/** @param {string} line */
const say = (line) => void process.stderr.write(`cuda-check: ${line}\n`)
const loader = join(packageRoot, 'dist/lib/native/load.js')
if (!existsSync(loader)) throw new Error('the TypeScript part is not built: npm run build:ts')
const { loadAddon } = await import(pathToFileURL(loader).href)
const addon = loadAddon()
const runtime = addon.runtime()
say(judgeRuntime(runtime))

/**
 * Two sentences through a tiny BERT with made-up weights.
 * @param {string} device
 */
async function encode(device) {
  const encoder = new addon.Encoder({ ...spec, device })
  const tensors = encoder.tensors()
  await encoder.load(
    tensors.map((/** @type {{ name: string, shape: number[] }} */ { name, shape }, /** @type {number} */ t) => {
      const centre = name.endsWith('LayerNorm.weight') ? 1 : 0
      const count = shape.reduce((a, b) => a * b, 1)
      const data = Float32Array.from({ length: count }, (_, i) => centre + Math.sin(i * 0.7 + t) * 0.2)
      return { name, start: 0, dtype: 'F32', data: new Uint8Array(data.buffer) }
    }),
  )
  const out = new Float32Array(2 * 32)
  await encoder.encode(batch, out)
  await encoder.dispose()
  return out
}

const out = await encode('cpu')
const norms = [0, 32].map((start) => Math.hypot(...out.subarray(start, start + 32)))
assert.ok(
  norms.every((norm) => Math.abs(norm - 1) < 1e-5),
  `expected unit vectors but found norms ${norms}`,
)
assert.deepEqual(await encode('cpu'), out, 'expected the same embeddings twice')
say('encode on cpu: two unit vectors, the same twice')

const devices = runtime.devices.filter((/** @type {{ name: string }} */ device) => device.name.startsWith('cuda:'))
if (devices.length === 0) {
  for (const device of ['cuda', 'cuda:1']) {
    /** @type {unknown} */
    let error
    await encode(device).catch((caught) => {
      error = caught
    })
    const { code, message } = /** @type {{ code?: string, message?: string }} */ (error ?? {})
    assert.equal(code, 'ERR_UNSUPPORTED', `expected ERR_UNSUPPORTED for the device ${device} but found ${error}`)
    assert.match(message ?? '', new RegExp(`Device ${device}: this is a build for CUDA`))
    say(`device ${device}: ${message}`)
  }
} else {
  const there = await encode('cuda')
  const difference = Math.max(...out.map((value, i) => Math.abs(value - /** @type {number} */ (there[i]))))
  assert.ok(difference < 1e-5, `expected the embeddings of cpu on cuda but they differ by ${difference}`)
  say(`encode on cuda: differs from cpu by at most ${difference.toExponential(1)}`)
}
