import test from 'ava'
import { embeddings } from '../../lib/models/embeddings.js'
import { type Precision, quantizeEmbeddings } from '../../lib/search/quantize.js'
import * as util from '../../lib/search/util.js'

const rows = embeddings(Float32Array.of(-1, 0, 1, 0.5, 1, -2, 3, 0.5), 2, 4)

test('integers cut the range of each dimension into 256 steps', async (t) => {
  const ranges = embeddings(Float32Array.of(0, 0, 0, 0, 255, 255, 255, 255), 2, 4)
  const values = embeddings(Float32Array.of(0, 0.99, 1, 254.5, -3, 255, 256, 300), 2, 4)
  t.deepEqual([...(await quantizeEmbeddings(values, 'uint8', { ranges })).data], [0, 0, 1, 254, 0, 255, 255, 255])
  t.deepEqual([...(await quantizeEmbeddings(values, 'int8', { ranges })).row(1)], [-128, 127, 127, 127])
})

test('bits are set above 0, the first dimension in the highest', async (t) => {
  const nine = embeddings(Float32Array.of(1, -1, 0, 2, 0, 0, 0, 1, 3), 1, 9)
  t.deepEqual(await quantizeEmbeddings(nine, 'ubinary').then(({ data, shape }) => [[...data], shape]), [
    [0b10010001, 0b10000000],
    [1, 2],
  ])
  t.deepEqual([...(await quantizeEmbeddings(nine, 'binary')).data], [0b10010001 - 128, 0])
})

test('a single vector, no rows, a copy', async (t) => {
  t.deepEqual((await quantizeEmbeddings(Float32Array.of(1, 2), 'binary')).shape, [1, 1])
  const none = embeddings(new Float32Array(0), 0, 12)
  for (const [precision, width] of [
    ['int8', 12],
    ['ubinary', 2],
    ['float32', 12],
  ] as const) {
    t.deepEqual((await quantizeEmbeddings(none, precision)).shape, [0, width])
  }
  const copy = await quantizeEmbeddings(rows, 'float32')
  t.deepEqual(copy.data, rows.data)
  t.not(copy.data, rows.data)
})

test('few rows as their own calibration are warned about', async (t) => {
  const warnings: string[] = []
  const listener = (warning: Error) => warnings.push(warning.message)
  process.on('warning', listener)
  await quantizeEmbeddings(rows, 'int8')
  await quantizeEmbeddings(rows, 'int8', { calibrationEmbeddings: rows })
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', listener)
  t.is(warnings.length, 1)
  t.regex(warnings[0]!, /2 embeddings.*calibrationEmbeddings/)
})

test('one row has no ranges of its own', async (t) => {
  const one = rows.row(0)
  const message = /One embedding has no ranges for u?int8/
  for (const precision of ['int8', 'uint8'] as const) {
    const error = { code: 'ERR_INVALID_ARGUMENT', message }
    await t.throwsAsync(quantizeEmbeddings(one, precision), error)
    const [single, none] = [embeddings(one, 1, 4), embeddings(new Float32Array(0), 0, 4)]
    await t.throwsAsync(quantizeEmbeddings([none, single], precision), error)
    const ranges = embeddings(Float32Array.of(-1, -1, -1, -1, 254, 254, 254, 254), 2, 4)
    const bytes = (await quantizeEmbeddings(one, precision, { ranges })).data
    const shift = precision === 'int8' ? 128 : 0
    t.deepEqual(
      Array.from(bytes),
      [0, 1, 2, 1].map((byte) => byte - shift),
    )
    t.deepEqual((await quantizeEmbeddings(one, precision, { calibrationEmbeddings: rows })).shape, [1, 4])
  }
})

test('what does not fit is refused', async (t) => {
  const refused = (precision: string, options: object, message: RegExp, code = 'ERR_INVALID_ARGUMENT') =>
    t.throwsAsync(quantizeEmbeddings(rows, precision as Precision, options), { code, message })
  await refused('int4', {}, /int8/)
  await refused('int8', { ranges: rows.row(0) }, /2 × 4 values for ranges, received 1 × 4/)
  await refused('int8', { calibrationEmbeddings: [] }, /rows of 4 values for calibrationEmbeddings/)
  for (const precision of ['binary', 'ubinary', 'float32']) {
    await refused(precision, { ranges: rows }, new RegExp(`ranges is for int8 and uint8 alone; ${precision}`))
    await refused(precision, { calibrationEmbeddings: rows }, /calibrationEmbeddings is for int8 and uint8 alone/)
  }
  await refused('int8', { range: rows }, /ranges/, 'ERR_UNKNOWN_OPTION')
  const other = embeddings(new Float32Array(3), 1, 3)
  const error = { code: 'ERR_INVALID_ARGUMENT', message: /width of embeddings\[1\]/ }
  await t.throwsAsync(quantizeEmbeddings([rows, other], 'uint8'), error)
  t.throws(() => rows.row(2), { code: 'ERR_INVALID_ARGUMENT' })
})

test('truncated rows', (t) => {
  t.deepEqual(util.truncateEmbeddings(rows, 2).data, Float32Array.of(-1, 0, 1, -2))
  t.deepEqual(util.truncateEmbeddings(rows, 9).shape, [2, 4])
  t.deepEqual(util.truncateEmbeddings(rows).data, rows.data)
  t.throws(() => util.truncateEmbeddings(rows, 0), { code: 'ERR_INVALID_ARGUMENT', message: /truncateDim/ })
  t.is(util.normalize, util.normalizeEmbeddings)
})

test('ranges and calibration that are no numbers are refused, since all rows would become one', async (t) => {
  for (const value of [Number.NaN, Infinity]) {
    const wrong = embeddings(new Float32Array(8).fill(value), 2, 4)
    const refused = { code: 'ERR_INVALID_DATA' }
    await t.throwsAsync(quantizeEmbeddings(rows, 'int8', { calibrationEmbeddings: wrong }), refused)
    await t.throwsAsync(quantizeEmbeddings(rows, 'uint8', { ranges: wrong }), refused)
  }
})
