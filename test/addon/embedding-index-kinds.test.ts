import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { EmbeddingIndex, type IndexRows, SparseEmbeddings, TokenEmbeddings, util } from '../../lib/index.js'
import { embeddings } from '../../lib/models/embeddings.js'
import { maxSimMatrix } from '../../lib/models/multi-vector/scores.js'

const root = await mkdtemp(join(tmpdir(), 'sentence-torch-'))
test.after.always(() => rm(root, { recursive: true, force: true }))
let files = 0
const newPath = () => join(root, `${files++}.index`)

function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

function sparseRows(count: number, seed: number, dimension = 200): SparseEmbeddings {
  const next = random(seed)
  const data = Float32Array.from({ length: count * dimension }, () => (next() < 0.1 ? next() + 0.1 : 0))
  return SparseEmbeddings.fromDense({ data, shape: [count, dimension] })
}

function tokenRows(count: number, seed: number, dimension = 8): TokenEmbeddings {
  const next = random(seed)
  return TokenEmbeddings.fromRows(
    Array.from({ length: count }, (_, i) => {
      const tokens = i % 7
      return embeddings(
        Float32Array.from({ length: tokens * dimension }, () => next() - 0.5),
        tokens,
        dimension,
      )
    }),
    dimension,
  )
}

test('sparse rows: the hits of semanticSearch, after additions and from the file, too', async (t) => {
  const [all, queries, path] = [sparseRows(300, 1), sparseRows(5, 2), newPath()]
  const texts = Array.from({ length: 300 }, (_, i) => `text ${i}`)
  const made = await EmbeddingIndex.create(path, { embeddings: all.slice(0, 120), texts: texts.slice(0, 120) })
  await made.add({ embeddings: all.slice(120, 121), texts: texts.slice(120, 121) })
  await made.add({ embeddings: all.slice(121), texts: texts.slice(121) })
  const opened = await EmbeddingIndex.open(path)
  const expected = await util.semanticSearch(queries, all, { scoreFunction: 'dot', topK: 40 })
  for (const index of [made, opened]) {
    t.deepEqual([index.kind, index.length, index.dimension, index.scoreFunction], ['sparse', 300, 200, 'dot'])
    const hits = await index.search(queries, { topK: 40 })
    t.deepEqual(
      hits,
      expected.map((list) => list.map((hit) => ({ ...hit, text: texts[hit.corpusId]! }))),
    )
    await index.verify()
    await index.close()
  }
})

test('vectors of tokens: the scores of MaxSim, read block by block; of some rows, too', async (t) => {
  const [all, queries, path] = [tokenRows(200, 3), tokenRows(4, 4).slice(1), newPath()]
  for (const scoreFunction of ['maxsim', 'meanmaxsim'] as const) {
    const made = await EmbeddingIndex.create(path, { embeddings: all.slice(0, 80), scoreFunction })
    await made.add({ embeddings: all.slice(80) })
    const { data } = await maxSimMatrix(scoreFunction, queries, all)
    const best = Array.from({ length: queries.length }, (_, q) =>
      Array.from({ length: all.length }, (_, corpusId) => ({ corpusId, score: data[q * all.length + corpusId]! })).sort(
        (a, b) => b.score - a.score || a.corpusId - b.corpusId,
      ),
    )
    const opened = await EmbeddingIndex.open(path)
    for (const index of [made, opened]) {
      t.deepEqual([index.kind, index.length, index.scoreFunction], ['tokens', 200, scoreFunction])
      t.deepEqual(
        await index.search(queries, { topK: 15 }),
        best.map((list) => list.slice(0, 15)),
      )
      const among = [[199, 3, 77, 3], [5], []]
      t.deepEqual(
        await index.search(queries, { topK: 2, among }),
        best.map((list, q) => list.filter(({ corpusId }) => among[q]!.includes(corpusId)).slice(0, 2)),
      )
      await index.verify()
      await index.close()
    }
  }
})

for (const precision of ['float16', 'int8', 'binary'] as const) {
  test(`vectors of tokens in ${precision}: the scores of what is kept, with the ranges of each addition`, async (t) => {
    const [all, queries, path] = [tokenRows(90, 3, 12), tokenRows(4, 4, 12).slice(1), newPath()]
    const parts = [all.slice(0, 50), all.slice(50, 51), all.slice(51)]
    const made = await EmbeddingIndex.create(path, { embeddings: parts[0]!, precision })
    await made.add({ embeddings: parts[1]! })
    await made.add({ embeddings: await parts[2]!.toPrecision(precision) })
    const kept = await Promise.all(
      parts.map(async (part) => (await part.toPrecision(precision)).toPrecision('float32')),
    )
    const { data } = await maxSimMatrix('maxsim', queries, TokenEmbeddings.fromRows(kept.flatMap((part) => [...part])))
    const opened = await EmbeddingIndex.open(path)
    for (const index of [made, opened]) {
      t.deepEqual([index.kind, index.length, index.precision], ['tokens', 90, precision])
      for (const among of [undefined, Array.from({ length: 3 }, () => Array.from({ length: 90 }, (_, i) => i))]) {
        const hits = await index.search(queries, { topK: 90, ...(among && { among }) })
        for (const [q, list] of hits.entries()) {
          t.is(new Set(list.map(({ corpusId }) => corpusId)).size, 90)
          for (const { corpusId, score } of list) {
            const expected = data[q * 90 + corpusId]!
            t.true(Math.abs(score - expected) <= 1e-5 * Math.max(1, Math.abs(expected)), `${score} ${expected}`)
          }
        }
      }
      await index.verify()
      await index.close()
    }
  })
}

test('numbers beyond float16 are refused by their row', async (t) => {
  const large = TokenEmbeddings.fromRows([
    embeddings(new Float32Array(2), 1, 2),
    embeddings(Float32Array.of(1, 7e4), 1, 2),
  ])
  await t.throwsAsync(EmbeddingIndex.create(newPath(), { embeddings: large, precision: 'float16' }), {
    code: 'ERR_INVALID_DATA',
    message: /row\(1\)/,
  })
})

test('the first search finds damaged vectors of tokens, and so does verify', async (t) => {
  const path = newPath()
  await (await EmbeddingIndex.create(path, { embeddings: tokenRows(20, 1) })).close()
  const bytes = await readFile(path)
  // Vectors begin behind two heads and what the segment says of itself.
  bytes[2 * 4096 + 512 + 33]! ^= 1
  await writeFile(path, bytes)
  const index = await EmbeddingIndex.open(path)
  const damaged = { code: 'ERR_INVALID_FILE', message: /vectors of rows 0 to 19/ }
  for (let i = 0; i < 2; i++) await t.throwsAsync(index.search(tokenRows(2, 2)), damaged)
  await t.throwsAsync(index.verify(), damaged)
  await index.close()
})

test('an index takes rows of its kind and width alone', async (t) => {
  const sparse = await EmbeddingIndex.create(newPath(), { embeddings: sparseRows(3, 5) })
  const tokens = await EmbeddingIndex.create(newPath(), { embeddings: tokenRows(3, 6) })
  const dense = new Float32Array(200)
  const refused = (work: Promise<unknown>, message: RegExp) =>
    t.throwsAsync(work, { code: 'ERR_INVALID_ARGUMENT', message })
  await refused(sparse.search(dense), /SparseEmbeddings, as the index has.*embeddings/)
  await refused(sparse.search(sparseRows(1, 7, 201)), /rows of 200 numbers, as the index has.*201/)
  await refused(sparse.add({ embeddings: tokenRows(1, 8) }), /SparseEmbeddings, as the index has.*TokenEmbeddings/)
  await refused(tokens.search(sparseRows(1, 7, 8)), /TokenEmbeddings, as the index has/)
  await refused(tokens.search(tokenRows(2, 7, 9)), /rows of 8 numbers/)
  await refused(sparse.search(sparseRows(1, 9), { among: [[0]] }), /among/)
  await refused(tokens.search(tokenRows(2, 9), { among: [[0], [3]] }), /among\[1\].*3|3.*among\[1\]/)
  await refused(EmbeddingIndex.create(newPath(), { embeddings: sparseRows(3, 5), precision: 'int8' }), /float32/)
  await refused(EmbeddingIndex.create(newPath(), { embeddings: dense, precision: 'float16' }), /binary.*float16/)
  const bits = await tokenRows(3, 5).toPrecision('binary')
  await refused(tokens.add({ embeddings: bits }), /float32.*binary/)
  await refused(EmbeddingIndex.create(newPath(), { embeddings: bits, precision: 'int8' }), /int8.*binary/)
  await refused(tokens.search(tokenRows(2, 7), { rescoreMultiplier: 2 }), /TokenEmbeddings in float32/)
  await refused(EmbeddingIndex.create(newPath(), { embeddings: tokenRows(3, 5), scoreFunction: 'dot' }), /maxsim/)
  for (const index of [sparse, tokens]) await index.close()
})

test('an index knows the model of its rows', async (t) => {
  for (const rows of [sparseRows, tokenRows]) {
    const model = (seed: number) => ({
      encode: async () => (rows === tokenRows ? tokenRows(8, seed).slice(6, 7) : rows(1, seed)),
    })
    const options: IndexRows = { embeddings: rows(4, 1) }
    const index = await EmbeddingIndex.create(newPath(), { ...options, model: model(1), modelName: 'first' })
    t.true(await index.checkModel(model(1)))
    await t.throwsAsync(index.checkModel(model(2), 'second'), {
      code: 'ERR_INVALID_ARGUMENT',
      message: /first.*second/,
    })
    const wide = { encode: async () => sparseRows(1, 1, 77) }
    await t.throwsAsync(index.checkModel(wide), { code: 'ERR_INVALID_ARGUMENT', message: /77/ })
    await index.close()
  }
})

test('damaged rows are refused by name', async (t) => {
  for (const embeddings of [sparseRows(20, 1), tokenRows(20, 1)]) {
    const path = newPath()
    await (await EmbeddingIndex.create(path, { embeddings })).close()
    const bytes = await readFile(path)
    // In the ends of the rows, behind all else.
    bytes[bytes.length - 70]! ^= 0x55
    await writeFile(path, bytes)
    await t.throwsAsync(EmbeddingIndex.open(path), { code: 'ERR_INVALID_FILE', message: /factors of rows 0 to 19/ })
  }
})
