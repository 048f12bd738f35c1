// What pack:all refuses, and which libraries of LibTorch it takes.
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { resolveLibtorch } from '#libtorch'
import { packageRoot } from '#system'
import { fakeLibtorch, writeTree } from './install-helpers.js'

const { neededLibraries, copyStripped } = (await import(
  pathToFileURL(join(packageRoot, 'packaging/libraries.mjs')).href
)) as {
  neededLibraries(path: string, platform: string): { home: string; root: string; libraries: string[] }
  copyStripped(source: string, target: string, platform: string): void
}
const { rootManifest, stageCuda, stagePlatform } = (await import(
  pathToFileURL(join(packageRoot, 'packaging/stage.mjs')).href
)) as {
  rootManifest(): object
  stageCuda(folder: string, root: object, addon: string): void
  stagePlatform(folder: string, root: object, options: { platform: string; addon: string; libtorch: string }): void
}
const require = createRequire(import.meta.url)
const here = `${process.platform}-${process.arch}`

function folderOf(t: ExecutionContext): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sentence-torch-pack-all-')))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The one line that it ends with; nothing half-written may stay. */
function refusal(t: ExecutionContext, options: Record<string, string>): string {
  const out = folderOf(t)
  const args = Object.entries({ out, ...options }).flatMap(([name, value]) => [`--${name}`, value])
  const script = join(packageRoot, 'packaging/pack-all.mjs')
  const { status, stderr, stdout } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' })
  t.is(status, 1)
  t.is(stdout, '')
  t.deepEqual(readdirSync(out), [])
  return stderr.slice(stderr.indexOf('pack:all: '))
}

/** A build folder whose addons are text. */
function fakeBuild(folder: string, libtorch?: object): string {
  const files = { 'Release/boot.node': 'no', 'Release/sentence_torch.node': 'binary' }
  writeTree(folder, libtorch ? { ...files, 'libtorch.json': JSON.stringify(libtorch) } : files)
  return join(folder, 'Release')
}

test('options that make no sense are refused with those that there are', (t) => {
  t.regex(
    refusal(t, { platform: 'win32-x64' }),
    /one of linux-x64, linux-arm64, darwin-arm64 is expected, found win32-x64/,
  )
  t.regex(refusal(t, { adon: 'x' }), /Unknown option '--adon'[\s\S]*--addon <folder>/)
})

test('a folder without LibTorch, a build of another version or for CUDA, and what is no binary', (t) => {
  const folder = folderOf(t)
  const libtorch = writeTree(join(folder, 'torch'), fakeLibtorch('2.13.0'))
  t.regex(refusal(t, { libtorch: `${folder}-absent` }), /--libtorch: .*does not exist/)

  const unfinished = fakeBuild(join(folder, 'unfinished'))
  t.regex(
    refusal(t, { libtorch, addon: unfinished }),
    /not the Release folder of a finished build.*npm run build:native/,
  )
  const old = fakeBuild(join(folder, 'old'), { version: '2.12.0', variant: 'cpu' })
  t.regex(
    refusal(t, { libtorch, addon: old }),
    /was built for LibTorch 2\.12\.0, but LibTorch 2\.13\.0 is to be packed/,
  )
  const cuda = fakeBuild(join(folder, 'cuda'), { version: '2.13.0', variant: '13.0' })
  t.regex(refusal(t, { libtorch, addon: cuda }), /was built for CUDA 13\.0/)
  const text = fakeBuild(join(folder, 'text'), { version: '2.13.0', variant: 'cpu' })
  t.regex(refusal(t, { libtorch, addon: text }), /boot\.node is no binary for/)
  rmSync(join(text, 'sentence_torch.node'))
  rmSync(join(text, 'boot.node'))
  t.regex(refusal(t, { libtorch, addon: text }), /boot\.node is missing: build first/)
})

test('a binary of another machine is not packed', (t) => {
  const other = here === 'linux-x64' ? 'linux-arm64' : 'linux-x64'
  t.throws(() => copyStripped(process.execPath, join(folderOf(t), 'copy'), other), { message: /no binary for Linux/ })
})

test('LibTorch brings what its libraries say that they need, in the layout of wheels and of zips', async (t) => {
  const path = await resolveLibtorch({ fetching: false }).then(
    (found) => found.path,
    () => undefined,
  )
  if (!path || process.platform !== 'linux') {
    t.log('skipped: no LibTorch is here')
    return t.pass()
  }
  const whole = neededLibraries(realpathSync(path), here)
  const names = whole.libraries.map((file) => basename(file))
  for (const name of ['libc10.so', 'libtorch_cpu.so']) t.true(names.includes(name))
  t.true(names.some((name) => name.startsWith('libgomp')))
  for (const library of whole.libraries)
    t.true(existsSync(join(whole.home, library)) || whole.root === 'libtorch', library)

  // The same libraries as the zip lays them out, without NVIDIA's and under a name of the user's.
  const folder = folderOf(t)
  mkdirSync(join(folder, 'mine/lib'), { recursive: true })
  for (const name of readdirSync(join(path, 'lib')))
    symlinkSync(join(path, 'lib', name), join(folder, 'mine/lib', name))
  writeFileSync(join(folder, 'mine/lib/libunused.so'), '')
  const zip = neededLibraries(join(folder, 'mine'), here)
  t.is(zip.root, 'libtorch')
  t.deepEqual(
    zip.libraries,
    names
      .filter((name) => existsSync(join(path, 'lib', name)))
      .map((name) => `libtorch/lib/${name}`)
      .sort(),
  )
})

interface PlatformPackage {
  folder: string
  libtorch(): string
}

test('packages with an addon say where it is and where its LibTorch is', (t) => {
  const report = process.report.getReport() as { sharedObjects?: string[] }
  const library = report.sharedObjects?.find((name) => /\/libdl(\.|-)/.test(name))
  if (here !== 'linux-x64' || !library) {
    t.log('skipped: this takes a small library of linux-x64 for an addon')
    return t.pass()
  }
  const folder = folderOf(t)
  const build = (variant: string) => {
    const addon = fakeBuild(join(folder, `build-${variant}`), { version: '2.13.0', variant, path: '/somewhere' })
    for (const name of ['boot.node', 'sentence_torch.node']) copyFileSync(library, join(addon, name))
    return addon
  }
  const [addon, cuda] = ['addon', 'cuda'].map((name) => join(folder, 'node_modules/@sentence-torch', name)) as [
    string,
    string,
  ]
  writeTree(join(folder, 'node_modules/@sentence-torch/libtorch-linux-x64'), { 'package.json': '{}' })
  for (const place of [addon, cuda]) mkdirSync(place)

  stagePlatform(addon, rootManifest(), { platform: 'linux-x64', addon: build('cpu'), libtorch: '2.13.0' })
  const installed = require(addon) as PlatformPackage
  t.is(installed.folder, addon)
  t.is(installed.libtorch(), join(folder, 'node_modules/@sentence-torch/libtorch-linux-x64'))
  t.deepEqual(require(join(addon, 'libtorch.json')), { version: '2.13.0', variant: 'cpu' })

  stageCuda(cuda, rootManifest(), build('13.0'))
  t.is((require(cuda) as PlatformPackage).libtorch(), join(cuda, 'libtorch'))
  t.deepEqual(require(join(cuda, 'libtorch.json')), { version: '2.13.0', variant: '13.0' })
  t.throws(() => stageCuda(cuda, rootManifest(), build('12.8')), { message: /was built for 12\.8/ })
})
