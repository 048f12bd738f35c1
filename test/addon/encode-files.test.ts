// Texts into the files of a folder: the rows are those of `encode`, whoever writes them and however often it is stopped. One test after
// the other: calls of one model that come together share jobs, whose last bits depend on their size.
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { Ajv } from 'ajv'
import test from 'ava'
import {
  Dataset,
  EncodedFiles,
  type EncodeFilesOptions,
  encodeFiles,
  MultiVectorEncoder,
  SentenceTransformer,
  SparseEmbeddings,
  SparseEncoder,
  type TextEncoder,
  TokenEmbeddings,
  util,
} from '../../lib/index.js'
import { takeLock } from '../../lib/io/lock.js'
import { openSafetensors } from '../../lib/io/safetensors.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const root = mkdtempSync(join(tmpdir(), 'sentence-torch-encode-'))
test.after.always(() => rmSync(root, { recursive: true, force: true }))
let folders = 0
const newFolder = () => join(root, `out-${folders++}`)
const at = (name: string) => join(root, name)
const golden = (name: string) => fileURLToPath(new URL(`../../../test/parity/golden/${name}`, import.meta.url))

/** More than two groups of a file, and a last file that is not full. */
const TEXTS = Array.from({ length: 2900 }, (_, i) => {
  return Array.from({ length: 1 + (i % 9) }, (_, k) => tinyWords[(i * 7 + k * 13) % tinyWords.length]).join(' ')
})
const FEW = TEXTS.slice(0, 25)
writeFileSync(at('texts.txt'), `${TEXTS.join('\n')}\n`)
writeFileSync(at('few.txt'), `${FEW.join('\n')}\n`)

let model: SentenceTransformer
let sparse: SparseEncoder
let multi: MultiVectorEncoder
test.before(async () => {
  model = await SentenceTransformer.load(await tinyFolder(at('model')))
  sparse = await SparseEncoder.load(golden('sparse/bert'))
  multi = await MultiVectorEncoder.load(golden('multi-vector/classic'))
})
test.after.always(() => Promise.all([model, sparse, multi].map((one) => one?.dispose())))

/** Digests of all files of a folder. */
function bytesOf(folder: string): Record<string, string> {
  const names = readdirSync(folder).sort()
  const digest = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex')
  return Object.fromEntries(names.map((name) => [name, digest(name)]))
}

const few = (more: Partial<EncodeFilesOptions> = {}): EncodeFilesOptions => {
  return { inputs: at('few.txt'), output: newFolder(), rowsPerFile: 10, ...more }
}

async function allRows(folder: string) {
  const files = await EncodedFiles.open(folder)
  await files.verify()
  const found: { first: number; rows: unknown; texts?: string[] }[] = []
  for await (const block of files.blocks()) found.push(block)
  return { files, found }
}

/** The numbers of rows of one length, one after the other. */
const joined = (found: readonly { rows: unknown }[]) =>
  found.flatMap(({ rows }) => Array.from((rows as { data: ArrayLike<number> }).data))

for (const format of ['parquet', 'npy', 'safetensors'] as const) {
  test.serial(`${format}: rows are those of encode, whatever the number of processes`, async (t) => {
    const options = { inputs: at('texts.txt'), format, rowsPerFile: 1200, withTexts: format === 'parquet' }
    const output = newFolder()
    const parts = []
    for (const index of [2, 0, 1])
      parts.push(await encodeFiles(model, { ...options, output, shard: { index, count: 3 } }))
    t.deepEqual(
      parts.map(({ rows, total, written, found, complete }) => [rows, total, written, found, complete]),
      [
        [500, 2900, 1, 0, false],
        [1200, 2900, 1, 0, false],
        [1200, 2900, 1, 0, true],
      ],
    )
    const { files, found } = await allRows(output)
    t.deepEqual([files.length, files.dimension, files.kind, files.precision], [2900, 32, 'dense', 'float32'])
    const expected = (await model.encode(TEXTS)).data
    const values = joined(found)
    t.is(values.length, expected.length)
    t.true(values.every((value, i) => Math.abs(value - expected[i]!) <= 1e-6))
    if (format === 'parquet')
      t.deepEqual(
        found.flatMap(({ texts }) => texts!),
        TEXTS,
      )
    const alone = newFolder()
    t.true((await encodeFiles(model, { ...options, output: alone })).complete)
    t.deepEqual(bytesOf(alone), bytesOf(output))
  })
}

test.serial('the manifest is what its schema says', async (t) => {
  const { output } = few()
  await encodeFiles(model, few({ output, task: 'document', prompt: 'red ', modelName: 'tiny' }))
  const text = readFileSync(new URL('../../../schema/encoded-files.schema.json', import.meta.url), 'utf8')
  const schema = JSON.parse(text)
  const check = new Ajv({ allErrors: true }).compile(schema)
  const manifest = JSON.parse(readFileSync(join(output, 'manifest.json'), 'utf8'))
  t.true(check(manifest), JSON.stringify(check.errors))
  t.is(manifest.total, 25)
  t.deepEqual(
    manifest.files.map(({ file, first, end }: Record<string, unknown>) => [file, first, end]),
    [
      ['part-000000.parquet', 0, 10],
      ['part-000001.parquet', 10, 20],
      ['part-000002.parquet', 20, 25],
    ],
  )
  t.like(manifest.options, { task: 'document', prompt: 'red ', normalizeEmbeddings: false })
  t.is(manifest.model.identity.name, 'tiny')
  for (const spoiled of [{ format: 2 }, { total: -1 }, { files: [{}] }, { model: {} }, { stray: 1 }])
    t.false(check({ ...manifest, ...spoiled }), JSON.stringify(spoiled))
})

test.serial('a call that was stopped, and files that were damaged: called again, equal bytes', async (t) => {
  const whole = few({ withTexts: true })
  await encodeFiles(model, whole)
  const expected = bytesOf(whole.output)
  const output = newFolder()
  const controller = new AbortController()
  const stopped = encodeFiles(model, {
    ...{ ...whole, output, signal: controller.signal },
    onProgress: (rows) => rows >= 10 && controller.abort(),
  })
  await t.throwsAsync(stopped, { code: 'ERR_ABORTED' })
  t.deepEqual(readdirSync(output).sort(), ['manifest.json', 'part-000000.json', 'part-000000.parquet'])
  await t.throwsAsync(EncodedFiles.open(output), { code: 'ERR_INVALID_DATA', message: /not complete: 1 files/ })
  t.like(await encodeFiles(model, { ...whole, output }), { written: 2, found: 1, rows: 25, complete: true })
  t.deepEqual(bytesOf(output), expected)
  const inode = statSync(join(output, 'part-000001.parquet')).ino
  const spoil: (() => void)[] = [
    () => truncateSync(join(output, 'part-000000.parquet'), 100),
    () => {
      const bytes = readFileSync(join(output, 'part-000002.parquet'))
      bytes[40]! ^= 1
      writeFileSync(join(output, 'part-000002.parquet'), bytes)
    },
    () => rmSync(join(output, 'part-000000.json')),
    () => rmSync(join(output, 'part-000002.parquet')),
    () => rmSync(join(output, 'manifest.json')),
    () => writeFileSync(join(output, '.part-000000.parquet.tmp-00000000-1-1-000000000000'), 'left behind'),
  ]
  const written: number[] = []
  for (const one of spoil) {
    one()
    written.push((await encodeFiles(model, { ...whole, output })).written)
    const { '.part-000000.parquet.tmp-00000000-1-1-000000000000': _, ...found } = bytesOf(output)
    t.deepEqual(found, expected)
  }
  t.deepEqual(written, [1, 1, 1, 1, 0, 0])
  t.is(statSync(join(output, 'part-000001.parquet')).ino, inode)
})

test.serial('a folder of another model, of other options and of other texts is refused', async (t) => {
  const options = few({ promptName: undefined, prompt: 'a ' })
  await encodeFiles(model, options)
  const before = bytesOf(options.output)
  const refused = async (own: TextEncoder, more: Partial<EncodeFilesOptions>, message: RegExp) => {
    await t.throwsAsync(encodeFiles(own, { ...options, ...more }), { code: 'ERR_INVALID_ARGUMENT', message })
  }
  const other = await SentenceTransformer.load(await tinyFolder(at('other'), 2))
  await refused(other, { modelName: 'other' }, /holds rows of another model: a model \(Sent.*and here other \(Sent/)
  await refused(sparse, {}, /another model: a model \(SentenceTransformer.*here a model \(SparseEncoder/)
  await refused(model, { prompt: 'b ' }, /other options: prompt was "a " and is now "b "/)
  await refused(model, { normalizeEmbeddings: true }, /normalizeEmbeddings was false and is now true/)
  await refused(model, { task: 'query' }, /task was not set and is now "query"/)
  await refused(model, { truncateDim: 8 }, /dimension was 32 and is now 8/)
  await refused(
    model,
    { format: 'npy', rowsPerFile: 5 },
    /format was "parquet" and is now "npy"; perFile was 10 and is now 5/,
  )
  writeFileSync(at('changed.txt'), `${FEW.with(13, 'red').join('\n')}\n`)
  await refused(
    model,
    { inputs: at('changed.txt') },
    /other texts: part-000001\.parquet is not of texts 10 to 19 of .*changed/,
  )
  writeFileSync(at('fewer.txt'), `${FEW.slice(0, 20).join('\n')}\n`)
  await refused(model, { inputs: at('fewer.txt') }, /part-000002\.parquet has rows beyond the 20 texts/)
  t.deepEqual(bytesOf(options.output), before)
  // A copy of the model in another place is the same model, and so is one under another name.
  await model.save(at('copy'))
  const copy = await SentenceTransformer.load(at('copy'))
  t.like(await encodeFiles(copy, { ...options, modelName: 'copy' }), { written: 0, found: 3, complete: true })
  await Promise.all([other, copy].map((one) => one.dispose()))
})

test.serial('two processes of one shard: the second is told', async (t) => {
  const options = few()
  await encodeFiles(model, { ...options, shard: { index: 1, count: 2 } })
  const lock = await takeLock(join(options.output, 'part-000002.parquet.lock'))
  t.true('release' in lock)
  await t.throwsAsync(encodeFiles(model, options), {
    code: 'ERR_BUSY',
    message: /process \d+ on .* is writing .*part-000002\.parquet: each process needs a shard of its own/,
  })
  if ('release' in lock) await lock.release()
  t.like(await encodeFiles(model, options), { written: 1, found: 2, complete: true })
  t.deepEqual(
    readdirSync(options.output).filter((name) => name.includes('lock')),
    [],
  )
})

test.serial('texts of lines, columns and archives, several files one after the other', async (t) => {
  writeFileSync(
    at('a.jsonl'),
    FEW.slice(0, 12)
      .map((body) => `${JSON.stringify({ id: 1, body })}\n`)
      .join(''),
  )
  writeFileSync(at('b.txt.gz'), gzipSync(FEW.slice(12, 20).join('\n')))
  await Dataset.fromColumns({ body: FEW.slice(20), other: FEW.slice(20) }).toFile(at('c.parquet'))
  const inputs = ['a.jsonl', 'b.txt.gz', 'c.parquet'].map(at)
  const options = few({ inputs, column: 'body', format: 'npy' })
  await encodeFiles(model, options)
  const plain = few({ format: 'npy' })
  await encodeFiles(model, plain)
  t.deepEqual(bytesOf(options.output), bytesOf(plain.output))
  writeFileSync(
    at('bad.jsonl'),
    `${JSON.stringify({ text: 'red' })}\n{"text": 1}\n${JSON.stringify({ text: 'cat' })}\n`,
  )
  const bad = few({ inputs: at('bad.jsonl') })
  await t.throwsAsync(encodeFiles(model, bad), { code: 'ERR_INVALID_DATA', message: /line 2 of .*bad\.jsonl/ })
  const errors: string[] = []
  const { rows } = await encodeFiles(model, { ...bad, onBadRow: ({ message }) => errors.push(message) })
  t.deepEqual([rows, errors.length], [2, 1])
  writeFileSync(at('empty.txt'), '')
  await t.throwsAsync(encodeFiles(model, few({ inputs: at('empty.txt') })), { message: /Expected texts in .*empty/ })
})

test.serial('sparse rows and vectors of tokens', async (t) => {
  const expectedSparse = await sparse.encodeDocument(FEW)
  const expectedTokens = await multi.encodeDocument(FEW)
  for (const format of ['parquet', 'safetensors'] as const) {
    const one = few({ format, task: 'document' })
    await encodeFiles(sparse, one)
    const { files, found } = await allRows(one.output)
    t.deepEqual([files.kind, files.dimension, files.similarityFnName], ['sparse', expectedSparse.dimension, 'dot'])
    const rows = found.flatMap(({ rows }) => Array.from({ length: 1 }, () => rows as SparseEmbeddings))
    const flat = rows.flatMap((part) => Array.from({ length: part.length }, (_, i) => part.row(i)))
    const whole = SparseEmbeddings.fromRows(flat, files.dimension)
    t.deepEqual(whole.indices, expectedSparse.indices)
    t.deepEqual(whole.offsets, expectedSparse.offsets)
    t.true(whole.values.every((value, i) => Math.abs(value - expectedSparse.values[i]!) <= 1e-6))
    const other = few({ format, task: 'document', withTexts: format === 'parquet' })
    await encodeFiles(multi, other)
    const tokens = await allRows(other.output)
    t.is(tokens.files.kind, 'tokens')
    const texts = tokens.found.flatMap(({ rows }) => [...(rows as TokenEmbeddings)])
    const vectors = TokenEmbeddings.fromRows(texts)
    t.deepEqual(vectors.offsets, expectedTokens.offsets)
    t.true(vectors.data.every((value, i) => Math.abs(value - expectedTokens.data[i]!) <= 1e-6))
  }
})

test.serial('fewer bits: the bytes of quantizeEmbeddings, with the shapes that readers expect', async (t) => {
  const calibrationEmbeddings = await model.encode(TEXTS.slice(0, 300))
  const rows = await model.encode(FEW)
  for (const precision of ['int8', 'uint8', 'binary', 'ubinary'] as const) {
    const more = precision.endsWith('8') ? { calibrationEmbeddings } : {}
    const expected = await util.quantizeEmbeddings(rows, precision, more)
    for (const format of ['parquet', 'npy', 'safetensors'] as const) {
      const options = few({ format, precision, ...more, rowsPerFile: 30 })
      await encodeFiles(model, options)
      const { files, found } = await allRows(options.output)
      t.is(files.precision, precision)
      const values = joined(found)
      const near = values.filter((value, i) => Math.abs(value - expected.data[i]!) <= (precision.endsWith('8') ? 1 : 0))
      // A number at the edge of a step may fall to the other side.
      t.true(near.length >= values.length - 2, `${precision} ${format}`)
      t.is(values.length, expected.data.length)
      await t.throwsAsync(files.search(rows), { code: 'ERR_INVALID_ARGUMENT', message: /rows of float32.*rows of / })
    }
  }
  const options = few({ format: 'safetensors', precision: 'ubinary', rowsPerFile: 10 })
  await encodeFiles(model, options)
  const file = await openSafetensors(join(options.output, 'part-000000.safetensors'))
  t.deepEqual(file.tensors.get('embeddings')!.shape, [10, 4])
  t.deepEqual({ ...file.metadata }, { dimension: '4', kind: 'dense', precision: 'ubinary' })
  await file.close()
})

test.serial('a search reads the folder block by block, and finds what semanticSearch finds', async (t) => {
  const options = few({ inputs: at('texts.txt'), rowsPerFile: 700, withTexts: true, task: 'document' })
  await encodeFiles(model, options)
  const files = await EncodedFiles.open(options.output)
  const queries = await model.encodeQuery([TEXTS[3]!, TEXTS[2000]!])
  const expected = await util.semanticSearch(queries, await model.encodeDocument(TEXTS), { topK: 6 })
  const hits = await files.search(queries, { topK: 6 })
  for (const [q, list] of hits.entries()) {
    t.is(list.length, 6)
    for (const [i, { corpusId, score, text }] of list.entries()) {
      t.is(text, TEXTS[corpusId])
      t.true(Math.abs(score - expected[q]![i]!.score) <= 1e-6)
    }
  }
  await t.throwsAsync(files.search(await sparse.encodeQuery(['red'])), { code: 'ERR_INVALID_ARGUMENT' })
  await files.checkModel(model)
  const other = await SentenceTransformer.load(await tinyFolder(at('third'), 3))
  await t.throwsAsync(files.checkModel(other), { message: /was made with another model/ })
  await other.dispose()
  cpSync(options.output, at('spoiled'), { recursive: true })
  truncateSync(join(at('spoiled'), 'part-000001.parquet'), 10)
  await t.throwsAsync(EncodedFiles.open(at('spoiled')), { code: 'ERR_INVALID_FILE', message: /has 10 bytes/ })
})

const BAD: [string, Record<string, unknown>, RegExp][] = [
  ['no input', { inputs: [] }, /inputs/],
  ['a shard too many', { shard: { index: 4, count: 4 } }, /shard\.index/],
  ['a shard as text', { shard: '1/4' }, /shard/],
  ['an unknown format', { format: 'csv' }, /parquet.*npy.*safetensors/],
  ['texts in npy', { format: 'npy', withTexts: true }, /withTexts/],
  ['int8 without ranges', { precision: 'int8' }, /ranges of int8 for calibrationEmbeddings/],
  ['ranges of bits', { precision: 'binary', calibrationEmbeddings: new Float32Array(32) }, /binary has no ranges/],
  ['ranges of another width', { precision: 'int8', calibrationEmbeddings: new Float32Array(31) }, /rows of 32 numbers/],
  ['an option of a sparse encoder', { maxActiveDims: 4 }, /no maxActiveDims for a SentenceTransformer/],
  ['an unknown option', { rowsPerShard: 4 }, /rowsPerFile/],
  ['an unknown prompt', { promptName: 'nobody' }, /nobody/],
  ['no file', { inputs: 'nowhere.txt' }, /nowhere\.txt/],
]
for (const [name, more, message] of BAD) {
  test.serial(`refused: ${name}`, async (t) => {
    const options = few(more as Partial<EncodeFilesOptions>)
    await t.throwsAsync(encodeFiles(model, options), { instanceOf: Error, message })
    t.false(existsSync(join(options.output, 'part-000000.json')))
  })
}

test.serial('refused: rows of other classes in fewer bits, and as npy', async (t) => {
  await t.throwsAsync(encodeFiles(sparse, few({ precision: 'int8' })), { message: /no precision for a SparseEncoder/ })
  await t.throwsAsync(encodeFiles(multi, few({ format: 'npy' })), { message: /parquet or safetensors/ })
  await t.throwsAsync(encodeFiles({} as never, few()), { code: 'ERR_INVALID_ARGUMENT', message: /model/ })
})

test.serial('a lost file, a damaged record: no complete folder, until they are written again', async (t) => {
  const output = newFolder()
  const shard = (index: number) => encodeFiles(model, few({ output, shard: { index, count: 2 } }))
  await shard(0)
  await shard(1)
  const whole = bytesOf(output)
  rmSync(join(output, 'part-000001.parquet'))
  t.like(await shard(0), { written: 0, complete: false })
  t.like(await shard(1), { written: 1, complete: true })
  t.deepEqual(bytesOf(output), whole)
  truncateSync(join(output, 'part-000000.json'), 7)
  t.like(await shard(1), { written: 0, complete: false })
  t.like(await shard(0), { written: 1, complete: true })
  t.deepEqual(bytesOf(output), whole)
})

test.serial('a call that finds no text leaves no folder, and calibration has numbers', async (t) => {
  const output = newFolder()
  await t.throwsAsync(encodeFiles(model, few({ output, inputs: at('absent.txt') })), { code: 'ERR_NOT_FOUND' })
  writeFileSync(at('empty.txt'), '')
  await t.throwsAsync(encodeFiles(model, few({ output, inputs: at('empty.txt') })), { code: 'ERR_INVALID_DATA' })
  t.false(existsSync(output))
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const calibrationEmbeddings = { data: new Float32Array(64).fill(value), shape: [2, 32] as [number, number] }
    await t.throwsAsync(encodeFiles(model, few({ output, precision: 'int8', calibrationEmbeddings })), {
      code: 'ERR_INVALID_DATA',
    })
  }
  t.false(existsSync(output))
})
