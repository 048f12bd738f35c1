import { copyFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import test from 'ava'
import {
  EmbeddingIndex,
  type Embeddings,
  type IndexPrecision,
  type IndexRows,
  SentenceTransformer,
  util,
} from '../../lib/index.js'
import { FileLock, takeLock } from '../../lib/io/lock.js'
import { embeddings } from '../../lib/models/embeddings.js'
import { HEAD_BYTES, writeHead } from '../../lib/search/embedding-index/format.js'
import { hasShared, MINILM } from '../helpers/shared.js'

const root = await mkdtemp(join(tmpdir(), 'sentence-torch-'))
test.after.always(() => rm(root, { recursive: true, force: true }))
let files = 0
const newPath = () => join(root, `${files++}.index`)

/** Rows around some centres, as texts about some topics are; the same ones at every call. */
function someRows(count: number, dim: number, seed = 1): Embeddings {
  let state = seed * 2654435761
  const random = () => {
    state = (state * 1664525 + 1013904223) >>> 0
    return state / 2 ** 32 - 0.5
  }
  const centres = Float32Array.from({ length: 16 * dim }, random)
  const data = Float32Array.from({ length: count * dim }, (_, i) => {
    return centres[(Math.floor(i / dim) % 16) * dim + (i % dim)]! + 0.7 * random()
  })
  return embeddings(data, count, dim)
}

function part(rows: Embeddings, start: number, end: number): Embeddings {
  return embeddings(rows.data.slice(start * rows.shape[1], end * rows.shape[1]), end - start, rows.shape[1])
}

async function made(path: string, options: Omit<Parameters<typeof EmbeddingIndex.create>[1], never>): Promise<void> {
  await (await EmbeddingIndex.create(path, options)).close()
}

const corpus = someRows(700, 37)
const queries = someRows(5, 37, 2)
const texts = Array.from({ length: 700 }, (_, i) => `text ${i} – ${'é'.repeat(i % 3)}`)

for (const scoreFunction of ['cosine', 'dot', 'euclidean', 'manhattan'] as const) {
  test(`float32, ${scoreFunction}: the hits of semanticSearch, from memory and from the file, after additions, too`, async (t) => {
    const expected = await util.semanticSearch(queries, corpus, { topK: 9, scoreFunction })
    const path = newPath()
    await using index = await EmbeddingIndex.create(path, { embeddings: part(corpus, 0, 300), scoreFunction })
    t.deepEqual(
      await index.search(queries, { topK: 9 }),
      await util.semanticSearch(queries, part(corpus, 0, 300), { topK: 9, scoreFunction }),
    )
    await index.add({ embeddings: part(corpus, 300, 301) })
    await index.add({ embeddings: part(corpus, 301, 700) })
    t.deepEqual(await index.search(queries, { topK: 9 }), expected)
    for (const kept of [0, 1e9]) {
      await using again = await EmbeddingIndex.openWith(path, kept)
      t.is(again.length, 700)
      t.deepEqual(await again.search(queries, { topK: 9 }), expected)
      t.deepEqual(await again.search(queries.row(1), { topK: 9 }), [expected[1]!])
    }
  })
}

for (const precision of ['int8', 'binary'] as const) {
  test(`${precision}: scores are those of full vectors; with all rows as candidates the hits are exact`, async (t) => {
    for (const scoreFunction of ['cosine', 'dot'] as const) {
      const path = newPath()
      await made(path, { embeddings: corpus, precision, scoreFunction })
      await using index = await EmbeddingIndex.open(path)
      const expected = await util.semanticSearch(queries, corpus, { topK: 10, scoreFunction })
      t.deepEqual(await index.search(queries, { rescoreMultiplier: 70 }), expected)
      const all = await util.semanticSearch(queries, corpus, { topK: 700, scoreFunction })
      for (const [q, hits] of (await index.search(queries)).entries()) {
        for (const hit of hits) t.deepEqual(hit, all[q]!.find(({ corpusId }) => corpusId === hit.corpusId)!)
      }
    }
  })

  test(`${precision}: most of the best rows are found with the usual candidates`, async (t) => {
    // Few dimensions seen through many, as those of models.
    const [inner, projection] = [someRows(5040, 24, 3), someRows(384, 24, 5)]
    const all = util.dotScore(inner, projection)
    const [many, asked] = [part(all, 0, 5000), part(all, 5000, 5040)]
    await using index = await EmbeddingIndex.create(newPath(), { embeddings: many, precision })
    const expected = await util.semanticSearch(asked, many)
    const found = await index.search(asked)
    const common = found.map((hits, q) => {
      return hits.filter(({ corpusId }) => expected[q]!.some((hit) => hit.corpusId === corpusId)).length
    })
    const recall = common.reduce((sum, n) => sum + n, 0) / (10 * asked.shape[0])
    t.true(recall >= (precision === 'int8' ? 0.999 : 0.9), String(recall))
    await t.notThrowsAsync(index.search(asked.row(0), { topK: 10_000 }))
  })
}

test('ids and texts come with the hits, those of additions and empty ones, too', async (t) => {
  const path = newPath()
  const rows = (start: number, end: number): IndexRows => {
    const ids = texts.slice(start, end).map((_, i) => `id-${start + i}`)
    return { embeddings: part(corpus, start, end), ids, texts: texts.slice(start, end) }
  }
  await made(path, { ...rows(0, 2), texts: ['', 'zwei'] })
  await using index = await EmbeddingIndex.open(path)
  await index.add(rows(2, 700))
  t.true(index.hasIds && index.hasTexts)
  const found = await index.search(part(corpus, 0, 700), { topK: 1 })
  t.deepEqual(
    found.map(([hit]) => [hit!.corpusId, hit!.id, hit!.text]),
    texts.map((text, i) => [i, `id-${i}`, ['', 'zwei'][i] ?? text]),
  )
  await t.notThrowsAsync(index.verify())
})

test('an empty index, additions at the same time, and additions of two objects', async (t) => {
  const path = newPath()
  const empty = embeddings(new Float32Array(0), 0, 37)
  await using index = await EmbeddingIndex.create(path, { embeddings: empty, precision: 'binary' })
  t.is(index.length, 0)
  t.deepEqual(await index.search(queries), [[], [], [], [], []])
  await Promise.all([0, 1, 2, 3].map((i) => index.add({ embeddings: part(corpus, 50 * i, 50 * (i + 1)) })))
  await index.add({ embeddings: empty })
  t.is(index.length, 200)
  await using other = await EmbeddingIndex.open(path)
  await other.add({ embeddings: part(corpus, 200, 450) })
  t.is(index.length, 200)
  // It has to read what the other one added before it can write.
  await index.add({ embeddings: part(corpus, 450, 700) })
  t.is(index.length, 700)
  const expected = await util.semanticSearch(queries, corpus)
  t.deepEqual(await index.search(queries, { rescoreMultiplier: 70 }), expected)
  await using again = await EmbeddingIndex.open(path)
  t.deepEqual(await again.search(queries, { rescoreMultiplier: 70 }), expected)
  // Other tests hold locks of their own.
  t.false((await readdir(root)).includes(`${basename(path)}.lock`))
})

test('while another process adds, an addition is refused and nothing changes', async (t) => {
  const path = newPath()
  await made(path, { embeddings: part(corpus, 0, 10) })
  const lock = await takeLock(`${path}.lock`)
  t.true(lock instanceof FileLock)
  const before = await readFile(path)
  await using index = await EmbeddingIndex.open(path)
  await t.throwsAsync(index.add({ embeddings: corpus }), {
    code: 'ERR_BUSY',
    message: new RegExp(`process ${process.pid}`),
  })
  await (lock as FileLock).release()
  t.deepEqual(await readFile(path), before)
  await index.add({ embeddings: part(corpus, 10, 20) })
  t.is(index.length, 20)
})

test('an addition that was cut off anywhere leaves the index as it was', async (t) => {
  const path = newPath()
  const rows = { embeddings: part(corpus, 0, 100), texts: texts.slice(0, 100) }
  await made(path, { ...rows, precision: 'int8' })
  const before = await readFile(path)
  await using index = await EmbeddingIndex.open(path)
  await index.add({ embeddings: part(corpus, 100, 200), texts: texts.slice(100, 200) })
  const after = await readFile(path)
  const expected = await util.semanticSearch(queries, part(corpus, 0, 100))
  for (const length of [before.length, before.length + 100, before.length + 5000, after.length]) {
    // The head is written last.
    const cut = Buffer.concat([before, after.subarray(before.length, length)])
    const copy = newPath()
    await writeFile(copy, cut)
    await using found = await EmbeddingIndex.open(copy)
    t.is(found.length, 100)
    t.deepEqual(
      (await found.search(queries, { rescoreMultiplier: 10 })).map((hits) =>
        hits.map(({ corpusId, score }) => ({ corpusId, score })),
      ),
      expected,
    )
    await found.add({ embeddings: part(corpus, 100, 200), texts: texts.slice(100, 200) })
    t.deepEqual(await readFile(copy), after)
  }
})

test('what is damaged or another file is refused by what is wrong', async (t) => {
  const path = newPath()
  await made(path, { embeddings: part(corpus, 0, 100), texts: texts.slice(0, 100), precision: 'binary' })
  const whole = await readFile(path)
  const refused = async (bytes: Buffer, message: RegExp, code = 'ERR_INVALID_FILE') => {
    const copy = newPath()
    await writeFile(copy, bytes)
    await t.throwsAsync(EmbeddingIndex.open(copy), { code, message }, String(message))
  }
  const changed = (...places: number[]) => {
    const bytes = Buffer.from(whole)
    for (const place of places) bytes[place]! ^= 1
    return bytes
  }
  for (const length of [whole.length - 1, whole.length / 2, 8192 + 10, 8192]) {
    await refused(whole.subarray(0, length), /it was cut off, or copied in part/)
  }
  await refused(whole.subarray(0, 5000), /fewer than the 8192 of its heads/)
  for (const bytes of [Buffer.alloc(0), Buffer.from('PK'), Buffer.alloc(10_000, 7)])
    await refused(bytes, /is another file/)
  await refused(changed(20, 4096 + 20), /its first head does not have its checksum/)
  await refused(changed(8192), /the segment at byte 8192 does not begin with/)
  await refused(changed(8192 + 30), /the segment at byte 8192 does not have its checksum/)
  await refused(changed(8192 + 512 + 100 * 37 * 4 + 64), /the codes of rows 0 to 99 do not have their checksum/)
  await t.throwsAsync(EmbeddingIndex.open(join(root, 'none')), { code: 'ERR_NOT_FOUND' })
  await t.throwsAsync(EmbeddingIndex.open(root), { code: 'ERR_INVALID_FILE' })
  // One of two equal heads is enough; vectors are compared when all are read, and on request.
  const copy = newPath()
  await writeFile(copy, changed(20, 8192 + 512 + 5))
  await using index = await EmbeddingIndex.open(copy)
  await t.throwsAsync(index.verify(), { code: 'ERR_INVALID_FILE', message: /the vectors of rows 0 to 99/ })
  const full = newPath()
  await made(full, { embeddings: part(corpus, 0, 100) })
  const bytes = await readFile(full)
  bytes[8192 + 512 + 5]! ^= 1
  await writeFile(full, bytes)
  await using exact = await EmbeddingIndex.open(full)
  await t.throwsAsync(exact.search(queries), { code: 'ERR_INVALID_FILE', message: /the vectors of rows 0 to 99/ })
  // While it is open.
  const short = newPath()
  await copyFile(path, short)
  await using open = await EmbeddingIndex.open(short)
  await truncate(short, 9000)
  await t.throwsAsync(open.search(queries), { code: 'ERR_INVALID_FILE', message: /became shorter/ })
})

/** A model whose embeddings are fixed numbers. */
const fixed = (rows: Embeddings) => ({ encode: async () => rows }) as unknown as SentenceTransformer

test('a model that makes zeros of the text that stands for it is the same model, one that does not is another', async (t) => {
  const path = newPath()
  const zeros = (factor: number) => fixed(embeddings(new Float32Array(37).fill(0 * factor), 1, 37))
  await made(path, { embeddings: part(corpus, 0, 20), model: zeros(1), modelName: 'org/static' })
  await using index = await EmbeddingIndex.open(path)
  t.true(await index.checkModel(zeros(1)))
  t.true(await index.checkModel(zeros(-1)))
  const message = /another model, org\/static: the cosine .* is 0\.000/
  await t.throwsAsync(index.checkModel(fixed(someRows(1, 37, 5))), { code: 'ERR_INVALID_ARGUMENT', message })
})

test('an index knows its model: another one of the same width is refused, one that rounds differently is not', async (t) => {
  const path = newPath()
  const model = fixed(someRows(1, 37, 5))
  await made(path, { embeddings: part(corpus, 0, 20), model, modelName: 'org/first' })
  await using index = await EmbeddingIndex.open(path)
  t.is(index.modelName, 'org/first')
  t.true(await index.checkModel(model, 'org/first'))
  const rounded = someRows(1, 37, 5)
  rounded.data.forEach((value, i) => {
    rounded.data[i] = Math.round(value * 100) / 100
  })
  t.true(await index.checkModel(fixed(rounded)))
  const message =
    /index was made with another model, org\/first: the cosine .* is -?0\.\d{3}\. Use that model, or make the index again with org\/other$/
  await t.throwsAsync(index.checkModel(fixed(someRows(1, 37, 6)), 'org/other'), {
    code: 'ERR_INVALID_ARGUMENT',
    message,
  })
  await t.throwsAsync(index.checkModel(fixed(someRows(1, 20, 5))), {
    message: /37 numbers, those of the given model 20/,
  })
  await t.throwsAsync(index.checkModel({} as never), { code: 'ERR_INVALID_ARGUMENT', message: /SentenceTransformer/ })
  // Additions keep it, and truncated rows are compared with the truncated model.
  await index.add({ embeddings: part(corpus, 20, 30) })
  await using again = await EmbeddingIndex.open(path)
  t.is(again.modelName, 'org/first')
  const short = newPath()
  await made(short, { embeddings: someRows(3, 12), model })
  await using truncated = await EmbeddingIndex.open(short)
  t.is(truncated.modelName, undefined)
  t.true(await truncated.checkModel(model))
  // An index of an older version, or without a model.
  const plain = newPath()
  await made(plain, { embeddings: part(corpus, 0, 20) })
  await using unknown = await EmbeddingIndex.open(plain)
  t.false(await unknown.checkModel(model))
  await t.throwsAsync(EmbeddingIndex.create(newPath(), { embeddings: corpus, modelName: 'a' }), {
    message: /modelName/,
  })
  // Any name has room in the head, and what is no probe is damage.
  await made(newPath(), {
    embeddings: someRows(2, 4096),
    model: fixed(someRows(1, 4096, 5)),
    modelName: '\ud800'.repeat(999),
  })
  const head = writeHead({
    ...{ sequence: 1, rows: 20, end: (await readFile(plain)).length, dimension: 37, precision: 'float32' },
    ...{ scoreFunction: 'cosine', hasIds: false, hasTexts: false, model: { probe: 'AAA', width: 37 } },
  })
  await writeFile(plain, Buffer.concat([head, head, (await readFile(plain)).subarray(2 * HEAD_BYTES)]))
  await t.throwsAsync(EmbeddingIndex.open(plain), { code: 'ERR_INVALID_FILE', message: /base64/ })
})

const withModel = hasShared ? test : test.skip
withModel('number types of one model are one model, and its prompts are not another', async (t) => {
  const path = newPath()
  {
    await using model = await SentenceTransformer.load(MINILM)
    await made(path, { embeddings: await model.encodeDocument(['a']), model, modelName: 'MiniLM' })
  }
  await using index = await EmbeddingIndex.open(path)
  for (const dtype of ['bfloat16', 'int8'] as const) {
    const loading = SentenceTransformer.load(MINILM, { dtype, prompts: { query: 'query: ' } })
    const model = await loading.catch(() => undefined)
    // Not every processor computes in int8.
    if (model === undefined && dtype === 'int8') continue
    t.true(await index.checkModel(model!, dtype))
    await model!.dispose()
  }
})

test('a format of a newer version is told from damage', async (t) => {
  const { toBlock } = await import('../../lib/search/embedding-index/blocks.js')
  const head = toBlock('STINDEX\n', { format: 3, anything: true }, 4096)
  const path = newPath()
  await writeFile(path, Buffer.concat([head, head, Buffer.alloc(100)]))
  await t.throwsAsync(EmbeddingIndex.open(path), {
    code: 'ERR_UNSUPPORTED',
    message: /the format 3 of a newer version/,
  })
})

test('arguments', async (t) => {
  const path = newPath()
  const refused = async (options: object, message: RegExp, code = 'ERR_INVALID_ARGUMENT') => {
    const create = EmbeddingIndex.create(path, { embeddings: corpus, ...options } as IndexRows)
    await t.throwsAsync(create, { code, message })
  }
  await refused({ precision: 'int4' as IndexPrecision }, /precision/)
  await refused({ precision: 'binary', scoreFunction: 'euclidean' }, /cosine or dot/)
  await refused({ ids: ['a'] }, /an array of 700 texts, one for each row for ids/)
  await refused({ texts: texts.map((text, i) => (i === 3 ? 3 : text)) }, /texts\[3\]/)
  await refused({ presicion: 'int8' }, /did you mean precision/, 'ERR_UNKNOWN_OPTION')
  await refused({ embeddings: embeddings(new Float32Array(0), 0, 0) }, /at least one number/)
  const broken = corpus.data.slice()
  broken[37 * 4 + 2] = Number.NaN
  await refused({ embeddings: embeddings(broken, 700, 37) }, /row 4 of embeddings, found NaN/, 'ERR_INVALID_DATA')
  t.false((await readdir(root)).some((name) => path.endsWith(name)))
  await using index = await EmbeddingIndex.create(path, { embeddings: corpus })
  const none = { instanceOf: Error, code: 'ERR_INVALID_ARGUMENT' }
  await t.throwsAsync(index.search(someRows(1, 36)), { ...none, message: /rows of 37 numbers.*36/ })
  await t.throwsAsync(index.search(queries, { topK: 0 }), { ...none, message: /topK/ })
  await t.throwsAsync(index.search(queries, { rescoreMultiplier: 2 }), { ...none, message: /int8 and binary/ })
  await t.throwsAsync(index.add({ embeddings: someRows(1, 36) }), { ...none, message: /rows of 37/ })
  await t.throwsAsync(index.add({ embeddings: part(corpus, 0, 1), ids: ['a'] }), {
    ...none,
    message: /created without/,
  })
  await t.throwsAsync(index.search(queries, { signal: AbortSignal.abort() }), { code: 'ERR_ABORTED' })
  await index.close()
  await index.close()
  await t.throwsAsync(index.search(queries), { code: 'ERR_DISPOSED' })
})
