// What a build puts beside the addon, the heads of shared libraries, and folders of LibTorch without headers.
import {
  chmodSync,
  existsSync,
  type linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { inspectBinary, LibtorchFault, readLibtorch } from '#system'
import { projectFolder, stubLibrary, suffix, writeFiles } from '../helpers/fake-install.js'
import { fakeLibtorch, installModule } from './install-helpers.js'

interface Libtorch {
  path: string
  version: string
  variant: string
}
const { placeLibtorch } = await installModule<{
  placeLibtorch(build: string, libtorch: Libtorch, options?: { link?: typeof linkSync }): void
}>('local-libtorch.mjs')
const { inspectLibtorch } = await installModule<{
  inspectLibtorch(
    folder: string,
    options?: { headers?: boolean },
  ): { path?: string; version?: string; problem?: string; abi?: number }
}>('libtorch-folder.mjs')
const { neededLibraries } = await installModule<{ neededLibraries(path: string): string[] }>('binary.mjs')

/** An ELF file with the libraries that it needs. */
function elfNeeding(names: string[], machine = 62): Buffer {
  const [headers, dynamicAt, base] = [64 + 2 * 56, 512, 0x1000]
  const strings = Buffer.from(`\0${names.map((name) => `${name}\0`).join('')}`)
  const entries = [...names.map((name) => [1, strings.indexOf(`\0${name}\0`) + 1]), [5, base + headers], [0, 0]]
  const bytes = Buffer.alloc(dynamicAt + entries.length * 16 + 256)
  stubLibrary('linux-x64', 0).copy(bytes)
  bytes.writeUInt16LE(machine, 18)
  bytes.writeBigUInt64LE(64n, 32)
  bytes.writeUInt16LE(2, 56)
  const segment = (at: number, type: number, offset: number, address: number, size: number) => {
    bytes.writeUInt32LE(type, at)
    for (const [field, value] of [
      [8, offset],
      [16, address],
      [32, size],
    ] as const)
      bytes.writeBigUInt64LE(BigInt(value), at + field)
  }
  segment(64, 1, 0, base, bytes.length)
  segment(64 + 56, 2, dynamicAt, base + dynamicAt, entries.length * 16)
  strings.copy(bytes, headers)
  entries.forEach(([tag, value], i) => {
    bytes.writeBigUInt64LE(BigInt(tag!), dynamicAt + i * 16)
    bytes.writeBigUInt64LE(BigInt(value!), dynamicAt + i * 16 + 8)
  })
  return bytes
}

/** LibTorch as a wheel brings it, with more than a cpu-only addon needs. */
function wheel(root: string): string {
  writeFiles(root, {
    'torch/version.py': "__version__ = '2.13.0+cu130'\n",
    'torch/lib/libtorch_cpu.so': elfNeeding(['libc10.so', 'libgomp.so.1', 'libcudart.so.13', 'libm.so.6']),
    'torch/lib/libc10.so': elfNeeding(['libm.so.6']),
    'torch/lib/libtorch_cuda.so': elfNeeding(['libcublas.so.13']),
    'torch/include/ATen/core/Tensor.h': '',
    'nvidia/cu13/lib/libcudart.so.13': elfNeeding([]),
    'nvidia/cu13/lib/libcublas.so.13': elfNeeding([]),
  })
  writeFiles(root, { 'elsewhere/libgomp.so.1.0.0': elfNeeding([]) })
  symlinkSync('../../elsewhere/libgomp.so.1.0.0', join(root, 'torch/lib/libgomp.so.1'))
  return join(root, 'torch')
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort()
}

const placed = [
  'nvidia/cu13/lib/libcudart.so.13',
  'torch/lib/libc10.so',
  'torch/lib/libgomp.so.1',
  'torch/lib/libtorch_cpu.so',
  'torch/version.py',
]
const onLinux = process.platform === 'linux' ? test : test.skip

onLinux(
  'a build holds hard links to what the addon runs with, in the layout of the source, and nothing absolute',
  (t) => {
    const folder = projectFolder(t)
    const path = wheel(join(folder, 'cache'))
    const build = join(folder, 'build')
    mkdirSync(build)
    placeLibtorch(build, { path, version: '2.13.0', variant: 'cpu' })
    t.deepEqual(filesIn(join(build, 'libtorch')), placed)
    for (const name of placed)
      t.is(statSync(join(build, 'libtorch', name)).ino, statSync(join(folder, 'cache', name)).ino, name)
    const text = readFileSync(join(build, 'libtorch.json'), 'utf8')
    t.deepEqual(JSON.parse(text), { version: '2.13.0', variant: 'cpu', root: 'libtorch/torch' })
    t.deepEqual(readdirSync(build).sort(), ['libtorch', 'libtorch.json'])

    const before = statSync(join(build, 'libtorch')).ino
    placeLibtorch(build, { path, version: '2.13.0', variant: 'cpu' })
    t.is(statSync(join(build, 'libtorch')).ino, before, 'what is there already is left alone')

    rmSync(join(folder, 'cache'), { recursive: true })
    t.true(existsSync(join(build, 'libtorch/torch/lib/libgomp.so.1')))
  },
)

onLinux('copies where links are impossible', (t) => {
  const folder = projectFolder(t)
  const path = wheel(join(folder, 'cache'))
  mkdirSync(join(folder, 'build'))
  const link = () => {
    throw Object.assign(new Error('cross-device link'), { code: 'EXDEV' })
  }
  placeLibtorch(join(folder, 'build'), { path, version: '2.13.0', variant: 'cpu' }, { link })
  const copy = join(folder, 'build/libtorch/torch/lib/libc10.so')
  t.deepEqual(readFileSync(copy), readFileSync(join(path, 'lib/libc10.so')))
  t.not(statSync(copy).ino, statSync(join(path, 'lib/libc10.so')).ino)
  const before = statSync(join(folder, 'build/libtorch')).ino
  placeLibtorch(join(folder, 'build'), { path, version: '2.13.0', variant: 'cpu' }, { link })
  t.is(statSync(join(folder, 'build/libtorch')).ino, before, 'nothing is copied twice')
})

onLinux('another LibTorch takes the place of the first as a whole; a failure leaves the first', (t) => {
  const folder = projectFolder(t)
  const build = join(folder, 'build')
  mkdirSync(join(build, 'libtorch.filling-1/torch'), { recursive: true })
  placeLibtorch(build, { path: wheel(join(folder, 'cache')), version: '2.13.0', variant: 'cpu' })
  t.false(existsSync(join(build, 'libtorch.filling-1')), 'leftovers of a build that was killed')

  const zip = join(folder, 'mine')
  writeFiles(zip, {
    'build-version': '2.12.0+cpu\n',
    'lib/libtorch_cpu.so': elfNeeding(['libc10.so', 'libgomp-24e2ab19.so.1']),
    'lib/libc10.so': elfNeeding([]),
    'lib/libgomp-24e2ab19.so.1': elfNeeding([]),
  })
  const link = () => {
    rmSync(join(zip, 'lib/libgomp-24e2ab19.so.1'), { force: true })
    throw new Error('no links')
  }
  t.throws(() => placeLibtorch(build, { path: zip, version: '2.12.0', variant: 'cpu' }, { link }), { code: 'ENOENT' })
  t.deepEqual(filesIn(join(build, 'libtorch')), placed)
  t.like(JSON.parse(readFileSync(join(build, 'libtorch.json'), 'utf8')), { version: '2.13.0' })
  t.deepEqual(readdirSync(build).sort(), ['libtorch', 'libtorch.json'])

  writeFileSync(join(zip, 'lib/libgomp-24e2ab19.so.1'), elfNeeding([]))
  placeLibtorch(build, { path: zip, version: '2.12.0', variant: 'cpu' })
  t.deepEqual(filesIn(join(build, 'libtorch')), [
    'libtorch/build-version',
    'libtorch/lib/libc10.so',
    'libtorch/lib/libgomp-24e2ab19.so.1',
    'libtorch/lib/libtorch_cpu.so',
  ])
  t.like(JSON.parse(readFileSync(join(build, 'libtorch.json'), 'utf8')), { root: 'libtorch/libtorch' })
})

onLinux('LibTorch for CUDA stays where it is', (t) => {
  const folder = projectFolder(t)
  const build = join(folder, 'build')
  mkdirSync(build)
  const path = wheel(join(folder, 'cache'))
  placeLibtorch(build, { path, version: '2.13.0', variant: '13.0' })
  t.deepEqual(readdirSync(build), ['libtorch.json'])
  t.deepEqual(JSON.parse(readFileSync(join(build, 'libtorch.json'), 'utf8')), {
    path,
    version: '2.13.0',
    variant: '13.0',
  })
})

test('what a library needs, which machine it is for, and whether it is whole', (t) => {
  const folder = projectFolder(t)
  const whole = elfNeeding(['libc10.so', 'libm.so.6'])
  const file = (content: Buffer | string) => {
    writeFileSync(join(folder, 'file'), content)
    return join(folder, 'file')
  }
  t.deepEqual(neededLibraries(file(whole)), ['libc10.so', 'libm.so.6'])
  t.deepEqual(neededLibraries(file('text')), [])
  t.like(inspectBinary(file(whole)), { state: 'whole', description: 'Linux x64', machine: 'linux-x64' })
  t.like(inspectBinary(file(elfNeeding([], 183))), { machine: 'linux-arm64' })
  t.like(inspectBinary(file(elfNeeding([], 8))), {
    description: 'Linux of another processor',
    machine: 'linux-unknown',
  })
  for (let length = 0; length < whole.length; length += 13)
    t.is(
      inspectBinary(file(whole.subarray(0, length))).state,
      length > 0 && length < 4 ? 'no library' : 'cut off',
      `${length}`,
    )
  t.is(inspectBinary(file('#!/bin/sh\n')).description, 'not a shared library')
  t.is(inspectBinary(join(folder, 'absent')).state, 'missing')
  t.is(inspectBinary(join(folder, 'file/below')).state, 'missing')
  t.is(inspectBinary(folder).description, 'a folder')
  t.is(inspectBinary('/dev/null').description, 'not a file')

  const mach = Buffer.concat([stubLibrary('darwin-arm64', 32 + 72), Buffer.alloc(4000)])
  mach.writeUInt32LE(0x19, 32)
  mach.writeUInt32LE(72, 36)
  mach.writeBigUInt64LE(1000n, 32 + 40)
  mach.writeBigUInt64LE(3000n, 32 + 48)
  t.like(inspectBinary(file(mach)), { state: 'whole', machine: 'darwin-arm64', description: 'macOS arm64' })
  t.is(inspectBinary(file(mach.subarray(0, 3999))).description, 'macOS arm64, cut off: 3999 of at least 4000 bytes')
})

const libraries = { [`lib/libtorch_cpu.${suffix}`]: '', [`lib/libc10.${suffix}`]: '' }

test('a folder of LibTorch without headers is enough to run, and is refused for a build', (t) => {
  const folder = projectFolder(t)
  const mine = join(folder, 'mine')
  writeFiles(mine, libraries)
  t.regex(
    inspectLibtorch(mine).problem ?? '',
    /mine has the libraries but not the headers \(no include\/ATen\/core\/Tensor\.h\): the addon runs with it, but cannot be built with it/,
  )
  const runtime = (path = mine) => inspectLibtorch(path, { headers: false })
  t.deepEqual(runtime(), { path: mine, version: undefined })
  writeFiles(mine, { 'version.py': "cuda = None\n__version__ = '2.12.1+cpu'\n" })
  t.deepEqual(runtime(), { path: mine, version: '2.12.1' })
  writeFiles(mine, { 'build-version': '2.13.1+cpu' })
  t.deepEqual(runtime(), { path: mine, version: '2.13.1' })
  writeFiles(folder, { 'libtorch.json': JSON.stringify({ version: '2.14.0', root: 'mine' }) })
  t.deepEqual(runtime(), { path: mine, version: '2.14.0' })
  t.deepEqual(runtime(folder), { path: mine, version: '2.14.0' }, 'the folder that names its root')
  writeFiles(folder, { 'libtorch.json': JSON.stringify({ version: '2.14.0', root: 'another' }) })
  t.is(runtime().version, '2.13.1')
  writeFiles(mine, { 'build-version': '2.15.0' })
  t.regex(runtime().problem ?? '', /is LibTorch 2\.15\.0, but 2\.11 to 2\.14 is needed/)
  rmSync(join(mine, `lib/libc10.${suffix}`))
  t.regex(runtime().problem ?? '', /mine has no lib\/libc10\.\w+$/)
  t.regex(inspectLibtorch(mine).problem ?? '', /mine has no lib\/libc10\.\w+$/)
})

test('readLibtorch: SENTENCE_TORCH_LIBTORCH without headers, by version', (t) => {
  const root = projectFolder(t)
  writeFiles(root, {
    'build/libtorch.json': JSON.stringify({ version: '2.13.0', variant: 'cpu', root: 'libtorch/torch' }),
  })
  t.deepEqual(readLibtorch({ root, env: {} }), {
    path: join(root, 'build/libtorch/torch'),
    ...{ version: '2.13.0', variant: 'cpu' },
  })
  const mine = join(root, 'mine')
  writeFiles(mine, libraries)
  const env = { SENTENCE_TORCH_LIBTORCH: mine }
  t.deepEqual(readLibtorch({ root, env }), { path: mine, version: undefined, variant: 'cpu' })
  writeFiles(mine, { 'build-version': '2.13.2+cpu' })
  t.deepEqual(readLibtorch({ root, env }), { path: mine, version: '2.13.2', variant: 'cpu' })
  writeFiles(mine, { 'build-version': '2.12.0+cpu' })
  const fault = t.throws(() => readLibtorch({ root, env }), { instanceOf: LibtorchFault })
  t.is(fault.message, 'SENTENCE_TORCH_LIBTORCH is LibTorch 2.12.0, but the addon was built for 2.13.0')
})

test.serial('readLibtorch: the word python asks Python, where no build holds its torch', (t) => {
  const root = projectFolder(t)
  writeFiles(join(root, 'torch'), fakeLibtorch('2.13.0'))
  writeFiles(root, {
    'bin/python3': `#!/bin/sh\necho ${join(root, 'torch')}\n`,
    'package/libtorch.json': '{ "version": "2.13.0" }',
  })
  chmodSync(join(root, 'bin/python3'), 0o755)
  const addon = join(root, 'package/sentence_torch.node')
  const env = { SENTENCE_TORCH_LIBTORCH: 'python' }
  const path = process.env.PATH
  process.env.PATH = join(root, 'bin')
  t.teardown(() => {
    process.env.PATH = path
  })
  t.deepEqual(readLibtorch({ addon, env, libtorch: () => '/' }), {
    path: join(root, 'torch'),
    version: '2.13.0',
    variant: 'cpu',
  })
  process.env.PATH = join(root, 'nothing')
  t.throws(() => readLibtorch({ addon, env, libtorch: () => '/' }), {
    instanceOf: LibtorchFault,
    message: 'SENTENCE_TORCH_LIBTORCH=python: python3 cannot import torch',
  })
})
