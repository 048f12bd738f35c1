// Retrieval with re-ranking against sentence-transformers' parts of it (make_retrieve_rerank.py): the same lists, the same metrics.
import { readFileSync } from 'node:fs'
import test from 'ava'
import { evaluation } from '../../lib/index.js'
import { embeddings } from '../../lib/models/embeddings.js'

interface Golden {
  dim: number
  queries: number[]
  documents: number[]
  scores: number[][]
  relevant: Record<string, string[]>
  cases: { top_k: number; methods: Record<string, { metrics: Record<string, number>; ids: string[][] }> }[]
}

const path = new URL('../../../test/parity/golden/retrieve-rerank.json', import.meta.url)
const golden: Golden = JSON.parse(readFileSync(path, 'utf8'))
const { dim, scores, relevant } = golden
const numbered = (name: string, count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`${name}${i}`, `${name}${i}`]))
const queries = numbered('q', golden.queries.length / dim)
const corpus = numbered('d', golden.documents.length / dim)
const rowsOf = (values: readonly number[]) => async (texts: readonly string[]) => {
  const rows = texts.map((text) => values.slice(Number(text.slice(1)) * dim, (Number(text.slice(1)) + 1) * dim))
  return embeddings(Float32Array.from(rows.flat()), texts.length, dim)
}
const biEncoder = {
  similarityFnName: 'cosine',
  encodeQuery: rowsOf(golden.queries),
  encodeDocument: rowsOf(golden.documents),
} as unknown as evaluation.EvaluatedModel
let scored = 0
const crossEncoder = {
  numLabels: 1,
  predict: async (pairs: readonly (readonly [string, string])[]) => {
    scored += pairs.length
    const data = Float32Array.from(pairs, ([query, text]) => scores[Number(query.slice(1))]![Number(text.slice(1))]!)
    return { data, shape: [pairs.length] }
  },
} as unknown as evaluation.EvaluatedCrossEncoder
const given = { biEncoder, crossEncoder, queries, corpus, relevantDocs: relevant }

for (const { top_k: topK, methods } of golden.cases) {
  test.serial(`the lists and metrics of Python, top ${topK}`, async (t) => {
    scored = 0
    const found = await evaluation.retrieveAndRerank({ ...given, topK, allPairs: true })
    t.deepEqual(
      found.methods.map(({ method }) => method),
      ['bi-encoder', 'cross-encoder', 'both'],
    )
    for (const { method, metrics, rankings, millisecondsPerQuery } of found.methods) {
      const expected = methods[method]!
      t.deepEqual(
        [...rankings.values()].map((hits) => hits.map(({ id }) => id)),
        expected.ids,
        method,
      )
      t.deepEqual(Object.keys(metrics).sort(), Object.keys(expected.metrics).sort())
      for (const [name, value] of Object.entries(expected.metrics)) {
        t.true(Math.abs(metrics[name]! - value) < 1e-12, `${method} ${name}: ${metrics[name]}, Python ${value}`)
      }
      t.true(millisecondsPerQuery > 0)
    }
    const k = Math.min(topK, 60)
    t.deepEqual(
      found.methods.map(({ pairs }) => pairs),
      [0, 12 * 60, 12 * k],
    )
    t.is(scored, 12 * 60 + 12 * k)
    t.deepEqual([found.queries, found.documents], [12, 60])
  })
}

test('without allPairs the cross-encoder ranks what was found; queries without an answer are left out', async (t) => {
  const { methods, queries: count } = await evaluation.retrieveAndRerank({
    ...given,
    relevantDocs: { q0: ['d0'], q1: [] },
    topK: 5,
  })
  t.deepEqual(
    methods.map(({ method, pairs }) => [method, pairs]),
    [
      ['bi-encoder', 0],
      ['both', 5],
    ],
  )
  t.is(count, 1)
})

test('bad options, and scores that are none', async (t) => {
  const bad = (options: object, message: RegExp) =>
    t.throwsAsync(evaluation.retrieveAndRerank({ ...given, ...options }), { message })
  await bad({ topK: 0 }, /topK/)
  await bad({ speed: 1 }, /speed/)
  await bad({ crossEncoder: { numLabels: 3, predict: () => {} } }, /one label, this one has 3/)
  await bad({ corpus: {} }, /the corpus is empty/)
  await bad({ relevantDocs: { other: ['d0'] } }, /no query has a relevant document/)
  const predict = async (pairs: readonly unknown[]) => ({ data: new Float32Array(pairs.length).fill(Number.NaN) })
  await bad({ crossEncoder: { numLabels: 1, predict } }, /score of pair 0, the cross-encoder gave NaN/)
  const signal = AbortSignal.abort()
  await t.throwsAsync(evaluation.retrieveAndRerank({ ...given, signal }), { code: 'ERR_ABORTED' })
})
