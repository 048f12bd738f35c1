// Indexes of several files, and of folders of encodeFiles, become one, or are searched as one, without encoding anything again.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import {
  EmbeddingIndex,
  type Embeddings,
  EncodedFiles,
  encodeFiles,
  type MergeIndexesOptions,
  mergeIndexes,
  SentenceTransformer,
  SparseEmbeddings,
  searchIndexes,
  TokenEmbeddings,
} from '../../lib/index.js'
import { IndexFile } from '../../lib/search/embedding-index/index-file.js'
import { readRows } from '../../lib/search/embedding-index/read-rows.js'
import { callProgram } from '../helpers/call-program.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const root = mkdtempSync(join(tmpdir(), 'sentence-torch-indexes-'))
test.after.always(() => rmSync(root, { recursive: true, force: true }))
const at = (name: string) => join(root, name)

const TEXTS = Array.from({ length: 40 }, (_, i) => `${tinyWords[i]} ${tinyWords[(i * 7) % 40]} the ${tinyWords[i % 5]}`)
writeFileSync(at('texts.txt'), `${TEXTS.join('\n')}\n`)

let model: SentenceTransformer
let rows: Embeddings
test.before(async () => {
  model = await SentenceTransformer.load(await tinyFolder(at('model')))
  rows = await model.encodeDocument(TEXTS)
})
test.after.always(() => model.dispose())

function part(from: number, to: number) {
  const data = rows.data.slice(from * 32, to * 32)
  return { data, shape: [to - from, 32] as [number, number], row: (i: number) => data.subarray(i * 32, (i + 1) * 32) }
}

async function create(path: string, from: number, to: number, more: object = {}) {
  const ids = TEXTS.slice(from, to).map((_, i) => `id ${from + i}`)
  const options = { embeddings: part(from, to), texts: TEXTS.slice(from, to), ids, model, ...more }
  await (await EmbeddingIndex.create(path, options)).close()
  return path
}

for (const precision of ['float32', 'int8', 'binary'] as const) {
  test.serial(`${precision}: the merged index is one that was made at once`, async (t) => {
    const one = await create(at(`a-${precision}`), 0, 15, { precision })
    await using grown = await EmbeddingIndex.open(one)
    const ids = ['id 15', 'id 16']
    await grown.add({ embeddings: part(15, 17), texts: TEXTS.slice(15, 17), ids })
    const other = await create(at(`b-${precision}`), 17, 40, { precision })
    const merged = await mergeIndexes(at(`ab-${precision}`), [one, other])
    t.deepEqual(merged, { rows: 40, dimension: 32, precision, scoreFunction: 'cosine' })
    await using index = await EmbeddingIndex.open(at(`ab-${precision}`))
    await using whole = await EmbeddingIndex.open(await create(at(`whole-${precision}`), 0, 40, { precision }))
    await index.verify()
    t.true(await index.checkModel(model))
    const queries = await model.encodeQuery(TEXTS.slice(3, 9))
    t.deepEqual(await index.search(queries, { topK: 7 }), await whole.search(queries, { topK: 7 }))
    // Several indexes are searched as one.
    await using second = await EmbeddingIndex.open(other)
    const found = await searchIndexes([grown, second], queries, { topK: 7 })
    if (precision !== 'float32') return
    const shifted = found.map((hits) =>
      hits.map(({ index, corpusId, ...hit }) => ({ corpusId: corpusId + 17 * index, ...hit })),
    )
    t.deepEqual(shifted, await whole.search(queries, { topK: 7 }))
  })
}

test.serial('another precision, and another way to compare', async (t) => {
  const one = await create(at('p1'), 0, 20)
  const other = await create(at('p2'), 20, 40, { precision: 'binary', scoreFunction: 'dot' })
  await t.throwsAsync(mergeIndexes(at('p12'), [one, other]), {
    message: /precision float32.*the option precision.*found binary/,
  })
  await t.throwsAsync(mergeIndexes(at('p12'), [one, other], { precision: 'int8' }), { message: /scoreFunction cosine/ })
  t.false(existsSync(at('p12')))
  await mergeIndexes(at('p12'), [one, other], { precision: 'int8', scoreFunction: 'dot' })
  await using index = await EmbeddingIndex.open(at('p12'))
  await using whole = await EmbeddingIndex.open(
    await create(at('p12-whole'), 0, 40, { precision: 'int8', scoreFunction: 'dot' }),
  )
  const queries = await model.encodeQuery(TEXTS.slice(0, 4))
  t.deepEqual(await index.search(queries), await whole.search(queries))
})

test.serial('a folder of encodeFiles becomes an index, and is searched beside one', async (t) => {
  const options = { inputs: at('texts.txt'), rowsPerFile: 16, withTexts: true, task: 'document' as const }
  await encodeFiles(model, { ...options, output: at('vectors'), modelName: 'tiny' })
  await mergeIndexes(at('of-folder'), [at('vectors')], { precision: 'int8' })
  await using index = await EmbeddingIndex.open(at('of-folder'))
  t.deepEqual([index.length, index.precision, index.modelName, index.hasTexts], [40, 'int8', 'tiny', true])
  const queries = await model.encodeQuery(TEXTS.slice(5, 8))
  const [hits] = await index.search(queries, { topK: 1 })
  t.is(hits![0]!.text, TEXTS[5])
  const folder = await EncodedFiles.open(at('vectors'))
  const [both] = await searchIndexes([folder, index], queries, { topK: 2 })
  t.deepEqual(
    both!.map(({ index, corpusId, text }) => [index, corpusId, text]),
    [
      [0, 5, TEXTS[5]],
      [1, 5, TEXTS[5]],
    ],
  )
  const bits = at('bits')
  await encodeFiles(model, { ...options, output: bits, precision: 'ubinary' })
  await t.throwsAsync(mergeIndexes(at('none'), [bits]), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /rows of float32.*ubinary/,
  })
})

test.serial('sparse rows and vectors of tokens', async (t) => {
  const sparse = SparseEmbeddings.fromDense(part(0, 20))
  const tokens = new TokenEmbeddings(rows.data.slice(0, 640), Int32Array.from([0, 3, 3, 9, 20]), 32)
  for (const [name, all] of Object.entries({ sparse, tokens, halves: await tokens.toPrecision('float16') })) {
    const half = Math.floor(all.length / 2)
    for (const [i, embeddings] of [all.slice(0, half), all.slice(half)].entries())
      await (await EmbeddingIndex.create(at(`${name}-${i}`), { embeddings })).close()
    await (await EmbeddingIndex.create(at(`${name}-whole`), { embeddings: all })).close()
    await mergeIndexes(at(`${name}-merged`), [at(`${name}-0`), at(`${name}-1`)])
    await using merged = await EmbeddingIndex.open(at(`${name}-merged`))
    await using whole = await EmbeddingIndex.open(at(`${name}-whole`))
    const queries = all.slice(1, 3)
    t.deepEqual(await merged.search(queries), await whole.search(queries))
  }
})

test.serial('vectors of tokens become smaller', async (t) => {
  const tokens = new TokenEmbeddings(rows.data.slice(0, 640), Int32Array.from([0, 3, 3, 9, 20]), 32)
  await (await EmbeddingIndex.create(at('full'), { embeddings: tokens })).close()
  await mergeIndexes(at('bits-of-tokens'), [at('full'), at('full')], { precision: 'binary' })
  await using merged = await EmbeddingIndex.open(at('bits-of-tokens'))
  t.deepEqual([merged.length, merged.precision], [8, 'binary'])
  await using whole = await EmbeddingIndex.create(at('bits-whole'), { embeddings: tokens, precision: 'binary' })
  const [hits] = await merged.search(tokens.slice(0, 1), { topK: 2 })
  const [best] = (await whole.search(tokens.slice(0, 1), { topK: 1 }))[0]!
  t.deepEqual(hits, [best!, { ...best!, corpusId: best!.corpusId + 4 }])
  await t.throwsAsync(mergeIndexes(at('none'), [at('full')], { precision: 'int4' as never }), {
    message: /precision of TokenEmb/,
  })
  await t.throwsAsync(mergeIndexes(at('none'), [at('sparse-0')], { precision: 'int8' }), {
    message: /precision of SparseEmb/,
  })
})

test.serial('rows are read in blocks that have a limit', async (t) => {
  const file = await IndexFile.open(await create(at('blocks'), 0, 40))
  const found: { count: number; texts: string[]; ids: string[] }[] = []
  for await (const { embeddings, texts, ids } of readRows(file, 1000))
    found.push({ count: (embeddings as Embeddings).shape[0], texts: [...texts!], ids: [...ids!] })
  await file.close()
  t.true(found.every(({ count }) => count <= 7))
  t.deepEqual(
    found.flatMap(({ texts }) => texts),
    TEXTS,
  )
  t.is(found.flatMap(({ ids }) => ids).at(-1), 'id 39')
})

test.serial('sources that do not fit each other are refused, and so are damaged ones', async (t) => {
  const one = await create(at('r1'), 0, 20)
  const other = await SentenceTransformer.load(await tinyFolder(at('other'), 2))
  const foreign = await create(at('foreign'), 20, 40, { model: other, modelName: 'other' })
  const plain = at('plain')
  await (await EmbeddingIndex.create(plain, { embeddings: part(0, 4) })).close()
  const narrow = at('narrow')
  const ids = { texts: ['a'], ids: ['b'] }
  await (await EmbeddingIndex.create(narrow, { embeddings: new Float32Array(31).fill(1), ...ids })).close()
  const sparse = at('sparse')
  await (await EmbeddingIndex.create(sparse, { embeddings: SparseEmbeddings.fromDense(part(0, 1)), ...ids })).close()
  const bytes = readFileSync(one)
  bytes[bytes.length - 200]! ^= 1
  writeFileSync(at('damaged'), bytes)
  const output = at('refused')
  const refused = async (sources: string[], code: string, message: RegExp, options: MergeIndexesOptions = {}) => {
    await t.throwsAsync(mergeIndexes(output, sources, options), { code, message })
    t.false(existsSync(output))
  }
  await refused(
    [one, foreign],
    'ERR_INVALID_ARGUMENT',
    /foreign does not fit .*r1: .*same model as .* has, found those of another: the cosine/,
  )
  await refused([one, plain], 'ERR_INVALID_ARGUMENT', /expected ids and texts, found no ids and no texts/)
  await refused([one, narrow], 'ERR_INVALID_ARGUMENT', /expected rows of 32 numbers, found rows of 31/)
  await refused([one, sparse], 'ERR_INVALID_ARGUMENT', /expected embeddings, found SparseEmbeddings/)
  await refused([one, at('damaged')], 'ERR_INVALID_FILE', /do not have their checksum/)
  await refused([one, at('nowhere')], 'ERR_NOT_FOUND', /nowhere/)
  await refused([], 'ERR_INVALID_ARGUMENT', /sources/)
  await refused([one], 'ERR_INVALID_ARGUMENT', /cosine or dot/, { precision: 'int8', scoreFunction: 'euclidean' })
  await refused([one], 'ERR_ABORTED', /Merging/, { signal: AbortSignal.abort() })
  await other.dispose()
})

test.serial('the program: encode into a folder, merge-index and search over several', async (t) => {
  const call = async (...words: string[]) => {
    const { code, out, err } = await callProgram(words)
    t.is(code, 0, err)
    return out
  }
  const MODEL = at('model')
  const words = ['encode', MODEL, at('texts.txt'), '--output-folder', at('cli'), '--rows-per-file', '16', '--document']
  const more = ['--with-text', '--json']
  t.like(JSON.parse(await call(...words, ...more, '--shard', '2/2')), {
    rows: 16,
    written: 1,
    found: 0,
    complete: false,
  })
  t.like(JSON.parse(await call(...words, ...more, '--shard', '1/2')), {
    rows: 24,
    written: 2,
    found: 0,
    complete: true,
  })
  t.like(JSON.parse(await call(...words, ...more)), { rows: 40, written: 0, found: 3, complete: true, dimensions: 32 })
  const { err } = await callProgram([...words, '--with-text'])
  t.regex(err, /32 dimensions → .*cli: 0 files written, 3 found, all files are there/)
  t.like(
    JSON.parse(await call('merge-index', at('cli'), '--output', at('cli.index'), '--precision', 'binary', '--json')),
    {
      ...{ rows: 40, precision: 'binary', scoreFunction: 'cosine' },
    },
  )
  const ask = ['search', MODEL, '--index', at('cli'), '--index', at('cli.index'), '--query', TEXTS[9]!, '--top-k', '2']
  const found = JSON.parse(await call(...ask, '--json'))
  t.deepEqual(
    found.hits.map(({ row, text, index }: Record<string, unknown>) => [row, text, index]),
    [
      [9, TEXTS[9], at('cli')],
      [9, TEXTS[9], at('cli.index')],
    ],
  )
  writeFileSync(at('other.txt'), `${TEXTS.with(20, 'red').join('\n')}\n`)
  writeFileSync(at('fewer.txt'), `${TEXTS.slice(0, 32).join('\n')}\n`)
  writeFileSync(at('empty.txt'), '')
  const of = (name: string) => ['encode', MODEL, at(name), ...words.slice(3), '--with-text']
  const cases: [string[], number, RegExp][] = [
    [of('other.txt'), 2, /other texts: part-000001\.parquet is not of texts 16 to 31/],
    [of('fewer.txt'), 2, /part-000002\.parquet has rows beyond the 32 texts/],
    [of('empty.txt'), 1, /found none/],
    [[...words, '--output', at('x.npy')], 2, /exclude each other/],
    [['encode', MODEL, at('texts.txt'), '--output', at('x.npy'), '--rows-per-file', '4'], 2, /is for --output-folder/],
    [[...words, '--format', 'jsonl'], 2, /formats parquet, npy, safetensors, not jsonl/],
    [[...words, '--with-text', '--normalize'], 2, /normalizeEmbeddings was false and is now true/],
    [['encode', MODEL, at('texts.txt'), '--output', at('x.npy'), '--precision', 'int8'], 2, /needs --calibration/],
    [['merge-index', at('cli')], 2, /--output/],
    [['merge-index', at('cli.index'), '--output', at('cli.index')], 2, /file of its own/],
  ]
  for (const [args, code, message] of cases) {
    const result = await callProgram(args)
    t.is(result.code, code, result.err)
    t.regex(result.err, message)
  }
})

test.serial('an index that another one has replaced takes no rows', async (t) => {
  const path = await create(at('replaced'), 0, 3)
  const big = await create(at('replacing'), 0, 40)
  await using opened = await EmbeddingIndex.open(path)
  await mergeIndexes(path, [big, big])
  const error = await t.throwsAsync(
    opened.add({ embeddings: part(3, 8), texts: TEXTS.slice(3, 8), ids: ['3', '4', '5', '6', '7'] }),
  )
  t.like(error, {
    code: 'ERR_INVALID_FILE',
    message: `${path} is another index now than when it was opened; open it again to add to it`,
  })
  await using there = await EmbeddingIndex.open(path)
  await there.verify()
  t.is(there.length, 80)
  t.is(opened.length, 3)
  await create(path, 0, 40)
  await t.throwsAsync(there.add({ embeddings: part(0, 1), texts: [''], ids: ['x'] }), { code: 'ERR_INVALID_FILE' })
})

test.serial('what is merged in place loses no row that is added meanwhile', async (t) => {
  const path = await create(at('in-place'), 0, 20)
  await using adding = await EmbeddingIndex.open(path)
  const added = { embeddings: part(20, 25), texts: TEXTS.slice(20, 25), ids: ['a', 'b', 'c', 'd', 'e'] }
  const [merged, add] = await Promise.allSettled([mergeIndexes(path, [path, path]), adding.add(added)])
  await using there = await EmbeddingIndex.open(path)
  await there.verify()
  // One of them comes first; the other one sees its rows, or is refused.
  const rows = merged.status === 'fulfilled' ? (merged.value.rows === 50 ? 50 : 40) : 25
  t.is(there.length, rows)
  t.true(merged.status === 'fulfilled' || add.status === 'fulfilled')
  if (rows === 40) t.is(add.status, 'rejected')
})

test.serial('queries are those of the call, whatever becomes of their memory', async (t) => {
  await using one = await EmbeddingIndex.open(await create(at('asked-1'), 0, 20))
  await using two = await EmbeddingIndex.open(await create(at('asked-2'), 20, 40))
  const queries = part(5, 8)
  const expected = await searchIndexes([one, two], queries)
  const found = searchIndexes([one, two], queries)
  queries.data.fill(0.5)
  t.deepEqual(await found, expected)
})

test.serial('sources of other models are found behind one that names none, and nothing is written', async (t) => {
  const nameless = await create(at('nameless'), 0, 3, { model: undefined })
  const own = await create(at('named'), 3, 6)
  const otherModel = await SentenceTransformer.load(await tinyFolder(at('other-model'), 5))
  const other = await create(at('named-otherwise'), 6, 9, { model: otherModel })
  await otherModel.dispose()
  const error = await t.throwsAsync(mergeIndexes(at('mixed'), [nameless, own, other]))
  t.like(error, { code: 'ERR_INVALID_ARGUMENT' })
  t.true(
    error!.message.startsWith(`${other} does not fit ${nameless}: expected rows of the same model as ${own} has`),
    error!.message,
  )
  const progress = 5 as unknown as () => void
  await t.throwsAsync(mergeIndexes(at('mixed'), [own], { onProgress: progress }), { code: 'ERR_INVALID_ARGUMENT' })
  await t.throwsAsync(mergeIndexes(root, [own]), { code: 'ERR_INVALID_ARGUMENT', message: /which is a folder/ })
  t.false(existsSync(at('mixed')))
})

test.serial('vectors of tokens in few bits become no others, which is said before anything is read', async (t) => {
  const tokens = TokenEmbeddings.fromRows([part(0, 2), part(2, 5)])
  const save = async (name: string, precision: 'float32' | 'float16' | 'int8') => {
    await (await EmbeddingIndex.create(at(name), { embeddings: tokens, precision })).close()
    return at(name)
  }
  const [full, half, bytes] = [await save('t32', 'float32'), await save('t16', 'float16'), await save('t8', 'int8')]
  const error = await t.throwsAsync(mergeIndexes(at('t'), [full, bytes], { precision: 'float32' }))
  t.is(error!.message, `${bytes} has vectors of int8, which become none of float32: only float32 does`)
  const merged = await mergeIndexes(at('t'), [full, half], { precision: 'float16' })
  t.like(merged, { rows: 4, precision: 'float16' })
  const wrong = { data: new Uint16Array(32) as unknown as Float32Array, shape: [1, 32] as [number, number] }
  t.throws(() => TokenEmbeddings.fromRows([wrong]), { code: 'ERR_INVALID_ARGUMENT', message: /Float32Array/ })
})
