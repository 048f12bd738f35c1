// The real addon where installations put it: beside the package, packed into an application, copied to another place.
import { constants, copyFileSync, linkSync, mkdirSync, readdirSync, renameSync, statSync, truncateSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { findAddon, findLibtorch } from '../../lib/native/find-addon.js'
import {
  installMain,
  type LoadResult,
  loadIn,
  platform,
  platformIndex,
  projectFolder,
  runIn,
  suffix,
  VERSION,
  writeFiles,
} from '../helpers/fake-install.js'
import { installModule } from '../unit/install-helpers.js'

const { placeLibtorch } = await installModule<{
  placeLibtorch(build: string, libtorch: { path: string; version: string; variant: string }): void
}>('local-libtorch.mjs')

const { found } = findAddon()
if (!found) throw new Error('the addon is not built: npm run build:native')
const { addonPath, bootPath } = found
const libtorch = findLibtorch(found)!
/** A home without a cache. */
const nowhere = { HOME: '/nonexistent', XDG_CACHE_HOME: '/nonexistent' }

function put(source: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true })
  try {
    linkSync(source, target)
  } catch {
    copyFileSync(source, target, constants.COPYFILE_FICLONE)
  }
}

/** A local build in `root`, as install/build.mjs leaves it. */
function build(root: string): string {
  const folder = join(root, 'build')
  put(addonPath, join(folder, 'Release/sentence_torch.node'))
  put(bootPath, join(folder, 'Release/boot.node'))
  placeLibtorch(folder, { path: libtorch.path, version: libtorch.version!, variant: 'cpu' })
  return folder
}

/** The packages of this platform in node_modules; `binaries`: where the files lie that the linker opens. */
function packages(modules: string, scratch: string, binaries = modules): void {
  const name = `@sentence-torch/${platform}`
  const library = `@sentence-torch/libtorch-${platform}`
  build(scratch)
  const placed = join(scratch, 'build/libtorch')
  const root = readdirSync(placed).includes('torch') ? 'torch' : 'libtorch'
  mkdirSync(join(binaries, library), { recursive: true })
  for (const part of readdirSync(placed)) renameSync(join(placed, part), join(binaries, library, part))
  put(addonPath, join(binaries, name, 'sentence_torch.node'))
  put(bootPath, join(binaries, name, 'boot.node'))
  const version = libtorch.version!
  writeFiles(modules, {
    [`${name}/package.json`]: JSON.stringify({ name, version: VERSION, main: 'index.js' }),
    [`${name}/index.js`]: platformIndex(`dirname(require.resolve('${library}/package.json'))`),
    [`${name}/libtorch.json`]: JSON.stringify({ version, variant: 'cpu' }),
    [`${library}/package.json`]: JSON.stringify({ name: library, version }),
    [`${library}/libtorch.json`]: JSON.stringify({ version, variant: 'cpu', root }),
  })
}

function loadsFrom(t: ExecutionContext, result: LoadResult, ...folders: string[]): void {
  t.is(result.message, undefined)
  t.is(result.runtime?.libtorchVersion, libtorch.version)
  // Hard links are one file for the linker, which shows the name that it was asked for.
  for (const file of result.mapped ?? [])
    t.true(
      folders.some((folder) => file.startsWith(`${folder}/`)),
      `${file} is below one of ${folders}`,
    )
  if (process.platform === 'linux') t.true(result.mapped!.length >= 4, `${result.mapped}`)
}

// CUDA builds hold no LibTorch.
const run = libtorch.variant === 'cpu' ? test.serial : test.serial.skip

run('the packages of this platform', (t) => {
  const folder = projectFolder(t)
  const modules = join(folder, 'node_modules')
  const root = installMain(modules)
  packages(modules, join(folder, 'scratch'))
  loadsFrom(t, loadIn(root, nowhere), join(modules, '@sentence-torch'))
  const env = { ...nowhere, SENTENCE_TORCH_ADDON: join(modules, '@sentence-torch', platform, 'sentence_torch.node') }
  loadsFrom(t, loadIn(root, env), join(modules, '@sentence-torch'))
})

run('twice in one process, and in worker threads', (t) => {
  const folder = projectFolder(t)
  const modules = join(folder, 'node_modules')
  const root = installMain(modules)
  packages(modules, join(folder, 'scratch'))
  const program = `
    const { Worker } = await import('node:worker_threads')
    const { pathToFileURL } = await import('node:url')
    const { href } = pathToFileURL(process.argv[1])
    const versions = []
    for (const query of ['', '?again']) versions.push((await import(href + query)).loadAddon().runtime().addonVersion)
    const source = 'import(' + JSON.stringify(href) + ').then(async ({ loadAddon }) => ' +
      "(await import('node:worker_threads')).parentPort.postMessage(loadAddon().runtime().addonVersion))"
    const workers = [1, 2].map(() => new Promise((resolve, reject) => {
      new Worker(source, { eval: true }).once('message', resolve).once('error', reject)
    }))
    versions.push(...await Promise.all(workers))
    console.log(JSON.stringify(versions))`
  t.deepEqual(runIn(root, program, nowhere), Array(4).fill(VERSION))
})

run('an application in app.asar with app.asar.unpacked beside it', (t) => {
  const folder = projectFolder(t)
  const modules = join(folder, 'app.asar/node_modules')
  const root = installMain(modules)
  packages(modules, join(folder, 'scratch'), join(folder, 'app.asar.unpacked/node_modules'))
  loadsFrom(t, loadIn(root, nowhere), join(folder, 'app.asar.unpacked/node_modules/@sentence-torch'))
})

run('a local build that was moved, without the cache', (t) => {
  const folder = projectFolder(t)
  build(installMain(join(folder, 'first/node_modules')))
  renameSync(join(folder, 'first'), join(folder, 'second'))
  const root = join(folder, 'second/node_modules/sentence-torch')
  loadsFrom(t, loadIn(root, nowhere), join(root, 'build'))
})

run('a local build of earlier versions, which names LibTorch by its absolute path', (t) => {
  const folder = projectFolder(t)
  const root = installMain(join(folder, 'node_modules'))
  const { path, version } = libtorch
  put(addonPath, join(root, 'build/Release/sentence_torch.node'))
  put(bootPath, join(root, 'build/Release/boot.node'))
  writeFiles(root, { 'build/libtorch.json': JSON.stringify({ path, version, variant: 'cpu' }) })
  loadsFrom(t, loadIn(root, nowhere), join(root, 'build'), dirname(path))
})

run('LibTorch without headers, named by SENTENCE_TORCH_LIBTORCH', (t) => {
  const folder = projectFolder(t)
  const root = installMain(join(folder, 'node_modules'))
  renameSync(join(build(root), 'libtorch'), join(folder, 'mine'))
  const [mine] = ['torch', 'libtorch'].map((name) => join(folder, 'mine', name)).filter((path) => exists(path))
  loadsFrom(t, loadIn(root, { ...nowhere, SENTENCE_TORCH_LIBTORCH: mine }), join(root, 'build'), join(folder, 'mine'))
})

run('a library that was cut off in the middle ends with the error, not with a signal', (t) => {
  const folder = projectFolder(t)
  const root = installMain(join(folder, 'node_modules'))
  const placed = build(root)
  const [library] = ['torch', 'libtorch']
    .map((name) => join(placed, 'libtorch', name, `lib/libc10.${suffix}`))
    .filter((path) => exists(path))
  const whole = statSync(library!).size
  // Not the file of the cache, which is the same one.
  copyFileSync(library!, `${library}.copy`)
  renameSync(`${library}.copy`, library!)
  for (const part of [0.9, 0.5, 0.1, 0]) {
    truncateSync(library!, Math.floor(whole * part))
    const { code, message = '' } = loadIn(root, nowhere)
    t.is(code, 'ERR_ADDON_LOAD')
    t.regex(message, /LibTorch is damaged: .*libc10\.\w+ \(.*(cut off|an empty file)/)
  }
})

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}
