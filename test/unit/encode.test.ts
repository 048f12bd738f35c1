import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { CrossEncoder } from '../../lib/models/cross-encoder.js'
import { planJobs } from '../../lib/models/plan-jobs.js'
import { EncodeProgress, progressOf } from '../../lib/models/progress.js'
import { loadWith, SentenceTransformer } from '../../lib/models/sentence-transformer.js'
import type { LoadOptions } from '../../lib/models/types.js'
import { type FakeAddon, fakeAddon } from '../helpers/fake-addon.js'
import { temporaryFolder, wordId, writeFiles, writeModel } from '../helpers/model-folders.js'
import { wordPieceTokenizer } from '../helpers/word-piece.js'

/** A model on the fake engine: an embedding says length, sum of ids and prompt length of its text. */
async function setUp(t: ExecutionContext, options: LoadOptions = {}, files: Record<string, unknown> = {}) {
  const path = await temporaryFolder(t)
  await writeModel(path, '2.0')
  await writeFiles(path, files)
  const engine: FakeAddon = fakeAddon()
  const model = await loadWith(() => engine, path, options)
  return { model, encoder: engine.encoders[0]!, engine, path }
}

const sum = (...words: string[]) => ['[CLS]', ...words, '[SEP]'].reduce((total, word) => total + wordId(word), 0)
/** Texts with the same tokens: equal texts would be computed once. */
const different = (count: number, text: string) => Array.from({ length: count }, (_, i) => text + ' '.repeat(i))
const head = (row: Float32Array) => [...row.subarray(0, 3)]

test('models are loaded, not constructed', (t) => {
  for (const Model of [SentenceTransformer, CrossEncoder] as unknown as {
    new (path?: unknown): object
    name: string
  }[]) {
    for (const given of ['all-MiniLM-L6-v2', undefined, {}]) {
      const from = typeof given === 'string' ? `"${given}"` : '…'
      t.throws(() => new Model(given), {
        code: 'ERR_INVALID_ARGUMENT',
        message: `new ${Model.name}(${from}) loads nothing: use await ${Model.name}.load(${from})`,
      })
    }
  }
})

test('one text gives a vector, several give rows in their order', async (t) => {
  const { model } = await setUp(t)
  t.deepEqual(head(await model.encode('the cat')), [4, sum('the', 'cat'), -1])
  const rows = await model.encode(['a', 'the fast cat sat on a mat', '', 'dog ran'])
  t.deepEqual(rows.shape, [4, 32])
  t.is(rows.data.length, 4 * 32)
  t.deepEqual(
    [0, 1, 2, 3].map((i) => head(rows.row(i))),
    [
      [3, sum('a'), -1],
      [9, sum('the', 'fast', 'cat', 'sat', 'on', 'a', 'mat'), -1],
      [2, sum(), -1],
      [4, sum('dog', 'ran'), -1],
    ],
  )
  t.throws(() => rows.row(4), { code: 'ERR_INVALID_ARGUMENT' })
})

test('equal texts are computed once, in all their places', async (t) => {
  const { model, encoder } = await setUp(t)
  const texts = ['cat', 'dog ran', 'cat', '', 'cat', 'dog ran', 'a']
  const rows = await model.encode(texts)
  t.is(
    encoder.jobs.reduce((count, { batch }) => count + batch.offsets.length - 1, 0),
    4,
  )
  for (const [i, text] of texts.entries()) t.deepEqual(head(rows.row(i)), head(await model.encode(text)))
  const tokens = await model.encode(texts, { outputValue: 'token_embeddings' })
  t.deepEqual(
    tokens.map(({ shape }) => shape[0]),
    [3, 4, 3, 2, 3, 4, 3],
  )
  t.not(tokens[0]!.data, tokens[2]!.data)
})

test('a text without tokens is a row of zeros for means, and an error that names it for other poolings', async (t) => {
  const { post_processor: _, ...json } = wordPieceTokenizer(['cat'])
  const tokenizer = {
    'tokenizer.json': { ...json, post_processor: null },
    'tokenizer_config.json': { tokenizer_class: 'PreTrainedTokenizerFast' },
  }
  const { model, encoder } = await setUp(t, {}, tokenizer)
  const rows = await model.encode(['', 'cat', ' '])
  t.deepEqual(
    [0, 1, 2].map((i) => head(rows.row(i))),
    [
      [0, 0, 0],
      [1, 5, -1],
      [0, 0, 0],
    ],
  )
  t.deepEqual([...(await model.encode(''))], new Array(32).fill(0))
  t.deepEqual(
    encoder.jobs.map(({ batch }) => [...batch.offsets]),
    [[0, 1]],
  )
  for (const mode of ['cls', 'max', ['mean', 'max']]) {
    const pooling = { word_embedding_dimension: 32, pooling_mode: mode }
    const { model } = await setUp(t, {}, { ...tokenizer, '1_Pooling/config.json': pooling })
    const many = Array.from({ length: 700 }, (_, i) => (i === 600 ? '' : 'cat'))
    await t.throwsAsync(model.encode(many), { code: 'ERR_INVALID_DATA', message: /^texts\[600\] \(""\) .* no tokens/ })
  }
})

test('jobs hold at most batchSize rows beyond 2,048 tokens, longest first, a few at a time', async (t) => {
  const { model, encoder } = await setUp(t)
  const texts = Array.from({ length: 600 }, (_, i) => 'cat '.repeat((i * 7) % 38) + ' '.repeat(i))
  const rows = await model.encode(texts.slice(0, 500), { batchSize: 4 })
  t.deepEqual(
    texts.slice(0, 500).map((_, i) => rows.row(i)[0]),
    texts.slice(0, 500).map((_, i) => Math.min(24, ((i * 7) % 38) + 2)),
  )
  const jobs = encoder.jobs.map(({ batch }) => ({ rows: batch.offsets.length - 1, tokens: batch.ids.length }))
  t.true(jobs.length > 4 && jobs.every(({ tokens }) => tokens <= 2048))
  t.true(jobs.slice(0, -1).every(({ rows, tokens }) => tokens + Math.ceil(tokens / rows) > 2048))
  const lengths = encoder.jobs.flatMap(({ batch }) =>
    [...batch.offsets.subarray(1)].map((end, i) => end - batch.offsets[i]!),
  )
  t.deepEqual(
    lengths,
    lengths.toSorted((a, b) => b - a),
  )
  t.true(encoder.mostRunning > 1 && encoder.mostRunning <= 4)
  encoder.jobs.length = 0
  await model.encode(texts.slice(0, 500), { batchSize: 100 })
  t.is(encoder.jobs[0]!.batch.offsets.length - 1, 100)
})

test('jobs hold every row that has tokens once, longest first, within both limits', (t) => {
  const lengths = fc.array(fc.oneof(fc.nat(40), fc.integer({ min: 5000, max: 20_000 })), { maxLength: 60 })
  fc.assert(
    fc.property(lengths, fc.integer({ min: 1, max: 40 }), (rows, batchSize) => {
      const offsets = Int32Array.from([0, ...rows])
      for (let i = 1; i < offsets.length; i++) offsets[i]! += offsets[i - 1]!
      const jobs = planJobs(offsets, { batchSize, maxTokens: 16 * 1024 })
      const order = jobs.flatMap((job) => [...job])
      t.deepEqual(
        order.toSorted((a, b) => a - b),
        rows.flatMap((length, i) => (length > 0 ? [i] : [])),
      )
      t.true(order.every((row, i) => i === 0 || rows[row]! <= rows[order[i - 1]!]!))
      for (const job of jobs) {
        const tokens = job.reduce((total, row) => total + rows[row]!, 0)
        const most = job.length <= batchSize ? 16 * 1024 : 2048
        t.true(job.length >= 1 && (job.length === 1 || tokens <= most))
      }
    }),
  )
})

test('no job holds more than 16k tokens, unless one row does', (t) => {
  const offsets = Int32Array.from([0, 10_000, 20_000, 20_100, 40_100])
  const jobs = planJobs(offsets, { batchSize: 32, maxTokens: 16 * 1024 }).map((job) => [...job])
  t.deepEqual(jobs, [[3], [0], [1, 2]])
})

test('many texts keep their order across slices', async (t) => {
  const { model } = await setUp(t)
  const texts = Array.from({ length: 1500 }, (_, i) => 'dog '.repeat(i % 13))
  const { data, shape } = await model.encode(texts)
  t.deepEqual(shape, [1500, 32])
  t.true(texts.every((_, i) => data[i * 32] === (i % 13) + 2))
})

test('no texts give no rows', async (t) => {
  const { model, encoder } = await setUp(t)
  t.deepEqual((await model.encode([])).shape, [0, 32])
  t.deepEqual((await model.encode([], { truncateDim: 5, normalizeEmbeddings: true })).shape, [0, 5])
  t.deepEqual(await model.encode([], { outputValue: 'token_embeddings' }), [])
  t.is(encoder.jobs.length, 0)
})

test('truncation comes before normalisation', async (t) => {
  const { model } = await setUp(t)
  const length = Math.hypot(4, sum('the', 'cat'))
  const one = await model.encode('the cat', { truncateDim: 2, normalizeEmbeddings: true })
  t.is(one.length, 2)
  t.true(Math.abs(one[0]! - 4 / length) < 1e-6 && Math.abs(one[1]! - sum('the', 'cat') / length) < 1e-6)
  t.is((await model.encode('the cat', { truncateDim: 1000 })).length, 32)
})

test("the model's own truncateDim holds unless a call says otherwise", async (t) => {
  const { model } = await setUp(t, { truncateDim: 3 })
  t.is(model.embeddingDimension, 3)
  t.is((await model.encode('a')).length, 3)
  t.is((await model.encode('a', { truncateDim: 6 })).length, 6)
})

test('texts are cut to maxSeqLength, which can be set within the positions', async (t) => {
  const { model } = await setUp(t)
  t.is(model.maxSeqLength, 24)
  t.is((await model.encode('cat '.repeat(50)))[0], 24)
  model.maxSeqLength = 5
  t.is((await model.encode('cat '.repeat(50)))[0], 5)
  for (const wrong of [0, 41, 2.5, '7', undefined, null]) {
    t.throws(() => ((model as { maxSeqLength: unknown }).maxSeqLength = wrong), { code: 'ERR_INVALID_ARGUMENT' })
  }
  t.is(model.maxSeqLength, 5)
})

test('token_embeddings are ragged, pooler_output is not', async (t) => {
  const { model } = await setUp(t)
  const tokens = await model.encode(['a', 'the cat'], { outputValue: 'token_embeddings' })
  t.deepEqual(
    tokens.map(({ shape }) => shape),
    [
      [3, 32],
      [4, 32],
    ],
  )
  t.deepEqual(
    [0, 1, 2, 3].map((i) => tokens[1]!.row(i)[0]),
    ['[CLS]', 'the', 'cat', '[SEP]'].map(wordId),
  )
  t.deepEqual((await model.encode('a', { outputValue: 'token_embeddings' })).shape, [3, 32])
  t.deepEqual((await model.encode(['a', 'cat'], { outputValue: 'pooler_output' })).shape, [2, 32])
})

test('prompts: by text, by name, by default; for queries and documents', async (t) => {
  const prompts = { query: 'query : ', passage: 'passage : ' }
  const { model } = await setUp(t, { prompts })
  const words = async (embedding: Promise<Float32Array>) => (await embedding)[1]
  t.is(await words(model.encode('cat')), sum('cat'))
  t.is(await words(model.encode('cat', { prompt: 'the ' })), sum('the', 'cat'))
  t.is(await words(model.encode('cat', { promptName: 'passage' })), sum('passage', ':', 'cat'))
  t.is(await words(model.encodeQuery('cat')), sum('query', ':', 'cat'))
  t.is(await words(model.encodeQuery('cat', { prompt: '' })), sum('cat'))
  // As in Python: every model has a document prompt, '' unless set.
  t.is(await words(model.encodeDocument('cat')), sum('cat'))
  t.is(await words(model.encodeDocument('cat', { promptName: 'passage' })), sum('passage', ':', 'cat'))
  t.deepEqual((await model.encodeQuery(['cat', 'dog'])).shape, [2, 32])
  await t.throwsAsync(model.encode('cat', { promptName: 'qeury' }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /did you mean query/,
  })
  await t.throwsAsync(model.encode('cat', { prompt: 'a', promptName: 'query' }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /both/,
  })

  const { model: other } = await setUp(t, { prompts, defaultPromptName: 'query' })
  t.is(await words(other.encode('cat')), sum('query', ':', 'cat'))
  t.is(await words(other.encode('cat', { prompt: '' })), sum('cat'))
  await t.throwsAsync(setUp(t, { defaultPromptName: 'nothing' }), { code: 'ERR_INVALID_ARGUMENT', message: /nothing/ })
})

test('include_prompt: false leaves the prompt and the first special token out of the pooling', async (t) => {
  const files = { '1_Pooling/config.json': { embedding_dimension: 32, pooling_mode: 'mean', include_prompt: false } }
  const { model } = await setUp(t, {}, files)
  t.is((await model.encode('cat', { prompt: 'query : ' }))[2], 3)
  t.is((await model.encode('cat', { prompt: '' }))[2], -1)
  t.is((await model.encode('cat'))[2], -1)
})

test('wrong inputs are named with their place', async (t) => {
  const { model, encoder } = await setUp(t)
  const encode = model.encode.bind(model) as (texts: unknown, options?: unknown) => Promise<unknown>
  const code = 'ERR_INVALID_ARGUMENT'
  await t.throwsAsync(encode(['a', 7]), { code, message: /string for texts\[1\] but received 7/ })
  await t.throwsAsync(encode([undefined]), { code, message: /texts\[0\]/ })
  await t.throwsAsync(encode(undefined), { code, message: /texts/ })
  await t.throwsAsync(encode('a', { batchSize: 0 }), { code, message: /batchSize/ })
  await t.throwsAsync(encode('a', { truncateDim: -1 }), { code, message: /truncateDim/ })
  await t.throwsAsync(encode('a', { outputValue: 'words' }), { code, message: /outputValue/ })
  await t.throwsAsync(encode('a', { prompt: 1 }), { code, message: /prompt/ })
  await t.throwsAsync(encode('a', { signal: {} }), { code, message: /signal/ })
  await t.throwsAsync(encode('a', null), { code, message: /options/ })
  await t.throwsAsync(encode('a', { batchsize: 8 }), { code: 'ERR_UNKNOWN_OPTION', message: /did you mean batchSize/ })
  await t.throwsAsync(encode('a', { precision: 'int8' }), { code: 'ERR_NOT_IMPLEMENTED', message: /precision/ })
  t.is(encoder.jobs.length, 0)
})

test('wrong load options are refused before anything is read', async (t) => {
  const load = (options: object) => loadWith(() => fakeAddon(), 'nowhere', options as LoadOptions)
  const code = 'ERR_INVALID_ARGUMENT'
  await t.throwsAsync(load({ dtype: 'float16' }), { code, message: /dtype/ })
  await t.throwsAsync(load({ device: 1 }), { code, message: /device/ })
  await t.throwsAsync(load({ threads: 0 }), { code, message: /threads/ })
  await t.throwsAsync(load({ similarityFnName: 'maxsim' }), { code, message: /similarityFnName/ })
  await t.throwsAsync(load({ prompts: { query: 1 } }), { code, message: /prompts\.query/ })
  await t.throwsAsync(load({ devise: 'cpu' }), { code: 'ERR_UNKNOWN_OPTION', message: /did you mean device/ })
  await t.throwsAsync(load({ trustRemoteCode: true }), { code: 'ERR_NOT_IMPLEMENTED', message: /trustRemoteCode/ })
  await t.throwsAsync(
    loadWith(() => fakeAddon(), '', {}),
    { code },
  )
})

test('device, dtype and threads', async (t) => {
  const path = await temporaryFolder(t)
  await writeModel(path, 'plain')
  const load = async (options: LoadOptions, engine = fakeAddon()) => (await loadWith(() => engine, path, options)).dtype
  t.is(await load({}), 'float32')
  t.is(await load({ dtype: 'auto' }), 'float32')
  t.is(await load({ dtype: 'auto' }, fakeAddon(['float32', 'bfloat16'])), 'bfloat16')
  t.is(await load({ dtype: 'int8' }, fakeAddon(['float32', 'int8'])), 'int8')
  await t.throwsAsync(load({ dtype: 'int8' }), { code: 'ERR_UNSUPPORTED', message: /AVX512-VNNI/ })
  const warning = new Promise<Error>((resolve) => process.once('warning', resolve))
  t.is(await load({ dtype: 'bfloat16' }), 'bfloat16')
  t.regex((await warning).message, /emulated/)
  const engine = fakeAddon()
  const model = await loadWith(() => engine, path, { device: 'auto', threads: 3 })
  t.is(model.device, 'cpu')
  t.deepEqual(engine.threadCounts, [3])
  await t.throwsAsync(load({ device: 'mps' }), { code: 'ERR_NOT_IMPLEMENTED', message: /mps/ })
  await t.throwsAsync(load({ device: 'tpu' }), { code: 'ERR_INVALID_ARGUMENT', message: /tpu/ })
  await t.throwsAsync(load({ maxSeqLength: 41 }), { code: 'ERR_INVALID_ARGUMENT', message: /maxSeqLength/ })
})

test("the engine's errors keep their code; no job begins after a failure", async (t) => {
  const { model, encoder } = await setUp(t)
  encoder.failOn = wordId('mat')
  const texts = ['mat '.repeat(38), ...different(4000, 'cat '.repeat(30))]
  await t.throwsAsync(model.encode(texts, { batchSize: 1 }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /beyond the vocabulary/,
  })
  t.true(encoder.jobs.length < 10)
  t.is(encoder.running, 0)
})

test('an abort stops between two jobs and waits for those that run', async (t) => {
  const { model, encoder } = await setUp(t)
  const abort = new AbortController()
  const encoding = model.encode(different(6000, 'cat '.repeat(30)), { batchSize: 1, signal: abort.signal })
  setTimeout(() => abort.abort(new Error('enough')), 5)
  const error = await t.throwsAsync(encoding, { code: 'ERR_ABORTED' })
  t.is((error.cause as Error).message, 'enough')
  t.true(encoder.jobs.length < 100)
  t.is(encoder.running, 0)
  await t.throwsAsync(model.encode('cat', { signal: AbortSignal.abort() }), { code: 'ERR_ABORTED' })
})

test('several calls at once do not mix', async (t) => {
  const { model } = await setUp(t)
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, i) => model.encode(Array.from({ length: i }, (_, j) => 'cat '.repeat(j)))),
  )
  results.forEach(({ shape, row }, i) => {
    t.is(shape[0], i)
    for (let j = 0; j < i; j++) t.is(row(j)[0], j + 2)
  })
})

test('after dispose everything says so; dispose twice is once', async (t) => {
  const { model, encoder, path } = await setUp(t)
  await model.dispose()
  await model[Symbol.asyncDispose]()
  t.is(encoder.disposals, 1)
  const code = 'ERR_DISPOSED'
  await t.throwsAsync(model.encode('a'), { code })
  await t.throwsAsync(model.save(join(path, 'x')), { code })
  t.throws(() => model.embeddingDimension, { code })
  t.throws(() => (model.maxSeqLength = 8), { code })
})

test('modules are described', async (t) => {
  const { model } = await setUp(t)
  t.deepEqual(model.modules, [
    { type: 'Transformer', architecture: 'bert', maxSeqLength: 24, layers: 2, hiddenSize: 32 },
    { type: 'Pooling', modes: ['mean'], includePrompt: true },
    { type: 'Normalize' },
  ])
})

test('similarity follows similarityFnName', async (t) => {
  const { model } = await setUp(t)
  const [a, b] = [Float32Array.of(3, 4), Float32Array.of(4, 3)]
  t.true(Math.abs(model.similarity(a, b).data[0]! - 24 / 25) < 1e-6)
  model.similarityFnName = 'dot'
  t.is(model.similarity(a, b).data[0], 24)
  t.deepEqual([...model.similarityPairwise([a, b], [b, b])], [24, 25])
  t.throws(() => (model.similarityFnName = 'cosinus' as 'cosine'), { code: 'ERR_INVALID_ARGUMENT' })
})

test('progress: one line at the end, or a line that redraws itself on a terminal', (t) => {
  const written: string[] = []
  const log = new EncodeProgress(10, { write: (text) => written.push(text) })
  log.update(5)
  t.deepEqual(written, [])
  log.update(10)
  t.regex(written.join(''), /^Encoding: 10\/10 texts.*\n$/)
  const drawn: string[] = []
  const bar = new EncodeProgress(10, { write: (text) => drawn.push(text), isTTY: true })
  bar.update(5)
  bar.update(10)
  t.is(drawn.length, 2)
  t.true(drawn.every((line) => line.startsWith('\r')))
  const repeated = new EncodeProgress(10, { write: (text) => written.push(text) })
  progressOf(repeated).onRepeats(3)
  repeated.update(10)
  t.regex(written.at(-1)!, /30 % repeated\n$/)
})
