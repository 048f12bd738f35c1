import test from 'ava'
import { embeddings } from '../../lib/models/embeddings.js'
import { TokenEmbeddings } from '../../lib/models/token-embeddings.js'

const data = Float32Array.from({ length: 12 }, (_, i) => i)
const three = () => new TokenEmbeddings(data, Int32Array.of(0, 2, 2, 6), 2)

test('a row has the vectors of its tokens, without a copy', (t) => {
  const rows = three()
  t.is(rows.length, 3)
  t.deepEqual(
    [rows.row(0).shape, rows.row(1).shape, rows.row(2).shape],
    [
      [2, 2],
      [0, 2],
      [4, 2],
    ],
  )
  t.deepEqual([...rows.row(0).data], [0, 1, 2, 3])
  t.deepEqual([...rows.row(2).row(3)], [10, 11])
  t.is(rows.row(2).data.buffer, data.buffer)
  t.deepEqual(
    [...rows].map(({ shape }) => shape[0]),
    [2, 0, 4],
  )
  t.throws(() => rows.row(3), { code: 'ERR_INVALID_ARGUMENT', message: /0 to 2.*row/ })
})

test('a slice counts as that of an array does', (t) => {
  const texts = [0, 1, 2]
  for (const from of [-5, -1, 0, 1, 3, 4]) {
    for (const to of [undefined, -1, 0, 2, 9]) {
      const slice = three().slice(from, to)
      const expected = texts.slice(from, to).map((i) => [...three().row(i).data])
      t.deepEqual(
        [...slice].map((row) => [...row.data]),
        expected,
      )
      t.is(slice.offsets[0], 0)
    }
  }
})

test('rows are joined', (t) => {
  const joined = TokenEmbeddings.fromRows([...three()])
  t.deepEqual([[...joined.data], [...joined.offsets]], [[...data], [0, 2, 2, 6]])
  t.is(TokenEmbeddings.fromRows([], 4).dimension, 4)
  t.throws(() => TokenEmbeddings.fromRows([]), { code: 'ERR_INVALID_ARGUMENT', message: /dimension/ })
  const rows = [embeddings(new Float32Array(2), 1, 2), embeddings(new Float32Array(3), 1, 3)]
  t.throws(() => TokenEmbeddings.fromRows(rows), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /vectors of 2.*rows\[1\].*3/,
  })
})

test('parts that do not fit each other are refused', (t) => {
  const refused = (offsets: number[], dimension: number, message: RegExp) =>
    t.throws(() => new TokenEmbeddings(data, Int32Array.from(offsets), dimension), {
      code: 'ERR_INVALID_ARGUMENT',
      message,
    })
  refused([0, 2, 5], 2, /Expected 10 numbers.*found 12/)
  refused([1, 6], 2, /offsets\[0\]/)
  refused([], 2, /offsets\[0\]/)
  refused([0, 4, 3, 6], 2, /at least 4.*offsets\[2\]/)
  refused([0, 6], 0, /dimension/)
})
