// Classifiers and masked language models of every architecture against transformers: logits, losses, gradients of head and encoder.
import test from 'ava'
import type { ModuleSpec, PackedBatch } from '../../lib/native/types.js'
import {
  byEngineNames,
  dataOf,
  exactDifference,
  exactGradients,
  gradientsOf,
  largestShare,
  testOf,
} from './architecture-engines.js'
import { type HeadFixture, heads, inUnits, under, values, WITHOUT_CLASSIFIER } from './architectures.js'
import { report } from './report.js'
import { addon, encode, gradients, load, makeTrainer, maxDifference, trainerSpec } from './support.js'

const SECTION = 'architecture-heads'
const LOGITS = 1e-5
const EXACT = 1e-10

const spec = ({ config }: HeadFixture, modules: ModuleSpec[], dtype: 'float32' | 'float64') => {
  return { architecture: config.model_type as string, config, modules, pooler: false, device: 'cpu', dtype }
}

for (const fixture of heads('classifiers')) {
  const { architecture, name, covers, batch } = fixture
  if (WITHOUT_CLASSIFIER.includes(architecture)) {
    testOf(architecture, `classifier, ${name}: is refused by name`, async (t) => {
      const module = { type: 'SequenceClassification', numLabels: fixture.numLabels }
      t.throws(() => new addon.Encoder(spec(fixture, [module], 'float32')), {
        code: 'ERR_NOT_IMPLEMENTED',
        message: /classifier for model_type/,
      })
    })
    continue
  }
  testOf(architecture, `classifier, ${name}: logits and every gradient equal transformers' (${covers})`, async (t) => {
    const given = inUnits(fixture.tensors.get('d_logits')!.data)
    for (const dtype of ['float32', 'float64'] as const) {
      const module = { type: 'SequenceClassification', numLabels: fixture.numLabels }
      const encoder = new addon.Encoder(spec(fixture, [module], dtype))
      await load(encoder, dataOf(byEngineNames(encoder, fixture.config, fixture.weights)))
      const expected = dataOf(byEngineNames(encoder, fixture.config, under(fixture.tensors, 'grad/')))
      t.is(encoder.embeddingDimension, fixture.numLabels)
      const logits = await encode(encoder, batch)
      const { gradients: found, embeddings } = await gradientsOf(encoder, batch, given)
      t.deepEqual([...found.keys()].sort(), [...expected.keys()].sort(), 'the tensors that are trained')
      const off = Math.max(...[logits, embeddings].map((all) => maxDifference(all, values(fixture, 'logits'))))
      if (dtype === 'float32') {
        const { part, tensor } = largestShare(found, expected)
        t.true(off <= LOGITS, `logits are off by ${off}`)
        t.true(part <= 1, `${part} of what is allowed, ${tensor}`)
        measured('logits', off, LOGITS, fixture.python.logits)
        measured('gradient', 1e-4 * part, 1e-4, 1e-4 * fixture.python.gradients)
      } else {
        const [far, tensor] = exactGradients(found, expected)
        t.true(exactDifference(logits, values(fixture, 'logits')) <= EXACT, `float64: logits are off by ${off}`)
        t.true(far <= EXACT, `float64: ${tensor} is off by ${far} of the norm of all`)
        measured('gradient, float64', far, EXACT)
      }
      await encoder.dispose()
    }
  })
  const measured = (part: string, deviation: number, allowed: number, python?: number) =>
    report(SECTION, `${architecture}, classifier`, {
      part,
      deviation,
      allowed,
      ...(python !== undefined && { python }),
    })
}

for (const fixture of heads('masked')) {
  const { architecture, name, covers, config } = fixture
  const title = `masked language model, ${name}: loss and every gradient equal transformers' (${covers})`
  test(`${architecture}, ${title}`, async (t) => {
    const labels = Int32Array.from(fixture.tensors.get('labels')!.data)
    const batch: PackedBatch = { ...fixture.batch, targets: { ids: labels, offsets: fixture.batch.offsets } }
    for (const dtype of ['float32', 'float64'] as const) {
      const encoder = new addon.Encoder(spec(fixture, [{ type: 'Pooling', modes: ['cls'] }], dtype))
      const weights = dataOf(byEngineNames(encoder, fixture.config, fixture.weights))
      const expected = dataOf(byEngineNames(encoder, fixture.config, under(fixture.tensors, 'grad/')))
      await load(encoder, weights)
      const trainer = await makeTrainer(encoder, trainerSpec({ type: 'MaskedLanguageModelLoss', config }), weights)
      const step = (await trainer.step(batch, { lr: 0, update: false, report: true }))!
      const found = await gradients(trainer)
      t.deepEqual([...found.keys()].sort(), [...expected.keys()].sort(), 'the tensors that are trained')
      const off = Math.abs(step.loss - fixture.loss)
      if (dtype === 'float32') {
        const { part, tensor } = largestShare(found, expected)
        t.true(off <= 1e-5 * fixture.loss, `loss ${step.loss}, expected ${fixture.loss}`)
        t.true(part <= 1, `${part} of what is allowed, ${tensor}`)
        measured('loss', off / fixture.loss, 1e-5)
        measured('gradient', 1e-4 * part, 1e-4, 1e-4 * fixture.python.gradients)
      } else {
        const [far, tensor] = exactGradients(found, expected)
        t.true(off <= EXACT * fixture.loss, `float64: loss ${step.loss}, expected ${fixture.loss}`)
        t.true(far <= EXACT, `float64: ${tensor} is off by ${far} of the norm of all`)
        measured('gradient, float64', far, EXACT)
      }
      await trainer.dispose()
      await encoder.dispose()
    }
  })
  const measured = (part: string, deviation: number, allowed: number, python?: number) =>
    report(SECTION, `${architecture}, masked`, { part, deviation, allowed, ...(python !== undefined && { python }) })
}
