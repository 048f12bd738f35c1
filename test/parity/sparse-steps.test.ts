// The step of a SparseEncoder against sentence-transformers: value and all gradients, through the head of every architecture.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { SparseEncoder } from '../../lib/index.js'
import { openSafetensors } from '../../lib/io/safetensors.js'
import { maskedPath } from '../../lib/models/masked-model.js'
import type { NativeTrainer } from '../../lib/native/types.js'
import { report } from './report.js'
import { addon, distance, gradients, norm, trainerSpec } from './support.js'

const ROOT = fileURLToPath(new URL('../../../test/parity/golden/sparse/', import.meta.url))

const golden: { pairs: [string, string][]; models: Record<string, { loss?: Record<string, number> }> } = JSON.parse(
  readFileSync(join(ROOT, 'golden.json'), 'utf8'),
)

for (const [name, { loss }] of Object.entries(golden.models)) {
  if (loss === undefined) continue
  test(`${name}: value and all gradients of SpladeLoss are those of sentence-transformers`, async (t) => {
    await using model = await SparseEncoder.load(join(ROOT, name))
    const columns = [0, 1].map((i) => golden.pairs.map((pair) => pair[i as 0 | 1]))
    const batch = model.packFeatures(await Promise.all(columns.map((column) => model.tokenize(column))))
    const inner = { type: 'MultipleNegativesRankingLoss', scale: 1, similarity: 'dot' }
    const spec = trainerSpec({
      ...{ type: 'SpladeLoss', loss: inner },
      ...{ documentRegularizerWeight: 0.03, queryRegularizerWeight: 0.05 },
    })
    const { languageModel } = addon.describe(model.config.model_type as string, model.config)
    const expected = await openSafetensors(join(ROOT, `${name}.safetensors`))
    const run = async (options: { miniBatchRows?: number }) => {
      const trainer: NativeTrainer = new addon.Trainer(model.encoder, spec)
      const step = (await trainer.step(batch, { lr: 0, update: false, report: true, ...options }))!
      const found = await gradients(trainer)
      await trainer.dispose()
      return { step, found }
    }
    for (const options of [{}, { miniBatchRows: 2 }]) {
      const { step, found } = await run(options)
      for (const [part, value] of Object.entries(loss)) {
        const off = Math.abs(step.components[part]! - value)
        t.true(off <= 1e-5 * Math.max(1, Math.abs(value)), `${part}: ${step.components[part]}, in Python ${value}`)
      }
      const total = norm([...found.values()].map((one) => norm([...one])))
      const seen = new Set<string>()
      for (const [engine, gradient] of found) {
        const own = engine.slice(2)
        const path = maskedPath(own, own, languageModel!)
        // A head that is not tied reads the second name of its bias.
        const { bias } = languageModel!
        const stored = path === bias?.name && !expected.tensors.has(path) ? bias.second! : path
        seen.add(stored)
        t.true(expected.tensors.has(stored), `${stored} has a gradient in Python`)
        const values = new Float32Array((await expected.read(stored)).buffer)
        const off = distance(gradient, Float64Array.from(values))
        const allowed = 1e-4 * norm([...values]) + 1e-6 * total
        t.true(off <= allowed, `${JSON.stringify(options)} ${stored}: off by ${off}, allowed ${allowed}`)
        report('sparse-steps', name, { part: 'gradient', deviation: (off / allowed) * 1e-4, allowed: 1e-4 })
      }
      t.deepEqual([...seen].sort(), [...expected.tensors.keys()].sort(), 'the tensors that are trained')
    }
    await expected.close()
  })
}
