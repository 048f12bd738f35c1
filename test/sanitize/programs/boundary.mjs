// Thousands of wrong arguments at the boundary to C++: each call succeeds or fails with a code, and the engine computes on.
import { assert, loadAddon, mulberry32, tinyBatch, tinyEncoder, tinySpec, tinyTrainerSpec } from '../support.mjs'

const CALLS = 6000
const random = mulberry32(Number(process.env.SEED ?? 1))
const below = (n) => Math.floor(random() * n)
const addon = loadAddon()

const cycle = []
cycle.push(cycle)
const detached = new Float32Array(8)
structuredClone(detached, { transfer: [detached.buffer] })
const WRONG = [
  ...[
    undefined,
    null,
    true,
    -1,
    0,
    1,
    0.5,
    2 ** 31,
    -(2 ** 31),
    2 ** 53,
    2 ** 63,
    1e300,
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ],
  ...[
    '',
    'x',
    'cosine',
    'a\0b',
    '\ud800',
    'x'.repeat(70_000),
    1n,
    Symbol('s'),
    () => 1,
    {},
    [],
    cycle,
    [[]],
    [{}],
    [null],
  ],
  ...[
    new Float32Array(0),
    new Float32Array(3),
    new Int32Array(0),
    new Int32Array(3),
    new Uint8Array(5),
    new Float64Array(2),
  ],
  ...[
    Int32Array.of(2 ** 31 - 1, -(2 ** 31)),
    Int32Array.of(0, 2 ** 31 - 1),
    new BigInt64Array(2),
    new DataView(new ArrayBuffer(9)),
  ],
  ...[
    new ArrayBuffer(8),
    new Float32Array(new SharedArrayBuffer(64)),
    detached,
    new Date(),
    new Map(),
    new Proxy({}, {}),
  ],
  ...[Object.create(null), Object.freeze({ length: 3 }), new Float32Array(1000).fill(Number.NaN)],
  new Float32Array(new ArrayBuffer(64, { maxByteLength: 128 })),
  // A getter that throws.
  Object.defineProperty({}, 'name', {
    enumerable: true,
    get() {
      throw Object.assign(new Error('on purpose'), { code: 'ON_PURPOSE' })
    },
  }),
]

/** `value` with one or two of its parts, at any depth, replaced by something wrong or taken away. */
function spoiled(value) {
  const parts = typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) ? Object.keys(value) : []
  if (parts.length === 0 || random() < 0.15) return WRONG[below(WRONG.length)]
  const copy = Array.isArray(value) ? [...value] : { ...value }
  const name = parts[below(parts.length)]
  if (random() < 0.1) delete copy[name]
  else if (random() < 0.05) copy[`${name}s`] = copy[name]
  else copy[name] = spoiled(copy[name])
  return copy
}

const encoder = await tinyEncoder(addon)
const trainer = new addon.Trainer(encoder, tinyTrainerSpec())
const [other, third] = [await tinyEncoder(addon), await tinyEncoder(addon)]
const custom = new addon.Trainer(
  other,
  tinyTrainerSpec({ type: 'Custom', parameters: { w: { shape: [2, 3], decay: true } } }),
)
const { name } = encoder.tensors()[0]
const pairs = {
  ...tinyBatch([3, 5, 2, 4], 2),
  tokenTypes: new Int32Array(14),
  promptLengths: Int32Array.of(1, 1, 1, 1),
}
const range = () => ({ name, start: 0, dtype: 'F32', data: new Uint8Array(16) })
const options = { lr: 1e-4, lossScale: 1, update: true, report: true, loss: 0, miniBatchRows: 3 }
const out = () => new Float32Array(4 * 32)
const external = { loss: 1, embeddings: out(), parameters: { 'loss.w': new Float32Array(6) }, components: { a: 1 } }
const labels = { labels: new Float32Array(2), labelShape: [2] }
/** Functions with good arguments. */
const calls = [
  [(...args) => encoder.encode(...args), () => [pairs, out(), 'sentence_embedding']],
  [(...args) => encoder.load(...args), () => [[range(), range()], true]],
  [(...args) => encoder.dump(...args), () => [[range()]]],
  [(...args) => trainer.load(...args), () => [[range()]]],
  [(...args) => trainer.dump(...args), () => [[range()]]],
  [(...args) => trainer.step(...args), () => [{ ...pairs, ...labels, textIds: new Int32Array(4) }, options]],
  [(...args) => trainer.step(...args), () => [{ ...pairs, guide: out(), guideDimension: 32 }, options]],
  [(...args) => trainer.evaluate(...args), () => [{ ...pairs, lists: Int32Array.of(0, 2, 4), columns: 1 }, 0]],
  [(...args) => trainer.evaluate(...args), () => [{ ...pairs, targets: tinyBatch([3, 5]) }, 0]],
  [(...args) => custom.embed(...args), () => [pairs, out(), options]],
  [(...args) => custom.apply(...args), () => [external, options]],
  [(...args) => trainer.setGroups(...args), () => [[0, 0.1], { [name]: 1 }]],
  [(...args) => trainer.setCounters(...args), () => [[1, 2]]],
  [(...args) => new addon.Encoder(...args).dispose(), () => [tinySpec({}, { modules: [{ type: 'Normalize' }] })]],
  [
    (...args) => new addon.Trainer(...args).dispose(),
    () => [third, tinyTrainerSpec({ type: 'Custom', parameters: { w: { shape: [2, 3], decay: true } } })],
  ],
  [
    (...args) => addon.topK(...args),
    () => [new Float32Array(32), new Float32Array(320), 32, 2, 'dot', new Float32Array(2), new Int32Array(2)],
  ],
]

const outcomes = {}
for (let i = 0; i < CALLS; i++) {
  const [call, good] = calls[below(calls.length)]
  const args = good()
  const bad = below(args.length)
  args[bad] = spoiled(args[bad])
  if (random() < 0.05) args.length = bad
  try {
    await call(...args)
    outcomes.good = (outcomes.good ?? 0) + 1
  } catch (error) {
    assert.equal(typeof error?.code, 'string', `call ${i}: ${error?.stack}`)
    outcomes[error.code] = (outcomes[error.code] ?? 0) + 1
  }
}
for (const wrong of WRONG) {
  assert.throws(() => addon.Encoder.prototype.encode.call(wrong, pairs, out()))
  assert.throws(() => addon.Trainer.prototype.step.call(wrong, pairs, options))
}
assert.throws(() => addon.Trainer.prototype.step.call(encoder, pairs, options))
assert.ok(outcomes.good > 100 && outcomes.ERR_INVALID_ARGUMENT > CALLS / 2, JSON.stringify(outcomes))
await other.encode(tinyBatch([3, 5]), new Float32Array(64))
