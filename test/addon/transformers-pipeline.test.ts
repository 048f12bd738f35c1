// `pipeline('feature-extraction', …)` as transformers.js has it: values of its documentation, shapes and types of its source.
import test from 'ava'
import { SentenceTransformer, util } from '../../lib/index.js'
import { type PipelineOptions, type ProgressInfo, pipeline, Tensor } from '../../lib/integrations/transformers/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { hasShared, MINILM } from '../helpers/shared.js'
import { tinyFolder } from '../helpers/tiny-folder.js'

const TEXTS = ['the red cat', 'a very blue bird is not like bread', 'rain']

const close = (a: readonly number[], b: readonly number[], tolerance: number) =>
  a.length === b.length && a.every((value, i) => Math.abs(value - b[i]!) <= tolerance)

;(hasShared ? test : test.skip)('the numbers in the documentation of transformers.js', async (t) => {
  const extractor = await pipeline('feature-extraction', MINILM)
  const text = 'This is a simple test.'
  const tokens = await extractor(text)
  t.deepEqual([tokens.type, tokens.dims], ['float32', [1, 8, 384]])
  t.true(close([...tokens.data.subarray(0, 2)], [0.2157987803220749, -0.09140099585056305], 1e-6))
  const pooled = await extractor(text, { pooling: 'mean', normalize: true })
  t.deepEqual(pooled.dims, [1, 384])
  t.true(close([...pooled.data.subarray(0, 2)], [0.09528215229511261, -0.024730168282985687], 1e-6))
  const bits = await extractor(text, { pooling: 'mean', quantize: true, precision: 'binary' })
  t.deepEqual([bits.type, bits.dims], ['int8', [1, 48]])
  t.deepEqual([...bits.data.subarray(0, 3)], [49, 108, 25])
  // The model cuts at 256 tokens in sentence-transformers; the tokenizer, whose word counts here, at 512.
  t.deepEqual((await extractor('word '.repeat(1000))).dims, [1, 512, 384])
  await extractor.dispose()
  await t.throwsAsync(extractor(text), { code: 'ERR_DISPOSED' })
})

test('poolings, normalization and bits are those of the tokens', async (t) => {
  const folder = await tinyFolder(await temporaryFolder(t))
  const extractor = await pipeline('embeddings', folder)
  t.teardown(() => extractor.dispose())
  await using model = await SentenceTransformer.load(folder)
  const rows = await model.encode(TEXTS, { outputValue: 'token_embeddings' })
  const longest = Math.max(...rows.map(({ shape }) => shape[0]))
  const tokens = await extractor(TEXTS)
  t.deepEqual(tokens.dims, [3, longest, 32])
  for (const [i, { data, shape }] of rows.entries()) {
    const found = tokens.data.subarray(i * longest * 32, (i + 1) * longest * 32)
    t.true(close([...found.subarray(0, data.length)], [...data], 1e-6))
    t.true(found.subarray(shape[0] * 32).every((value) => value === 0))
  }
  const row = (i: number, place: number) => Array.from(rows[i]!.row(place < 0 ? place + rows[i]!.shape[0] : place))
  for (const [pooling, place] of [
    ['cls', 0],
    ['first_token', 0],
    ['last_token', -1],
    ['eos', -1],
  ] as const) {
    const pooled = await extractor(TEXTS, { pooling })
    t.deepEqual(pooled.dims, [3, 32])
    TEXTS.forEach((_, i) => void t.true(close([...pooled[i]!.data], row(i, place), 1e-6), pooling))
  }
  const mean = await extractor(TEXTS, { pooling: 'mean' })
  const encoded = await model.encode(TEXTS)
  t.true(close([...mean.data], [...encoded.data], 1e-6))
  const unit = await extractor(TEXTS, { pooling: 'mean', normalize: true })
  t.true(close([...unit.data], [...(await model.encode(TEXTS, { normalizeEmbeddings: true })).data], 1e-6))
  for (const [precision, type] of [
    ['binary', 'int8'],
    ['ubinary', 'uint8'],
  ] as const) {
    const bits = await extractor(TEXTS, { pooling: 'mean', quantize: true, precision })
    t.deepEqual([bits.type, bits.dims], [type, [3, 4]])
    t.deepEqual(bits.data, (await util.quantizeEmbeddings(encoded, precision)).data)
  }
  const flat = (await extractor(TEXTS[0]!, { normalize: true })).data
  t.true(Math.abs(Math.hypot(...flat.subarray(32, 64)) - 1) < 1e-6)
  t.deepEqual((await extractor([])).dims, [0, 0, 32])
})

test('a tensor is read as in transformers.js', (t) => {
  const tensor = new Tensor(
    'float32',
    Float32Array.from({ length: 24 }, (_, i) => i),
    [2, 3, 4],
  )
  t.is(tensor.size, 24)
  t.is(tensor.location, 'cpu')
  t.deepEqual(tensor.tolist(), [
    [
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9, 10, 11],
    ],
    [
      [12, 13, 14, 15],
      [16, 17, 18, 19],
      [20, 21, 22, 23],
    ],
  ])
  t.deepEqual(tensor[1]!.dims, [3, 4])
  t.deepEqual(tensor[1]![2]!.tolist(), [20, 21, 22, 23])
  t.is(tensor[1]![2]![3]!.item(), 23)
  t.deepEqual(tensor[-1]!.data, tensor[1]!.data)
  t.deepEqual([...tensor[0]![1]!], [4, 5, 6, 7])
  t.deepEqual(
    [...tensor].map((part) => (part as Tensor).dims),
    [
      [3, 4],
      [3, 4],
    ],
  )
  // The example in the documentation of Tensor.slice.
  const table = new Tensor(
    'int8',
    Int8Array.from({ length: 28 }, (_, i) => i + 1),
    [4, 7],
  )
  t.deepEqual(table.slice([1, -1], [1, -1]).tolist(), [
    [9, 10, 11, 12, 13],
    [16, 17, 18, 19, 20],
  ])
  t.deepEqual(table.slice(null, -1).tolist(), [7, 14, 21, 28])
  t.deepEqual(table.slice(2, [null, 2]).tolist(), [15, 16])
  t.deepEqual(tensor.slice(null, [1, null], 0).tolist(), [
    [4, 8],
    [16, 20],
  ])
  const copy = table.clone()
  copy.data[0] = 100
  t.is(table.data[0], 1)
  const rows = new Tensor('float32', Float32Array.of(3, 4, 0, 0), [2, 2]).normalize()
  t.true(close([...rows.data], [0.6, 0.8, 0, 0], 1e-7))
})

test('bad input, and what is not built', async (t) => {
  const folder = await tinyFolder(await temporaryFolder(t))
  const load = (options: object, task = 'feature-extraction') => pipeline(task as never, folder, options)
  const [argument, missing] = ['ERR_INVALID_ARGUMENT', 'ERR_NOT_IMPLEMENTED']
  await t.throwsAsync(load({}, 'feature-extracton'), { code: argument, message: /did you mean feature-extraction/ })
  await t.throwsAsync(load({}, 'text-classification'), { code: missing, message: /CrossEncoder/ })
  await t.throwsAsync(load({}, 'asr'), { code: missing })
  await t.throwsAsync(load({ dtype: 'q4' }), { code: missing, message: /fp32/ })
  await t.throwsAsync(load({ dtype: 'fp64' }), { code: argument })
  await t.throwsAsync(load({ device: 'webgpu' }), { code: missing })
  await t.throwsAsync(load({ model_file_name: 'model_quantized' }), { code: missing, message: /ONNX/ })
  await t.throwsAsync(load({ quantized: true }), { code: 'ERR_UNKNOWN_OPTION' })
  await t.throwsAsync(pipeline('feature-extraction', 5 as never), { code: argument })
  const progress: ProgressInfo[] = []
  // What transformers.js has as defaults asks for nothing.
  const defaults = { config: null, cache_dir: null, subfolder: 'onnx', device: null, dtype: null, revision: 'main' }
  const extractor = await load({ ...defaults, progress_callback: (info) => progress.push(info) } as PipelineOptions)
  t.teardown(() => extractor.dispose())
  t.deepEqual(progress, [{ status: 'ready', task: 'feature-extraction', model: folder }])
  await t.throwsAsync(extractor(TEXTS, { pooling: 'max' } as never), { code: argument, message: /"mean"/ })
  await t.throwsAsync(extractor(TEXTS, { quantize: true }), { code: argument, message: /pooling/ })
  await t.throwsAsync(extractor(TEXTS, { pooling: 'mean', precision: 'binary' }), { code: argument })
  const contrary = { pooling: 'mean', quantize: false, precision: 'binary' } as const
  await t.throwsAsync(extractor(TEXTS, contrary), { code: argument, message: 'precision needs quantize: true' })
  await t.throwsAsync(extractor([1] as never), { code: argument, message: /texts\[0\]/ })
  const output = await extractor(TEXTS, { pooling: 'cls' })
  t.throws(() => (output as unknown as { mean(): void }).mean(), { code: missing, message: /Tensor\.mean/ })
  t.throws(() => output[3], { code: argument, message: /from -3 to 2/ })
  t.throws(() => output.item(), { code: argument })
  t.throws(() => output.slice([2, 1]), { code: argument })
  t.throws(() => output.normalize(1), { code: missing })
  t.throws(() => new Tensor('int8', new Int8Array(3), [2, 2]), { code: argument })
  t.is((output as unknown as { anything: unknown }).anything, undefined)
})
