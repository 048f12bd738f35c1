// Vectors of tokens in few bits: make_token_precision.py.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { MultiVectorEncoder, maxSimMatrix, maxSimPairs, TokenEmbeddings } from '../../lib/index.js'
import { report } from './report.js'

const GOLDEN = fileURLToPath(new URL('../../../test/parity/golden/', import.meta.url))

interface Golden {
  width: number
  queries: number[][][]
  documents: number[][][]
  ranges: number[][]
  codes: Record<'float16' | 'int8' | 'binary', number[][][]>
  queryCodes: number[][][]
  scores: Record<'float16' | 'int8' | 'binary' | 'bytes', number[][]>
}

const golden: Golden = JSON.parse(readFileSync(`${GOLDEN}token-precision.json`, 'utf8'))
const { width } = golden
const tokens = (rows: number[][][]) =>
  TokenEmbeddings.fromRows(
    rows.map((row) => ({ data: Float32Array.from(row.flat()), shape: [row.length, width] as [number, number] })),
    width,
  )
const [queries, documents] = [tokens(golden.queries), tokens(golden.documents)]
const flat = (rows: number[][][]) => rows.flat(2)
const off = (found: ArrayLike<number>, expected: readonly number[]) =>
  Math.max(...expected.map((value, i) => Math.abs(found[i]! - value) / Math.max(1, Math.abs(value))))

for (const precision of ['float16', 'int8', 'binary'] as const) {
  test(`${precision}: the codes are Python's, and scores those of the numbers that they stand for`, async (t) => {
    const coded = await documents.toPrecision(precision)
    t.deepEqual([...coded.data], flat(golden.codes[precision]))
    t.deepEqual([coded.length, coded.dimension, coded.precision], [5, width, precision])
    const deviation = off((await maxSimMatrix('maxsim', queries, coded)).data, golden.scores[precision].flat())
    t.true(deviation <= 1e-5, String(deviation))
    report('multi-vector', 'quantize_embeddings', { part: precision, deviation, allowed: 1e-5 })
    // The same in pairs, of slices, in either place, and back in float32.
    const floats = await coded.toPrecision('float32')
    t.is(floats.precision, 'float32')
    const expected = golden.scores[precision].map((row, i) => row[i + 2]!)
    t.true(off(await maxSimPairs('maxsim', queries, coded.slice(2)), expected) <= 1e-5)
    t.true(off(await maxSimPairs('maxsim', queries, floats.slice(2)), expected) <= 1e-5)
    const turned = await maxSimMatrix('meanmaxsim', coded.slice(3), queries)
    t.true(off(turned.data, [...(await maxSimMatrix('meanmaxsim', floats.slice(3), queries)).data]) <= 1e-5)
    // Rows are views.
    const row = coded.row(3)
    t.deepEqual([...row.data], golden.codes[precision][3]!.flat())
    t.deepEqual([...row.row(1)], golden.codes[precision][3]![1]!)
  })
}

test('bytes without ranges are compared as they are; those of one text keep the ranges of all', async (t) => {
  const bytes = (rows: number[][][]) => {
    const offsets = tokens(rows).offsets
    return new TokenEmbeddings(Int8Array.from(flat(rows)), offsets, width, { precision: 'int8' })
  }
  const found = await maxSimMatrix('maxsim', bytes(golden.queryCodes), bytes(golden.codes.int8))
  const deviation = off(found.data, golden.scores.bytes.flat())
  t.true(deviation <= 1e-6, String(deviation))
  report('multi-vector', 'quantize_embeddings', { part: 'bytes as they are', deviation, allowed: 1e-6 })
  const all = await documents.toPrecision('int8')
  t.deepEqual([...all.ranges!.data], [...Float32Array.from(golden.ranges.flat())])
  const one = await documents.slice(2, 3).toPrecision('int8', { ranges: all.ranges })
  t.deepEqual([...one.data], golden.codes.int8[2]!.flat())
  // Without them a vector is exact: every number is its own range.
  const alone = await (await documents.slice(2, 3).toPrecision('int8')).toPrecision('float32')
  t.deepEqual([...alone.data], [...documents.slice(2, 3).data])
  t.deepEqual([...(await documents.slice(1, 2).toPrecision('int8')).data], [])
})

test('encode and rank take a precision', async (t) => {
  const model = await MultiVectorEncoder.load(`${GOLDEN}multi-vector/classic`)
  const texts = ['the cat sat on the mat', 'a dog runs', 'a fast cat']
  const plain = await model.encodeDocument(texts)
  const asked = await model.encodeQuery(['a cat'])
  const exact = await model.similarity(asked, plain)
  for (const [precision, allowed] of [
    ['float16', 0.005],
    ['int8', 0.1],
    ['binary', Number.POSITIVE_INFINITY],
  ] as const) {
    const coded = await model.encodeDocument(texts, { precision })
    t.deepEqual([...coded.data], [...(await plain.toPrecision(precision)).data])
    t.deepEqual([...coded.offsets], [...plain.offsets])
    const { data } = await model.similarity(asked, coded)
    t.true(
      data.every((score, i) => Math.abs(score - exact.data[i]!) <= allowed),
      `${precision}: ${data} ${exact.data}`,
    )
    const ranked = await model.rank('a cat', texts, { precision })
    t.deepEqual(
      ranked.map(({ corpusId, score }) => [corpusId, score]),
      [...data.entries()].sort(([, a], [, b]) => b - a),
    )
  }
  const refused = { code: 'ERR_INVALID_ARGUMENT' }
  await t.throwsAsync(model.encode(texts, { precision: 'uint8' as 'int8' }), { ...refused, message: /float16.*uint8/ })
  await t.throwsAsync(model.encode('a cat', { precision: 'int8' } as never), { ...refused, message: /one text.*int8/ })
  await model.dispose()
})

test('codes that do not fit are refused', async (t) => {
  const refused = (work: () => unknown, message: RegExp) => t.throws(work, { code: 'ERR_INVALID_ARGUMENT', message })
  const offsets = Int32Array.of(0, 2)
  refused(
    () => new TokenEmbeddings(new Int8Array(3), offsets, 9, { precision: 'binary' }),
    /4 entries of binary.*found 3/,
  )
  refused(() => new TokenEmbeddings(new Float32Array(4), offsets, 2, { precision: 'int8' } as never), /Int8Array/)
  refused(() => new TokenEmbeddings(new Float32Array(4), offsets, 2, { precision: 'int4' } as never), /float16.*int4/)
  const int8 = (ranges: number[]) =>
    new TokenEmbeddings(new Int8Array(4), offsets, 2, {
      ...{ precision: 'int8', ranges: { data: Float32Array.from(ranges), shape: [2, ranges.length / 2] } },
    })
  refused(() => int8([0, 1, 1]), /ranges/)
  refused(() => int8([0, 1, 1, 0]), /ranges of number 1/)
  refused(() => int8([0, Number.NaN, 1, 1]), /ranges of number 1/)
  const ranges = int8([0, 0, 1, 1]).ranges
  refused(() => new TokenEmbeddings(new Float32Array(4), offsets, 2, { ranges }), /none.*ranges of float32/)
  await t.throwsAsync(new TokenEmbeddings(new Float32Array(4), offsets, 2).toPrecision('binary', { ranges }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /ranges of binary/,
  })
  await t.throwsAsync(maxSimMatrix('maxsim', int8([0, 0, 1, 1]), documents), { message: /2.*11/ })
})
