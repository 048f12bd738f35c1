// New models have values of the distributions that transformers draws from: make_initial_values.py.
import { readFileSync } from 'node:fs'
import test from 'ava'
import { loadAddon } from '../../lib/native/load.js'
import type { ConfigObject, ModuleSpec, NativeEncoder } from '../../lib/native/types.js'

interface Statistics {
  shape: number[]
  mean: number
  deviation: number
  largest: number
  /** Rows of zeros. */
  zeros: number[]
}

interface Entry {
  config: ConfigObject & { model_type: string }
  model: Record<string, Statistics>
  classifier?: Record<string, Statistics>
  decoder?: Record<string, Statistics>
}

const golden: Record<string, Entry> = JSON.parse(
  readFileSync(new URL('../../../test/parity/golden/initial-values.json', import.meta.url), 'utf8'),
)
/** As many as Python drew. */
const DRAWS = 100

async function read(encoder: NativeEncoder, name: string, count: number): Promise<Float32Array> {
  const values = new Float32Array(count)
  await encoder.dump([{ name, start: 0, dtype: 'F32', data: new Uint8Array(values.buffer) }])
  return values
}

/** Statistics of the tensors of an encoder, by their names in `expected`. */
async function statistics(encoder: NativeEncoder, names: readonly string[]): Promise<Map<string, Statistics>> {
  const shapes = new Map(encoder.tensors().map(({ name, shape }) => [name.slice(2), shape]))
  const sums = new Map(
    names.map((name) => [name, { count: 0, sum: 0, squares: 0, largest: 0, zeros: [] as boolean[] }]),
  )
  for (let seed = 1; seed <= DRAWS; seed++) {
    await encoder.initialize(
      names.map((name) => `0.${name}`),
      seed,
    )
    for (const [name, found] of sums) {
      const [rows, width = 1] = shapes.get(name)!
      const values = await read(encoder, `0.${name}`, rows! * width)
      for (let row = 0; row < rows!; row++) {
        const part = values.subarray(row * width, (row + 1) * width)
        const zero = width > 1 && part.every((value) => value === 0)
        found.zeros[row] = (found.zeros[row] ?? true) && zero
        if (zero) continue
        for (const value of part) {
          found.count++
          found.sum += value
          found.squares += value * value
          found.largest = Math.max(found.largest, Math.abs(value))
        }
      }
    }
  }
  return new Map(
    [...sums].map(([name, { count, sum, squares, largest, zeros }]) => {
      const mean = sum / count
      const deviation = Math.sqrt(Math.max(0, squares / count - mean * mean))
      const rows = zeros.flatMap((zero, row) => (zero ? [row] : []))
      return [name, { shape: shapes.get(name)!, mean, deviation, largest, zeros: rows }]
    }),
  )
}

for (const [title, { config, model, classifier, decoder }] of Object.entries(golden)) {
  for (const [kind, expected] of Object.entries({
    model,
    ...(classifier && { classifier }),
    ...(decoder && { decoder }),
  })) {
    test(`${title}, ${kind}: new values are distributed as transformers'`, async (t) => {
      const { Encoder, describe } = loadAddon()
      const { model_type: architecture } = config
      const isModel = kind === 'model'
      if (kind === 'classifier' && describe(architecture, config).classifier === null) return t.pass('not built')
      const modules: ModuleSpec[] =
        kind === 'classifier'
          ? [{ type: 'SequenceClassification', numLabels: 3 }]
          : [{ type: 'Pooling', modes: ['mean'], includePrompt: true }]
      const pooler = isModel && Object.keys(expected).some((name) => name.startsWith('pooler.'))
      const parts = { modules, pooler, decoder: kind === 'decoder' }
      const encoder = new Encoder({ architecture, config, ...parts, device: 'cpu', dtype: 'float32' })
      const own = new Set(encoder.tensors().map(({ name }) => name.slice(2)))
      // NomicBERT's pooler is not built, and reads nothing that an embedding depends on.
      const names = Object.keys(expected).filter((name) => own.has(name) || !name.startsWith('pooler.'))
      t.true(names.length > 0)
      const found = await statistics(encoder, names)
      for (const name of names) {
        const [ours, theirs] = [found.get(name)!, expected[name]!]
        const drawn = theirs.shape.reduce((product, size) => product * size, DRAWS)
        t.deepEqual(ours.shape, theirs.shape, name)
        t.deepEqual(ours.zeros, theirs.zeros, name)
        if (theirs.deviation === 0) {
          t.is(ours.mean, theirs.mean, name)
          t.true(ours.deviation < 1e-6, name)
          continue
        }
        // Six standard errors of the difference of two samples.
        const allowed = (6 * theirs.deviation * Math.SQRT2) / Math.sqrt(drawn)
        t.true(Math.abs(ours.mean - theirs.mean) <= allowed, `${name}: mean ${ours.mean}, ${theirs.mean}`)
        t.true(
          Math.abs(ours.deviation - theirs.deviation) <= allowed,
          `${name}: deviation ${ours.deviation}, ${theirs.deviation}`,
        )
        // A cut-off distribution ends where it is cut off; another has a tail.
        t.true(Math.abs(ours.largest / theirs.largest - 1) < 0.5, `${name}: largest ${ours.largest}, ${theirs.largest}`)
      }
      await encoder.dispose()
    })
  }
}

test('a seed decides about the values, and a tensor that there is not is an error', async (t) => {
  const { config } = golden['bert, range 0.05']!
  const { Encoder } = loadAddon()
  const modules = [{ type: 'Pooling', modes: ['mean'], includePrompt: true }]
  const encoder = new Encoder({ architecture: 'bert', config, modules, pooler: false, device: 'cpu', dtype: 'float32' })
  const [{ name, shape }] = encoder.tensors() as unknown as [{ name: string; shape: [number, number] }]
  const draw = async (seed: number) => {
    await encoder.initialize([name], seed)
    return read(encoder, name, shape[0] * shape[1])
  }
  const first = await draw(1)
  t.notDeepEqual(await draw(2), first)
  t.deepEqual(await draw(1), first)
  await t.throwsAsync(encoder.initialize(['0.nothing'], 1), { message: /0\.nothing/ })
  const names = 'no names' as unknown as string[]
  await t.throwsAsync(encoder.initialize(names, 1), { message: /Expected an array of strings for names/ })
  await encoder.dispose()
})
