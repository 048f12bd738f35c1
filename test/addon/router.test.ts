// Models with a Router: put together, trained, saved, resumed; and what is refused. Numbers of Python: test/parity/router.test.ts.
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import {
  Dataset,
  Dense,
  losses,
  type ModelModules,
  Normalize,
  Pooling,
  Router,
  SentenceTransformer,
  SentenceTransformerTrainer,
  StaticEmbedding,
  Transformer,
} from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const GOLDEN = fileURLToPath(new URL('../../../test/parity/golden/router/', import.meta.url))
const TRANSFORMER = join(GOLDEN, 'towers/document_0_Transformer')
const TABLE = join(GOLDEN, 'towers/query_0_StaticEmbedding')
const TEXTS = ['the cat sat', 'a dog runs on the mat']
const data = Dataset.fromColumns({
  question: ['the cat', 'a dog', 'fast dogs', 'slow cats'],
  answer: ['the cat sat on the mat', 'a dog runs', 'dogs not slow', 'cats not fast'],
})
const routerMapping = { question: 'query', answer: 'document' }

async function towers(seed = 0): Promise<SentenceTransformer> {
  const document = [await Transformer.load(TRANSFORMER), new Pooling('mean'), new Dense({ outFeatures: 6 })]
  const router = Router.forQueryDocument([await StaticEmbedding.load(TABLE)], document)
  return SentenceTransformer.fromModules([router, new Normalize()], { seed })
}

const values = async (model: SentenceTransformer) => [
  ...(await model.encodeQuery(TEXTS)).data,
  ...(await model.encodeDocument(TEXTS)).data,
]

test('fromModules puts routes together, and encode without a task takes the default route', async (t) => {
  await using model = await towers()
  t.deepEqual((await model.encode(TEXTS)).data, (await model.encodeDocument(TEXTS)).data)
  t.notDeepEqual((await model.encodeQuery(TEXTS)).data, (await model.encodeDocument(TEXTS)).data)
  await using table = await SentenceTransformer.fromModules([await StaticEmbedding.load(TABLE), new Normalize()])
  t.deepEqual((await model.encodeQuery(TEXTS)).data, (await table.encode(TEXTS)).data)
  await t.throwsAsync(model.encode(TEXTS, { task: 'answer' }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /query, document/,
  })
  const folder = await temporaryFolder(t)
  await model.save(folder)
  await using again = await SentenceTransformer.load(folder)
  t.deepEqual(await values(again), await values(model))
})

test('modules that several routes name are one module', async (t) => {
  const [transformer, pooling] = [await Transformer.load(TRANSFORMER), new Pooling('mean')]
  const dense = new Dense({ outFeatures: 6 })
  const routes = { query: [transformer, pooling, dense], document: [transformer, pooling, dense, new Normalize()] }
  await using model = await SentenceTransformer.fromModules([new Router(routes, { allowEmptyKey: false })])
  const [query, document] = [await model.encodeQuery(TEXTS), await model.encodeDocument(TEXTS)]
  const length = (row: Float32Array) => Math.hypot(...row)
  for (let i = 0; i < TEXTS.length; i++) {
    const size = length(query.row(i))
    t.true(document.row(i).every((value, k) => Math.abs(value - query.row(i)[k]! / size) < 1e-6))
  }
  await t.throwsAsync(model.encode(TEXTS), { code: 'ERR_INVALID_ARGUMENT', message: /no default route/ })
  const folder = await temporaryFolder(t)
  await model.save(folder)
  const { structure } = JSON.parse(await readFile(join(folder, 'router_config.json'), 'utf8'))
  t.deepEqual(structure.document, ['query_0_Transformer', 'query_1_Pooling', 'query_2_Dense', 'document_3_Normalize'])
})

test('training changes both routes, and a resumed run ends where the whole one does', async (t) => {
  const run = async (folder: string, maxSteps: number, resume: boolean) => {
    await using model = await towers()
    const before = await values(model)
    const trainer = new SentenceTransformerTrainer({
      model,
      trainDataset: data,
      loss: new losses.MultipleNegativesRankingLoss(),
      progress: false,
      args: {
        ...{ outputDir: folder, routerMapping, maxSteps, saveSteps: 2, perDeviceTrainBatchSize: 2, learningRate: 1e-2 },
        ...{ lrSchedulerType: 'constant', seed: 1 },
      },
    })
    await trainer.train({ resumeFromCheckpoint: resume })
    return { before, after: await values(model) }
  }
  const whole = await run(await temporaryFolder(t), 4, false)
  t.false(whole.after.every((value, i) => value === whole.before[i]))
  t.notDeepEqual(whole.after.slice(0, 12), whole.before.slice(0, 12), 'the route of queries')
  const folder = await temporaryFolder(t)
  await run(folder, 2, false)
  t.deepEqual((await run(folder, 4, true)).after, whole.after)
})

test('gradient caching gives the same weights', async (t) => {
  const run = async (miniBatchSize: number | null) => {
    await using model = await towers()
    const args = {
      outputDir: await temporaryFolder(t),
      routerMapping,
      maxSteps: 3,
      saveStrategy: 'no' as const,
      miniBatchSize,
    }
    const trainer = new SentenceTransformerTrainer({
      ...{
        model,
        trainDataset: data,
        progress: false,
        args: { ...args, learningRate: 1e-2, perDeviceTrainBatchSize: 4 },
      },
      loss: new losses.MultipleNegativesRankingLoss(),
    })
    await trainer.train()
    return await values(model)
  }
  const [plain, cached] = [await run(null), await run(1)]
  t.true(plain.every((value, i) => Math.abs(value - cached[i]!) < 1e-5))
})

test('patterns of rates find the names that Python gives parameters', async (t) => {
  await using model = await towers()
  const args = { outputDir: await temporaryFolder(t), routerMapping, maxSteps: 1, saveStrategy: 'no' as const }
  const before = await values(model)
  const trainer = new SentenceTransformerTrainer({
    ...{ model, trainDataset: data, progress: false, loss: new losses.MultipleNegativesRankingLoss() },
    args: { ...args, freeze: ['^model\\.0\\.sub_modules\\.document\\.'] },
  })
  await trainer.train()
  t.deepEqual((await model.encodeDocument(TEXTS)).data, Float32Array.from(before.slice(12)), 'frozen')
})

test('what does not fit is refused with what is expected', async (t) => {
  const [table, transformer] = [await StaticEmbedding.load(TABLE), await Transformer.load(TRANSFORMER)]
  const refuse = async (modules: unknown, message: RegExp, code = 'ERR_INVALID_ARGUMENT') =>
    t.throwsAsync(SentenceTransformer.fromModules(modules as ModelModules), { code, message })
  await refuse([new Router({ query: [table], document: [transformer, new Pooling('mean')] })], /6 and 8 numbers/)
  await refuse([new Router({ query: [table], document: [transformer] })], /document/)
  await refuse([new Router({ query: [new Normalize()] })], /modules\[0\]\.query\[0\]/)
  const dense = new Dense({ outFeatures: 6, inFeatures: 6 })
  const long = [transformer, new Pooling('mean'), new Dense({ outFeatures: 6 })]
  await refuse([new Router({ query: [table], document: long }), dense], /shared?/, 'ERR_NOT_IMPLEMENTED')
  t.throws(() => new Router({}), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(() => new Router({ query: [] }), { code: 'ERR_INVALID_ARGUMENT', message: /routes\.query/ })
  t.throws(() => new Router({ query: [table] }, { defaultRoute: 'document' }), { message: /query.*"document"/ })
  t.throws(() => new Router({ query: [table] }, { routeMappings: [{ task: 'a', route: 'b' }] }), { message: /"b"/ })
  t.throws(() => new Router({ query: [table] }, { routes: 1 } as object), { code: 'ERR_UNKNOWN_OPTION' })

  await using model = await towers()
  await using plain = await SentenceTransformer.load(join(GOLDEN, 'shared/query_0_Transformer'))
  const train = (of: SentenceTransformer, args: object) => () =>
    new SentenceTransformerTrainer({
      model: of,
      trainDataset: data,
      loss: new losses.MultipleNegativesRankingLoss(),
      args,
    })
  t.throws(train(model, {}), { code: 'ERR_INVALID_ARGUMENT', message: /routerMapping.*query, document/ })
  t.throws(train(plain, { routerMapping }), { code: 'ERR_INVALID_ARGUMENT', message: /without a Router/ })
  t.throws(train(model, { routerMapping: { query: 'query' } }), { message: /question/ })
  t.throws(train(model, { routerMapping: { question: 'passage' } }), { message: /task/ })
  t.throws(train(model, { routerMapping: { question: 1 } }), { message: /routerMapping\.question/ })
  await t.throwsAsync(model.addAdapter(), { code: 'ERR_NOT_IMPLEMENTED', message: /Router/ })
  await t.throwsAsync(model.exportOnnx(await temporaryFolder(t)), { code: 'ERR_NOT_IMPLEMENTED', message: /routes/ })
  await t.throwsAsync(model.withLayers(1), { code: 'ERR_NOT_IMPLEMENTED', message: /Router/ })
})

test('damaged folders are refused, naming file and place', async (t) => {
  const broken = async (change: (config: Record<string, Record<string, unknown>>) => void, message: RegExp) => {
    const folder = join(await temporaryFolder(t), 'model')
    await cp(join(GOLDEN, 'towers'), folder, { recursive: true })
    const file = join(folder, 'router_config.json')
    const config = JSON.parse(await readFile(file, 'utf8'))
    change(config)
    await writeFile(file, JSON.stringify(config))
    await t.throwsAsync(SentenceTransformer.load(folder), { code: 'ERR_INVALID_MODEL', message })
  }
  await broken((config) => Object.assign(config.structure!, { query: ['other'] }), /query.*"other"/)
  await broken((config) => Object.assign(config, { structure: {} }), /at least one route/)
  await broken((config) => Object.assign(config.parameters!, { default_route: 'answer' }), /"answer"/)
  await broken((config) => Object.assign(config.parameters!, { allow_empty_key: 1 }), /allow_empty_key/)
  await broken((config) => {
    config.types!['../x'] = config.types!.query_0_StaticEmbedding
    config.structure!.query = ['../x']
  }, /\.\./)
  await broken((config) => void delete (config as Record<string, unknown>).types, /types/)
})
