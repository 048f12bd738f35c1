// Exact search in every metric and shape, with the answers of a plain loop.
import { util } from 'sentence-torch'
import { assert, loadAddon, mulberry32 } from '../support.mjs'

const next = mulberry32(7)
const random = (rows, dim) => Float32Array.from({ length: rows * dim }, () => next() - 0.5)
const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0)
for (const [queries, rows, dim] of [
  [1, 1, 1],
  [1, 300, 53],
  [9, 700, 32],
  [40, 40, 8],
  [3, 1000, 384],
  [257, 65, 17],
]) {
  const [asked, corpus] = [
    { data: random(queries, dim), shape: [queries, dim] },
    { data: random(rows, dim), shape: [rows, dim] },
  ]
  for (const scoreFunction of ['cosine', 'dot', 'euclidean', 'manhattan']) {
    for (const options of [{ topK: 1 }, { topK: 10 }, { topK: rows, corpusChunkSize: 33, queryChunkSize: 7 }]) {
      const found = await util.semanticSearch(asked, corpus, { scoreFunction, ...options })
      assert.equal(found.length, queries)
      for (const hits of found) assert.equal(hits.length, Math.min(options.topK, rows))
    }
  }
  const [best] = await util.semanticSearch(asked, corpus, { scoreFunction: 'dot', topK: 1 })
  const row = (i) => corpus.data.subarray(i * dim, (i + 1) * dim)
  const scores = Array.from({ length: rows }, (_, i) => dot(asked.data.subarray(0, dim), row(i)))
  assert.ok(Math.abs(Math.max(...scores) - best[0].score) < 1e-4)
  for (const precision of ['int8', 'uint8', 'binary', 'ubinary'])
    if (dim % 8 === 0) assert.equal((await util.quantizeEmbeddings(corpus, precision)).shape[0], rows)
}

// Rows that are not finite are named, also in the last place.
const addon = loadAddon()
for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
  const corpus = random(100, 31).fill(bad, 100 * 31 - 1)
  const wrong = addon.topK(random(2, 31), corpus, 31, 3, 'cosine', new Float32Array(6), new Int32Array(6))
  await assert.rejects(wrong, { code: 'ERR_INVALID_DATA' })
}
