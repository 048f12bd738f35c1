// Tensors and loops by hand: what lives how long, what is refused, and how it is told.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import {
  Dataset,
  losses,
  SentenceTransformer,
  SentenceTransformerTrainer,
  type SentenceTransformerTrainerOptions,
} from '../../lib/index.js'
import * as T from '../../lib/loops/index.js'
import { loadAddon } from '../../lib/native/load.js'
import { spaceOf } from '../../lib/tensor/space.js'
import { tinyFolder } from '../helpers/tiny-folder.js'
import { tinySpec } from '../helpers/tiny-model.js'

const folder = await tinyFolder(mkdtempSync(join(tmpdir(), 'sentence-torch-')))
const withoutDropout = await tinyFolder(mkdtempSync(join(tmpdir(), 'sentence-torch-')))
const config = join(withoutDropout, 'config.json')
writeFileSync(config, readFileSync(config, 'utf8').replace(/(_dropout_prob": )0.1/g, '$10'))
test.after.always(() => {
  for (const each of [folder, withoutDropout]) rmSync(each, { recursive: true, force: true })
})

const { scope, tensor, parameter, optim, forward, schedules } = T
const engineCount = () => spaceOf().job('count', (native) => native.count())
/** Nobody else's tensors come in between. */
const alone = test.serial

alone('a scope leaves what it returns, and nothing else', async (t) => {
  const before = T.liveTensors()
  const kept = scope(() => {
    const [a, b] = [tensor([1, 2]), tensor([3, 4])]
    return { sum: a.add(b), rows: [a] }
  })
  t.is(T.liveTensors(), before + 2)
  t.deepEqual([...(await kept.sum.data())], [4, 6])
  t.deepEqual([...(await kept.rows[0]!.data())], [1, 2])
  for (const each of [kept.sum, kept.rows[0]!]) each.dispose()
  t.is(T.liveTensors(), before)
  t.is(await engineCount(), before)
})

alone('scopes: async, nested, failing, and what a failing one has made', async (t) => {
  const before = T.liveTensors()
  const value = await scope(async () => {
    const a = tensor([1, 2, 3])
    await setTimeout(1)
    const inner = await scope(async () => {
      await a.data()
      return a.mul(2).add(1)
    })
    t.is(T.liveTensors(), before + 2)
    return inner.sum().item()
  })
  t.is(value, 15)
  await t.throwsAsync(
    scope(async () => {
      tensor([1]).exp()
      await setTimeout(1)
      throw new Error('mine')
    }),
    { message: 'mine' },
  )
  t.throws(() => scope(() => tensor([1]).reshape([7])), { code: 'ERR_INVALID_ARGUMENT' })
  // A promise of another realm.
  const late = runInNewContext('new Promise((resolve) => setTimeout(() => resolve(1), 1))', {
    setTimeout: global.setTimeout,
  })
  t.is(await scope(() => tensor([1]) && (late as Promise<number>)), 1)
  // Work that nobody waits for belongs to the scope around.
  await scope(async () => {
    let late: T.Tensor | undefined
    scope(() => void setTimeout(5).then(() => (late = tensor([1]))))
    await setTimeout(30)
    t.is(late!.size, 1)
    t.is(T.liveTensors(), before + 1)
  })
  t.is(T.liveTensors(), before)
  t.is(await engineCount(), before)
  t.throws(() => scope(undefined as never), { code: 'ERR_INVALID_ARGUMENT' })
})

alone('a result that holds itself, is deep, or cannot be read, leaves nothing behind', async (t) => {
  const before = T.liveTensors()
  const kept = scope(() => {
    tensor([1])
    const result: { sum: T.Tensor; self?: unknown; rows: unknown[] } = { sum: tensor([2]).add(1), rows: [] }
    result.self = result.rows
    result.rows.push(result, result.rows)
    return result
  })
  t.is(T.liveTensors(), before + 1)
  t.is(await kept.sum.item(), 3)
  kept.sum.dispose()
  const deep = scope(() => {
    let result: unknown = tensor([1])
    for (let i = 0; i < 100_000; i++) result = [result]
    return result as unknown[]
  })
  t.is(T.liveTensors(), before + 1)
  let inner: unknown = deep
  while (Array.isArray(inner)) inner = inner[0]
  ;(inner as T.Tensor).dispose()
  const unreadable = () => ({
    made: tensor([1]),
    get other() {
      throw new Error('mine')
    },
  })
  t.throws(() => scope(unreadable), { message: 'mine' })
  await t.throwsAsync(
    scope(async () => unreadable()),
    { message: 'mine' },
  )
  t.is(T.liveTensors(), before)
  t.is(await engineCount(), before)
})

alone('tensors that nobody disposed of go with the garbage', async (t) => {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  const before = T.liveTensors()
  for (let i = 0; i < 100; i++) tensor([i])
  t.true(T.liveTensors() > before)
  for (let i = 0; i < 50 && T.liveTensors() > before; i++) {
    gc()
    await setTimeout(10)
  }
  t.true(T.liveTensors() <= before)
  t.is(await engineCount(), T.liveTensors())
})

test('every type is read in its array, and a copy is taken at the call', async (t) => {
  await scope(async () => {
    const mine = Float32Array.of(1, 2)
    const copy = tensor(mine)
    mine.fill(9)
    t.deepEqual(await copy.data(), Float32Array.of(1, 2))
    t.deepEqual(await tensor(Float64Array.of(0.1)).data(), Float64Array.of(0.1))
    t.deepEqual(await tensor([1, -2], { dtype: 'int64' }).data(), Int32Array.of(1, -2))
    t.deepEqual(await copy.gt(1).data(), Uint8Array.of(0, 1))
    t.is(await copy.gt(1).sum().item(), 1)
    t.is(await tensor([1, 2], { dtype: 'int64' }).mean().item(), 1.5)
    t.is(await tensor([3], { dtype: 'int64' }).div(2).item(), 1.5)
    t.is(await tensor([3], { dtype: 'int64' }).add(0.5).item(), 3.5)
    t.deepEqual(
      tensor([
        [1, 2],
        [3, 4],
      ]).transpose().shape,
      [2, 2],
    )
    t.is(await tensor(5).item(), 5)
    t.deepEqual(await tensor([]).data(), new Float32Array(0))
    t.true(Number.isNaN(await tensor([Number.NaN]).add(1).item()))
    t.is(await tensor([1]).div(0).item(), Number.POSITIVE_INFINITY)
    const large = tensor([2 ** 40], { dtype: 'int64' })
    await t.throwsAsync(large.item(), { message: /32 bits/ })
    t.is(await large.to('float64').item(), 2 ** 40)
  })
})

const refused: [string, () => unknown, RegExp][] = [
  ['no number', () => tensor('x' as never), /numbers in arrays/],
  ['ragged rows', () => tensor([[1], [1, 2]]), /rows of one shape/],
  ['a shape of another size', () => tensor([1, 2, 3], { shape: [2, 2] }), /4 values .* but found 3/],
  ['an unknown option', () => tensor([1], { type: 'int64' } as never), /no option "type"/],
  ['an unknown type', () => tensor([1], { dtype: 'float16' as never }), /dtype/],
  ['a huge size', () => T.zeros([2 ** 20, 2 ** 20]), /at most 1073741824 elements/],
  ['a huge product', () => T.zeros([2 ** 16, 1]).matmul(T.zeros([1, 2 ** 16])), /at most 1073741824 elements/],
  ['a negative size', () => T.zeros([-1]), /whole numbers/],
  ['many dimensions', () => T.zeros(new Array<number>(9).fill(1)), /at most 8 dimensions/],
  ['broadcast', () => T.zeros([2, 3]).add(T.zeros([2])), /add: expected shapes .* found \[2, 3\] and \[2\]/],
  ['matmul', () => T.zeros([2, 3]).matmul(T.zeros([2, 3])), /matmul: expected .* the same k .*\[2, 3\] and \[2, 3\]/],
  ['matmul of a number', () => T.zeros([2]).matmul(tensor(1)), /two tensors with dimensions/],
  ['types', () => T.zeros([2]).add(T.zeros([2], 'float64')), /float32 and float64/],
  [
    'sums of bool',
    () =>
      T.zeros([2])
        .gt(0)
        .add(T.zeros([2]).gt(0)),
    /type bool/,
  ],
  ['something else', () => T.zeros([2]).add('1' as never), /a tensor or a number/],
  ['a dimension', () => T.zeros([2]).sum(1), /a dimension from -1 to 0 but found 1/],
  ['a dimension twice', () => T.zeros([2, 2]).sum([0, -2]), /different dimensions/],
  ['no dimension', () => T.zeros([]).softmax(0), /a tensor with dimensions/],
  ['reshape', () => T.zeros([2, 3]).reshape([4, -1]), /6 elements/],
  ['reshape with two open sizes', () => T.zeros([2, 3]).reshape([-1, -1]), /whole numbers|6 elements/],
  ['squeeze', () => T.zeros([2, 3]).squeeze(0), /size 1/],
  ['expand', () => T.zeros([2, 3]).expand([2, 4]), /expand/],
  ['slice', () => T.zeros([2, 3]).slice(1, 2, 9), /places from 0 to 3/],
  ['select', () => T.zeros([2, 3]).select(1, 3), /from -3 to 2/],
  ['an index of another type', () => T.zeros([2, 3]).gather(1, T.zeros([2, 3])), /type int64/],
  ['an index of another size', () => T.zeros([2, 3]).gather(1, T.zeros([3, 1], 'int64')), /within \[2,3\]/],
  ['cat', () => T.cat([T.zeros([2, 3]), T.zeros([3, 2])]), /differ in dimension 0 alone/],
  ['cat of nothing', () => T.cat([]), /an array of tensors/],
  ['stack', () => T.stack([T.zeros([2]), T.zeros([3])]), /of one shape/],
  ['where', () => T.where(T.zeros([2]), 1, 2), /type bool/],
  ['targets', () => T.crossEntropy(T.zeros([2, 3]), T.zeros([3], 'int64')), /targets int64/],
  ['smoothing', () => T.crossEntropy(T.zeros([1, 3]), T.zeros([1], 'int64'), { labelSmoothing: 2 }), /from 0 to 1/],
  ['mseLoss', () => T.mseLoss(T.zeros([2]), T.zeros([1, 2])), /of one shape/],
  ['the largest of nothing', () => T.zeros([0]).max(), /with elements/],
  ['parameter of whole numbers', () => parameter(T.zeros([1], 'int64')), /float32 or float64/],
  [
    'the gradient of a result',
    () =>
      parameter(T.ones([1]))
        .mul(2)
        .grad(),
    /grad: expected a parameter/,
  ],
  ['a fraction as a label', () => tensor([0.5], { dtype: 'int64' }), /whole numbers for int64 but found 0.5/],
  ['no number as an index', () => tensor(Float32Array.of(Number.NaN), { dtype: 'int64' }), /whole numbers/],
  ['a whole fraction', () => T.full([1], 0.5, 'int64'), /whole numbers/],
  ['another typed array', () => tensor(new Uint16Array(2) as never), /numbers in arrays, or a typed array/],
  ['a matrix', () => T.zeros([2]).diagonal(), /a matrix/],
  ['arange', () => T.arange(0.5, 2), /integer/],
  ['randn without a seed', () => T.randn([2], undefined as never), /seed/],
]
for (const [name, make, message] of refused) {
  test(`refused at once, with the caller's stack: ${name}`, (t) => {
    const error = t.throws(() => scope(make), { message })
    t.regex((error as { code?: string }).code ?? '', /ERR_INVALID_ARGUMENT|ERR_UNKNOWN_OPTION/)
    t.regex(error.stack!, /tensor\.test/)
  })
}

test('what depends on values is told by whoever waits, and by all that is made of it', async (t) => {
  await scope(async () => {
    const index = tensor([0, 3], { dtype: 'int64' })
    const wrong = T.zeros([3, 2]).indexSelect(0, index).add(1).sum()
    const expected = { code: 'ERR_INVALID_ARGUMENT', message: /from 0 to 2 for indexSelect but found 3 at place 1/ }
    await t.throwsAsync(wrong.item(), expected)
    await t.throwsAsync(wrong.data(), expected)
    const w = parameter(T.zeros([2, 3]))
    const loss = T.crossEntropy(w, tensor([0, -1], { dtype: 'int64' }))
    await t.throwsAsync(loss.backward(), { message: /the targets of crossEntropy but found -1/ })
    await t.throwsAsync(w.grad().data(), { message: /no gradient/ })
    // Others go on.
    t.is(await T.ones([2]).sum().item(), 2)
    w.dispose()
  })
})

test('disposed tensors, and tensors without a gradient', async (t) => {
  const x = tensor([1, 2])
  x.dispose()
  x.dispose()
  t.throws(() => x.add(1), { code: 'ERR_DISPOSED', message: 'This tensor of [2] was disposed of' })
  await t.throwsAsync(x.data(), { code: 'ERR_DISPOSED' })
  await scope(async () => {
    await t.throwsAsync(tensor([1, 2]).item(), { message: /one element/ })
    await t.throwsAsync(tensor([1]).backward(), { message: /made of parameters/ })
    const w = parameter(tensor([1, 2]))
    await t.throwsAsync(w.mul(2).backward(), { message: /one element/ })
    const loss = w.mul(w).sum()
    await loss.backward()
    await t.throwsAsync(loss.backward(), { code: 'ERR_LIBTORCH', message: /second time/ })
    // A tensor may go before the gradient that needs it.
    const squares = w.mul(w)
    const sum = squares.sum()
    squares.dispose()
    await sum.backward()
    t.deepEqual([...(await w.grad().data())], [4, 8])
    w.dispose()
  })
})

test('what the engine refuses as a whole is told for what is made of it, and for nothing else', async (t) => {
  const space = spaceOf()
  const refused = space.recordData(new BigInt64Array(1) as never, { shape: [1] })
  const made = space.record('sum', [refused], { dims: [0], keepDim: false })
  space.flush()
  const after = space.record('add', [made], { value: 1 })
  const read = (id: number) => space.job('read', (native) => native.read(id, new Float32Array(1)))
  for (const id of [refused, made, after, after]) await t.throwsAsync(read(id), { message: /Float64Array, Int32Array/ })
  const other = tensor([1])
  const { id } = other
  other.dispose()
  await t.throwsAsync(read(id), { code: 'ERR_DISPOSED', message: `The tensor ${id} was disposed of` })
  space.free(after)
})

test('the boundary refuses what is no program, and the process goes on', async (t) => {
  const native = new (loadAddon().Tensors)()
  const run = (steps: unknown, arrays: unknown = []) => native.run(steps as never, arrays as never)
  await t.throwsAsync(run('x'), { code: 'ERR_INVALID_ARGUMENT' })
  await t.throwsAsync(run([{ op: 'add' }]), { code: 'ERR_INVALID_ARGUMENT' })
  await t.throwsAsync(run([{ op: 'add', out: -1, in: [] }]), { code: 'ERR_INVALID_ARGUMENT' })
  await t.throwsAsync(run([], [new BigInt64Array(1)]), { code: 'ERR_INVALID_ARGUMENT' })
  const wrong: [string, number[], object][] = [
    ['nothing', [], {}],
    ['add', [], {}],
    ['add', [1], {}],
    ['sum', [1], {}],
    ['sum', [1], { dims: 'x' }],
    ['sum', [1], { dims: ['x'] }],
    ['sum', [1], { dims: [9] }],
    ['data', [], { array: 7, shape: [1] }],
    ['data', [], { array: 0, shape: [3] }],
    ['full', [], { shape: [2 ** 40], value: 1 }],
    ['full', [], { shape: [2 ** 53, 2 ** 53], value: 1 }],
    ['eye', [], { shape: [] }],
    ['gather', [1, 1], { dim: 0 }],
    ['gather', [1, 1], { dim: 99 }],
    ['crossEntropy', [1, 1], {}],
    ['reshape', [1], { shape: [-7] }],
    ['to', [1], { dtype: 'float3' }],
    ['randn', [], { shape: [1], seed: 0.5 }],
    ['matmul', [1, 2], {}],
  ]
  await run([{ op: 'full', out: 1, in: [], options: { shape: [2], value: 1 } }])
  for (const [i, [op, inputs, options]] of wrong.entries()) {
    await run([{ op, out: 100 + i, in: inputs, options }], [Float32Array.of(1)])
    const error = await native.read(100 + i, new Float32Array(2)).catch((caught: { code: string }) => caught.code)
    t.regex(String(error), /^ERR_(INVALID_ARGUMENT|LIBTORCH|DISPOSED)$/, op)
  }
  await t.throwsAsync(native.read(1, new Float32Array(3)), { code: 'ERR_INVALID_ARGUMENT' })
  await t.throwsAsync(native.read(1, new Float64Array(2)), { code: 'ERR_INVALID_ARGUMENT' })
  await t.throwsAsync(native.read(77, new Float32Array(2)), { code: 'ERR_DISPOSED' })
  const out = new Float32Array(2)
  await native.read(1, out)
  t.deepEqual(out, Float32Array.of(1, 1))
})

const twoColumns = async (model: SentenceTransformer) => [
  await model.tokenize(['the red cat', 'a cow', 'the wind']),
  await model.tokenize(['a red cat', 'the cow is black', 'wind and rain']),
]

test('an optimizer trains model and parameters; forward() needs one', async (t) => {
  const model = await SentenceTransformer.load(folder)
  const features = await twoColumns(model)
  t.throws(() => forward(model, features), { message: /new optim.AdamW/ })
  const w = parameter(T.ones([32]))
  t.throws(() => new optim.AdamW(model, { lr: -1 }), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(() => new optim.AdamW(model, {} as never), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(() => new optim.AdamW(model, { lr: 1, momentum: 1 } as never), { code: 'ERR_UNKNOWN_OPTION' })
  t.throws(() => new optim.AdamW(model, { lr: 1, parameters: { w: 1 as never } }), { message: /parameters.w/ })
  t.throws(() => new optim.AdamW(model, { lr: 1, parameters: { w: T.ones([2]) } }), { message: /no parameter/ })
  const bad = parameter(T.ones([2]).indexSelect(0, tensor([2], { dtype: 'int64' })))
  const unbound = new optim.SGD(model, { lr: 1, parameters: { w, bad } })
  await t.throwsAsync(unbound.step(), { message: /indexSelect but found 2/ })
  await unbound.dispose()
  const gone = parameter(T.ones([2]))
  gone.dispose()
  t.throws(() => new optim.AdamW(model, { lr: 1, parameters: { w, gone } }), { code: 'ERR_DISPOSED' })
  const optimizer = new optim.AdamW(model, { lr: 1e-3, parameters: { w } })
  t.throws(() => new optim.SGD(model, { lr: 1 }), { code: 'ERR_BUSY' })
  const other = await SentenceTransformer.load(folder)
  t.throws(() => new optim.SGD(other, { lr: 1, parameters: { w } }), { message: /parameters.w is trained already/ })
  t.throws(() => new optim.SGD(other, { lr: 1, parameters: { w: w.mul(1) } }), { message: /no parameter/ })
  await other.dispose()
  const before = await model.encode('the red cat')
  const losses: number[] = []
  for (let i = 0; i < 8; i++) {
    await scope(async () => {
      const [u, v] = forward(model, features)
      const loss = T.mseLoss(T.cosineSimilarity(u!.mul(w), v!), tensor([1, 0, 1]))
      await loss.backward()
      const { gradNorm, skipped } = await optimizer.step()
      t.true(gradNorm > 0)
      t.false(skipped)
      losses.push(await loss.item())
    })
  }
  t.true(losses.at(-1)! < losses[0]!, losses.join())
  t.notDeepEqual(await model.encode('the red cat'), before)
  t.notDeepEqual([...(await w.data())], new Array(32).fill(1))
  await optimizer.dispose()
  await optimizer.dispose()
  await t.throwsAsync(optimizer.step(), { code: 'ERR_DISPOSED' })
  t.throws(() => forward(model, features), { message: /before forward/ })
  await new optim.SGD(model, { lr: 1 }).dispose()
  for (const each of [w, bad]) each.dispose()
  await model.dispose()
})

test('a gradient that is not finite updates nothing; zeroGrad forgets one', async (t) => {
  const model = await SentenceTransformer.load(folder)
  const features = await twoColumns(model)
  const optimizer = new optim.SGD(model, { lr: 0.1 })
  const before = await model.encode('the red cat')
  await scope(async () => {
    await forward(model, features[0]!).sum().mul(Number.NaN).backward()
    t.true((await optimizer.step()).skipped)
    await forward(model, features[0]!).sum().backward()
    await optimizer.zeroGrad()
    t.is((await optimizer.step()).gradNorm, 0)
  })
  t.deepEqual(await model.encode('the red cat'), before)
  await optimizer.dispose()
  await model.dispose()
})

test('passes that are too late, or come a second time, are refused', async (t) => {
  const model = await SentenceTransformer.load(folder)
  const features = await twoColumns(model)
  const optimizer = new optim.SGD(model, { lr: 0.1 })
  await scope(async () => {
    const late = forward(model, features[0]!).sum()
    await optimizer.step()
    await t.throwsAsync(late.backward(), { message: /updated between/ })
    const u = forward(model, features[0]!)
    await u.sum().backward()
    await t.throwsAsync(u.mean().backward(), { message: /second time/ })
    const gone = forward(model, features[0]!).sum()
    await optimizer.dispose()
    await t.throwsAsync(gone.backward(), { code: 'ERR_DISPOSED' })
    t.is((await gone.data()).length, 1)
  })
  await model.dispose()
})

test('a model that goes between forward() and backward() is told of', async (t) => {
  const model = await SentenceTransformer.load(folder)
  const features = await twoColumns(model)
  const optimizer = new optim.SGD(model, { lr: 0.1 })
  await scope(async () => {
    const u = forward(model, features[0]!)
    await u.data()
    await model.dispose()
    await t.throwsAsync(u.sum().backward(), { code: 'ERR_DISPOSED' })
    await t.throwsAsync(optimizer.step(), { code: 'ERR_DISPOSED' })
  })
  await optimizer.dispose()
})

test('parameters train without a pass of the model, and rest where no gradient reaches them', async (t) => {
  const model = await SentenceTransformer.load(folder)
  const [features] = await twoColumns(model)
  const encoded = await model.encode('the red cat')
  const w = parameter(tensor([[1, -2]]))
  const optimizer = new optim.AdamW(model, { lr: 0.1, weightDecay: 0.5, maxGradNorm: 0, parameters: { w } })
  const values = async () => [...(await w.data())]
  const close = async (expected: number[]) => {
    const found = await values()
    t.true(
      found.every((value, i) => Math.abs(value - expected[i]!) < 1e-6),
      found.join(),
    )
  }
  await scope(async () => {
    t.is((await optimizer.step()).gradNorm, 0)
    await close([1, -2])
    // torch.optim.AdamW([w], lr=0.1, weight_decay=0.5) after one step, then two.
    await w
      .mul(tensor([[3, 4]]))
      .sum()
      .backward()
    t.is((await optimizer.step()).gradNorm, 5)
    await close([0.85, -2])
    await w
      .mul(tensor([[1, -1]]))
      .sum()
      .backward()
    await optimizer.step()
    await close([0.7203936, -1.9469467])
    t.deepEqual([...(await w.grad().data())], [0, 0])
    // A loss of the model alone, a gradient that was dropped, and one that is not finite: the parameter is as it was.
    const before = await values()
    t.deepEqual(await model.encode('the red cat'), encoded)
    await forward(model, features!).pow(2).sum().backward()
    t.true((await optimizer.step()).gradNorm > 0)
    t.notDeepEqual(await model.encode('the red cat'), encoded)
    await w.sum().backward()
    await optimizer.zeroGrad()
    await optimizer.step()
    await w.sum().mul(Number.NaN).backward()
    t.true((await optimizer.step()).skipped)
    await optimizer.step()
    t.deepEqual(await values(), before)
  })
  await optimizer.dispose()
  // A parameter lives on after its optimizer.
  const loss = w.sum()
  await loss.backward()
  for (const each of [loss, w]) each.dispose()
  await model.dispose()
})

for (const name of ['AdamW', 'SGD', 'RMSprop'] as const) {
  test(`${name}: backward() of what was made with the weights before a step is refused`, async (t) => {
    const model = await SentenceTransformer.load(folder)
    const w = parameter(tensor([1, 2]))
    const optimizer = new optim[name](model, { lr: 0.1, parameters: { w } })
    await scope(async () => {
      const [late, linear] = [w.mul(w).sum(), w.sum()]
      await w.sum().backward()
      await optimizer.step()
      const expected = { code: 'ERR_INVALID_ARGUMENT', message: /^The weights were updated between/ }
      await t.throwsAsync(late.backward(), expected)
      // A gradient that needs no weights is right, and is added.
      await linear.backward()
      t.deepEqual([...(await w.grad().data())], [1, 1])
      const early = w.mul(w).sum()
      await early.backward()
    })
    await optimizer.dispose()
    w.dispose()
    await model.dispose()
  })
}

test('columns and mini-batches are the same numbers as one pass; two passes of a step have masks of their own', async (t) => {
  const model = await SentenceTransformer.load(folder)
  const features = await twoColumns(model)
  const run = (work: () => T.Tensor[]) =>
    scope(async () => {
      const optimizer = new optim.SGD(model, { lr: 0, seed: 3 })
      const all = T.cat(work())
      await all.pow(2).sum().backward()
      const { gradNorm } = await optimizer.step()
      const values = [...(await all.data()), gradNorm]
      await optimizer.dispose()
      return values
    })
  const together = await run(() => forward(model, features))
  const apart = await run(() => features.map((column) => forward(model, column)))
  const mini = await run(() => forward(model, features, { miniBatchSize: 2 }))
  for (const other of [apart, mini]) {
    t.true(other.every((value, i) => Math.abs(value - together[i]!) <= 1e-5 * Math.max(1, Math.abs(value))))
  }
  await model.dispose()
})

test('features that do not fit are refused', async (t) => {
  const model = await SentenceTransformer.load(folder)
  const optimizer = new optim.SGD(model, { lr: 0.1 })
  const [a] = await twoColumns(model)
  const b = await model.tokenize(['the cat'])
  t.throws(() => forward(model, [a!, b]), { message: /as many texts in every column/ })
  t.throws(() => forward(model, []), { message: /at least one text/ })
  t.throws(() => forward(model, {} as never), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(() => forward({} as never, a!), { message: /a SentenceTransformer/ })
  t.throws(() => forward(model, a!, { miniBatchSize: 0 }), { code: 'ERR_INVALID_ARGUMENT' })
  const ids = { ...a!.inputIds, data: a!.inputIds.data.map(() => 10_000) }
  t.throws(() => forward(model, { ...a!, inputIds: ids }), { message: /an id from 0 to/ })
  await optimizer.dispose()
  await model.dispose()
})

test('schedules are those of the Trainer', async (t) => {
  const model = await SentenceTransformer.load(folder)
  const optimizer = new optim.SGD(model, { lr: 1 })
  const rates = (schedule: { step(): void; lr: number }, steps: number) =>
    Array.from({ length: steps }, () => {
      const { lr } = schedule
      schedule.step()
      return Number(lr.toFixed(4))
    })
  t.deepEqual(rates(schedules.linear(optimizer, { warmupSteps: 2, totalSteps: 6 }), 7), [0, 0.5, 1, 0.75, 0.5, 0.25, 0])
  optimizer.lr = 2
  t.deepEqual(rates(schedules.cosine(optimizer, { totalSteps: 4 }), 5), [2, 1.7071, 1, 0.2929, 0])
  t.throws(() => schedules.linear(optimizer, {} as never), { message: /totalSteps/ })
  t.throws(() => schedules.linear(optimizer, { totalSteps: 5, numCycles: 1 } as never), { code: 'ERR_UNKNOWN_OPTION' })
  t.throws(() => schedules.warmupStableDecay(optimizer, { totalSteps: 5 }), { message: /numDecaySteps/ })
  t.throws(() => (optimizer.lr = Number.NaN), { code: 'ERR_INVALID_ARGUMENT' })
  await optimizer.dispose()
  await model.dispose()
})

test('a forward pass keeps an encoder from being loaded, until it is disposed of', async (t) => {
  const addon = loadAddon()
  const encoder = new addon.Encoder(tinySpec())
  await encoder.initialize(
    encoder.tensors().map(({ name }) => name),
    1,
  )
  const trainer = new addon.Trainer(encoder, {
    losses: [{ name: '', spec: { type: 'MultipleNegativesRankingLoss' } }],
    optimizer: { type: 'sgd' },
    ...{ weightDecay: 0, maxGradNorm: 0, seed: 1 },
  })
  const tensors = new addon.Tensors()
  const batch = { ids: Int32Array.of(1, 2), offsets: Int32Array.of(0, 2), columns: 1 }
  await trainer.forward(batch, tensors, [1], { lr: 0 })
  await t.throwsAsync(tensors.read(1, new Float32Array(32)), { message: /type Custom/ })
  await t.throwsAsync(trainer.forward(batch, {} as never, [1], { lr: 0 }), { message: /a Tensors/ })
  await trainer.dispose()
  await encoder.dispose()
})

const rows = Dataset.fromColumns({
  a: ['the red cat', 'a cow', 'the wind', 'bread and milk'],
  b: ['a red cat', 'the cow is black', 'wind and rain', 'cheese'],
  label: [0, 2, 1, 0],
})

/** All rows are one batch; without dropout their order does not matter. */
async function lossesOf(loss: SentenceTransformerTrainerOptions['loss']): Promise<number[]> {
  const model = await SentenceTransformer.load(withoutDropout)
  const args = {
    maxSteps: 4,
    loggingSteps: 1,
    perDeviceTrainBatchSize: 4,
    saveStrategy: 'no',
    learningRate: 1e-3,
  } as const
  const trainer = new SentenceTransformerTrainer({ model, args, trainDataset: rows, loss, progress: false })
  await trainer.train()
  await model.dispose()
  return trainer.state.logHistory.flatMap((record) => (record.loss === undefined ? [] : [record.loss as number]))
}

test('Custom.fromTensors trains as the loss of the engine does, its own parameters included', async (t) => {
  const init = Float32Array.from({ length: 3 * 96 }, (_, i) => Math.sin(i) / 20)
  const found = await lossesOf(
    losses.Custom.fromTensors(
      ([u, v], labels, { parameters: { weight, unused } }) => {
        t.is(unused!.size, 2)
        return T.crossEntropy(T.cat([u!, v!, u!.sub(v!).abs()], 1).matmul(weight!.transpose()), labels!)
      },
      {
        ...{ minColumns: 2, maxColumns: 2, labels: 'int', numLabels: 3 },
        parameters: { weight: { shape: [3, 96], init }, unused: { shape: [2] } },
      },
    ),
  )
  const own = await byHand(init)
  t.is(found.length, 4)
  for (const [i, loss] of found.entries()) t.true(Math.abs(loss - own[i]!) <= 1e-5 * own[i]!, `${loss} and ${own[i]}`)
})

/** The same training as a loop. */
async function byHand(init: Float32Array): Promise<number[]> {
  const model = await SentenceTransformer.load(withoutDropout)
  const weight = parameter(tensor(init, { shape: [3, 96] }))
  const optimizer = new optim.AdamW(model, { lr: 1e-3, weightDecay: 0, maxGradNorm: 1, parameters: { weight } })
  const schedule = schedules.linear(optimizer, { totalSteps: 4 })
  const found: number[] = []
  const batch = [...rows] as { a: string; b: string; label: number }[]
  for (let i = 0; i < 4; i++) {
    await scope(async () => {
      const [u, v] = forward(model, [
        await model.tokenize(batch.map(({ a }) => a)),
        await model.tokenize(batch.map(({ b }) => b)),
      ])
      const labels = tensor(Int32Array.from(batch, ({ label }) => label))
      const loss = T.crossEntropy(T.cat([u!, v!, u!.sub(v!).abs()], 1).matmul(weight.transpose()), labels)
      await loss.backward()
      await optimizer.step()
      schedule.step()
      found.push(await loss.item())
    })
  }
  await optimizer.dispose()
  weight.dispose()
  await model.dispose()
  return found
}

test('what is no loss is refused', async (t) => {
  t.throws(() => losses.Custom.fromTensors(1 as never), { code: 'ERR_INVALID_ARGUMENT' })
  await t.throwsAsync(lossesOf(losses.Custom.fromTensors(([u]) => u!)), {
    message: /one element, but gave one of \[4,32\]/,
  })
  await t.throwsAsync(lossesOf(losses.Custom.fromTensors(() => 1 as never)), { message: /one element, but gave 1/ })
})

test.after('the engine has no tensor that nobody has', async (t) => t.is(await engineCount(), T.liveTensors()))
