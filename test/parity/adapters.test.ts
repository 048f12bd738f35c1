// Adapters of PEFT: make_adapters.py.
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { losses, SentenceTransformer } from '../../lib/index.js'
import { openSafetensors } from '../../lib/io/safetensors.js'
import { loadAddon } from '../../lib/native/load.js'
import type { NativeTrainer, PackedBatch, TrainerSpec } from '../../lib/native/types.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { report } from './report.js'
import { distance, globalNorm, maxDifference, norm } from './support.js'

const FOLDER = fileURLToPath(new URL('../../../test/parity/golden/adapters/', import.meta.url))
const VECTORS = 1e-5

interface Golden {
  texts: string[]
  plain: number[]
  adapted: number[]
  batch: { ids: number[]; offsets: number[] }
  loss: number
  gradients: Record<string, number[]>
  steps: { rate: number; losses: number[]; weights: Record<string, number[]> }
}

function goldenOf(name: string): Golden {
  return JSON.parse(readFileSync(`${FOLDER}${name}.json`, 'utf8'))
}

const spec: TrainerSpec = {
  losses: [{ name: '', spec: new losses.MultipleNegativesRankingLoss().spec() }],
  optimizer: { type: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  weightDecay: 0.01,
  maxGradNorm: 1,
  seed: 0,
}

/** Tensors of a trainer by PEFT's names without `base_model.model.`. */
async function tensorsOf(model: SentenceTransformer, trainer: NativeTrainer, prefix: string) {
  const own = new Map(Object.keys(await model.getAdapterStateDict()).map((name) => [bare(name), name]))
  const found = new Map<string, Float32Array>()
  for (const { name, shape } of trainer.tensors().filter((tensor) => tensor.name.startsWith(`${prefix}adapter.`))) {
    const data = new Float32Array(shape.reduce((product, n) => product * n, 1))
    await trainer.dump([{ name, start: 0, dtype: 'F32', data: new Uint8Array(data.buffer) }])
    const key = name.slice(`${prefix}adapter.default.0.`.length)
    if (!own.has(key)) throw new Error(`no ${key} among ${[...own.keys()]}`)
    found.set(key, data)
  }
  return found
}

function bare(name: string): string {
  return name.replace(/^base_model\.model\./, '')
}

for (const name of ['bert', 'mpnet', 'modernbert']) {
  const { texts, plain, adapted, batch: packed, loss, gradients, steps } = goldenOf(name)
  const batch: PackedBatch = {
    ids: Int32Array.from(packed.ids),
    offsets: Int32Array.from(packed.offsets),
    columns: 2,
  }

  test(`${name}: vectors with and without an adapter equal Python's, and stay so in files`, async (t) => {
    const near = async (model: SentenceTransformer, expected: number[], what: string) => {
      const off = maxDifference((await model.encode(texts)).data, Float32Array.from(expected))
      t.true(off <= VECTORS, `${what}: ${off}`)
      report('adapters', name, { part: 'vectors', deviation: off, allowed: VECTORS })
    }
    const saved = await temporaryFolder(t)
    for (const folder of [`${FOLDER}${name}-adapter`, saved]) {
      const model = await SentenceTransformer.load(folder)
      t.deepEqual(model.activeAdapters(), ['default'])
      await near(model, adapted, 'adapted')
      await model.disableAdapters()
      await near(model, plain, 'disabled')
      await model.enableAdapters()
      await near(model, adapted, 'enabled')
      if (folder !== saved) await model.save(saved)
      await model.dispose()
    }
    const model = await SentenceTransformer.load(`${FOLDER}${name}`)
    await near(model, plain, 'base')
    await model.loadAdapter(saved, { name: 'mine' })
    await near(model, adapted, 'loaded')
    await model.save(saved, { adapterOnly: false })
    await model.merge()
    await near(model, adapted, 'merged')
    t.deepEqual(model.adapterNames, [])
    await model.dispose()
    const whole = await SentenceTransformer.load(saved)
    await near(whole, adapted, 'saved as a whole')
    t.deepEqual(whole.adapterNames, [])
    await whole.dispose()
  })

  test(`${name}: files have PEFT's names, shapes and settings`, async (t) => {
    const model = await SentenceTransformer.load(`${FOLDER}${name}-adapter`)
    const saved = await temporaryFolder(t)
    await model.save(saved)
    await model.dispose()
    const read = async (folder: string) => {
      const file = await openSafetensors(join(folder, 'adapter_model.safetensors'))
      const tensors = [...file.tensors].map(([key, { dtype, shape }]) => `${key} ${dtype} [${shape}]`)
      await file.close()
      const config = JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8'))
      return {
        tensors: tensors.filter((key) => !key.includes('pooler')).sort(),
        config: { ...config, inference_mode: true },
      }
    }
    t.deepEqual(await read(saved), await read(`${FOLDER}${name}-adapter`))
  })

  test(`${name}: loss and gradients of A and B equal Python's, and weights after steps`, async (t) => {
    const model = await SentenceTransformer.load(`${FOLDER}${name}-adapter`)
    const trainer = new (loadAddon().Trainer)(model.encoder, spec)
    const found = (await trainer.step(batch, { lr: 0, update: false, report: true }))!
    t.true(Math.abs(found.loss - loss) <= 1e-5 * Math.max(1, loss), `loss ${found.loss}, expected ${loss}`)
    const expected = new Map(Object.entries(gradients).map(([key, data]) => [key, Float32Array.from(data)]))
    const own = await tensorsOf(model, trainer, 'grad.')
    const total = globalNorm(expected.values())
    t.true(total > 0)
    for (const [key, gradient] of expected) {
      if (key.startsWith('pooler')) continue
      const allowed = 1e-4 * norm(gradient) + 1e-7 * total
      const off = distance(own.get(key)!, gradient)
      t.true(off <= allowed, `${key} is off by ${off}, allowed ${allowed}`)
      report('adapters', name, { part: 'gradient', deviation: (1e-4 * off) / allowed, allowed: 1e-4 })
    }
    await trainer.dispose()

    const again = new (loadAddon().Trainer)(model.encoder, spec)
    for (const value of steps.losses) {
      const { loss: now } = (await again.step(batch, { lr: steps.rate, report: true }))!
      t.true(Math.abs(now - value) <= 1e-4 * Math.max(1, value), `loss ${now}, expected ${value}`)
    }
    const state = await model.getAdapterStateDict()
    for (const [key, data] of Object.entries(state)) {
      const off = maxDifference(data.data, Float32Array.from(steps.weights[bare(key)]!))
      t.true(off <= 2e-4, `${key} is off by ${off}`)
      report('adapters', name, { part: 'weights after 4 steps', deviation: off, allowed: 2e-4 })
    }
    await again.dispose()
    await model.dispose()
  })
}
