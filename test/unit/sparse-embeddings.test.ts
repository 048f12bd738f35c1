import test from 'ava'
import { SparseEmbeddings } from '../../lib/models/sparse-embeddings.js'

const make = () =>
  new SparseEmbeddings({
    indices: Int32Array.of(1, 4, 0, 2, 3),
    values: Float32Array.of(0.5, 2, 1, -3, 4),
    offsets: Int32Array.of(0, 2, 2, 5),
    dimension: 5,
  })

test('rows are views of the arrays, and an empty row has nothing', (t) => {
  const sparse = make()
  t.is(sparse.length, 3)
  t.deepEqual(sparse.row(0), { indices: Int32Array.of(1, 4), values: Float32Array.of(0.5, 2) })
  t.is(sparse.row(1).indices.length, 0)
  t.is(sparse.row(2).values.buffer, sparse.values.buffer)
  for (const i of [-1, 3, 0.5]) t.throws(() => sparse.row(i), { code: 'ERR_INVALID_ARGUMENT', message: /from 0 to 2/ })
})

test('dense rows and back are the same', (t) => {
  const dense = make().toDense()
  t.deepEqual(dense.shape, [3, 5])
  t.deepEqual([...dense.data], [0, 0.5, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0, -3, 4, 0])
  t.deepEqual(SparseEmbeddings.fromDense(dense), make())
  t.deepEqual(SparseEmbeddings.fromDense(Float32Array.of(0, 7)).row(0).indices, Int32Array.of(1))
  t.throws(() => SparseEmbeddings.fromDense(Float32Array.of(0, Number.NaN)), {
    message: /finite number for values\[0\]/,
  })
})

test('a slice counts its rows from 0', (t) => {
  const part = make().slice(1, 3)
  t.deepEqual(part.offsets, Int32Array.of(0, 0, 3))
  t.deepEqual(part.row(1), make().row(2))
  t.is(make().slice(-1).length, 1)
  t.is(make().slice(2, 1).length, 0)
  t.is(make().slice(0, 99).length, 3)
  t.throws(() => make().slice(0.5), { code: 'ERR_INVALID_ARGUMENT' })
})

test('rows can be put together', (t) => {
  const sparse = make()
  const rows = [0, 1, 2].map((i) => sparse.row(i))
  t.deepEqual(SparseEmbeddings.fromRows(rows, 5), sparse)
  t.is(SparseEmbeddings.fromRows([], 5).length, 0)
  t.throws(() => SparseEmbeddings.fromRows([{ indices: Int32Array.of(1), values: new Float32Array(2) }], 5), {
    message: /1 values.*rows\[0\].*2/,
  })
})

test('arrays that do not fit each other are refused', (t) => {
  const bad = (change: object, message: RegExp) =>
    t.throws(() => new SparseEmbeddings({ ...make(), ...change }), { code: 'ERR_INVALID_ARGUMENT', message })
  bad({ dimension: 4 }, /from 2 to 3, rising within row 0 for indices\[1\] but received 4/)
  bad({ dimension: 0 }, /dimension/)
  bad({ indices: Int32Array.of(4, 1, 0, 2, 3) }, /from 5 to 4, rising within row 0 for indices\[1\]/)
  bad({ indices: Int32Array.of(1, 4, 0, 0, 3) }, /row 2 for indices\[3\]/)
  bad({ indices: Int32Array.of(-1, 4, 0, 2, 3) }, /indices\[0\]/)
  bad({ values: new Float32Array(4) }, /5 values/)
  bad({ values: Float32Array.of(0, 1, Infinity, 0, 0) }, /finite number for values\[2\]/)
  bad({ offsets: Int32Array.of(1, 2, 2, 5) }, /0 as the first/)
  bad({ offsets: Int32Array.of(0, 3, 2, 5) }, /at least 3 for offsets\[2\]/)
  bad({ offsets: Int32Array.of(0, 2, 2, 4) }, /5, the number of values/)
  bad({ offsets: [0, 5] }, /Int32Array/)
  bad({ indices: [1] }, /Int32Array/)
})
