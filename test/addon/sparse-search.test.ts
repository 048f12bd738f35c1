import test from 'ava'
import { SparseEmbeddings } from '../../lib/models/sparse-embeddings.js'
import { InvertedIndex } from '../../lib/search/inverted-index.js'
import { semanticSearch } from '../../lib/search/semantic-search.js'

/** Rows with about `share` of the columns, and values from −1 to 2. */
function randomRows(count: number, dimension: number, seed: number, share = 0.1): SparseEmbeddings {
  let state = seed
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const data = Float32Array.from({ length: count * dimension }, () => (next() < share ? 3 * next() - 1 : 0))
  return SparseEmbeddings.fromDense({ data, shape: [count, dimension] })
}

test('sparse rows have the hits of the same rows as dense ones', async (t) => {
  const [queries, corpus] = [randomRows(20, 300, 1), randomRows(2000, 300, 2)]
  const index = await InvertedIndex.from(corpus)
  t.deepEqual([index.length, index.dimension], [2000, 300])
  for (const scoreFunction of ['dot', 'cosine', 'euclidean', 'manhattan'] as const) {
    const dense = await semanticSearch(queries.toDense(), corpus.toDense(), { scoreFunction, topK: 30 })
    const whole = await semanticSearch(queries, corpus, { scoreFunction, topK: 30 })
    whole.forEach((row, q) => {
      row.forEach(({ corpusId, score }, i) => {
        t.is(corpusId, dense[q]![i]!.corpusId)
        t.true(Math.abs(score - dense[q]![i]!.score) < 1e-6)
      })
    })
    const options = { scoreFunction, topK: 30, queryChunkSize: 3 }
    t.deepEqual(await semanticSearch(queries, corpus, { ...options, corpusChunkSize: 111 }), whole)
    t.deepEqual(await semanticSearch(queries, corpus, { ...options, copy: false }), whole)
    t.deepEqual(await semanticSearch(queries, index, options), whole)
  }
})

test('rows that change after the call change nothing', async (t) => {
  const [queries, corpus] = [randomRows(3, 50, 3), randomRows(100, 50, 4)]
  const expected = await semanticSearch(queries, corpus, { scoreFunction: 'dot' })
  const running = semanticSearch(queries, corpus, { scoreFunction: 'dot' })
  queries.values.fill(Number.NaN)
  corpus.indices.fill(2 ** 30)
  t.deepEqual(await running, expected)
  await t.throwsAsync(InvertedIndex.from(corpus), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /ascending indices below 50/,
  })
})

test('empty sides, empty rows and columns that nobody has', async (t) => {
  const none = SparseEmbeddings.fromRows([], 50)
  const empty = SparseEmbeddings.fromDense({ data: new Float32Array(100), shape: [2, 50] })
  const some = randomRows(3, 50, 5)
  t.deepEqual(await semanticSearch(none, some), [])
  t.deepEqual(await semanticSearch(some, none), [[], [], []])
  // A row of zeros has a cosine of 0 with each, in their order.
  t.deepEqual(await semanticSearch(empty, some), Array(2).fill([0, 1, 2].map((corpusId) => ({ corpusId, score: 0 }))))
})

test('rows of two models, and sparse rows beside dense ones, are refused', async (t) => {
  const message = 'Expected queries and corpus of one dimension, received 50 and 60: they come from different models'
  const refused = { code: 'ERR_INVALID_ARGUMENT', message }
  await t.throwsAsync(semanticSearch(randomRows(2, 50, 6), randomRows(2, 60, 7)), refused)
  await t.throwsAsync(semanticSearch(randomRows(2, 50, 6), await InvertedIndex.from(randomRows(2, 60, 7))), refused)
  await t.throwsAsync(semanticSearch(new Float32Array(50), randomRows(2, 50, 7)), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /queries/,
  })
  await t.throwsAsync(semanticSearch(randomRows(2, 50, 7), new Float32Array(50)), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /corpus/,
  })
  await t.throwsAsync(semanticSearch(randomRows(2, 50, 7), randomRows(2, 50, 8), { signal: AbortSignal.abort() }), {
    code: 'ERR_ABORTED',
  })
})
