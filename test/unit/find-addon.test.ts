// Which addon is taken, which LibTorch goes with it, and where both are opened when the application is packed.
import { cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { archiveOf, unpacked } from '../../lib/native/archives.js'
import { checkAddon, checkLibtorch, LoadProblem } from '../../lib/native/check-addon.js'
import { findAddon, findLibtorch } from '../../lib/native/find-addon.js'
import type { Installation } from '../../lib/native/installation.js'
import {
  installLibtorch,
  installMain,
  installPlatform,
  platform,
  projectFolder,
  stubLibrary,
  suffix,
  VERSION,
  writeFiles,
} from '../helpers/fake-install.js'

const require = createRequire(import.meta.url)
const own = `@sentence-torch/${platform}`
const cuda = `${own}-cuda13`

/** What platform.cts would find in these modules. */
function packagesIn(modules: string) {
  const attempt = (name: string) => () => {
    try {
      return { installed: require(join(modules, name)) }
    } catch (error) {
      // As the name would be in it, had it been asked for by its name.
      return {
        error: Object.assign(new Error(`Cannot find module '${name}'`), { code: (error as { code: string }).code }),
      }
    }
  }
  return { [own]: attempt(own), [cuda]: attempt(cuda) }
}

const installation = (root: string, more: Partial<Installation> = {}): Installation => ({
  ...{ root, platform: process.platform, arch: process.arch, glibc: '2.36', musl: false, electron: false, pnp: false },
  ...more,
})

test('SENTENCE_TORCH_ADDON, the local build, the package for CUDA, the package of the platform: in this order', (t) => {
  const folder = projectFolder(t)
  const modules = join(folder, 'node_modules')
  const root = join(modules, 'sentence-torch')
  const search = (env: NodeJS.ProcessEnv = {}) => findAddon({ env, root, packages: packagesIn(modules) })

  const none = search()
  t.is(none.found, undefined)
  t.deepEqual(
    none.steps.map(({ found }) => found),
    ['not set', 'not there', 'not installed', 'not installed'],
  )

  const home = installPlatform(modules)
  installLibtorch(modules)
  t.like(search().found, {
    source: own,
    addonPath: join(home, 'sentence_torch.node'),
    bootPath: join(home, 'boot.node'),
  })

  const gpu = installPlatform(modules, `${platform}-cuda13`)
  const unfilled = search()
  t.is(unfilled.found?.source, own, 'it was not filled')
  t.regex(unfilled.steps[2]!.found, /without LibTorch: `npx sentence-torch install cuda`/)
  writeFiles(gpu, { 'libtorch/libtorch.json': JSON.stringify({ version: '2.13.0', variant: '13.0', root: 'torch' }) })
  const filled = search()
  t.is(filled.found?.source, cuda)
  t.like(findLibtorch(filled.found!), { path: join(gpu, 'libtorch/torch'), variant: '13.0' })

  writeFiles(root, { 'build/Release/boot.node': stubLibrary(), 'build/build.log': '' })
  const half = search()
  t.is(half.found?.source, cuda, 'a build that did not finish is passed over')
  t.regex(half.steps[1]!.found, /not finished/)
  writeFiles(root, { 'build/Release/sentence_torch.node': stubLibrary(), 'build/build.lock': '{}' })
  const linking = search()
  t.is(linking.found?.source, cuda, 'a build that was killed while it linked is passed over')
  t.regex(linking.steps[1]!.found, /not finished/)
  rmSync(join(root, 'build/build.lock'))
  t.like(search().found, { source: 'build', addonPath: join(root, 'build/Release/sentence_torch.node') })

  const named = search({ SENTENCE_TORCH_ADDON: relative(process.cwd(), join(home, 'sentence_torch.node')) })
  t.like(named.found, { source: 'SENTENCE_TORCH_ADDON', addonPath: join(home, 'sentence_torch.node') })
  t.deepEqual(
    named.steps.map(({ step, chosen }) => [step, chosen]),
    [['SENTENCE_TORCH_ADDON', true]],
  )
})

test('LibTorch is found relative to the addon, wherever both are moved', (t) => {
  const folder = projectFolder(t)
  const modules = join(folder, 'node_modules')
  installPlatform(modules)
  installLibtorch(modules)
  writeFiles(join(modules, 'sentence-torch/build'), {
    'Release/boot.node': stubLibrary(),
    'Release/sentence_torch.node': stubLibrary(),
    'libtorch.json': JSON.stringify({ version: '2.13.0', variant: 'cpu', root: 'libtorch/torch' }),
  })
  const moved = join(folder, 'elsewhere/node_modules')
  mkdirSync(join(moved, '..'))
  renameSync(modules, moved)

  const local = findAddon({ env: {}, root: join(moved, 'sentence-torch'), packages: {} }).found!
  t.deepEqual(findLibtorch(local), {
    path: join(moved, 'sentence-torch/build/libtorch/torch'),
    ...{ version: '2.13.0', variant: 'cpu' },
  })
  rmSync(join(moved, 'sentence-torch/build'), { recursive: true })
  const installed = findAddon({ env: {}, root: join(moved, 'sentence-torch'), packages: packagesIn(moved) }).found!
  t.is(findLibtorch(installed)?.path, join(moved, `@sentence-torch/libtorch-${platform}/torch`))
})

test('an addon of a package, named by its path', (t) => {
  const modules = join(projectFolder(t), 'node_modules')
  const env = { SENTENCE_TORCH_ADDON: join(installPlatform(modules), 'sentence_torch.node') }
  const libtorch = installLibtorch(modules)
  t.is(findLibtorch(findAddon({ env }).found!)?.path, join(libtorch, 'torch'))
})

test('packed into app.asar: what the linker opens lies beside it, what is read stays inside', (t) => {
  const folder = projectFolder(t)
  const inside = join(folder, 'app.asar/node_modules')
  const outside = join(folder, 'app.asar.unpacked/node_modules')
  const root = join(inside, 'sentence-torch')
  installPlatform(inside)
  const libraries = installLibtorch(inside)
  writeFiles(root, { 'package.json': JSON.stringify({ version: VERSION }) })
  const search = () => findAddon({ env: {}, root, packages: packagesIn(inside) }).found!

  // What a folder is called says nothing where nothing reads archives.
  t.is(search().addonPath, join(inside, own, 'sentence_torch.node'))
  t.notThrows(() => checkAddon(search(), installation(root)))

  // As `asar pack --unpack '{*.node,*.so,*.so.*,*.dylib}'` leaves it.
  for (const name of ['boot.node', 'sentence_torch.node']) move(join(own, name))
  move(join(`@sentence-torch/libtorch-${platform}`, 'torch/lib'))
  function move(name: string) {
    mkdirSync(join(outside, name, '..'), { recursive: true })
    cpSync(join(inside, name), join(outside, name), { recursive: true })
    rmSync(join(inside, name), { recursive: true })
  }
  const found = search()
  t.like(found, { addonPath: join(outside, own, 'sentence_torch.node'), bootPath: join(outside, own, 'boot.node') })
  const libtorch = findLibtorch(found)!
  t.is(libtorch.path, join(outside, `@sentence-torch/libtorch-${platform}/torch`))
  const electron = installation(root, { electron: true })
  t.notThrows(() => checkAddon(found, electron))
  t.notThrows(() => checkLibtorch(libtorch, [join(libtorch.path, `lib/libc10.${suffix}`)], found, electron))

  // LibTorch's libraries were forgotten.
  renameSync(join(outside, `@sentence-torch/libtorch-${platform}/torch/lib`), join(libraries, 'torch/lib'))
  const problem = t.throws(() => checkLibtorch(findLibtorch(found), [], found, electron), { instanceOf: LoadProblem })
  t.regex(problem.what, /torch.lib is packed into an asar archive, where nothing native can be loaded from/)
  t.regex(problem.remedy, /unpack: "\{\*\.node,\*\.so,\*\.so\.\*,\*\.dylib\}"/)
})

test('packed into app.asar without unpacking the addon', (t) => {
  const root = join(projectFolder(t), 'app.asar/node_modules/sentence-torch')
  installPlatform(join(root, '..'))
  const found = findAddon({ env: {}, root, packages: packagesIn(join(root, '..')) }).found!
  const problem = t.throws(() => checkAddon(found, installation(root, { electron: true })), { instanceOf: LoadProblem })
  t.regex(problem.what, /sentence_torch\.node is packed into an asar archive/)
})

test('inside of a zip of Yarn', (t) => {
  const root = join(projectFolder(t), 'cache/sentence-torch.zip/node_modules/sentence-torch')
  installPlatform(join(root, '..'))
  const found = findAddon({ env: {}, root, packages: packagesIn(join(root, '..')) }).found!
  t.notThrows(() => checkAddon(found, installation(root)))
  const problem = t.throws(() => checkAddon(found, installation(root, { pnp: true })), { instanceOf: LoadProblem })
  t.regex(problem.what, /inside a zip archive of Yarn/)
  t.regex(
    problem.remedy,
    new RegExp(`"dependenciesMeta": \\{ "${own}": \\{ "unplugged": true \\}, "@sentence-torch/libtorch-`),
  )
})

test('places beside an archive', (t) => {
  const folder = projectFolder(t)
  writeFiles(folder, { 'app.asar/a': '', 'app.asar.unpacked/b': '', 'other.asar/c': '' })
  t.is(unpacked(join(folder, 'app.asar/b')), join(folder, 'app.asar.unpacked/b'))
  for (const name of ['app.asar/a', 'app.asar.unpacked/b', 'other.asar/c', 'app.asar'])
    t.is(unpacked(join(folder, name)), join(folder, name))
  const everywhere = { electron: true, pnp: true }
  t.is(archiveOf('/x/app.asar/node_modules/y', everywhere), 'asar')
  t.is(archiveOf('C:\\x\\app.asar\\y', everywhere), 'asar')
  t.is(archiveOf('/x/app.asar.unpacked/y', everywhere), undefined)
  t.is(archiveOf('/cache/y.zip/node_modules/y', everywhere), 'zip')
  t.is(archiveOf('/x/app.asar/y', { electron: false, pnp: false }), undefined)
})

test('a package that throws anything else is damaged, not absent', (t) => {
  const root = join(projectFolder(t), 'sentence-torch')
  const packages = { [own]: () => ({ error: new SyntaxError('Unexpected end of input') }) }
  const { found, steps } = findAddon({ env: {}, root, packages })
  t.is(found, undefined)
  t.is(steps.at(-1)?.found, 'damaged: Unexpected end of input')
})

test('a version is compared only where both are known', (t) => {
  const modules = join(projectFolder(t), 'node_modules')
  const root = join(modules, 'sentence-torch')
  const home = installPlatform(modules, platform, { version: '9.9.9' })
  const found = findAddon({ env: {}, root, packages: packagesIn(modules) }).found!
  t.notThrows(() => checkAddon(found, installation(root)))
  writeFiles(root, { 'package.json': JSON.stringify({ version: VERSION }) })
  t.throws(() => checkAddon(found, installation(root)), {
    message: /9\.9\.9 is installed beside sentence-torch 0\.1\.0/,
  })
  writeFileSync(join(home, 'package.json'), '')
  t.notThrows(() => checkAddon(found, installation(root)))
})

test('the folder of the package is found from inside a bundle, too', async (t) => {
  const folder = projectFolder(t)
  const root = installMain(join(folder, 'node_modules'))
  cpSync(join(root, 'install'), join(root, 'dist/bundle'), { recursive: true })
  for (const place of ['install', 'dist/bundle']) {
    const system = (await import(pathToFileURL(join(root, place, 'system.mjs')).href)) as { packageRoot: string }
    t.is(system.packageRoot, root, place)
  }
})
