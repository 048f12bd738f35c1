import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { basename, join } from 'node:path'
import { setTimeout } from 'node:timers'
import test, { type ExecutionContext } from 'ava'
import { hubCacheFolder } from '../../lib/io/hub-cache.js'
import { writeSafetensors } from '../../lib/io/safetensors.js'
import { newId } from '../../lib/io/temporary.js'
import { type HubOptions, resolveModel } from '../../lib/models/hub.js'
import { planFiles, weightIndex } from '../../lib/models/hub-files.js'
import { LanguageModelWeights } from '../../lib/models/language-model.js'
import { readModelFolder } from '../../lib/models/model-folder.js'
import { loadWith } from '../../lib/models/sentence-transformer.js'
import { fakeAddon } from '../helpers/fake-addon.js'
import { COMMIT, hubServer, TOKEN } from '../helpers/hub-server.js'
import { temporaryFolder, writeFiles, writeModel } from '../helpers/model-folders.js'
import { torchFile, toTorchFile } from '../helpers/torch-file.js'

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

/** A hub whose model has weights of 5 MiB. */
async function largeHub(t: ExecutionContext) {
  const { origin, ...rest } = await setUp(t)
  const bytes = Buffer.alloc(5 * MIB, 'weights of a model ')
  await writeFile(join(origin, 'model.safetensors'), bytes)
  const hub = await hubServer(t, origin)
  process.env.HF_ENDPOINT = hub.url
  const asked: (string | undefined)[] = []
  const blob = join(rest.repo, 'blobs', hub.etag('model.safetensors'))
  return { ...rest, hub, bytes, blob, asked }
}

const MIB = 1024 * 1024

serial('a download goes on where its connection broke off', async (t) => {
  const { hub, resolve, bytes, blob, asked } = await largeHub(t)
  hub.intercept = (path, response, request) => {
    if (!path.endsWith('model.safetensors') || !path.startsWith('/cdn/')) return false
    asked.push(request.headers.range)
    const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const part = { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }
    response.writeHead(start > 0 ? 206 : 200, { 'content-length': bytes.length - start, ...(start > 0 && part) })
    response.write(bytes.subarray(start, start + 2 * MIB), () => setTimeout(() => response.destroy(), 50))
    if (start + 2 * MIB >= bytes.length) response.end()
    return true
  }
  const progress: { file: string; loaded: number; total: number }[] = []
  await resolve({ onProgress: (step) => progress.push(step) })
  t.true((await readFile(blob)).equals(bytes))
  // What was on its way when it broke off may be lost.
  const starts = asked.map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0))
  t.is(starts.length, 3)
  t.true(starts[0] === 0 && starts[1]! > MIB && starts[2]! > starts[1]! + MIB && starts[2]! <= 4 * MIB, `${starts}`)
  const steps = progress.filter(({ file }) => file === 'model.safetensors').map(({ loaded }) => loaded)
  t.true(steps.every((loaded, i) => i === 0 || loaded >= steps[i - 1]!))
  t.is(progress.at(-1)!.loaded, progress.at(-1)!.total)
})

for (const [what, status, range, code] of [
  ['gives the whole file', 200, undefined, undefined],
  ['gives another part', 206, 'bytes 0-5242879/5242880', /gives the part bytes 0-/],
  [
    'has another file there',
    206,
    'bytes 1310720-9999999/10000000',
    /gives the part .* instead of the bytes from \d+ on, of 5242880/,
  ],
  ['has nothing there', 416, undefined, /status 416/],
] as const) {
  serial(`a download that broke off, of a hub that then ${what}`, async (t) => {
    const { hub, resolve, bytes, blob, asked } = await largeHub(t)
    hub.intercept = (path, response, request) => {
      if (!path.endsWith('model.safetensors') || !path.startsWith('/cdn/')) return false
      asked.push(request.headers.range)
      if (asked.length === 1) {
        response.writeHead(200, { 'content-length': bytes.length })
        response.write(bytes.subarray(0, 2 * MIB), () => setTimeout(() => response.destroy(), 50))
      } else response.writeHead(status, range === undefined ? {} : { 'content-range': range }).end(bytes)
      return true
    }
    if (code === undefined) {
      await resolve()
      t.true((await readFile(blob)).equals(bytes))
    } else await t.throwsAsync(resolve(), { code: 'ERR_NETWORK', message: code })
    t.is(asked.length, 2)
    t.false((await filesIn(join(blob, '..'))).some((name) => name.includes('incomplete')))
  })
}

serial('a download goes on where a killed process left it, whatever that is', async (t) => {
  const { hub, resolve, bytes, blob, asked } = await largeHub(t)
  hub.intercept = (path, response, request) => {
    if (!path.endsWith('model.safetensors') || !path.startsWith('/cdn/')) return false
    asked.push(request.headers.range)
    const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const part = { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }
    response.writeHead(start > 0 ? 206 : 200, start > 0 ? part : {}).end(bytes.subarray(start))
    return true
  }
  await mkdir(join(blob, '..'), { recursive: true })
  const gone = spawnSync(process.execPath, ['-e', '']).pid
  const left = (name: string) => `${blob}.${newId().replace(`-${process.pid}-`, `-${gone}-`)}${name}.incomplete`
  for (const [what, content, ranges] of [
    ['a beginning', bytes.subarray(0, 1000), ['bytes=1000-']],
    ['all of it', bytes, []],
    ['something else', Buffer.alloc(2000, 'x'), ['bytes=2000-', undefined]],
    ['something longer', Buffer.alloc(6 * MIB, 'x'), [undefined]],
    ['nothing', Buffer.of(), [undefined]],
  ] as const) {
    asked.length = 0
    await rm(blob, { force: true })
    await writeFile(left(''), bytes.subarray(0, 10))
    await writeFile(left(''), content)
    // Of a process that lives, and one of Python.
    const own = [`${blob}.${newId()}.incomplete`, `${blob}.incomplete`]
    for (const path of own) await writeFile(path, 'mine')
    await resolve()
    t.true((await readFile(blob)).equals(bytes), what)
    if (what !== 'nothing') t.deepEqual(asked, [...ranges], what)
    const incomplete = (await filesIn(join(blob, '..'))).filter((name) => name.includes('incomplete'))
    t.deepEqual(incomplete, own.map((path) => basename(path)).sort(), what)
    for (const path of own) await rm(path)
  }
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

serial('weights of torch.save are fetched where there are no safetensors', async (t) => {
  const { origin, cacheFolder, snapshot } = await setUp(t)
  await toTorchFile(origin)
  await toTorchFile(join(origin, '2_Dense'))
  process.env.HF_ENDPOINT = (await hubServer(t, origin)).url
  await loadWith(() => fakeAddon(), 'org/model', { cacheFolder })
  t.deepEqual(
    (await filesIn(snapshot)).sort(),
    WANTED.map((name) => name.replace('model.safetensors', 'pytorch_model.bin')).sort(),
  )
})

/** Takes a model's weights for the second of two shards of these names. */
async function shard(
  origin: string,
  index: string,
  names: readonly [string, string],
  named: readonly string[] = names,
) {
  const extension = index.includes('.bin') ? '.bin' : '.safetensors'
  if (extension === '.bin') await toTorchFile(origin)
  else await rm(join(origin, 'pytorch_model.bin'))
  const whole = join(origin, extension === '.bin' ? 'pytorch_model.bin' : 'model.safetensors')
  await cp(whole, join(origin, names[1]))
  await rm(whole)
  if (extension === '.bin') await writeFile(join(origin, names[0]), torchFile({}))
  else await writeSafetensors(join(origin, names[0]), [])
  const weight_map = Object.fromEntries(named.map((name, i) => [`t${i}`, name]))
  await writeFiles(origin, { [index]: { weight_map } })
}

for (const [index, names] of [
  ['model.safetensors.index.json', ['a.safetensors', 'model-2-of-2.safetensors']],
  ['pytorch_model.bin.index.json', ['pytorch_model-00001-of-00002.bin', 'other.bin']],
] as const) {
  serial(`shards of any name, as ${index} says`, async (t) => {
    const { origin, cacheFolder, snapshot } = await setUp(t)
    await shard(origin, index, names)
    const hub = await hubServer(t, origin)
    process.env.HF_ENDPOINT = hub.url
    const options = { cacheFolder }
    await loadWith(() => fakeAddon(), 'org/model', options)
    const fetched = await filesIn(snapshot)
    for (const name of [index, ...names]) t.true(fetched.includes(name), name)
    hub.requests.length = 0
    await loadWith(() => fakeAddon(), 'org/model', options)
    t.deepEqual(hub.requests, [])
    await rm(join(snapshot, names[0]))
    const offline = resolveModel('org/model', { ...options, localFilesOnly: true })
    await t.throwsAsync(offline, { code: 'ERR_INVALID_MODEL', message: new RegExp(`lacks ${names[0]}`) })
    await loadWith(() => fakeAddon(), 'org/model', options)
    t.true((await filesIn(snapshot)).includes(names[0]))
  })
}

serial('shards outside of the folder, of another kind or without their file', async (t) => {
  for (const [named, code, message] of [
    [['../../../x.safetensors'], 'ERR_INVALID_FILE', /weight_map\.t0 of .*index\.json names the path .*"\.\."/],
    [['sub/x.safetensors'], 'ERR_INVALID_FILE', /a \.safetensors file beside it as weight_map\.t0/],
    [['config.json'], 'ERR_INVALID_FILE', /a \.safetensors file beside it/],
    [['x.bin'], 'ERR_INVALID_FILE', /a \.safetensors file beside it/],
    [['absent.safetensors'], 'ERR_INVALID_MODEL', /org\/model lacks absent\.safetensors/],
  ] as const) {
    const { origin, cacheFolder } = await setUp(t)
    await shard(origin, 'model.safetensors.index.json', ['a.safetensors', 'b.safetensors'], named)
    process.env.HF_ENDPOINT = (await hubServer(t, origin)).url
    await t.throwsAsync(resolveModel('org/model', { cacheFolder }), { code, message }, named[0])
  }
})

serial('a model with weights for other programs alone is refused, with the way out', async (t) => {
  const { origin, cacheFolder } = await setUp(t)
  for (const name of ['model.safetensors', 'pytorch_model.bin']) await rm(join(origin, name))
  process.env.HF_ENDPOINT = (await hubServer(t, origin)).url
  const error = await t.throwsAsync(resolveModel('org/model', { cacheFolder }), { code: 'ERR_UNSUPPORTED' })
  t.regex(error.message, /tf_model\.h5, onnx\/model\.onnx.*SentenceTransformer\("org\/model"\)\.save/)
})

serial('files of one kind of model are fetched for that kind, even into a cache that has all others', async (t) => {
  const { origin, cacheFolder } = await setUp(t)
  await writeFile(join(origin, 'generation_config.json'), '{}')
  const server = await hubServer(t, origin)
  process.env.HF_ENDPOINT = server.url
  const { path } = await resolveModel('org/model', { cacheFolder })
  t.false(existsSync(join(path, 'generation_config.json')))
  const files = ['generation_config.json', 'other.json']
  await resolveModel('org/model', { cacheFolder, files })
  t.true(existsSync(join(path, 'generation_config.json')))
  process.env.HF_ENDPOINT = 'http://127.0.0.1:1'
  t.is((await resolveModel('org/model', { cacheFolder, files })).path, path, 'what does not exist is known, too')
})

test('the plan of files: shards with their index, the older transformer folder, no way out of the cache', (t) => {
  const index = 'model.safetensors.index.json'
  const sharded = new Set(['config.json', 'tokenizer.json', 'pytorch_model.bin', index, 'b.safetensors'])
  t.is(weightIndex(sharded, undefined), index)
  t.deepEqual(planFiles(sharded, undefined, ['a.safetensors', 'b.safetensors']), {
    needed: ['config.json', 'tokenizer.json', index, 'b.safetensors'],
    missing: ['a.safetensors'],
  })
  t.is(weightIndex(new Set(['model.safetensors', index]), undefined), undefined)
  t.is(weightIndex(new Set(['pytorch_model.bin.index.json']), undefined), 'pytorch_model.bin.index.json')
  const modules = [
    { path: '0_Transformer', type: 'x.Transformer' },
    { path: '1_Pooling', type: 'x.Pooling' },
  ]
  t.deepEqual(planFiles(new Set(['0_Transformer/config.json']), modules).missing, [
    ...['0_Transformer/tokenizer.json', '0_Transformer/model.safetensors', '1_Pooling/config.json'],
  ])
  t.throws(() => planFiles(new Set(), [{ path: '../..', type: 'x.Transformer' }]), { code: 'ERR_INVALID_MODEL' })
  // An adapter leaves model and tokenizer to its base, unless they are there, too.
  const adapter = ['adapter_config.json', 'adapter_model.safetensors']
  t.deepEqual(planFiles(new Set([...adapter, 'README.md', 'optimizer.pt']), undefined), {
    needed: adapter,
    missing: [],
  })
  t.deepEqual(planFiles(new Set(['adapter_config.json', 'tokenizer.json']), undefined), {
    needed: ['adapter_config.json', 'tokenizer.json'],
    missing: ['adapter_model.safetensors'],
  })
  const whole = ['config.json', 'tokenizer.json', ...adapter, 'model.safetensors']
  t.deepEqual(planFiles(new Set(whole), undefined).needed.sort(), [...whole].sort())
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
