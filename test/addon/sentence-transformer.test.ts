import { existsSync } from 'node:fs'
import * as fsPromises from 'node:fs/promises'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { SentenceTransformer, util } from '../../lib/index.js'
import { type TensorSource, writeSafetensors } from '../../lib/io/safetensors.js'
import { readModelFolder } from '../../lib/models/model-folder.js'
import { loadAddon } from '../../lib/native/load.js'
import { bertShapes } from '../helpers/fake-addon.js'
import {
  type Layout,
  someTensors,
  temporaryFolder,
  tinyTokenizer,
  writeFiles,
  writeModel,
} from '../helpers/model-folders.js'
import { tinyConfig } from '../helpers/tiny-model.js'

const MINILM = fileURLToPath(new URL('../../../../shared/models/all-MiniLM-L6-v2', import.meta.url))

const TEXTS = ['the cat sat on the mat', 'a dog', '', 'the fast dog ran slowly on a mat', 'cats', 'the']

async function tinyModel(t: ExecutionContext, layout: Layout = '5.2') {
  const path = await temporaryFolder(t)
  await writeModel(path, layout)
  const model = await SentenceTransformer.load(path)
  t.teardown(() => model.dispose())
  return { model, path }
}

const distance = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0)

for (const layout of ['2.0', '3.0', '5.2', '6.0', 'plain'] as Layout[]) {
  test(`a model of layout ${layout} is saved and loaded again with the same vectors, bit for bit`, async (t) => {
    const { model, path } = await tinyModel(t, layout)
    const before = await model.encode(TEXTS)
    const target = join(path, 'saved')
    await model.save(target)
    const again = await SentenceTransformer.load(target)
    const after = await again.encode(TEXTS)
    t.deepEqual(after.shape, before.shape)
    t.true(before.data.every(Number.isFinite))
    t.deepEqual(after.data, before.data)
    t.is(again.maxSeqLength, model.maxSeqLength)
    t.deepEqual(again.prompts, model.prompts)
    t.is(again.similarityFnName, model.similarityFnName)
    t.deepEqual(again.modules, model.modules)
    await again.dispose()
  })
}

test('the pooler, which sentence embeddings do not use, survives', async (t) => {
  const { model, path } = await tinyModel(t)
  const before = await model.encode(TEXTS, { outputValue: 'pooler_output' })
  t.deepEqual(before.shape, [TEXTS.length, 32])
  await model.save(join(path, 'saved'))
  const again = await SentenceTransformer.load(join(path, 'saved'))
  t.deepEqual((await again.encode(TEXTS, { outputValue: 'pooler_output' })).data, before.data)
  await again.dispose()
})

test('a model without pooler says so when its output is asked for', async (t) => {
  const path = await temporaryFolder(t)
  await writeModel(path, 'plain')
  await writeSafetensors(join(path, 'model.safetensors'), someTensors(bertShapes(tinyConfig, false)))
  const model = await SentenceTransformer.load(path)
  await t.throwsAsync(model.encode('a', { outputValue: 'pooler_output' }), { message: /pooler/i })
  t.is((await model.encode('a')).length, 32)
  await model.dispose()
})

test('the result does not depend on the batch', async (t) => {
  const { model } = await tinyModel(t)
  const together = await model.encode(TEXTS)
  // Enough texts for jobs of any length: 2,048 tokens go together whatever batchSize says.
  const many = Array.from({ length: 60 }, () => TEXTS).flat()
  for (const batchSize of [1, 200, 10_000]) {
    const rows = await model.encode(many, { batchSize })
    for (let i = 0; i < many.length; i++) t.true(distance(rows.row(i), together.row(i % TEXTS.length)) < 1e-6)
  }
  for (const [i, text] of TEXTS.entries()) t.true(distance(await model.encode(text), together.row(i)) < 1e-6)
})

test('sentence embeddings are the mean of the token embeddings', async (t) => {
  const { model } = await tinyModel(t, 'plain')
  const tokens = await model.encode('the cat sat', { outputValue: 'token_embeddings' })
  t.deepEqual(tokens.shape, [5, 32])
  const mean = new Float32Array(32).map((_, j) => [0, 1, 2, 3, 4].reduce((sum, i) => sum + tokens.row(i)[j]!, 0) / 5)
  t.true(distance(mean, await model.encode('the cat sat')) < 1e-6)
})

test('truncation, normalisation and similarity with the real engine', async (t) => {
  const { model } = await tinyModel(t)
  t.is(model.embeddingDimension, 16)
  const short = await model.encode(TEXTS, { truncateDim: 4, normalizeEmbeddings: true })
  t.deepEqual(short.shape, [TEXTS.length, 4])
  for (let i = 0; i < TEXTS.length; i++) t.true(Math.abs(Math.hypot(...short.row(i)) - 1) < 1e-6)
  const [hits] = await util.semanticSearch(short.row(1), short, { topK: 3 })
  t.is(hits!.length, 3)
  t.is(hits![0]!.corpusId, 1)
  const scores = util.cosSim(short.row(1), short)
  for (const { corpusId, score } of hits!) t.true(Math.abs(scores.data[corpusId]! - score) < 1e-6)
})

test('many calls at once give what each gives alone', async (t) => {
  const { model } = await tinyModel(t)
  const alone = await model.encode(TEXTS)
  const results = await Promise.all(Array.from({ length: 30 }, (_, i) => model.encode(TEXTS.slice(i % TEXTS.length))))
  results.forEach(({ data, shape }, i) => {
    t.is(shape[0], TEXTS.length - (i % TEXTS.length))
    t.true(distance(data, alone.data.subarray((i % TEXTS.length) * 16)) < 1e-6)
  })
})

test('tokens that were counted before give what their texts give, also more of them than one slice', async (t) => {
  const { model } = await tinyModel(t)
  const texts = Array.from({ length: 1200 }, (_, i) => TEXTS[i % TEXTS.length]!.repeat(1 + (i % 3)))
  const tokens = model.tokenizer.encode(texts)
  const [given, expected] = await Promise.all([model.encodeTokens(tokens, {}), model.encode(texts)])
  t.deepEqual(given.shape, expected.shape)
  t.true(distance(given.data, expected.data) < 1e-6)
  const few = { outputValue: 'token_embeddings' as const }
  const byToken = await model.encodeTokens(model.tokenizer.encode(TEXTS), few)
  t.deepEqual(
    byToken.map(({ shape }) => shape),
    (await model.encode(TEXTS, few)).map(({ shape }) => shape),
  )
})

test('dispose waits for running work; later calls are refused', async (t) => {
  const { model, path } = await tinyModel(t)
  const running = model.encode(Array.from({ length: 50 }, (_, i) => `the cat ${i}`))
  await Promise.all([running, model.dispose()]).then(
    ([{ shape }]) => t.deepEqual(shape, [50, 16]),
    (error: { code?: string }) => t.is(error.code, 'ERR_DISPOSED'),
  )
  await model.dispose()
  for (const use of [() => model.encode('a'), () => model.save(join(path, 'x'))]) {
    await t.throwsAsync(use(), { code: 'ERR_DISPOSED' })
  }
})

test('an abort signal stops a long job', async (t) => {
  const { model } = await tinyModel(t)
  const abort = new AbortController()
  // Equal texts would be computed once.
  const texts = Array.from({ length: 20_000 }, (_, i) => `the cat sat on the mat ${i}`)
  const encoding = model.encode(texts, { batchSize: 2, signal: abort.signal })
  setTimeout(() => abort.abort(), 20)
  await t.throwsAsync(encoding, { code: 'ERR_ABORTED' })
  t.is((await model.encode('a')).length, 16)
})

test('values that are not numbers are refused by the name of their tensor', async (t) => {
  const path = await temporaryFolder(t)
  await writeModel(path, 'plain')
  const tensors = someTensors(bertShapes(tinyConfig))
  const name = 'encoder.layer.1.output.dense.bias'
  const data = tensors.find((tensor) => tensor.name === name)!.data as Uint8Array
  new Float32Array(data.buffer)[3] = Number.NaN
  await writeSafetensors(join(path, 'model.safetensors'), tensors)
  await t.throwsAsync(SentenceTransformer.load(path), { code: 'ERR_INVALID_TENSORS', message: new RegExp(name) })
})

test('half precision and double weights are converted', async (t) => {
  const { path, model } = await tinyModel(t, 'plain')
  const expected = await model.encode(TEXTS)
  const original = someTensors(bertShapes(tinyConfig))
  const convert = async (dtype: 'F64' | 'BF16', bytes: (values: Float32Array) => Uint8Array) => {
    const tensors = original.map((tensor): TensorSource => {
      const values = new Float32Array((tensor.data as Uint8Array).buffer)
      return { ...tensor, dtype, data: bytes(values) }
    })
    await writeSafetensors(join(path, 'model.safetensors'), tensors)
    const other = await SentenceTransformer.load(path)
    const { data } = await other.encode(TEXTS)
    await other.dispose()
    return distance(data, expected.data)
  }
  t.is(await convert('F64', (values) => new Uint8Array(Float64Array.from(values).buffer)), 0)
  const upperHalves = (values: Float32Array) => {
    const words = new Uint16Array(values.buffer)
    return new Uint8Array(Uint16Array.from({ length: values.length }, (_, i) => words[2 * i + 1]!).buffer)
  }
  const error = await convert('BF16', upperHalves)
  t.true(error > 0 && error < 0.1)
})

test('an id beyond the vocabulary is refused by the engine, the model stays usable', async (t) => {
  const path = await temporaryFolder(t)
  await writeModel(path, 'plain')
  const vocab = { ...tinyTokenizer.model.vocab, elephant: 50 }
  await writeFiles(path, { 'tokenizer.json': { ...tinyTokenizer, model: { ...tinyTokenizer.model, vocab } } })
  const model = await SentenceTransformer.load(path)
  await t.throwsAsync(model.encode(['the cat', 'the elephant']), { code: 'ERR_INVALID_ARGUMENT', message: /50/ })
  t.is((await model.encode('the cat')).length, 32)
  await model.dispose()
})

test('the longest texts that the positions allow', async (t) => {
  const { model } = await tinyModel(t, 'plain')
  t.is(model.maxSeqLength, 40)
  const tokens = await model.encode('cat '.repeat(100), { outputValue: 'token_embeddings' })
  t.deepEqual(tokens.shape, [40, 32])
})

test('saving over a folder keeps what is not the model and replaces what is', async (t) => {
  const { model, path } = await tinyModel(t)
  await writeFiles(path, { 'notes.txt': 'mine', 'model.safetensors.index.json': '{}' })
  await model.save(path)
  t.is(await readFile(join(path, 'notes.txt'), 'utf8'), 'mine')
  t.false(existsSync(join(path, 'model.safetensors.index.json')))
  t.false((await readdir(join(path, '..'))).some((name) => name.startsWith(`.${path.split('/').at(-1)}`)))
  const again = await SentenceTransformer.load(path)
  t.deepEqual((await again.encode(TEXTS)).data, (await model.encode(TEXTS)).data)
  await again.dispose()
})

// It replaces a function of node:fs/promises, so it runs alone.
test.serial('a full disk leaves the old folder as it was, and nothing else', async (t) => {
  const { model, path } = await tinyModel(t)
  const target = join(path, 'saved')
  await model.save(target)
  await writeFile(join(target, 'notes.txt'), 'mine')
  const digest = async () => {
    const names = (await readdir(target, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
    return Promise.all(
      names.map(async ({ parentPath, name }) => [name, await readFile(join(parentPath, name), 'base64')]),
    )
  }
  const before = await digest()
  const { open } = fsPromises
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  const fs = (await import('node:fs')).default.promises
  fs.open = async (...args: Parameters<typeof open>) => {
    const file = await open(...args)
    if (String(args[0]).includes('model.safetensors') && args[1] === 'wx') file.write = () => Promise.reject(full)
    return file
  }
  syncBuiltinESMExports()
  try {
    const error = await t.throwsAsync(model.save(target), { code: 'ERR_NOT_SAVED', message: /ENOSPC.*Nor .*ENOSPC/s })
    t.is(error.cause, full)
  } finally {
    fs.open = open
    syncBuiltinESMExports()
  }
  t.deepEqual(await digest(), before)
  t.deepEqual(
    (await readdir(path)).filter((name) => name.startsWith('.')),
    [],
  )
  await model.save(target)
})

const real = existsSync(join(MINILM, 'model.safetensors')) ? test : test.skip
if (real === test.skip) test('all-MiniLM-L6-v2 is absent: its tests are skipped', (t) => t.pass())

real('all-MiniLM-L6-v2: loaded, saved, loaded', async (t) => {
  const path = await temporaryFolder(t)
  const model = await SentenceTransformer.load(MINILM)
  t.is(model.embeddingDimension, 384)
  t.is(model.maxSeqLength, 256)
  const texts = ['The weather is lovely today.', "It's so sunny outside!", 'He drove to the stadium.']
  const before = await model.encode(texts)
  for (let i = 0; i < 3; i++) t.true(Math.abs(Math.hypot(...before.row(i)) - 1) < 1e-5)
  // The values that the model's card in Python gives.
  const scores = model.similarity(before, before)
  t.true(Math.abs(scores.row(0)[1]! - 0.666) < 1e-3)
  t.true(Math.abs(scores.row(0)[2]! - 0.1046) < 1e-3)
  await model.save(join(path, 'saved'))
  t.is((await readModelFolder(join(path, 'saved'), loadAddon)).maxSeqLength, 256)
  const again = await SentenceTransformer.load(join(path, 'saved'))
  t.deepEqual((await again.encode(texts)).data, before.data)
  await again.dispose()
  await model.dispose()
  await rm(path, { recursive: true })
})
