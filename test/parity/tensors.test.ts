// The operations of sentence-torch/tensor against PyTorch's, with gradients: golden/tensors.json, by make_tensors.py.
import { readFileSync } from 'node:fs'
import test from 'ava'
import * as T from '../../lib/loops/index.js'
import { report } from './report.js'

type Values = { shape: number[]; values: (number | string)[] }
interface Case {
  name: string
  inputs: (Values & { dtype: 'float64' | 'int64' })[]
  value: Values
  gradients?: (Values | null)[]
}

const goldens = JSON.parse(
  readFileSync(new URL('../../../test/parity/golden/tensors.json', import.meta.url), 'utf8'),
) as Case[]
const { Tensor, tensor } = T
type X = InstanceType<typeof Tensor>
const labels = () => tensor([2, 0, 3], { dtype: 'int64' })
const withIgnored = () => tensor(Int32Array.of(2, -100, 3))
const index = () => tensor(Int32Array.of(0, 2, 1, 1, 3, 0), { shape: [3, 2] })

const made: Record<string, (a: X, b: X) => X> = {
  add: (a, b) => a.add(b),
  'add number': (a) => a.add(2.5),
  sub: (a, b) => a.sub(b),
  mul: (a, b) => a.mul(b),
  div: (a, b) => a.div(b),
  'div number': (a) => a.div(3),
  pow: (a, b) => a.pow(b),
  'pow number': (a) => a.pow(3),
  maximum: (a, b) => a.maximum(b),
  'minimum number': (a) => a.minimum(0.25),
  neg: (a) => a.neg(),
  abs: (a) => a.abs(),
  exp: (a) => a.exp(),
  log: (a) => a.log(),
  sqrt: (a) => a.sqrt(),
  relu: (a) => a.relu(),
  tanh: (a) => a.tanh(),
  sigmoid: (a) => a.sigmoid(),
  softplus: (a) => a.softplus(),
  clamp: (a) => a.clamp({ min: -0.5, max: 0.5 }),
  'clamp min': (a) => a.clamp({ min: 0.1, max: Number.POSITIVE_INFINITY }),
  gt: (a, b) => a.gt(b),
  'le number': (a) => a.le(0),
  eq: (a, b) => a.eq(b),
  ne: (a, b) => a.ne(b),
  ge: (a, b) => a.ge(b),
  'lt number': (a) => a.lt(0.3),
  where: (a, b) => T.where(a.gt(b), a, b.mul(2)),
  'where number': (a) => T.where(a.gt(0), a, -1),
  sum: (a) => a.sum(),
  'sum dim': (a) => a.sum(1),
  'sum dims': (a) => a.sum([0, 2], true),
  mean: (a) => a.mean(),
  'mean dim': (a) => a.mean(-1, true),
  logsumexp: (a) => a.logsumexp(1),
  'logsumexp all': (a) => a.logsumexp(),
  norm: (a) => a.norm(),
  'norm dim': (a) => a.norm(1),
  'norm 1': (a) => a.norm(0, { p: 1, keepDim: true }),
  'norm of zeros': (a) => a.norm(1),
  max: (a) => a.max(),
  'max dim': (a) => a.max(1),
  'max equal': (a) => a.max(),
  'min dim': (a) => a.min(0, true),
  argmax: (a) => a.argmax(1),
  softmax: (a) => a.softmax(1),
  logSoftmax: (a) => a.logSoftmax(0),
  normalize: (a) => a.normalize(1),
  matmul: (a, b) => a.matmul(b),
  'matmul batches': (a, b) => a.matmul(b),
  'matmul vector': (a, b) => a.matmul(b),
  transpose: (a) => a.transpose(),
  reshape: (a) => a.reshape([2, -1]),
  unsqueeze: (a) => a.unsqueeze(-1),
  squeeze: (a) => a.squeeze(0),
  expand: (a) => a.expand([3, 4]),
  slice: (a) => a.slice(1, 1, -1),
  select: (a) => a.select(1, -1),
  indexSelect: (a) => a.indexSelect(1, labels()),
  gather: (a) => a.gather(1, index()),
  diagonal: (a) => a.diagonal(),
  triu: (a) => a.triu(1),
  tril: (a) => a.tril(),
  cat: (a, b) => T.cat([a, b, a], 1),
  stack: (a, b) => T.stack([a, b], -1),
  crossEntropy: (a) => T.crossEntropy(a, labels()),
  'crossEntropy none': (a) => T.crossEntropy(a, withIgnored(), { reduction: 'none', labelSmoothing: 0.1 }),
  'crossEntropy sum': (a) => T.crossEntropy(a, withIgnored(), { reduction: 'sum' }),
  mseLoss: (a, b) => T.mseLoss(a, b),
  'mseLoss none': (a, b) => T.mseLoss(a, b, { reduction: 'none' }),
  binaryCrossEntropyWithLogits: (a, b) => T.binaryCrossEntropyWithLogits(a, b.detach(), { reduction: 'sum' }),
  cosineSimilarity: (a, b) => T.cosineSimilarity(a, b),
  arange: () => T.arange(2, 7),
  eye: () => T.eye(3, 'float64'),
  full: () => T.full([2, 3], Number.NEGATIVE_INFINITY),
  randn: () => T.randn([20], 7),
  rand: () => T.rand([2, 3], 7, 'float64'),
}

test('every operation has its case, and every case its operation', (t) => {
  t.deepEqual(
    goldens.map(({ name }) => name),
    Object.keys(made),
  )
})

const numbers = ({ values }: Values) =>
  values.map((value) => (value === '-inf' ? Number.NEGATIVE_INFINITY : Number(value)))
const difference = (found: ArrayLike<number>, expected: Values) =>
  numbers(expected).reduce((most, value, i) => Math.max(most, found[i] === value ? 0 : Math.abs(found[i]! - value)), 0)

for (const { name, inputs, value, gradients } of goldens) {
  test(`${name}: value and gradients are PyTorch's`, async (t) => {
    await T.scope(async () => {
      const given = inputs.map((input) => {
        const plain = tensor(numbers(input), { shape: input.shape, dtype: input.dtype })
        return input.dtype === 'int64' ? plain : T.parameter(plain)
      })
      const y = made[name]!(given[0]!, given[1]!)
      t.deepEqual([...y.shape], value.shape)
      const found = await y.data()
      t.is(found.length, value.values.length)
      const allowed = found instanceof Float32Array ? 2e-7 : 1e-12
      let worst = difference(found, value)
      t.is(y.requiresGrad, gradients !== undefined)
      if (gradients !== undefined) {
        await y
          .mul(
            tensor(
              Float64Array.from(found, (_, i) => Math.cos(i)),
              { shape: y.shape },
            ),
          )
          .sum()
          .backward()
        for (const [i, expected] of gradients.entries()) {
          if (expected !== null) worst = Math.max(worst, difference(await given[i]!.grad().data(), expected))
        }
      }
      t.true(worst <= allowed, `${worst}`)
      report('tensors', 'operations', { deviation: worst, allowed })
      for (const each of given) each.dispose()
    })
  })
}
