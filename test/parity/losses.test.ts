// Every loss of the native registry against sentence-transformers, and what all losses have in common. A new loss gets
// these tests by its fixture in test/parity/losses and `python test/parity/make_losses.py`.
import test, { type ExecutionContext } from 'ava'
import * as losses from '../../lib/losses/index.js'
import type { StepOptions } from '../../lib/native/types.js'
import {
  digest,
  digestsOf,
  floatsOf,
  type LossCase,
  type LossGolden,
  lossGoldens,
  open,
  registered,
} from './loss-golden.js'
import { report } from './report.js'
import { distance, globalNorm, gradients, norm, parameters } from './support.js'

const label = ({ options, columns, batch, rows }: LossCase) =>
  `${JSON.stringify(options)}, ${columns} x ${batch}${rows === 'distinct' ? '' : `, ${rows}`}`
const gradientOnly: StepOptions = { lr: 0, update: false, report: true }

/** A case of distinct texts and seven rows: of the first options. */
const plainCase = ({ cases }: LossGolden) => cases.find(({ batch, full }) => batch === 7 && full !== undefined)!

test('every registered loss has its golden file and its class', async (t) => {
  const names = await registered()
  // CSRLoss has goldens of its own models (csr.test.ts): it reads their head.
  t.deepEqual(
    [...lossGoldens.keys(), 'CSRLoss'].sort(),
    [...names].sort(),
    'golden files: run test/parity/make_losses.py',
  )
  for (const name of names) {
    t.is(typeof (losses as Record<string, unknown>)[name], 'function', `lib/losses/index.ts exports ${name}`)
  }
})

interface Worst {
  /** Parts of what is allowed. */
  loss: number
  gradient: number
}

/** The largest deviations over all cases. */
async function compare(t: ExecutionContext, golden: LossGolden, dtype: 'float32' | 'float64'): Promise<Worst> {
  const worst = { loss: 0, gradient: 0 }
  for (const entry of golden.cases) {
    const { trainer, batch, close } = await open(golden.loss, entry, {}, dtype)
    const step = (await trainer.step(batch, gradientOnly))!
    const found = await gradients(trainer)
    await close()
    const where = `${dtype}, ${label(entry)}`
    if (entry.loss === null) t.true(Number.isNaN(step.loss), `${where}: the loss is not finite, as in PyTorch`)
    if (!entry.finite) {
      t.false(Number.isFinite(globalNorm(found.values())), `${where}: the gradient is not finite, as in PyTorch`)
      continue
    }
    // float64: what the goldens, kept as float32, can tell.
    const [valueAllowed, gradientAllowed] = dtype === 'float64' ? [1e-9, 1e-6] : [1e-5, 1e-4]
    // Equal columns: gradients cancel, and rounding is all that is left. That of PyTorch is one drawing of it; another order of sums, as with one
    // thread, is another.
    const cancels = entry.rows === 'equal columns'
    const least = cancels ? 2 ** -22 : 1e-7
    const noise = dtype === 'float64' ? 1e-9 : Math.max(least, (cancels ? 6 : 3) * (entry.noise ?? 0))
    const value =
      entry.loss === null ? 0 : Math.abs(step.loss - entry.loss) / (valueAllowed * Math.max(1, Math.abs(entry.loss)))
    t.true(value <= 1, `${where}: loss ${step.loss}, expected ${entry.loss}`)
    for (const [component, expected] of Object.entries(entry.components ?? {})) {
      const off = Math.abs(step.components[component]! - expected)
      const deviation = off / Math.max(1, Math.abs(expected))
      t.true(deviation <= 1e-5, `${where}: ${component} is off by ${off}`)
      if (dtype === 'float32') report('losses', golden.loss, { part: 'components', deviation, allowed: 1e-5 })
    }

    const expected = digestsOf(golden, entry)
    t.deepEqual([...found.keys()].sort(), [...expected.keys()].sort(), `${where}: the tensors that are trained`)
    const total = norm([...expected.values()].map(([size]) => size!)) || 1
    const full = entry.full === undefined ? undefined : floatsOf(entry.full)
    let start = 0
    for (const [tensor, [size, ...projections]] of expected) {
      const gradient = found.get(tensor)!
      const allowed = gradientAllowed * size! + noise * total
      const [foundSize, ...foundProjections] = digest(gradient)
      let off = Math.abs(foundSize! - size!)
      // A projection of a difference is as large as the difference, give or take: five deviations of a random sign.
      for (const [i, value] of projections.entries()) off = Math.max(off, Math.abs(foundProjections[i]! - value) / 5)
      if (full) off = Math.max(off, distance(gradient, full.subarray(start, start + gradient.length)))
      start += gradient.length
      t.true(off <= allowed, `${where}: ${tensor} is off by ${off}, allowed ${allowed}`)
      worst.gradient = Math.max(worst.gradient, off / allowed)
    }
    worst.loss = Math.max(worst.loss, value)
  }
  return worst
}

for (const [name, golden] of lossGoldens) {
  test(`${name}: values and gradients are those of sentence-transformers`, async (t) => {
    const sizes = new Set(golden.cases.map(({ batch }) => batch))
    for (const size of [1, 2, 7, 32]) t.true(sizes.has(size), `a case of ${size} rows`)
    const float64 = await compare(t, golden, 'float64')
    const float32 = await compare(t, golden, 'float32')
    const cases = golden.cases.length
    const python = (i: 0 | 1) => Math.max(...golden.cases.flatMap(({ finite, float32 }) => (finite ? float32[i] : [])))
    // Parts of what is allowed; of that the relative half is told.
    for (const [part, deviation, allowed, own] of [
      ['value', float32.loss, 1e-5, python(0)],
      ['gradient', float32.gradient, 1e-4, python(1)],
      ['value, float64', float64.loss, 1e-9, undefined],
      ['gradient, float64', float64.gradient, 1e-6, undefined],
    ] as const) {
      const reference = own === undefined ? {} : { python: own * allowed }
      report('losses', name, { part, deviation: deviation * allowed, allowed, cases, ...reference })
    }
  })

  test(`${name}: the order of the columns counts as declared`, async (t) => {
    const entry = plainCase(golden)
    if (entry.columns === 1) return t.is(golden.order, null)
    const [first, second, ...rest] = entry.texts
    const value = async (changed: LossCase) => {
      const { trainer, batch, close } = await open(name, changed)
      const { loss } = (await trainer.step(batch, gradientOnly))!
      await close()
      return loss
    }
    const exchanged = await value({ ...entry, texts: [second!, first!, ...rest] })
    const difference = Math.abs(exchanged - (await value(entry)))
    if (golden.order === 'free') t.true(difference <= 1e-5 * Math.max(1, Math.abs(exchanged)), `${difference}`)
    else t.true(difference > 1e-4, `exchanged columns change nothing: ${difference}`)
  })

  test(`${name}: what is not finite is reported and changes nothing`, async (t) => {
    const { encoder, trainer, batch, close } = await open(name, plainCase(golden))
    // Weights that are not finite cannot be loaded; these are, and nothing that is computed with them.
    const data = new Uint8Array(new Float32Array(12).fill(3e38).buffer)
    await encoder.load([{ name: '0.embeddings.LayerNorm.weight', start: 0, dtype: 'F32', data }])
    const before = await parameters(encoder, trainer)
    const step = (await trainer.step(batch, { lr: 1, report: true }))!
    t.true(Number.isNaN(step.loss), `loss ${step.loss}`)
    t.is(step.batches, 1)
    t.is(step.skipped, 1)
    t.is(step.updates, 0)
    t.deepEqual(await parameters(encoder, trainer), before)
    await close()
  })

  test(`${name}: chunked is plain, with dropout on`, async (t) => {
    const dropout = { hidden_dropout_prob: 0.2, attention_probs_dropout_prob: 0.1 }
    const run = async (options: Partial<StepOptions>) => {
      const { trainer, batch, close } = await open(name, plainCase(golden), dropout, 'float64')
      const { loss } = (await trainer.step(batch, { ...gradientOnly, ...options }))!
      const found = await gradients(trainer)
      await close()
      return { loss, found }
    }
    const plain = await run({})
    for (const options of [{ miniBatchRows: 3 }, { miniBatchTokens: 16 }]) {
      const { loss, found } = await run(options)
      t.true(Math.abs(loss - plain.loss) <= 1e-9 * Math.max(1, Math.abs(plain.loss)), `${loss}, plain ${plain.loss}`)
      const total = globalNorm(plain.found.values())
      for (const [tensor, gradient] of plain.found) {
        const off = distance(found.get(tensor)!, gradient)
        t.true(off <= 1e-9 * (total || 1), `${JSON.stringify(options)}: ${tensor} is off by ${off}`)
        report('losses', name, { part: 'in mini-batches, float64', deviation: off / (total || 1), allowed: 1e-9 })
      }
    }
  })
}
