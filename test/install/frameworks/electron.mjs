// node test/install/frameworks/electron.mjs: examples/electron packed by @electron/asar. Electron itself is not started: its worker
// runs in Node, from a folder named app.asar beside app.asar.unpacked, as Electron shows an archive to the programs in it.
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import config from '../../../examples/electron/forge.config.js'
import { filesBelow } from '../../../packaging/tarball.mjs'
import { addFiles, cleanEnv, expect, main, project, root, run, Skip, test, versionOf } from './harness.mjs'

const example = join(root, 'examples/electron')
const node22 = `node-linux-${process.arch}`
const sources = ['package.json', 'main.js', 'preload.cjs', 'index.html', 'renderer.js', 'worker.js']
let app
let resources

/** @electron/asar asks for a newer Node than the package does. */
function asarNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > 22 || (major === 22 && minor >= 12)) return process.execPath
  if (process.platform !== 'linux') throw new Skip(`@electron/asar needs Node 22.12, this is ${process.versions.node}`)
  return join(app, 'node_modules', node22, 'bin/node')
}

const pack = `
import { createPackageWithOptions, extractAll } from '@electron/asar'
import config from './forge.config.js'
await createPackageWithOptions('staging', 'resources/app.asar', config.packagerConfig.asar)
extractAll('resources/app.asar', 'resources/extracted')
`

test('asar leaves the addon and LibTorch outside, and nothing else', async () => {
  app = await project('electron', {
    packages: ['@electron/asar@4', ...(process.platform === 'linux' ? [`${node22}@22`] : [])],
  })
  // What Forge stages: the sources, and the dependencies without those of development.
  for (const file of sources) cpSync(join(example, file), join(app, 'staging', file))
  const leftOut =
    /node_modules\/(\.bin|@electron|node-linux|glob|minimatch|minipass|path-scurry|lru-cache|brace-expansion|balanced-match)/
  const filter = (source) => !leftOut.test(source.slice(app.length))
  cpSync(join(app, 'node_modules'), join(app, 'staging/node_modules'), { recursive: true, filter })
  cpSync(join(example, 'forge.config.js'), join(app, 'forge.config.js'))
  addFiles(app, { 'pack.mjs': pack })
  mkdirSync(join(app, 'resources'))
  await run(asarNode(), ['pack.mjs'], { cwd: app })
  resources = join(app, 'resources')
  const outside = filesBelow(join(resources, 'app.asar.unpacked'))
  const expected = filesBelow(join(app, 'staging')).filter((file) => /\.(node|dylib|so)$|\.so\.[\d.]+$/.test(file))
  expect(expected.length >= 5, `too few binaries in ${expected}`)
  expect(String(outside) === String(expected), `unpacked: ${outside}\nexpected: ${expected}`)
  const megabytes = (path) => (statSync(path).size / 1e6).toFixed(1)
  const total = outside.reduce((sum, file) => sum + statSync(join(resources, 'app.asar.unpacked', file)).size, 0)
  return `@electron/asar ${versionOf(app, '@electron/asar')}, app.asar ${megabytes(join(resources, 'app.asar'))} MB, beside it ${outside.length} files of ${(total / 1e6).toFixed(0)} MB`
})

/** Runs commands in the worker, with a stand-in for the port that Electron gives a utility process. */
const standIn = `
import { EventEmitter } from 'node:events'
const port = Object.assign(new EventEmitter(), { postMessage: (message) => process.send(message) })
Object.defineProperty(process, 'parentPort', { value: port })
process.on('message', (data) => port.emit('message', { data, ports: [] }))
await import(process.argv[2])
process.send('ready')
`

test('the worker loads, embeds and trains beside an archive', async () => {
  expect(resources, 'there is no archive')
  rmSync(join(resources, 'app.asar'))
  // The archive without what lies beside it: reading a binary from it fails.
  for (const file of filesBelow(join(resources, 'app.asar.unpacked'))) rmSync(join(resources, 'extracted', file))
  cpSync(join(resources, 'extracted'), join(resources, 'app.asar'), { recursive: true })
  for (const name of ['node_modules', 'staging', 'resources/extracted']) rmSync(join(app, name), { recursive: true })
  addFiles(app, { 'stand-in.mjs': standIn })
  const args = ['stand-in.mjs', join(resources, 'app.asar/worker.js')]
  const child = spawn(process.execPath, args, {
    cwd: app,
    env: cleanEnv(),
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'advanced',
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      said += text
    })
  const messages = []
  let arrived = () => {}
  child.on('message', (message) => {
    messages.push(message)
    arrived()
  })
  child.on('exit', () => arrived())
  const next = async (accept) => {
    for (;;) {
      const found = messages.find(accept)
      if (found) return found
      expect(child.exitCode === null, `the worker ended with ${child.exitCode}:\n${said}`)
      await new Promise((resolve) => {
        arrived = resolve
      })
    }
  }
  const call = async (id, command, args) => {
    child.send({ id, command, args })
    const { result, error } = await next((message) => message.id === id && !message.progress)
    expect(!error, `${command}: ${error?.code} ${error?.message}`)
    return result
  }
  try {
    await next((message) => message === 'ready')
    const { dimension } = await call(1, 'load', { folder: join(app, 'model') })
    expect(dimension === 32, `dimension ${dimension}`)
    const { data, shape } = await call(2, 'embed', { texts: ['the red cat', 'a blue dog'] })
    expect(data instanceof Float32Array && data.length === 64 && String(shape) === '2,32', `embeddings: ${shape}`)
    const pairs = ['red', 'green', 'blue', 'cat', 'dog', 'cow'].map((word) => [`the ${word}`, `a ${word}`])
    await call(3, 'train', { pairs, steps: 5, saveTo: join(app, 'trained') })
    const steps = messages.filter(({ id, progress }) => id === 3 && progress).map(({ progress }) => progress.step)
    expect(String(steps) === '1,2,3,4,5', `progress of steps ${steps}`)
    expect(existsSync(join(app, 'trained/model.safetensors')), 'the trained model is not saved')
    const maps = process.platform === 'linux' ? readFileSync(`/proc/${child.pid}/maps`, 'utf8') : ''
    const libraries = new Set(maps.match(/\/\S*(?:sentence_torch\.node|libtorch_cpu\.\S+)/g))
    for (const path of libraries) expect(path.includes('app.asar.unpacked/'), `${path} is not from app.asar.unpacked`)
    child.send({ id: 4, command: 'embed', args: { texts: [3] } })
    const { error } = await next(({ id }) => id === 4)
    expect(/^ERR_/.test(error?.code), `a wrong argument gave ${JSON.stringify(error)}`)
    return `node ${process.versions.node}, ${[...libraries].map((path) => path.split('/').at(-1)).join(' and ')} from app.asar.unpacked`
  } finally {
    child.kill()
  }
})

test('without `unpack` the error says what to set', async () => {
  const folder = join(resources ?? '', 'app.asar')
  expect(existsSync(folder), 'there is no archive')
  // Everything is in the archive, from which Electron reads but the dynamic linker cannot.
  cpSync(join(resources, 'app.asar.unpacked'), folder, { recursive: true })
  rmSync(join(resources, 'app.asar.unpacked'), { recursive: true })
  const code = `
    Object.defineProperty(process, 'versions', { value: { ...process.versions, electron: '45.0.0' } })
    const { SentenceTransformer } = await import(${JSON.stringify(join(folder, 'node_modules/sentence-torch/dist/bundle/index.js'))})
    await SentenceTransformer.load('model').catch((error) => console.log(error.code, error.message))`
  const said = await run(process.execPath, ['--input-type=module', '-e', code], { cwd: app })
  const { unpack } = config.packagerConfig.asar
  expect(said.startsWith('ERR_ADDON_LOAD') && said.includes(`unpack: "${unpack}"`), `the error is: ${said}`)
})

await main('Electron')
