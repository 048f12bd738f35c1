// Without a network, or with one that breaks off: every error names the way that needs none, and nothing half-written stays.
import { execFile } from 'node:child_process'
import { chmodSync, existsSync, readdirSync } from 'node:fs'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import { resolveModel } from '../../lib/models/hub.js'
import { type HubServer, hubServer } from '../helpers/hub-server.js'
import { temporaryFolder, writeModel } from '../helpers/model-folders.js'
import { setProxies } from '../helpers/proxy.js'
import { installModule } from './install-helpers.js'

const { resolveLibtorch } = await installModule<{ resolveLibtorch(options: object): Promise<unknown> }>('libtorch.mjs')

// HF_ENDPOINT and its kin belong to the process: the tests follow each other.
const serial = test.serial
for (const name of ['HF_TOKEN', 'HF_HUB_OFFLINE', 'HF_HOME', 'HF_HUB_CACHE', 'HF_HUB_DOWNLOAD_TIMEOUT']) {
  delete process.env[name]
}
setProxies({})

const modelWay =
  /Without network, load\('\.\/folder'\) takes a local folder; HF_HUB_OFFLINE=1 .* HF_HOME names another cache$/
const dataWay = /Without network, Dataset\.fromFile\('\.\/file'\) reads a local file; HF_HUB_OFFLINE=1 /

function filesBelow(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : []
}

async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function answering(t: ExecutionContext, answer: RequestListener): Promise<string> {
  const server = createHttpServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

serial('a closed port: models, data sets', async (t) => {
  const cache = await temporaryFolder(t)
  process.env.HF_ENDPOINT = `http://127.0.0.1:${await closedPort()}`
  const model = await t.throwsAsync(resolveModel('org/model', { cacheFolder: cache }), {
    code: 'ERR_NETWORK',
    message: /Could not get org\/model from http.*ECONNREFUSED/,
  })
  t.regex(model.message, modelWay)
  const data = await t.throwsAsync(Dataset.fromHub('org/data', { cacheDir: cache }), { code: 'ERR_NETWORK' })
  t.regex(data.message, dataWay)
  t.deepEqual(filesBelow(cache), [])
})

serial('a name that is not known', async (t) => {
  process.env.HF_ENDPOINT = 'https://hub.invalid'
  const cacheFolder = await temporaryFolder(t)
  const error = await t.throwsAsync(resolveModel('org/model', { cacheFolder }), {
    code: 'ERR_NETWORK',
    message: /ENOTFOUND|EAI_AGAIN/,
  })
  t.regex(error.message, modelWay)
})

const breaks: Record<string, (hub: HubServer) => void> = {
  'at the first question': (hub) => {
    hub.intercept = (_, response) => !!response.destroy()
  },
  'in the listing': (hub) => {
    hub.intercept = (path, response) => {
      if (!path.includes('/tree/')) return false
      response.writeHead(200, { 'content-length': 5000 }).write('[{', () => response.destroy())
      return true
    }
  },
  'in a file': (hub) => {
    hub.cutOff = 'model.safetensors'
  },
}
for (const [when, breakOff] of Object.entries(breaks)) {
  serial(`a hub that dies ${when}: the local way, and no file in part`, async (t) => {
    const root = await temporaryFolder(t)
    const cacheFolder = join(root, 'cache')
    await writeModel(join(root, 'origin'), '5.2')
    const hub = await hubServer(t, join(root, 'origin'))
    process.env.HF_ENDPOINT = hub.url
    breakOff(hub)
    const error = await t.throwsAsync(resolveModel('org/model', { cacheFolder }), { code: 'ERR_NETWORK' })
    t.regex(error.message, modelWay)
    t.deepEqual(
      filesBelow(cacheFolder).filter((name) => /incomplete|refs.main|model\.safetensors/.test(name)),
      [],
    )
    delete hub.intercept
    delete hub.cutOff
    await t.notThrowsAsync(resolveModel('org/model', { cacheFolder }))
  })
}

serial('an answer that says no is no lack of network', async (t) => {
  process.env.HF_ENDPOINT = await answering(t, (_, response) => response.writeHead(500).end())
  const error = await t.throwsAsync(resolveModel('org/model', { cacheFolder: await temporaryFolder(t) }), {
    code: 'ERR_NETWORK',
    message: /status 500$/,
  })
  t.notRegex(error.message, /Without network/)
})

serial('offline: models and data sets that the cache does not hold', async (t) => {
  const cache = await temporaryFolder(t)
  process.env.HF_HUB_OFFLINE = '1'
  t.teardown(() => delete process.env.HF_HUB_OFFLINE)
  await t.throwsAsync(resolveModel('org/model', { cacheFolder: cache }), {
    message: /neither a folder nor in the cache/,
  })
  const data = Dataset.fromHub('org/data', { cacheDir: cache })
  await t.throwsAsync(data, { code: 'ERR_NOT_FOUND', message: /HF_HUB_OFFLINE.*Dataset\.fromFile reads local files/ })
})

serial('LibTorch: a mirror that dies in the middle, and no pip', async (t) => {
  const root = await temporaryFolder(t)
  const url = await answering(t, (_, response) => {
    response.writeHead(200, { 'content-length': 1e6 }).write(Buffer.alloc(1000), () => response.destroy())
  })
  const zips = { 'linux-x64': { cpu: { path: 'libtorch.zip' } } }
  const wheel = { requirement: 'torch==0', file: 'torch.whl', sha256: '', bytes: 1 }
  const wheels = { 'linux-x64': { platforms: ['any'], wheels: [wheel] } }
  const env = { XDG_CACHE_HOME: root, SENTENCE_TORCH_LIBTORCH_MIRROR: url }
  const options = { env, platform: 'linux-x64', zips, wheels, python: join(root, 'no-python'), log() {} }
  await t.throwsAsync(resolveLibtorch(options), {
    name: 'LibtorchError',
    message: /zip http:.*: [\s\S]*no-python was not found[\s\S]*SENTENCE_TORCH_LIBTORCH=<that folder>/,
  })
  // What came is kept for the next try; nothing takes it for LibTorch.
  const left = filesBelow(join(root, 'sentence-torch'))
  t.deepEqual(
    left.filter((name) => !/^libtorch\.zip\.part(\.etag)?$/.test(name)),
    [],
  )
})

serial('folders that cannot be written name the variable that moves them', async (t) => {
  const root = await temporaryFolder(t)
  const home = join(root, 'home')
  await writeModel(join(root, 'origin'), '5.2')
  const hub = await hubServer(t, join(root, 'origin'))
  await writeModel(home, '5.2')
  chmodSync(root, 0o755)
  chmodSync(home, 0o555)
  t.teardown(() => chmodSync(home, 0o755))
  const here = (path: string) => new URL(path, import.meta.url).href
  // Root may write everywhere: it becomes nobody.
  const code = `
    const { resolveModel } = await import(${JSON.stringify(here('../../lib/models/hub.js'))})
    await import(${JSON.stringify(here('../../lib/models/hub-model.js'))})
    await import(${JSON.stringify(here('../../lib/io/hub-client.js'))})
    const { resolveLibtorch } = await import(${JSON.stringify(here('../../../install/libtorch.mjs'))})
    if (process.getuid() === 0) process.setuid(65534)
    const tell = (error) => console.log(JSON.stringify([error.code, error.message]))
    await resolveModel('org/model').catch(tell)
    await resolveLibtorch({ log() {} }).catch(tell)`
  const env = { PATH: process.env.PATH, HOME: home, HF_ENDPOINT: hub.url }
  // The hub answers from this process: it may not wait for the other one.
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], { env })
  const [model, libtorch] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as [string, string])
  t.is(model![0], 'ERR_FILE_SYSTEM')
  t.regex(model![1], /^Cannot write .* of org\/model into .*home.* \(HF_HOME names another cache\): permission denied/)
  t.regex(
    libtorch![1],
    /sentence-torch cannot be written \(EACCES\): XDG_CACHE_HOME names another folder.*SENTENCE_TORCH_LIBTORCH/,
  )
})
