import { mkdtemp, open, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { loadAddon } from '../../lib/native/load.js'
import type {
  EncoderSpec,
  Metric,
  NativeTrainer,
  PackedBatch,
  StepOptions,
  TensorRange,
  TrainerSpec,
} from '../../lib/native/types.js'
import { longBatch, tinyBatch, tinyEncoder, tinySpec, tinyTrainerSpec } from '../helpers/tiny-model.js'

const addon = loadAddon()
const invalid = 'ERR_INVALID_ARGUMENT'
const unknown = 'ERR_UNKNOWN_OPTION'
/** A value that the types forbid. */
const wrong = (value: unknown) => value as never

test('runtime says what runs', (t) => {
  const info = addon.runtime()
  t.regex(info.libtorchVersion, /^2\.1[1-4]\./)
  t.regex(info.addonVersion, /^\d+\.\d+\.\d+/)
  t.is(info.devices[0]?.name, 'cpu')
  t.true(info.fastDTypes.includes('float32'))
  t.true(info.threads >= 1)
  t.is(info.cuda, null)
})

test.serial('setThreads takes whole numbers', async (t) => {
  const before = addon.runtime().threads
  for (const value of [0, 1.5, -1, 1e9, Number.NaN, '2', undefined])
    t.throws(() => addon.setThreads(wrong(value)), { code: invalid, message: /threads/ })
  t.is(addon.runtime().threads, before)

  addon.setThreads(1)
  t.is(addon.runtime().threads, 1)
  const encoder = await tinyEncoder(addon)
  await encoder.encode(tinyBatch([3]), new Float32Array(32))
  addon.setThreads(before)
  await encoder.encode(tinyBatch([3]), new Float32Array(32))
  t.is(addon.runtime().threads, before)
})

const specCases: [string, Partial<Record<keyof EncoderSpec | 'dropout', unknown>>, string, RegExp][] = [
  ['architecture', { architecture: 5 }, invalid, /a string for spec\.architecture but received 5/],
  ['config', { config: 'bert' }, invalid, /an object for spec\.config but received "bert"/],
  ['config array', { config: [1] }, invalid, /an object for spec\.config but received an array of length 1/],
  ['config member', { config: { a: { b: [1, () => 1] } } }, invalid, /spec\.config\.a\.b\[1\] but received a function/],
  ['config number', { config: { a: Number.NaN } }, invalid, /a finite number for spec\.config\.a but received NaN/],
  ['modules', { modules: {} }, invalid, /an array of modules for spec\.modules/],
  ['module', { modules: ['Pooling'] }, invalid, /spec\.modules\[0\] but received "Pooling"/],
  ['pooler', { pooler: 'yes' }, invalid, /true or false for spec\.pooler but received "yes"/],
  ['device', { device: undefined }, invalid, /a string for spec\.device but received undefined/],
  ['dtype', { dtype: null }, invalid, /a string for spec\.dtype but received null/],
  ['misspelt', { dropout: 0.1 }, unknown, /Unknown member dropout of spec: expected architecture, config/],
]
for (const [name, change, code, message] of specCases) {
  test(`Encoder spec: ${name}`, (t) => {
    t.throws(() => new addon.Encoder({ ...tinySpec(), ...change } as EncoderSpec), { code, message })
  })
}

test('Encoder spec: nothing, a cycle', (t) => {
  t.throws(() => new addon.Encoder(wrong(undefined)), { code: invalid, message: /an object for spec/ })
  const cycle: Record<string, unknown> = {}
  cycle.self = cycle
  t.throws(() => new addon.Encoder(tinySpec(wrong(cycle))), { code: invalid, message: /at most 256 levels/ })
})

const trainerCases: [string, Partial<Record<keyof TrainerSpec | 'lr', unknown>>, string, RegExp][] = [
  ['losses', { losses: 'CoSENTLoss' }, invalid, /an array of losses for spec\.losses but received "CoSENTLoss"/],
  ['no loss', { losses: [] }, invalid, /at least one loss/],
  ['a loss', { losses: [{ name: '', spec: 'CoSENTLoss' }] }, invalid, /an object for spec\.losses\[0\]\.spec/],
  ['optimizer', { optimizer: { type: 'lion' } }, 'ERR_NOT_IMPLEMENTED', /Optimizer lion is not built/],
  ['weightDecay', { weightDecay: '0' }, invalid, /a finite number for spec\.weightDecay/],
  ['maxGradNorm', { maxGradNorm: Number.POSITIVE_INFINITY }, invalid, /spec\.maxGradNorm but received Infinity/],
  ['seed', { seed: -1 }, invalid, /a whole number of at least 0 for spec\.seed but received -1/],
  ['misspelt', { lr: 1 }, unknown, /Unknown member lr of spec/],
]
for (const [name, change, code, message] of trainerCases) {
  test(`Trainer spec: ${name}`, async (t) => {
    const encoder = await tinyEncoder(addon)
    const spec = { ...tinyTrainerSpec(), ...change } as TrainerSpec
    t.throws(() => new addon.Trainer(encoder, spec), { code, message })
    // The failed attempt does not hold the encoder.
    t.notThrows(() => new addon.Trainer(encoder, tinyTrainerSpec()))
  })
}

test('Trainer takes only an encoder of this addon', (t) => {
  const lookalike = Object.create(addon.Encoder.prototype)
  for (const value of [undefined, {}, lookalike, addon])
    t.throws(() => new addon.Trainer(wrong(value), tinyTrainerSpec()), { code: invalid, message: /an Encoder/ })
})

const batchCases: [string, Partial<Record<keyof PackedBatch | 'id', unknown>>, string, RegExp][] = [
  ['ids of another type', { ids: [1, 2] }, invalid, /an Int32Array for batch\.ids but received an array of length 2/],
  ['ids of 64 bits', { ids: new BigInt64Array(8) }, invalid, /batch\.ids but received a BigInt64Array of 64 bytes/],
  ['offsets', { offsets: new Uint32Array(3) }, invalid, /batch\.offsets but received a Uint32Array of 12 bytes/],
  ['tokenTypes', { tokenTypes: 0 }, invalid, /batch\.tokenTypes but received 0/],
  ['promptLengths', { promptLengths: [] }, invalid, /batch\.promptLengths but received an array of length 0/],
  ['columns', { columns: 0 }, invalid, /a whole number of at least 1 for batch\.columns but received 0/],
  ['labels', { labels: new Float64Array(2) }, invalid, /a Float32Array or an Int32Array for batch\.labels/],
  [
    'labelShape',
    { labels: new Float32Array(2), labelShape: [2, 'x'] },
    invalid,
    /batch\.labelShape\[1\] but received "x"/,
  ],
  ['labelShape size', { labels: new Float32Array(2), labelShape: [3] }, invalid, /hold the 2 values of batch\.labels/],
  ['labelShape alone', { labelShape: [2] }, invalid, /batch\.labels beside batch\.labelShape/],
  ['misspelt', { id: new Int32Array(1) }, unknown, /Unknown member id of batch: expected ids, offsets/],
  ['id beyond the vocabulary', { ids: Int32Array.of(1, 2, 50) }, invalid, /from 0 to 49 but found 50/],
  ['negative id', { ids: Int32Array.of(1, -1, 4) }, invalid, /from 0 to 49 but found -1/],
  ['offsets that do not rise', { offsets: Int32Array.of(0, 2, 1, 3) }, invalid, /rising offsets/],
  ['offsets beyond the ids', { offsets: Int32Array.of(0, 2, 9) }, invalid, /offsets from 0 to 3/],
  ['an empty row', { offsets: Int32Array.of(0, 3, 3) }, invalid, /rising offsets/],
  ['no rows', { ids: new Int32Array(0), offsets: new Int32Array(0) }, invalid, /at least one row/],
  ['token types beyond the table', { tokenTypes: Int32Array.of(0, 1, 2) }, invalid, /token types from 0 to 1/],
  ['too few token types', { tokenTypes: Int32Array.of(0) }, invalid, /3 token types/],
  ['columns that do not divide', { columns: 3 }, invalid, /3 columns divide/],
]
for (const [name, change, code, message] of batchCases) {
  test(`batch: ${name}`, async (t) => {
    const encoder = await tinyEncoder(addon)
    const good = { ids: Int32Array.of(1, 2, 3), offsets: Int32Array.of(0, 2, 3), columns: 1 }
    const out = new Float32Array(2 * encoder.embeddingDimension)
    await t.throwsAsync(encoder.encode({ ...good, ...change } as PackedBatch, out), { code, message })
    await t.notThrowsAsync(encoder.encode(good, out))
  })
}

test('batch: more tokens in a row than positions', async (t) => {
  const encoder = await tinyEncoder(addon)
  const out = new Float32Array(encoder.embeddingDimension)
  await t.notThrowsAsync(encoder.encode(tinyBatch([40]), out))
  await t.throwsAsync(encoder.encode(tinyBatch([41]), out), { code: invalid, message: /41 tokens.*40 positions/ })
})

test('encode checks its output', async (t) => {
  const encoder = await tinyEncoder(addon)
  const batch = tinyBatch([3, 5])
  const size = 2 * encoder.embeddingDimension
  for (const length of [0, size - 1, size + 1])
    await t.throwsAsync(encoder.encode(batch, new Float32Array(length)), {
      code: invalid,
      message: /room for 2 x 32 values in out/,
    })
  await t.throwsAsync(encoder.encode(batch, wrong(new Float64Array(size))), {
    code: invalid,
    message: /Float32Array for out/,
  })
  const out = new Float32Array(size)
  await t.throwsAsync(encoder.encode(batch, out, wrong('embedding')), {
    code: invalid,
    message: /sentence_embedding, /,
  })
})

test('the batch is copied at the call', async (t) => {
  const encoder = await tinyEncoder(addon)
  const expected = new Float32Array(2 * encoder.embeddingDimension)
  await encoder.encode(tinyBatch([3, 5]), expected)
  const out = new Float32Array(expected.length)
  const batch = tinyBatch([3, 5])
  const done = encoder.encode(batch, out)
  batch.ids.fill(-1)
  batch.offsets.fill(-1)
  await done
  t.deepEqual(out, expected)
  t.true(out.some((value) => value !== 0))
})

test('an output in the middle of a larger buffer', async (t) => {
  const encoder = await tinyEncoder(addon)
  const size = 2 * encoder.embeddingDimension
  const buffer = new Float32Array(size + 4).fill(-9)
  await encoder.encode(tinyBatch([3, 5]), buffer.subarray(2, 2 + size))
  t.deepEqual([...buffer.subarray(0, 2), ...buffer.subarray(-2)], [-9, -9, -9, -9])
  t.false(buffer.subarray(2, 2 + size).includes(-9))
})

const rangeCases: [string, unknown, string, RegExp][] = [
  ['no array', {}, invalid, /an array of tensor ranges for ranges/],
  ['no object', [5], invalid, /an object for ranges\[0\] but received 5/],
  [
    'data',
    [{ name: 'x', start: 0, dtype: 'F32', data: new Float32Array(1) }],
    invalid,
    /a Uint8Array for ranges\[0\]\.data/,
  ],
  [
    'start',
    [{ name: 'x', start: 0.5, dtype: 'F32', data: new Uint8Array(4) }],
    invalid,
    /ranges\[0\]\.start but received 0\.5/,
  ],
  [
    'misspelt',
    [{ name: 'x', start: 0, type: 'F32', data: new Uint8Array(4) }],
    unknown,
    /Unknown member type of ranges\[0\]/,
  ],
]
for (const [name, ranges, code, message] of rangeCases) {
  test(`ranges: ${name}`, async (t) => {
    const encoder = await tinyEncoder(addon)
    await t.throwsAsync(encoder.load(ranges as TensorRange[]), { code, message })
    await t.throwsAsync(encoder.dump(ranges as TensorRange[]), { code, message })
  })
}

test('load and dump carry the same bytes', async (t) => {
  const encoder = await tinyEncoder(addon)
  const name = encoder.tensors().find((tensor) => tensor.shape.length === 2)!.name
  const written = Float32Array.of(1, 2.5, -3)
  // Off the alignment of a float on purpose.
  const data = new Uint8Array(13).subarray(1)
  data.set(new Uint8Array(written.buffer))
  await encoder.load([{ name, start: 2, dtype: 'F32', data }])
  const read = new Uint8Array(13).subarray(1)
  await encoder.dump([{ name, start: 2, dtype: 'F32', data: read }])
  t.deepEqual(read, data)
})

test('weights that come in several parts count once the last has come', async (t) => {
  const bf16 = tinySpec({}, { dtype: 'bfloat16' })
  const [whole, parts] = [await tinyEncoder(addon, bf16), await tinyEncoder(addon, bf16)]
  const ranges = whole.tensors().map(({ name, shape }, k): TensorRange => {
    const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i + k) / 4)
    return { name, start: 0, dtype: 'F32', data: new Uint8Array(values.buffer) }
  })
  await whole.load(ranges)
  await Promise.all(ranges.map((range, i) => parts.load([range], i === ranges.length - 1)))
  const [a, b] = [new Float32Array(64), new Float32Array(64)]
  await whole.encode(tinyBatch([3, 5]), a)
  await parts.encode(tinyBatch([3, 5]), b)
  t.deepEqual(a, b)
  t.true(a.some((value) => value !== 0))
  await t.throwsAsync(whole.load([], wrong('yes')), {
    code: invalid,
    message: /true or false for last but received "yes"/,
  })
})

/** A file with these bytes, and its descriptor while `use` runs. */
async function withFile(bytes: Uint8Array, use: (file: number) => Promise<void>): Promise<void> {
  const path = join(await mkdtemp(join(tmpdir(), 'sentence-torch-')), 'weights')
  await writeFile(path, bytes)
  const file = await open(path)
  try {
    await use(file.fd)
  } finally {
    await file.close()
  }
}

for (const dtype of ['float32', 'bfloat16', 'float64'] as const) {
  test(`loadFile gives the weights of load: ${dtype}`, async (t) => {
    const spec = tinySpec({}, { dtype })
    const [given, read] = [await tinyEncoder(addon, spec), await tinyEncoder(addon, spec)]
    const { name, shape } = given.tensors().find((tensor) => tensor.shape.length === 2)!
    const count = shape.reduce((a, b) => a * b, 1)
    const values = Float32Array.from({ length: count }, (_, i) => Math.sin(i) / 4)
    const data = new Uint8Array(values.buffer)
    // Off the alignment of a float on purpose.
    const bytes = Buffer.concat([Buffer.alloc(5), data])
    await given.load([{ name, start: 0, dtype: 'F32', data }])
    await withFile(bytes, async (file) => {
      const first = { name, start: 0, dtype: 'F32', position: 5, bytes: 8 } as const
      await read.loadFile(file, [first], false)
      await read.loadFile(file, [{ ...first, start: 2, position: 13, bytes: data.length - 8 }])
    })
    const [a, b] = [new Uint8Array(data.length), new Uint8Array(data.length)]
    await given.dump([{ name, start: 0, dtype: 'F32', data: a }])
    await read.dump([{ name, start: 0, dtype: 'F32', data: b }])
    t.deepEqual(a, b)
    t.true(a.some((byte) => byte !== 0))
  })
}

test('loadFile refuses what it cannot read, and values that are not finite', async (t) => {
  const encoder = await tinyEncoder(addon)
  const { name } = encoder.tensors().find((tensor) => tensor.shape.length === 2)!
  const range = { name, start: 0, dtype: 'F32', position: 0, bytes: 16 } as const
  const refuses = (file: number, change: object, code: string, message: RegExp) =>
    t.throwsAsync(encoder.loadFile(file, [{ ...range, ...change }]), { code, message })
  const tensors = 'ERR_INVALID_TENSORS'
  await withFile(new Uint8Array(Float32Array.of(1, 2, 3, Number.NEGATIVE_INFINITY).buffer), async (file) => {
    await refuses(file, {}, tensors, /is not finite/)
    await encoder.loadFile(file, [{ ...range, bytes: 12 }])
    await refuses(file, { position: 8 }, 'ERR_INVALID_FILE', /The file ends inside tensor/)
    await refuses(file, { bytes: 2 ** 50 }, 'ERR_INVALID_FILE', /The file ends inside tensor/)
    await refuses(file, { start: 2 ** 50 }, tensors, /has \d+ elements but the range is/)
    await refuses(file, { bytes: 7 }, tensors, /Expected whole F32 elements/)
    await refuses(file, { dtype: 'I8' }, tensors, /Expected dtype/)
    await refuses(file, { name: 'nothing' }, tensors, /There is no tensor named nothing/)
    await refuses(file, { position: -1 }, invalid, /ranges\[0\]\.position/)
    await refuses(file, { data: 1 }, unknown, /Unknown member data of ranges\[0\]/)
  })
  await refuses(2 ** 31 - 1, {}, 'ERR_FILE_SYSTEM', /Cannot read tensor .*: Bad file descriptor/)
  await refuses(2 ** 40, {}, invalid, /Expected an open file for file/)
  await refuses(wrong('1'), {}, invalid, /file/)
})

const stepCases: [string, Partial<Record<keyof StepOptions | 'learningRate', unknown>>, string, RegExp][] = [
  ['lr', { lr: '1e-5' }, invalid, /a number or a Float64Array for options\.lr but received "1e-5"/],
  ['lr NaN', { lr: Number.NaN }, invalid, /a finite number for options\.lr/],
  ['one rate too many', { lr: new Float64Array(3) }, invalid, /one rate or 2, one per group, but found 3/],
  ['lossScale', { lossScale: true }, invalid, /options\.lossScale but received true/],
  ['update', { update: 1 }, invalid, /true or false for options\.update but received 1/],
  ['misspelt', { learningRate: 1 }, unknown, /Unknown member learningRate of options: expected lr, /],
]
for (const [name, change, code, message] of stepCases) {
  test(`step options: ${name}`, async (t) => {
    const trainer = new addon.Trainer(await tinyEncoder(addon), tinyTrainerSpec())
    const options = { lr: 1e-4, ...change } as StepOptions
    await t.throwsAsync(trainer.step(tinyBatch([3, 5, 2, 4], 2), options), { code, message })
  })
}

test('step reports when asked', async (t) => {
  const trainer = new addon.Trainer(await tinyEncoder(addon), tinyTrainerSpec())
  const batch = tinyBatch([3, 5, 2, 4], 2)
  t.is(await trainer.step(batch, { lr: 1e-4 }), undefined)
  const report = await trainer.step(batch, { lr: Float64Array.of(1e-4, 2e-4), report: true })
  t.is(report?.batches, 2)
  t.is(report?.updates, 2)
  t.is(report?.skipped, 0)
  t.true(Number.isFinite(report?.loss) && Number.isFinite(report?.gradNorm))
  t.true(Number.isFinite((await trainer.evaluate(batch)).loss))
})

test('one trainer at a time', async (t) => {
  const encoder = await tinyEncoder(addon)
  const first = new addon.Trainer(encoder, tinyTrainerSpec())
  t.throws(() => new addon.Trainer(encoder, tinyTrainerSpec()), { code: 'ERR_BUSY' })
  await first.dispose()
  t.notThrows(() => new addon.Trainer(encoder, tinyTrainerSpec()))
})

test('groups of parameters are for the time before the first job, also one that is still queued', async (t) => {
  const first: ((trainer: NativeTrainer) => Promise<unknown>)[] = [
    (trainer) => trainer.step(longBatch(400, 2), { lr: 1e-3 }),
    (trainer) => trainer.evaluate(longBatch(400, 2)),
    (trainer) => trainer.counters(),
    (trainer) => trainer.dump([]),
  ]
  for (const job of first) {
    const trainer = new addon.Trainer(await tinyEncoder(addon), tinyTrainerSpec())
    const groups = { '0.embeddings.word_embeddings.weight': -1 }
    trainer.setGroups([0, 0, 0], groups)
    trainer.setGroups([0, 0, 0, 0], groups)
    const running = job(trainer)
    for (let i = 0; i < 100; i++) {
      const message = /before the first job/
      t.throws(() => trainer.setGroups([0, 0], {}), { code: invalid, message })
      t.true(trainer.tensors().length > 0)
    }
    await running
    t.throws(() => trainer.setGroups([0, 0], {}), { code: invalid })
    // The groups are those from before.
    await t.notThrowsAsync(trainer.step(tinyBatch([3, 4], 2), { lr: Float64Array.of(1e-3, 1e-3, 1e-3, 1e-3) }))
    await trainer.dispose()
  }
})

test('use after dispose', async (t) => {
  const encoder = await tinyEncoder(addon)
  const trainer = new addon.Trainer(encoder, tinyTrainerSpec())
  const batch = tinyBatch([3, 5], 2)
  const out = new Float32Array(2 * encoder.embeddingDimension)
  const disposed = { code: 'ERR_DISPOSED' }

  const queued = trainer.step(batch, { lr: 0 })
  const first = trainer.dispose()
  // From the request on, not only once it is carried out.
  await t.throwsAsync(trainer.step(batch, { lr: 0 }), disposed)
  await t.notThrowsAsync(queued)
  await t.notThrowsAsync(first)
  await t.notThrowsAsync(trainer.dispose())
  await t.throwsAsync(trainer.evaluate(batch), disposed)
  await t.throwsAsync(trainer.load([]), disposed)
  await t.throwsAsync(trainer.dump([]), disposed)
  t.throws(() => trainer.tensors(), disposed)

  const encoding = encoder.encode(batch, out)
  const both = [encoder.dispose(), encoder.dispose()]
  await t.throwsAsync(encoder.encode(batch, out), disposed)
  await t.notThrowsAsync(Promise.all([encoding, ...both, encoder.dispose()]))
  await t.throwsAsync(encoder.load([]), disposed)
  await t.throwsAsync(encoder.dump([]), disposed)
  t.throws(() => encoder.tensors(), disposed)
  t.throws(() => new addon.Trainer(encoder, tinyTrainerSpec()), disposed)
})

test('a trainer whose encoder was disposed of', async (t) => {
  const encoder = await tinyEncoder(addon)
  const trainer = new addon.Trainer(encoder, tinyTrainerSpec())
  await encoder.dispose()
  await t.throwsAsync(trainer.step(tinyBatch([3, 5], 2), { lr: 0 }), { code: 'ERR_DISPOSED' })
  await t.notThrowsAsync(trainer.dispose())
})

test('topK finds the nearest and checks its arguments', async (t) => {
  const queries = Float32Array.of(1, 0, 0, 1)
  const corpus = Float32Array.of(0, 2, 3, 0, 1, 1)
  const scores = new Float32Array(4)
  const indices = new Int32Array(4)
  await addon.topK(queries, corpus, 2, 2, 'dot', scores, indices)
  t.deepEqual([...indices], [1, 2, 0, 2])
  t.deepEqual([...scores], [3, 1, 2, 1])

  const good = { queries, corpus, dim: 2, k: 2, metric: 'dot' as Metric, scores, indices }
  const call = (change: object) => {
    const all: typeof good = { ...good, ...change }
    return addon.topK(all.queries, all.corpus, all.dim, all.k, all.metric, all.scores, all.indices)
  }
  for (const [change, message] of [
    [{ queries: [1, 2] }, /a Float32Array for queries/],
    [{ dim: 0 }, /dim/],
    [{ dim: 4 }, /a multiple of dim = 4 values for corpus but received 6/],
    [{ k: 4 }, /k of at most 3/],
    [{ metric: 'cosinus' }, /cosinus/],
    [{ scores: new Float32Array(3) }, /scores but received 3/],
    [{ indices: new Float32Array(4) }, /an Int32Array for indices/],
  ] as const)
    await t.throwsAsync(call(change), { code: invalid, message })
})

test('the event loop runs beside the executor', async (t) => {
  const encoder = await tinyEncoder(addon)
  const batch = longBatch()
  const out = new Float32Array((batch.offsets.length - 1) * encoder.embeddingDimension)
  let ended = false
  const jobs = Promise.all(Array.from({ length: 8 }, () => encoder.encode(batch, out))).then(() => {
    ended = true
  })
  await new Promise((resolve) => setTimeout(resolve, 1))
  t.false(ended)
  await jobs
  t.true(ended)
})

test('jobs end in the order in which they were asked for, across engines', async (t) => {
  const [a, b] = await Promise.all([tinyEncoder(addon), tinyEncoder(addon)])
  const order: number[] = []
  const jobs = Array.from({ length: 12 }, (_, i) => {
    const batch = tinyBatch(new Array<number>(i % 3 === 0 ? 200 : 1).fill(20))
    const rows = batch.offsets.length - 1
    return (i % 2 ? a : b).encode(batch, new Float32Array(rows * 32)).then(() => order.push(i))
  })
  await Promise.all(jobs)
  t.deepEqual(
    order,
    order.map((_, i) => i),
  )
})

/** Collects garbage until `done` says so; finalizers of native objects run between turns of the event loop. */
async function collectUntil(done: () => boolean): Promise<boolean> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  for (let turn = 0; turn < 100; turn++) {
    // A turn of its own for each: a WeakRef that was looked at holds its target until the turn ends.
    await new Promise((resolve) => setTimeout(resolve, 5))
    collect()
    await new Promise((resolve) => setTimeout(resolve, 5))
    if (done()) return true
  }
  return false
}

test('a trainer that is forgotten instead of disposed of lets its encoder go', async (t) => {
  const encoder = await tinyEncoder(addon)
  await (async () => {
    const trainer = new addon.Trainer(encoder, tinyTrainerSpec())
    await trainer.step(tinyBatch([3, 5], 2), { lr: 0 })
  })()
  const free = () => {
    try {
      new addon.Trainer(encoder, tinyTrainerSpec())
      return true
    } catch {
      return false
    }
  }
  t.true(await collectUntil(free))
})

test('buffers are held while a job needs them and let go afterwards', async (t) => {
  const encoder = await tinyEncoder(addon)
  const ended = (() => {
    const out = new Float32Array(64)
    const done = encoder.encode(tinyBatch([3, 5]), out)
    return { done, out: new WeakRef(out) }
  })()
  await ended.done
  t.true(await collectUntil(() => ended.out.deref() === undefined))
})
