import { cp, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  Dataset,
  Dense,
  Dropout,
  LayerNorm,
  losses,
  type ModelModules,
  Normalize,
  Pooling,
  type PoolingMode,
  SentenceTransformer,
  SentenceTransformerTrainer,
  StaticEmbedding,
  Transformer,
  WeightedLayerPooling,
} from '../../lib/index.js'
import { type TensorSource, writeSafetensors } from '../../lib/io/safetensors.js'
import { temporaryFolder, writeFiles } from '../helpers/model-folders.js'
import { tinyFolder } from '../helpers/tiny-folder.js'
import { tinyConfig } from '../helpers/tiny-model.js'

const TEXTS = ['the cat is red', 'a dog', 'rain and sun and snow', 'one two three']

async function tiny(t: ExecutionContext): Promise<string> {
  return tinyFolder(await temporaryFolder(t))
}

/** The transformer's files of the tiny folder, without those of sentence-transformers. */
async function plain(t: ExecutionContext): Promise<string> {
  const folder = await tiny(t)
  for (const name of ['modules.json', '1_Pooling', 'config_sentence_transformers.json', 'sentence_bert_config.json']) {
    await rm(join(folder, name), { recursive: true })
  }
  return folder
}

async function vectors(t: ExecutionContext, model: SentenceTransformer): Promise<Float32Array> {
  t.teardown(() => model.dispose())
  return (await model.encode(TEXTS)).data
}

test('the parts of a folder make the model that its modules.json makes', async (t) => {
  const folder = await tiny(t)
  const expected = await vectors(t, await SentenceTransformer.load(folder, { maxSeqLength: 4 }))
  const transformer = await Transformer.load(folder, { maxSeqLength: 4 })
  t.is(transformer.maxSeqLength, 4)
  t.is(transformer.embeddingDimension, tinyConfig.hidden_size)
  const model = await SentenceTransformer.fromModules([transformer, new Pooling()])
  t.deepEqual(await vectors(t, model), expected)
})

test('a plain folder is pooled as it is asked for; a folder with modules.json has its own pooling', async (t) => {
  const folder = await plain(t)
  for (const pooling of ['cls', 'max', ['mean', 'cls']] as (PoolingMode | PoolingMode[])[]) {
    const parts: ModelModules = [await Transformer.load(folder), new Pooling(pooling)]
    const expected = await vectors(t, await SentenceTransformer.fromModules(parts))
    t.deepEqual(await vectors(t, await SentenceTransformer.load(folder, { pooling })), expected)
  }
  await t.throwsAsync(SentenceTransformer.load(folder, { pooling: 'median' as 'mean' }), { message: /median/ })
  await t.throwsAsync(SentenceTransformer.load(await tiny(t), { pooling: 'cls' }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /modules\.json has its own/,
  })
})

test('all modules: the same seed gives the same model, it is saved and loaded, and it can be trained', async (t) => {
  const folder = await tiny(t)
  const make = async (seed: number) => {
    const first = await Transformer.load(folder)
    const heads = [new LayerNorm(), new Dropout(0.5), new Dense({ outFeatures: 5 }), new Normalize()]
    const pooling = [new WeightedLayerPooling({ layerStart: 1 }), new Pooling(['mean', 'max'])]
    return SentenceTransformer.fromModules([first, ...pooling, ...heads], { seed })
  }
  const model = await make(1)
  const before = await vectors(t, model)
  t.is(before.length, TEXTS.length * 5)
  t.deepEqual(await vectors(t, await make(1)), before)
  t.notDeepEqual(await vectors(t, await make(2)), before)
  const saved = await temporaryFolder(t)
  await model.save(saved)
  const again = await SentenceTransformer.load(saved)
  t.deepEqual(await vectors(t, again), before)
  t.is(String(again), String(model))
  const trained = ['1_WeightedLayerPooling', '3_LayerNorm', '5_Dense'].map((name) =>
    join(saved, name, 'model.safetensors'),
  )
  const untrained = await Promise.all(trained.map((file) => readFile(file)))
  const trainer = new SentenceTransformerTrainer({
    model: again,
    trainDataset: Dataset.fromColumns({ anchor: TEXTS, positive: [...TEXTS].reverse() }),
    loss: new losses.MultipleNegativesRankingLoss(),
    args: { maxSteps: 2, perDeviceTrainBatchSize: 4, learningRate: 1e-2, saveStrategy: 'no', outputDir: saved },
    progress: false,
  })
  await trainer.train()
  await again.save(saved)
  for (const [i, file] of trained.entries()) t.notDeepEqual(await readFile(file), untrained[i])
})

test('a new transformer has new values of its seed, and is saved in the layout of transformers', async (t) => {
  const folder = await tiny(t)
  const config = { ...tinyConfig, model_type: 'bert' }
  const make = async (seed?: number) => {
    const first = await Transformer.create(config, { tokenizer: folder, ...(seed !== undefined && { seed }) })
    return SentenceTransformer.fromModules([first, new Pooling()])
  }
  const model = await make(3)
  const found = await vectors(t, model)
  t.true(found.every(Number.isFinite))
  t.deepEqual(await vectors(t, await make(3)), found)
  t.deepEqual(await vectors(t, await make(0)), await vectors(t, await make()))
  t.notDeepEqual(await vectors(t, await make()), found)
  const saved = await temporaryFolder(t)
  await model.save(saved)
  t.deepEqual(await vectors(t, await SentenceTransformer.load(saved)), found)
  t.is((await model.encode(TEXTS, { outputValue: 'pooler_output' })).shape[1], tinyConfig.hidden_size)
  const made = Transformer.create({ ...config, hidden_act: 'nonsense' }, { tokenizer: folder })
  await t.throwsAsync(made, { message: /nonsense/ })
})

test('a table of word embeddings: new, given, saved, trained, with zeros for a text without tokens', async (t) => {
  const folder = await tiny(t)
  const table = await StaticEmbedding.create({ tokenizer: folder, embeddingDimension: 6, seed: 1 })
  t.is(table.embeddingDimension, 6)
  const model = await SentenceTransformer.fromModules([table])
  const found = await vectors(t, model)
  const both = await model.encode(['', 'cat dog', 'cat', 'dog'])
  t.deepEqual([...both.row(0)], [0, 0, 0, 0, 0, 0])
  both.row(1).forEach((value, i) => {
    t.true(Math.abs(value - (both.row(2)[i]! + both.row(3)[i]!) / 2) < 1e-6)
  })
  // Many texts are computed in their order, few as queries.
  const many = Array.from({ length: 3000 }, (_, i) => ['', 'cat', 'cat dog', 'dog '.repeat(i % 50), `${i} red`][i % 5]!)
  const rows = await model.encode(many)
  for (let i = 0; i < many.length; i += 7) t.deepEqual(rows.row(i), await model.encode(many[i]!), many[i])
  const cut = await model.encode(many, { truncateDim: 3, normalizeEmbeddings: true, maxBatchTokens: 64 })
  t.deepEqual(cut.row(7), await model.encode(many[7]!, { truncateDim: 3, normalizeEmbeddings: true }))
  // There is no limit of length.
  const long = await model.encode('cat '.repeat(3000) + 'dog '.repeat(3000))
  long.forEach((value, i) => {
    const difference = Math.abs(value - both.row(1)[i]!)
    t.true(difference < 1e-4, String(difference))
  })
  const saved = await temporaryFolder(t)
  await model.save(saved)
  t.deepEqual(
    (await readdir(saved)).filter((name) => name.startsWith('config.') || name.startsWith('sentence_')),
    [],
  )
  t.deepEqual(await vectors(t, await SentenceTransformer.load(saved)), found)
  const weights = { data: new Float32Array(200).fill(0.5), shape: [100, 2] as [number, number] }
  const given = await StaticEmbedding.create({ tokenizer: folder, embeddingWeights: weights })
  t.deepEqual([...(await vectors(t, await SentenceTransformer.fromModules([given])))], new Array(8).fill(0.5))
  const trainer = new SentenceTransformerTrainer({
    model,
    trainDataset: Dataset.fromColumns({ anchor: TEXTS, positive: [...TEXTS].reverse() }),
    loss: new losses.MultipleNegativesRankingLoss(),
    args: { maxSteps: 2, perDeviceTrainBatchSize: 4, learningRate: 0.1, saveStrategy: 'no', outputDir: saved },
    progress: false,
  })
  await trainer.train()
  t.notDeepEqual((await model.encode(TEXTS)).data, found)

  for (const options of [{}, { embeddingDimension: 3, embeddingWeights: weights }]) {
    await t.throwsAsync(StaticEmbedding.create({ tokenizer: folder, ...options }), { message: /neither|both/ })
  }
  const few = { data: new Float32Array(4), shape: [2, 2] as [number, number] }
  await t.throwsAsync(StaticEmbedding.create({ tokenizer: folder, embeddingWeights: few }), { message: /received 2/ })
})

test('what lies in a folder of Model2Vec is refused by name where it does not fit', async (t) => {
  const golden = new URL('../../../test/parity/golden/modules/model2vec', import.meta.url)
  const numbers = (values: number[]) => new Uint8Array(Float32Array.from(values).buffer)
  const longs = (values: bigint[]) => new Uint8Array(BigInt64Array.from(values).buffer)
  const table = { name: 'embeddings', dtype: 'F32' as const, shape: [2, 2], data: numbers([1, 2, 3, 4]) }
  const wide = { ...table, shape: [1, 2 ** 20], data: new Uint8Array(2 ** 22) }
  const mapping = (values: bigint[]) => {
    return { name: 'mapping', dtype: 'I64' as const, shape: [values.length], data: longs(values) }
  }
  const cases: [TensorSource[], RegExp][] = [
    [[{ ...table, name: 'something' }], /no tensor embedding\.weight or embeddings, found something/],
    [[{ ...table, shape: [4] }], /embeddings of shape \[4\]/],
    [[table, mapping([0n, 2n])], /has 2 in mapping, but its table has 2 rows/],
    [[table, mapping([0n, -1n])], /has -1 in mapping/],
    [[table, { ...table, name: 'weights', shape: [4] }], /4 weights for 2 tokens/],
    [[table, { ...table, name: 'mapping' }], /mapping as F32; expected I64, I32/],
    // Small files can ask for much: 4,096 tokens that are all the same row of 2^20 numbers.
    [[wide, mapping(new Array(4096).fill(0n))], /4096 tokens and 1048576 dimensions; expected at most 2147483648/],
  ]
  for (const [tensors, message] of cases) {
    const folder = await temporaryFolder(t)
    await cp(golden, folder, { recursive: true })
    await writeSafetensors(join(folder, 'model.safetensors'), tensors)
    await t.throwsAsync(SentenceTransformer.load(folder), { code: 'ERR_INVALID_MODEL', message })
  }
})

test('modules that cannot stand behind each other are errors that name them', async (t) => {
  const folder = await tiny(t)
  const transformer = await Transformer.load(folder)
  const table = await StaticEmbedding.create({ tokenizer: folder, embeddingDimension: 4 })
  const cases: [unknown, RegExp][] = [
    ['text', /an array of modules/],
    [[], /a Transformer or a StaticEmbedding.* modules\[0\]/],
    [[new Pooling()], /modules\[0\]/],
    [[Promise.resolve(transformer), new Pooling()], /after await/],
    [[transformer], /lists the modules Transformer; built are/],
    [[transformer, new Normalize()], /Transformer, Normalize/],
    [[transformer, new Pooling(), new Pooling()], /Transformer, Pooling, Pooling/],
    [[table, new Pooling()], /StaticEmbedding, Pooling/],
    [[transformer, new Pooling(), { outFeatures: 3 }], /modules\[2\]/],
    [[transformer, new Pooling(), new Dense({ outFeatures: 3, inFeatures: 4 })], /modules\[2\] has in_features 4/],
    [[transformer, new Pooling(), new LayerNorm(3)], /modules\[2\] has dimension 3/],
    [[transformer, new WeightedLayerPooling({ layerStart: 3 }), new Pooling()], /modules\[1\] has layer_start 3/],
  ]
  for (const [modules, message] of cases) {
    await t.throwsAsync(SentenceTransformer.fromModules(modules as ModelModules), {
      code: 'ERR_INVALID_ARGUMENT',
      message,
    })
  }
  t.throws(() => new Dense({ outFeatures: 0 }), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(() => new Dense({ outFeatures: 3, outfeatures: 3 } as never), { code: 'ERR_UNKNOWN_OPTION' })
  t.throws(() => new Dropout(1), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(() => new Pooling([]), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(() => new (Transformer as unknown as new (path: string) => unknown)(folder), {
    message: /Transformer\.load/,
  })
})

test('a folder whose WeightedLayerPooling Python would leave out is refused', async (t) => {
  const golden = new URL('../../../test/parity/golden/modules/all', import.meta.url)
  const folder = await temporaryFolder(t)
  await cp(golden, folder, { recursive: true })
  const { output_hidden_states, ...config } = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'))
  t.true(output_hidden_states)
  await writeFiles(folder, { 'config.json': config })
  await t.throwsAsync(SentenceTransformer.load(folder), { message: /output_hidden_states: true/ })
})

test('tokenize and forward give what encode gives, and the outputs of all layers', async (t) => {
  const model = await SentenceTransformer.load(await tiny(t))
  const expected = await vectors(t, model)
  const features = await model.tokenize(TEXTS)
  const { inputIds, attentionMask, tokenTypeIds } = features
  t.deepEqual(inputIds.shape, [4, 7])
  t.deepEqual([...attentionMask.data.subarray(7, 14)], [1, 1, 1, 1, 0, 0, 0])
  t.deepEqual([...tokenTypeIds!.data], new Array(28).fill(0))
  const { tokenEmbeddings, sentenceEmbedding, allLayerEmbeddings } = await model.forward(features, {
    outputHiddenStates: true,
  })
  t.deepEqual(sentenceEmbedding.data, expected)
  t.deepEqual(tokenEmbeddings.shape, [4, 7, tinyConfig.hidden_size])
  const width = tinyConfig.hidden_size
  const [, second] = await model.encode(TEXTS, { outputValue: 'token_embeddings' })
  t.deepEqual(tokenEmbeddings.data.subarray(7 * width, 11 * width), second!.data)
  t.true(tokenEmbeddings.data.subarray(11 * width, 14 * width).every((value) => value === 0))
  t.is(allLayerEmbeddings!.length, tinyConfig.num_hidden_layers + 1)
  t.deepEqual(allLayerEmbeddings!.at(-1)!.data, tokenEmbeddings.data)
  t.notDeepEqual(allLayerEmbeddings![0]!.data, tokenEmbeddings.data)
  // Padding on the left means the same.
  const left = (values: Int32Array) =>
    Int32Array.from({ length: 28 }, (_, i) => {
      const length = attentionMask.data.subarray(i - (i % 7), i - (i % 7) + 7).reduce((sum, one) => sum + one, 0)
      const from = (i % 7) - (7 - length)
      return from < 0 ? 0 : values[i - (i % 7) + from]!
    })
  const moved = {
    inputIds: { data: left(inputIds.data), shape: inputIds.shape },
    attentionMask: { data: left(attentionMask.data), shape: inputIds.shape },
  }
  t.deepEqual((await model.forward(moved)).sentenceEmbedding.data, expected)
  const none = await model.forward(await model.tokenize([]))
  t.deepEqual(none.sentenceEmbedding.shape, [0, width])
  await t.throwsAsync(model.forward({ ...features, attentionMask: undefined as never }), { message: /attentionMask/ })
  const wrong = { ...inputIds, data: inputIds.data.slice().fill(10_000) }
  await t.throwsAsync(model.forward({ ...features, inputIds: wrong }), { message: /an id from 0 to/ })
  await t.throwsAsync(model.forward(features, { poolerOutput: true }), { message: /no pooler/ })
})
