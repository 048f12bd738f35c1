// Models with a vector for each token, in the folders of several packages: make_multi_vector.py.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import {
  HierarchicalTokenPooling,
  LambdaTokenPooling,
  MultiVectorEncoder,
  maxSimMatrix,
  maxSimPairs,
  TokenEmbeddings,
} from '../../lib/index.js'
import { pooled } from '../../lib/models/multi-vector/scores.js'
import { loadAddon } from '../../lib/native/load.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { report } from './report.js'

const FOLDER = fileURLToPath(new URL('../../../test/parity/golden/multi-vector/', import.meta.url))
const TOLERANCE = 2e-6

interface Row {
  shape: [number, number]
  data: number[]
}

interface Golden {
  queries: string[]
  documents: string[]
  asQueries: Row[]
  asDocuments: Row[]
  asNeither: Row[]
  similarity: number[][]
  printed: string
  prompts: Record<string, string | null>
  similarityFnName: string
}

function largestDifference(found: ArrayLike<number>, expected: readonly number[]): number {
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(found[i]! - value)), 0)
}

function compare(t: ExecutionContext, found: TokenEmbeddings, expected: readonly Row[], what: string): number {
  const rows = [...found]
  t.deepEqual(
    rows.map(({ shape }) => shape),
    expected.map(({ shape }) => shape),
    what,
  )
  return rows.reduce((most, { data }, i) => Math.max(most, largestDifference(data, expected[i]!.data)), 0)
}

for (const name of ['classic', 'pooled', 'kept', 'pylate', 'stanford', 'converted']) {
  test(`${name}: vectors and scores equal Python's, and stay so when the model is saved`, async (t) => {
    const golden: Golden = JSON.parse(readFileSync(`${FOLDER}${name}.json`, 'utf8'))
    const saved = await temporaryFolder(t)
    for (const folder of [`${FOLDER}${name}`, saved]) {
      const model = await MultiVectorEncoder.load(folder)
      const queries = await model.encodeQuery(golden.queries)
      const documents = await model.encodeDocument(golden.documents)
      const neither = await model.encode(golden.documents)
      const deviation = Math.max(
        compare(t, queries, golden.asQueries, 'queries'),
        compare(t, documents, golden.asDocuments, 'documents'),
        compare(t, neither, golden.asNeither, 'neither'),
      )
      t.true(deviation <= TOLERANCE, `${folder}: ${deviation}`)
      report('multi-vector', name, { part: 'vectors', deviation, allowed: TOLERANCE })
      const scores = await model.similarity(queries, documents)
      const off = largestDifference(scores.data, golden.similarity.flat())
      t.true(off <= 1e-5, `scores: ${off}`)
      report('multi-vector', name, { part: 'scores', deviation: off, allowed: 1e-5 })
      t.is(String(model), golden.printed)
      t.is(model.similarityFnName, golden.similarityFnName as 'maxsim')
      t.deepEqual(
        model.prompts,
        Object.fromEntries(Object.entries(golden.prompts).map(([key, text]) => [key, text ?? ''])),
      )
      const ranked = await model.rank(golden.queries[0]!, golden.documents, { topK: 2, returnDocuments: true })
      const best = golden.similarity[0]!.indexOf(Math.max(...golden.similarity[0]!))
      t.is(ranked.length, 2)
      t.is(ranked[0]!.text, golden.documents[best])
      if (folder !== saved) await model.save(saved)
      await model.dispose()
    }
  })
}

test('one text has a matrix, and texts do not depend on their neighbours or the size of batches', async (t) => {
  const model = await MultiVectorEncoder.load(`${FOLDER}classic`)
  const texts = Array.from({ length: 30 }, (_, i) => 'the cat sat on a mat. dogs run not fast'.slice(0, 3 + i))
  const all = await model.encodeQuery(texts)
  const small = await model.encodeQuery(texts, { batchSize: 1, maxBatchTokens: 12 })
  t.deepEqual([...small.offsets], [...all.offsets])
  t.true(largestDifference(small.data, [...all.data]) <= 1e-6)
  const one = await model.encodeQuery(texts[7]!)
  t.deepEqual(one.shape, [10, 4])
  t.true(largestDifference(one.data, [...all.row(7).data]) <= 1e-6)
  t.is((await model.encode([])).length, 0)
  await model.dispose()
})

test('vectors are joined at a call', async (t) => {
  const model = await MultiVectorEncoder.load(`${FOLDER}classic`)
  const texts = ['the cat sat on the mat', 'a dog runs']
  const plain = await model.encodeDocument(texts)
  const half = await model.encodeDocument(texts, { tokenPooling: new HierarchicalTokenPooling({ poolFactor: 2 }) })
  t.true([...half].every(({ shape }, i) => shape[0] < plain.row(i).shape[0]))
  const first = new LambdaTokenPooling((row) => ({ data: row.row(0), shape: [1, row.shape[1]] }))
  const one = await model.encodeDocument(texts, { tokenPooling: first })
  t.deepEqual([...one.offsets], [0, 1, 2])
  t.deepEqual([...one.row(1).data], [...plain.row(1).row(0)])
  t.deepEqual([...(await model.encodeQuery(texts, { tokenPooling: first })).offsets], [0, 10, 20], 'not of queries')
  await model.dispose()
})

interface Scores {
  width: number
  lengths: number[]
  documentLengths: number[]
  queries: number[][][]
  documents: number[][][]
  cases: { name: string; scores: number[][]; topK?: number }[]
  clusters: {
    options: { poolFactor: number; numProtectedTokens: number; normalizeEmbeddings: boolean }
    vectors: Row
    pooled: Row
  }[]
  lists: { maxsim: number[][]; meanmaxsim: number[][]; pairwise: number[] }
}

const scores: Scores = JSON.parse(readFileSync(`${FOLDER}scores.json`, 'utf8'))
const tokens = (rows: number[][][]) =>
  TokenEmbeddings.fromRows(
    rows.map((row) => ({ data: Float32Array.from(row.flat()), shape: [row.length, scores.width] as [number, number] })),
    scores.width,
  )

test('scores of ragged vectors equal Python’s', async (t) => {
  const [queries, documents] = [tokens(scores.queries), tokens(scores.documents)]
  for (const name of ['maxsim', 'meanmaxsim'] as const) {
    const found = await maxSimMatrix(name, queries, documents)
    t.deepEqual(found.shape, [4, 5])
    const expected = scores.lists[name].flat()
    const off = expected.map((value, i) => Math.abs(found.data[i]! - value) / Math.max(1, Math.abs(value)))
    t.true(Math.max(...off) <= 1e-5, `${name}: ${off}`)
    report('multi-vector', 'similarity', { part: name, deviation: Math.max(...off), allowed: 1e-5 })
  }
  for (const { name, scores: expected, topK } of scores.cases) {
    const found = new Float32Array(20)
    const how = { mean: name === 'meanmaxsim', ...(topK !== undefined && { topK }) }
    const given = ({ data, offsets }: TokenEmbeddings) => ({ data, offsets })
    await loadAddon().maxSim(given(queries), given(documents), scores.width, how, found)
    const off = expected.flat().map((value, i) => Math.abs(found[i]! - value) / Math.max(1, Math.abs(value)))
    t.true(Math.max(...off) <= 1e-5, `${name} ${topK}: ${off}`)
    if (topK !== undefined)
      report('multi-vector', 'similarity', { part: 'xtr', deviation: Math.max(...off), allowed: 1e-5 })
  }
  const pairs = await maxSimPairs('maxsim', queries, documents.slice(0, 4))
  const off = scores.lists.pairwise.map((value, i) => Math.abs(pairs[i]! - value) / Math.max(1, Math.abs(value)))
  t.true(Math.max(...off) <= 1e-5, `pairs: ${off}`)
  await t.throwsAsync(() => maxSimPairs('maxsim', queries, documents), { code: 'ERR_INVALID_ARGUMENT' })
  const wide = new TokenEmbeddings(new Float32Array(4), Int32Array.of(0, 1), 4)
  await t.throwsAsync(() => maxSimMatrix('maxsim', queries, wide), { code: 'ERR_INVALID_ARGUMENT', message: /6.*4/ })
})

test('clusters are those of scipy', async (t) => {
  for (const { options, vectors, pooled: expected } of scores.clusters) {
    const given = TokenEmbeddings.fromRows([{ data: Float32Array.from(vectors.data), shape: vectors.shape }])
    const found = await pooled(loadAddon(), given, new HierarchicalTokenPooling(options))
    t.deepEqual(found.row(0).shape, expected.shape, JSON.stringify(options))
    const off = largestDifference(found.data, expected.data)
    t.true(off <= TOLERANCE, `${JSON.stringify(options)}: ${off}`)
    report('multi-vector', 'HierarchicalTokenPooling', { part: 'vectors', deviation: off, allowed: TOLERANCE })
  }
})
