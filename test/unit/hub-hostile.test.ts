// A hub that lies: listings, commits, paths and sizes; loads that are given up; caches with damaged or planted files.
import { existsSync } from 'node:fs'
import { copyFile, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { Dataset, type DatasetHubOptions } from '../../lib/data/dataset.js'
import { NanoBEIREvaluator } from '../../lib/evaluation/index.js'
import { loadCrossEncoderParts } from '../../lib/models/cross-encoder-load.js'
import { type HubOptions, resolveModel } from '../../lib/models/hub.js'
import { planFiles } from '../../lib/models/hub-files.js'
import { LanguageModelWeights } from '../../lib/models/language-model.js'
import { loadWith } from '../../lib/models/sentence-transformer.js'
import { fakeAddon } from '../helpers/fake-addon.js'
import { COMMIT, type HubServer, hubServer, type ListedFile, TOKEN } from '../helpers/hub-server.js'
import { temporaryFolder, writeModel } from '../helpers/model-folders.js'

// HF_ENDPOINT and its kin belong to the process: the tests follow each other.
const serial = test.serial
for (const name of ['HF_TOKEN', 'HF_HUB_OFFLINE', 'HF_HOME', 'HF_HUB_CACHE', 'HF_HUB_DOWNLOAD_TIMEOUT']) {
  delete process.env[name]
}

async function modelHub(t: ExecutionContext) {
  const root = await temporaryFolder(t)
  const [origin, cacheFolder] = [join(root, 'origin'), join(root, 'a/b/c/cache')]
  await writeModel(origin, '5.2')
  const hub = await hubServer(t, origin)
  process.env.HF_ENDPOINT = hub.url
  const resolve = (options: HubOptions = {}) => resolveModel('org/model', { cacheFolder, ...options })
  return { root, hub, cacheFolder, resolve, repo: join(cacheFolder, 'models--org--model') }
}

const golden = new URL('../../../test/parity/golden/data/none.parquet', import.meta.url)

async function dataHub(t: ExecutionContext) {
  const root = await temporaryFolder(t)
  const [origin, cacheDir] = [join(root, 'origin'), join(root, 'a/b/c/cache')]
  await mkdir(join(origin, 'data'), { recursive: true })
  for (const split of ['train', 'test']) {
    await copyFile(fileURLToPath(golden), join(origin, `data/${split}-00000-of-00001.parquet`))
  }
  const hub = await hubServer(t, origin, { id: 'org/data' })
  process.env.HF_ENDPOINT = hub.url
  const load = (options: DatasetHubOptions = {}) => {
    return Dataset.fromHub('org/data', { cacheDir, columns: ['text', 'idx'], ...options })
  }
  return { root, hub, cacheDir, load, repo: join(cacheDir, 'datasets--org--data') }
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = entries.filter((entry) => !entry.isDirectory())
  return files.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort()
}

const incomplete = async (repo: string) => (await filesBelow(repo)).filter((name) => name.includes('incomplete'))

const hostilePaths = [
  ...['../../../../../train.parquet', '/tmp/train.parquet', 'data/../../train.parquet', 'data/./train.parquet'],
  ...['data//train.parquet', 'data\\..\\train.parquet', 'C:/train.parquet', 'data/tr\0ain.parquet', 'tr\nain.parquet'],
  ...[`${'a'.repeat(300)}/train.parquet`, `${'a/'.repeat(600)}train.parquet`],
]
for (const path of hostilePaths) {
  serial(`a data set that lists ${JSON.stringify(path.slice(0, 40))} is refused, and nothing is written`, async (t) => {
    const { hub, load, root } = await dataHub(t)
    hub.entries = (entries) => entries.map((entry) => ({ ...entry, path }))
    const before = await filesBelow(root)
    const error = await t.throwsAsync(load(), { code: 'ERR_NETWORK', message: /listing of org\/data/ })
    t.notRegex(String(error?.message), /a{100}/)
    t.deepEqual(await filesBelow(root), before)
    t.false(hub.requests.some((request) => request.includes('/resolve/')))
  })
}

serial('a listed path with signs of addresses is asked for as it is', async (t) => {
  const { hub, load } = await dataHub(t)
  const path = 'data/%2e%2e%2f#train?.parquet'
  hub.entries = ([first]) => [{ ...first, path }]
  await t.throwsAsync(load(), { code: 'ERR_NOT_FOUND' })
  t.is(decodeURIComponent(hub.requests.at(-1)!), `/datasets/org/data/resolve/${COMMIT}/${path}`)
})

const wrongEntries: Record<string, (entry: ListedFile) => unknown> = {
  'no size': ({ size: _, ...entry }) => entry,
  'a negative size': (entry) => ({ ...entry, size: -1 }),
  'a size of letters': (entry) => ({ ...entry, size: '230' }),
  'half a byte': (entry) => ({ ...entry, size: 0.5 }),
  'an endless size': (entry) => ({ ...entry, size: 1e300 }),
  'a null size': (entry) => ({ ...entry, size: null }),
  'no path': ({ path: _, ...entry }) => entry,
  'a path that is a list': (entry) => ({ ...entry, path: ['a'] }),
  'a path of five thousand letters': (entry) => ({ ...entry, path: 'a'.repeat(5000) }),
  'no digest': ({ oid: _, lfs: __, ...entry }) => entry,
  'a digest that leads away': (entry) => ({ ...entry, lfs: undefined, oid: '../../../../x' }),
  'a digest of a number': (entry) => ({ ...entry, lfs: { oid: 7 } }),
  'a large file that is no object': (entry) => ({ ...entry, lfs: 'x' }),
  'a type that is none': (entry) => ({ ...entry, type: 7 }),
  'null for a file': () => null,
  'a text for a file': () => 'train.parquet',
}
for (const [what, change] of Object.entries(wrongEntries)) {
  serial(`a listing with ${what} is refused, for models and data sets`, async (t) => {
    const data = await dataHub(t)
    data.hub.entries = (entries) => entries.map(change)
    const message = /listing of .*|Expected/
    await t.throwsAsync(data.load(), { code: 'ERR_NETWORK', message })
    const model = await modelHub(t)
    model.hub.entries = (entries) => entries.map(change)
    await t.throwsAsync(model.resolve(), { code: 'ERR_NETWORK', message })
    t.deepEqual([...(await filesBelow(data.repo)), ...(await filesBelow(model.repo))], [])
  })
}

const isListing = (path: string) => path.includes('/tree/')
const isCommitAnswer = (path: string) => path.includes('/revision/')
const isFile = (path: string) => path.includes('/resolve/')

/** What the hub answers in place of a listing. */
const listings: Record<string, { body: string; message: RegExp }> = {
  'a page of the web': {
    body: '<html><body>Sign in to the Wi-Fi</body></html>',
    message: /listing of org\/data is not valid JSON/,
  },
  'an object': { body: '{"error": "busy"}', message: /Expected an array in the listing of org\/data/ },
  null: { body: 'null', message: /Expected an array in the listing/ },
  'a text': { body: '"abc"', message: /Expected an array in the listing/ },
  nothing: { body: '', message: /is not valid JSON/ },
  'deep lists': { body: '['.repeat(1e6) + ']'.repeat(1e6), message: /nests its values deeper than 200/ },
  'a million folders': { body: `[${'{"type":"d"},'.repeat(500_000)}{}]`, message: /more than 250000 files/ },
  'more bytes than a page has': { body: `["${'x'.repeat(9e6)}"]`, message: /longer than 8388608 bytes/ },
}
for (const [what, { body, message }] of Object.entries(listings)) {
  serial(`a listing that is ${what} is refused`, async (t) => {
    const { hub, load, repo } = await dataHub(t)
    hub.intercept = (path, response) => isListing(path) && !!response.end(body)
    await t.throwsAsync(load(), { code: 'ERR_NETWORK', message })
    t.deepEqual(await filesBelow(repo), [])
  })
}

serial('a listing without end, and one that goes round in circles', async (t) => {
  const { hub, load } = await dataHub(t)
  let pages = 0
  let next = () => String(++pages)
  hub.intercept = (path, response) => {
    if (!isListing(path)) return false
    response.setHeader('link', `<${hub.url}${path}?cursor=${next()}>; rel="next"`)
    return !!response.end('[]')
  }
  await t.throwsAsync(load(), { code: 'ERR_NETWORK', message: /more than 500 pages/ })
  t.is(pages, 500)
  next = () => '1'
  await t.throwsAsync(load(), { code: 'ERR_NETWORK', message: /round in circles/ })
  hub.intercept = (path, response) =>
    isListing(path) && !!response.setHeader('link', '<http://[>; rel="next"').end('[]')
  await t.throwsAsync(load(), { code: 'ERR_NETWORK', message: /names what is no address/ })
})

for (const sha of ['../../../x', COMMIT.toUpperCase(), COMMIT.slice(1), 7, undefined, null, [COMMIT]]) {
  serial(`a commit that is ${JSON.stringify(sha)} is refused`, async (t) => {
    const { hub, resolve, repo } = await modelHub(t)
    hub.intercept = (path, response) => isCommitAnswer(path) && !!response.end(JSON.stringify({ sha }))
    await t.throwsAsync(resolve(), { code: 'ERR_NETWORK', message: /no commit for org\/model/ })
    t.deepEqual(await filesBelow(repo), [])
  })
}

serial('an answer that is no object, and errors of the server', async (t) => {
  const { hub, resolve } = await modelHub(t)
  for (const body of ['null', '"x"', '<html>', '', '{"lastModified":{"toString":0}}']) {
    hub.intercept = (_, response) => !!response.end(body)
    await t.throwsAsync(resolve(), { code: 'ERR_NETWORK', message: /the answer of http/ })
  }
  for (const status of [400, 429, 500, 502]) {
    hub.intercept = (_, response) => !!response.writeHead(status).end('x')
    await t.throwsAsync(resolve(), { code: 'ERR_NETWORK', message: new RegExp(`status ${status}`) })
  }
})

const files: Record<string, (hub: HubServer) => HubServer['intercept']> = {
  'endless bytes': () => (path, response) => {
    const write = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
    }
    if (!isFile(path)) return false
    response.on('drain', write)
    write()
    return true
  },
  'no content': () => (path, response) => isFile(path) && !!response.writeHead(204).end(),
  'a page of the web': () => (path, response) => isFile(path) && !!response.end('<html>Sign in</html>'),
  'a connection that ends': () => (path, response) => isFile(path) && !!response.destroy(),
}
for (const [what, intercept] of Object.entries(files)) {
  serial(`instead of a file ${what}: nothing is left of it`, async (t) => {
    const { hub, resolve, repo } = await modelHub(t)
    hub.intercept = intercept(hub)
    await t.throwsAsync(resolve(), { code: 'ERR_NETWORK', message: /org\/model/ })
    t.deepEqual(await filesBelow(repo), [])
    hub.intercept = undefined
    await t.notThrowsAsync(resolve())
  })
}

serial('a token that a hostile server asks for elsewhere stays here', async (t) => {
  const { hub, resolve } = await modelHub(t)
  const told: (string | undefined)[] = []
  const other = await hubServer(t, await temporaryFolder(t))
  other.intercept = (_, response, request) => {
    told.push(request.headers.authorization)
    return !!response.end('[]')
  }
  hub.intercept = (path, response) => {
    return isFile(path) && !!response.writeHead(302, { location: `${other.url}/x`, 'x-cache': 'a cloudfront' }).end()
  }
  await t.throwsAsync(resolve({ token: TOKEN }), { code: 'ERR_NETWORK', message: /only https/ })
  hub.intercept = (path, response) => {
    if (isListing(path)) response.setHeader('link', `<${other.url}/page>; rel="next"`)
    return isListing(path) && !!response.end('[]')
  }
  await t.throwsAsync(resolve({ token: TOKEN }), { code: 'ERR_NETWORK', message: /only https/ })
  t.deepEqual(told, [])
})

serial('files that are read whole have a bound', async (t) => {
  const { hub, resolve, repo } = await modelHub(t)
  hub.entries = (entries) => entries.map((entry) => ({ ...entry, size: 1e9 }))
  await t.throwsAsync(resolve(), { code: 'ERR_NETWORK', message: /modules\.json of org\/model with 1000000000 bytes/ })
  t.deepEqual(await filesBelow(repo), [])
})

test('a modules.json that is none, or leads away, is refused', (t) => {
  const deep: unknown = JSON.parse('['.repeat(20_000) + ']'.repeat(20_000))
  const entry = (path: unknown) => [
    { path: '', type: 'x.Transformer' },
    { path, type: 'x.Pooling' },
  ]
  for (const modules of [
    {},
    'x',
    7,
    [1],
    entry(7),
    entry(deep),
    entry('../..'),
    entry('/etc'),
    entry('a\0'),
    entry('a\\b'),
  ]) {
    t.throws(() => planFiles(new Set(), modules), { code: 'ERR_INVALID_MODEL', message: /modules\.json/ })
  }
  t.throws(() => planFiles(new Set(), Array(100_000).fill({})), { code: 'ERR_INVALID_MODEL' })
})

/** What the hub does not answer. */
const phases = { commit: isCommitAnswer, listing: isListing, file: isFile }
for (const [phase, isIt] of Object.entries(phases)) {
  for (const begun of [false, true]) {
    serial(`a load is given up while it waits for the ${phase}${begun ? ', of which a part came' : ''}`, async (t) => {
      for (const { hub, load, repo } of [await dataHub(t), { ...(await modelHub(t)), load: undefined }]) {
        process.env.HF_ENDPOINT = hub.url
        const cacheFolder = join(repo, '..')
        const controller = new AbortController()
        const left = new Promise((resolve) => {
          hub.intercept = (path, response) => {
            if (!isIt(path)) return false
            if (begun) response.write('[')
            response.on('close', resolve)
            setTimeout(() => controller.abort(new Error('enough')), 50)
            return true
          }
        })
        const { signal } = controller
        const loaded = load ? load({ signal }) : loadWith(() => fakeAddon(), 'org/model', { cacheFolder, signal })
        const error = await t.throwsAsync(loaded, { code: 'ERR_ABORTED', message: /Loading org.* was aborted/ })
        t.like(error, { cause: { message: 'enough' } })
        t.deepEqual(await incomplete(repo), [])
        await left
      }
    })
  }
}

serial('a signal that fired before: nothing is asked or read', async (t) => {
  const { hub, cacheFolder, resolve } = await modelHub(t)
  const options = { cacheFolder, signal: AbortSignal.abort() }
  const forms = [
    () => loadWith(() => fakeAddon(), 'org/model', options),
    () => loadCrossEncoderParts(() => fakeAddon(), 'org/model', options),
    () => Dataset.fromHub('org/data', { cacheDir: cacheFolder, signal: options.signal }),
    () => new NanoBEIREvaluator({ datasetId: 'org/data' }).evaluate({} as never, { signal: options.signal }),
  ]
  for (const form of forms) await t.throwsAsync(form, { code: 'ERR_ABORTED' })
  t.deepEqual(hub.requests, [])
  const { path } = await resolve()
  await t.throwsAsync(
    loadWith(() => fakeAddon(), path, options),
    { code: 'ERR_ABORTED' },
  )
  await t.throwsAsync(Dataset.fromFile(fileURLToPath(golden), options as never), { code: 'ERR_UNKNOWN_OPTION' })
  const { signal } = options
  await t.throwsAsync(Dataset.fromFile(fileURLToPath(golden), { signal }), { code: 'ERR_ABORTED' })
  for (const wrong of [{ signal: 'x' as never }, { signal: {} as never }]) {
    const error = { code: 'ERR_INVALID_ARGUMENT', message: /AbortSignal for signal/ }
    await t.throwsAsync(
      loadWith(() => fakeAddon(), path, wrong),
      error,
    )
    await t.throwsAsync(Dataset.fromHub('org/data', wrong), error)
    await t.throwsAsync(Dataset.fromFile('x.jsonl', wrong), error)
  }
})

serial('the checkpoint of a loss is given up like a model', async (t) => {
  const { hub, cacheFolder, repo, root } = await modelHub(t)
  const controller = new AbortController()
  const { signal } = controller
  hub.intercept = (path) => {
    if (isFile(path)) controller.abort()
    return isFile(path)
  }
  const opened = LanguageModelWeights.open(
    { transformerPath: root, id: 'org/other', addon: fakeAddon() },
    'org/model',
    {
      cacheFolder,
      signal,
    },
  )
  await t.throwsAsync(opened, { code: 'ERR_ABORTED' })
  t.deepEqual(await filesBelow(repo), [])
})

serial('a load is given up while the weights come: the engine is freed', async (t) => {
  const { resolve } = await modelHub(t)
  const { path } = await resolve()
  const controller = new AbortController()
  const addon = fakeAddon()
  const { Encoder } = addon
  let disposals = 0
  addon.Encoder = class extends Encoder {
    override tensors() {
      controller.abort()
      return super.tensors()
    }
    override dispose() {
      disposals++
      return super.dispose()
    }
  }
  const loaded = loadWith(() => addon, path, { signal: controller.signal })
  await t.throwsAsync(loaded, { code: 'ERR_ABORTED', message: /Loading .*model\.safetensors was aborted/ })
  t.is(disposals, 1)
})

serial('evaluators that wait for the same sets: one gives up, the other goes on', async (t) => {
  const { hub } = await dataHub(t)
  const evaluator = new NanoBEIREvaluator({ datasetId: 'org/data', datasetNames: 'nq' })
  const controller = new AbortController()
  process.env.HF_HUB_CACHE = join(await temporaryFolder(t), 'cache')
  t.teardown(() => delete process.env.HF_HUB_CACHE)
  hub.intercept = (path) => {
    if (isCommitAnswer(path)) setTimeout(() => controller.abort(), 50)
    hub.intercept = undefined
    return true
  }
  const first = evaluator.evaluate({ similarityFnName: 'cosine' } as never, { signal: controller.signal })
  const second = evaluator.evaluate({ similarityFnName: 'cosine' } as never)
  await Promise.all([
    t.throwsAsync(first, { code: 'ERR_ABORTED' }),
    t.throwsAsync(second, { code: 'ERR_NOT_FOUND', message: /no config corpus/ }),
  ])
})

serial('what killed processes left is tidied up; what others write is not', async (t) => {
  const { repo, resolve, hub } = await modelHub(t)
  const blobs = join(repo, 'blobs')
  await mkdir(blobs, { recursive: true })
  const id = '01234567-89ab-cdef-0123-456789abcdef'
  const etag = hub.etag('config.json')
  const old = new Date(Date.now() - 2 * 3_600_000)
  for (const [name, isOld] of [
    [`${etag}.${id}.incomplete`, true],
    [`${hub.etag('tokenizer.json')}.${id}.incomplete`, false],
    [`${etag}.incomplete`, true],
    [`${etag}.01234567.incomplete`, true],
  ] as const) {
    await writeFile(join(blobs, name), 'half')
    if (isOld) await utimes(join(blobs, name), old, old)
  }
  await resolve()
  t.deepEqual(
    await incomplete(repo),
    [
      ...[`blobs/${hub.etag('tokenizer.json')}.${id}.incomplete`, `blobs/${etag}.01234567.incomplete`].sort(),
      `blobs/${etag}.incomplete`,
    ].sort(),
  )
})

serial('a ref that is no commit is not followed, but asked for again', async (t) => {
  for (const { hub, repo, load } of [
    await dataHub(t),
    await modelHub(t).then((model) => ({ ...model, load: model.resolve })),
  ]) {
    process.env.HF_ENDPOINT = hub.url
    await mkdir(join(repo, 'refs'), { recursive: true })
    for (const ref of ['../../x', 'main', '\0']) {
      await writeFile(join(repo, 'refs/main'), ref)
      await t.throwsAsync(load({ localFilesOnly: true }), { code: 'ERR_NOT_FOUND' })
      await load()
      t.is(await readFile(join(repo, 'refs/main'), 'utf8'), COMMIT)
    }
  }
})

const lists = [
  '{',
  '"x"',
  '[]',
  '[1]',
  '{"0": "x"}',
  'null',
  '["../../../../x.parquet"]',
  '["/etc/passwd"]',
  '["a\\u0000"]',
  '\xff',
]
serial('a damaged list of the files of a split is made anew', async (t) => {
  const { load, repo } = await dataHub(t)
  await load()
  const list = join(repo, (await readdir(repo)).find((file) => file.startsWith('.splits-'))!)
  const good = await readFile(list, 'utf8')
  for (const damaged of lists) {
    await writeFile(list, damaged, 'latin1')
    t.is((await load()).length, 23, damaged)
    t.is(await readFile(list, 'utf8'), good, damaged)
  }
  await writeFile(list, '{')
  t.is((await load({ localFilesOnly: true })).length, 23, 'as Python would leave it')
})

serial('long and odd names of configurations are no names of files', async (t) => {
  const { load } = await dataHub(t)
  for (const config of ['x'.repeat(5000), '\ud800', '../../x', 'a/b\0']) {
    await t.throwsAsync(load({ config }), { code: 'ERR_NOT_FOUND', message: /no Parquet|no config/ })
  }
  for (const options of [null, 7, { token: {} }, { localFilesOnly: 'x' }, { onProgress: 1 }]) {
    await t.throwsAsync(Dataset.fromHub('org/data', options as never), { code: 'ERR_INVALID_ARGUMENT' })
  }
})

serial('a cache that cannot be written is an error of the file system; an error of the caller stays one', async (t) => {
  const { hub, root } = await modelHub(t)
  const cacheFolder = join(root, 'file/cache')
  await writeFile(join(root, 'file'), '')
  const error = { code: 'ERR_FILE_SYSTEM', message: /Cannot write .*a part of the path is no folder/ }
  await t.throwsAsync(resolveModel('org/model', { cacheFolder }), error)
  const data = await dataHub(t)
  await rm(data.cacheDir, { recursive: true, force: true })
  await t.throwsAsync(data.load({ cacheDir: cacheFolder }), error)
  const odd = { code: 'ERR_INVALID_ARGUMENT', message: /cacheFolder/ }
  await t.throwsAsync(data.load({ cacheDir: `${data.cacheDir}\0` }), odd)
  process.env.HF_ENDPOINT = hub.url
  const own = new TypeError('mine')
  const onProgress = () => {
    throw own
  }
  const cache = join(root, 'other')
  t.is(await t.throwsAsync(resolveModel('org/model', { cacheFolder: cache, onProgress })), own)
  t.deepEqual(await incomplete(cache), [])
  t.false(existsSync(join(cache, 'models--org--model/refs')))
})
