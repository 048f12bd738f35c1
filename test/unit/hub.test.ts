import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { hubCacheFolder } from '../../lib/io/hub-cache.js'
import { type HubOptions, resolveModel } from '../../lib/models/hub.js'
import { planFiles } from '../../lib/models/hub-files.js'
import { LanguageModelWeights } from '../../lib/models/language-model.js'
import { readModelFolder } from '../../lib/models/model-folder.js'
import { loadWith } from '../../lib/models/sentence-transformer.js'
import { fakeAddon } from '../helpers/fake-addon.js'
import { COMMIT, hubServer, TOKEN } from '../helpers/hub-server.js'
import { temporaryFolder, writeFiles, writeModel } from '../helpers/model-folders.js'

// HF_ENDPOINT and its kin belong to the process: the tests follow each other.
const serial = test.serial

for (const name of ['HF_TOKEN', 'HF_HUB_OFFLINE', 'HF_HOME', 'HF_HUB_CACHE']) delete process.env[name]

async function setUp(t: ExecutionContext, layout: '5.2' | 'plain' = '5.2') {
  const root = await temporaryFolder(t)
  const [origin, cacheFolder] = [join(root, 'origin'), join(root, 'cache')]
  await writeModel(origin, layout)
  await writeFiles(origin, {
    'onnx/model.onnx': 'o'.repeat(20_000),
    'openvino/openvino_model.bin': 'v',
    'pytorch_model.bin': 'pickle',
    'tf_model.h5': 'tf',
    'README.md': '# a model',
    'vocab.txt': 'the\na',
  })
  const hub = await hubServer(t, origin)
  process.env.HF_ENDPOINT = `${hub.url}/`
  const resolve = (options: HubOptions = {}) => resolveModel('org/model', { cacheFolder, ...options })
  const repo = join(cacheFolder, 'models--org--model')
  return { origin, cacheFolder, hub, resolve, repo, snapshot: join(repo, 'snapshots', COMMIT) }
}

async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

const WANTED = [
  ...['1_Pooling/config.json', '2_Dense/config.json', '2_Dense/model.safetensors', 'config.json'],
  ...['config_sentence_transformers.json', 'model.safetensors', 'modules.json', 'sentence_bert_config.json'],
  ...['tokenizer.json', 'tokenizer_config.json', 'vocab.txt'],
]

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()
}

serial('downloads what loading needs into the cache that Python shares, and nothing twice', async (t) => {
  const { hub, resolve, repo, snapshot, origin } = await setUp(t)
  const progress: { file: string; loaded: number; total: number }[] = []
  const found = await resolve({ onProgress: (step) => progress.push(step) })
  t.deepEqual(found, { path: snapshot, id: 'org/model' })
  t.deepEqual(await filesIn(snapshot), WANTED)
  for (const file of WANTED) {
    t.deepEqual(await readFile(join(snapshot, file)), await readFile(join(origin, file)))
    const up = '../'.repeat(1 + file.split('/').length)
    t.is(await readlink(join(snapshot, file)), `${up}blobs/${hub.etag(file)}`)
  }
  t.is(await readFile(join(repo, 'refs/main'), 'utf8'), COMMIT)
  t.false((await filesIn(join(repo, 'blobs'))).some((name) => name.includes('incomplete')))
  t.is(progress.at(-1)!.loaded, progress.at(-1)!.total)
  t.true(progress.some(({ file }) => file === 'model.safetensors'))
  t.is((await readModelFolder(snapshot, () => fakeAddon())).maxSeqLength, 24)

  hub.requests.length = 0
  t.is((await resolve()).path, snapshot)
  t.is((await resolve({ localFilesOnly: true })).path, snapshot)
  t.is((await resolve({ revision: COMMIT })).path, snapshot)
  t.deepEqual(hub.requests, [])
})

serial('several loads at once do not disturb each other', async (t) => {
  const { resolve, repo, snapshot } = await setUp(t)
  const found = await Promise.all(Array.from({ length: 4 }, () => resolve()))
  t.true(found.every(({ path }) => path === snapshot))
  t.deepEqual(await filesIn(snapshot), WANTED)
  t.deepEqual(await filesIn(join(repo, 'refs')), ['main'])
  t.is((await filesIn(join(repo, 'blobs'))).length, WANTED.length)
})

serial('a revision has its own ref', async (t) => {
  const { resolve, repo } = await setUp(t)
  await resolve({ revision: 'v1' })
  t.is(await readFile(join(repo, 'refs/v1'), 'utf8'), COMMIT)
  t.false(existsSync(join(repo, 'refs/main')))
  await t.throwsAsync(resolve({ revision: 'v2' }), { code: 'ERR_NOT_FOUND', message: /org\/model at revision v2/ })
  await t.throwsAsync(resolve({ revision: '../../x' }), { code: 'ERR_INVALID_ARGUMENT', message: /revision/ })
})

serial('a model loads by its id', async (t) => {
  const { cacheFolder, snapshot, origin } = await setUp(t)
  const model = await loadWith(() => fakeAddon(), 'org/model', { cacheFolder })
  t.is(model.embeddingDimension, 16)
  const saved = join(origin, '..', 'saved')
  await model.save(saved)
  t.regex(await readFile(join(saved, 'README.md'), 'utf8'), /base_model: org\/model/)
  t.true(existsSync(snapshot))
})

serial('a plain model is remembered to have no modules.json', async (t) => {
  const { resolve, repo, hub, snapshot } = await setUp(t, 'plain')
  await resolve()
  t.true(existsSync(join(repo, '.no_exist', COMMIT, 'modules.json')))
  hub.requests.length = 0
  t.is((await resolve()).path, snapshot)
  t.deepEqual(hub.requests, [])
})

serial('a cache that Python filled in part is completed; offline it is used with a warning', async (t) => {
  const { origin, repo, snapshot, hub, resolve } = await setUp(t)
  // What transformers' AutoModel leaves: no modules.json, so that the pooling is not known.
  await mkdir(join(repo, 'blobs'), { recursive: true })
  await mkdir(snapshot, { recursive: true })
  await mkdir(join(repo, 'refs'))
  await writeFile(join(repo, 'refs/main'), COMMIT)
  for (const file of ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors']) {
    await writeFile(join(repo, 'blobs', hub.etag(file)), await readFile(join(origin, file)))
    await symlink(`../../blobs/${hub.etag(file)}`, join(snapshot, file))
  }
  const warning = new Promise<Error>((resolve) => process.once('warning', resolve))
  t.is((await resolve({ localFilesOnly: true })).path, snapshot)
  t.regex((await warning).message, /no modules\.json/)

  await resolve()
  t.deepEqual(await filesIn(snapshot), WANTED)
  t.false(hub.requests.some((path) => path.endsWith('/2_Dense') || path.endsWith('resolve/model.safetensors')))
  t.false(hub.requests.includes(`/org/model/resolve/${COMMIT}/model.safetensors`))
})

serial('a link to a blob that is gone is fetched again', async (t) => {
  const { resolve, repo, hub, snapshot } = await setUp(t)
  await resolve()
  await rm(join(repo, 'blobs', hub.etag('config.json')))
  await resolve()
  t.true(existsSync(join(snapshot, 'config.json')))
})

serial('offline without a copy says where it looked', async (t) => {
  const { resolve, hub, cacheFolder } = await setUp(t)
  process.env.HF_HUB_OFFLINE = '1'
  t.teardown(() => delete process.env.HF_HUB_OFFLINE)
  const error = await t.throwsAsync(resolve(), { code: 'ERR_NOT_FOUND', message: /HF_HUB_OFFLINE/ })
  t.true(error.message.includes(cacheFolder))
  t.deepEqual(hub.requests, [])
  await resolve({ localFilesOnly: false })
  t.true(hub.requests.length > 0)
})

serial('private models: without a token, with the wrong one, with the right one; none is ever shown', async (t) => {
  const { resolve, hub } = await setUp(t)
  hub.private = true
  const plain = await t.throwsAsync(resolve(), { code: 'ERR_NOT_FOUND', message: /private.*HF_TOKEN/ })
  const wrong = await t.throwsAsync(resolve({ token: 'hf_thewrongone' }), {
    code: 'ERR_NOT_FOUND',
    message: /access token/,
  })
  const shape = await t.throwsAsync(resolve({ token: 'secret' }), { code: 'ERR_INVALID_ARGUMENT', message: /hf_/ })
  const lines = await t.throwsAsync(resolve({ token: 'hf_sec\nret' }), { code: 'ERR_INVALID_ARGUMENT', message: /hf_/ })
  const letters = await t.throwsAsync(resolve({ token: 'hf_secrét' }), { code: 'ERR_INVALID_ARGUMENT', message: /hf_/ })
  for (const error of [plain, wrong, shape, lines, letters]) {
    for (let part: unknown = error; part instanceof Error; part = part.cause) {
      t.notRegex(`${part.message}${part.stack}`, /thewrongone|sec/)
    }
  }
  process.env.HF_TOKEN = `${TOKEN}\n`
  t.teardown(() => delete process.env.HF_TOKEN)
  await t.throwsAsync(resolve({ token: false }), { code: 'ERR_NOT_FOUND' })
  await t.notThrowsAsync(resolve())
})

serial('damaged and interrupted files never enter the cache', async (t) => {
  const { resolve, hub, repo, snapshot } = await setUp(t)
  hub.damaged = 'model.safetensors'
  await t.throwsAsync(resolve(), { code: 'ERR_NETWORK', message: /model\.safetensors.*damaged/ })
  hub.damaged = undefined
  hub.cutOff = 'model.safetensors'
  await t.throwsAsync(resolve(), { code: 'ERR_NETWORK' })
  t.false(existsSync(join(snapshot, 'model.safetensors')))
  t.false(existsSync(join(repo, 'refs/main')))
  t.false((await filesIn(join(repo, 'blobs'))).some((name) => name.includes('incomplete')))
  await t.throwsAsync(resolve({ localFilesOnly: true }), { code: 'ERR_NOT_FOUND' })
  hub.cutOff = undefined
  t.is((await resolve()).path, snapshot)
})

serial('what cannot be reached or does not exist', async (t) => {
  const { cacheFolder } = await setUp(t)
  const resolve = (id: string) => resolveModel(id, { cacheFolder })
  await t.throwsAsync(resolve('org/other'), { code: 'ERR_NOT_FOUND', message: /org\/other/ })
  await t.throwsAsync(resolve('all-nothing'), { code: 'ERR_NOT_FOUND', message: /sentence-transformers\/all-nothing/ })
  await t.throwsAsync(resolve('bert-base-uncased'), { code: 'ERR_NOT_FOUND', message: /the model bert-base-uncased/ })
  await t.throwsAsync(resolve('./missing/folder'), { code: 'ERR_NOT_FOUND', message: /no model folder/ })
  await t.throwsAsync(resolve('a/b/c'), { code: 'ERR_NOT_FOUND', message: /no model folder/ })
  const port = await closedPort()
  process.env.HF_ENDPOINT = `http://127.0.0.1:${port}`
  await t.throwsAsync(resolve('org/model'), {
    code: 'ERR_NETWORK',
    message: /org\/model from http.*: .*(ECONNREFUSED|status 502)/,
  })
})

serial('a local folder comes first, a file is refused', async (t) => {
  const { origin, hub } = await setUp(t)
  t.deepEqual(await resolveModel(origin), { path: origin })
  await t.throwsAsync(resolveModel(join(origin, 'config.json')), { code: 'ERR_INVALID_MODEL', message: /is a file/ })
  t.deepEqual(hub.requests, [])
})

serial('a model with a pickle alone is refused, with the way out', async (t) => {
  const { origin, cacheFolder } = await setUp(t)
  await rm(join(origin, 'model.safetensors'))
  const hub = await hubServer(t, origin)
  process.env.HF_ENDPOINT = hub.url
  const error = await t.throwsAsync(resolveModel('org/model', { cacheFolder }), { code: 'ERR_UNSUPPORTED' })
  t.regex(error.message, /pytorch_model\.bin.*pickle.*SentenceTransformer\("org\/model"\)\.save/)
})

test('the plan of files: shards with their index, the older transformer folder, no way out of the cache', (t) => {
  const sharded = new Set([
    'config.json',
    'tokenizer.json',
    'model.safetensors.index.json',
    'model-00001-of-00002.safetensors',
  ])
  t.deepEqual(planFiles(sharded, undefined).missing, [])
  t.true(planFiles(sharded, undefined).needed.includes('model-00001-of-00002.safetensors'))
  const modules = [
    { path: '0_Transformer', type: 'x.Transformer' },
    { path: '1_Pooling', type: 'x.Pooling' },
  ]
  t.deepEqual(planFiles(new Set(['0_Transformer/config.json']), modules).missing, [
    ...['0_Transformer/tokenizer.json', '0_Transformer/model.safetensors', '1_Pooling/config.json'],
  ])
  t.throws(() => planFiles(new Set(), [{ path: '../..', type: 'x.Transformer' }]), { code: 'ERR_INVALID_MODEL' })
})

test('the cache folder is where Python looks', (t) => {
  t.is(hubCacheFolder({ HF_HUB_CACHE: '/a', HF_HOME: '/b' }), '/a')
  t.is(hubCacheFolder({ HF_HOME: '/b', XDG_CACHE_HOME: '/c' }), '/b/hub')
  t.is(hubCacheFolder({ XDG_CACHE_HOME: '/c' }), '/c/huggingface/hub')
  t.regex(hubCacheFolder({}), /\.cache\/huggingface\/hub$/)
})

serial(
  'the checkpoint of a loss: a hub id as for a model, from the cache, or the folder that the model came from',
  async (t) => {
    const { cacheFolder, hub, snapshot, origin } = await setUp(t)
    const own = { transformerPath: origin, id: 'org/other', addon: fakeAddon() }
    const open = async (nameOrPath: string | undefined, options: HubOptions = {}) => {
      const weights = await LanguageModelWeights.open(own, nameOrPath, { cacheFolder, ...options })
      await weights.close()
      return weights
    }
    const first = await open('org/model')
    t.is(first.path, snapshot)
    t.deepEqual(first.shape('bert.embeddings.word_embeddings.weight')?.[1], 32)
    t.is(first.shape('cls.predictions.bias'), undefined)
    hub.requests.length = 0
    t.is((await open('org/model', { localFilesOnly: true })).path, snapshot)
    for (const name of [undefined, 'org/other', origin]) t.is((await open(name)).path, origin)
    t.deepEqual(hub.requests, [])
    await t.throwsAsync(open('org/nothing', { localFilesOnly: true }), { code: 'ERR_NOT_FOUND' })
    // Very old folders keep the transformer below.
    const old = await temporaryFolder(t)
    await writeModel(old, '2.0')
    const inside = join(await temporaryFolder(t), 'model')
    await cp(old, join(inside, '0_Transformer'), { recursive: true })
    await writeFiles(inside, { 'modules.json': [{ idx: 0, name: '0', path: '0_Transformer', type: 'x' }] })
    t.is((await open(inside)).path, join(inside, '0_Transformer'))
  },
)
