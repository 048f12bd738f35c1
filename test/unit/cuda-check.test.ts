import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { buildFolder, packageRoot, readLibtorch } from '#system'
import { fakeLibtorch, installModule, temporaryFolder, writeTree } from './install-helpers.js'

interface Runtime {
  cuda: string | null
  devices: { name: string; description: string }[]
}
const { parseArguments, findWheels, judgeRuntime, ARCHITECTURES, WHEELS } = await installModule<{
  parseArguments(args: string[]): { venv: string; build: string; python: string; force: boolean }
  findWheels(venv: string): { torch: string; nvcc: string } | undefined
  judgeRuntime(runtime: Runtime): string
  ARCHITECTURES: string[]
  WHEELS: string[]
}>('cuda-check.mjs')
const { cudaVariant, findNvcc } = await installModule<{
  cudaVariant(env: NodeJS.ProcessEnv): string
  findNvcc(options: { env?: NodeJS.ProcessEnv; places?: string[] }): string
}>('cuda.mjs')
const { cudaArchitectures } = await installModule<{ cudaArchitectures(file: Buffer): string[] }>('fatbin.mjs')

const onLinux = process.platform === 'linux' ? test : test.skip

test('arguments of build:cuda-check', (t) => {
  const inside = (name: string) => join(packageRoot, name)
  const usual = { venv: inside('.venv-cuda'), build: inside('build-cuda'), python: 'python3', force: false }
  t.deepEqual(parseArguments([]), usual)
  const args = ['--force', '--venv', '/elsewhere/a', '--build', 'b', '--python', 'python3.12']
  t.deepEqual(parseArguments(args), { venv: '/elsewhere/a', build: inside('b'), python: 'python3.12', force: true })
  t.throws(() => parseArguments(['--venv']), { message: /--venv needs a value[\s\S]*usage:/ })
  t.throws(() => parseArguments(['--venv', '--force']), { message: /--venv needs a value/ })
  t.throws(() => parseArguments(['--cuda']), { message: /unknown argument --cuda[\s\S]*usage:/ })
})

test('the wheels name nvcc and all that it needs, of one CUDA version', (t) => {
  t.is(WHEELS[0], 'torch==2.13.0')
  for (const name of ['cuda-nvcc', 'cuda-crt', 'cuda-cccl', 'cuda-runtime', 'nvvm'])
    t.true(WHEELS.includes(`nvidia-${name}==13.0.*`), name)
})

test('a virtual environment counts when it has LibTorch for CUDA and nvcc', (t) => {
  const venv = temporaryFolder()
  t.is(findWheels(venv), undefined)
  const packages = 'lib/python3.12/site-packages'
  writeTree(venv, { [`${packages}/torch/lib/libtorch_cuda.so`]: '' })
  t.is(findWheels(venv), undefined, 'no nvcc yet')
  writeTree(venv, { [`${packages}/nvidia/cu13/bin/nvcc`]: '' })
  t.deepEqual(findWheels(venv), {
    torch: join(venv, packages, 'torch'),
    nvcc: join(venv, packages, 'nvidia/cu13/bin/nvcc'),
  })
})

test('the runtime of a CUDA build without device says so', (t) => {
  const cpu = { name: 'cpu', description: 'AVX512. CUDA build, no device, using CPU' }
  t.is(judgeRuntime({ cuda: '13.0', devices: [cpu] }), 'CUDA build, no device, using CPU')
  const card = { name: 'cuda:0', description: 'a card' }
  t.is(judgeRuntime({ cuda: '13.0', devices: [card, cpu] }), 'CUDA build, 1 device(s): a card')
  t.throws(() => judgeRuntime({ cuda: null, devices: [cpu] }), { message: /to be 13\.0 but found null/ })
  t.throws(() => judgeRuntime({ cuda: '13.0', devices: [{ name: 'cpu', description: 'AVX2' }] }), {
    message: /described as "CUDA build, no device, using CPU" but found .*AVX2/,
  })
})

test('SENTENCE_TORCH_CUDA is cpu or a version', (t) => {
  t.is(cudaVariant({}), 'cpu')
  t.is(cudaVariant({ SENTENCE_TORCH_CUDA: 'cpu' }), 'cpu')
  for (const wrong of ['13', 'yes', '13.0.1'])
    t.throws(() => cudaVariant({ SENTENCE_TORCH_CUDA: wrong }), { message: new RegExp(`but received ${wrong}$`) })
})

onLinux('SENTENCE_TORCH_CUDA takes a version', (t) => {
  t.is(cudaVariant({ SENTENCE_TORCH_CUDA: '13.0' }), '13.0')
})

onLinux('nvcc is the one that CUDACXX names, or the first that answers, or an error that says what mends it', (t) => {
  const folder = temporaryFolder()
  const nvcc = join(folder, 'nvcc')
  writeFileSync(nvcc, '#!/bin/sh\necho Cuda compilation tools, release 13.0, V13.0.88\n', { mode: 0o755 })
  const broken = join(folder, 'broken')
  writeFileSync(broken, '#!/bin/sh\nexit 1\n', { mode: 0o755 })
  t.is(findNvcc({ env: { CUDACXX: nvcc }, places: [] }), nvcc)
  t.is(findNvcc({ env: {}, places: [broken, nvcc] }), nvcc)
  t.throws(() => findNvcc({ env: { CUDACXX: join(folder, 'absent') } }), { message: /CUDACXX names .*absent/ })
  t.throws(() => findNvcc({ env: {}, places: [broken] }), {
    message:
      /needs nvcc \(looked for .*broken\)[\s\S]*CUDACXX[\s\S]*pip install nvidia-cuda-nvcc[\s\S]*SENTENCE_TORCH_CUDA=cpu/,
  })
})

test('a build folder of its own, and the LibTorch that is noted there', (t) => {
  t.is(buildFolder({}), join(packageRoot, 'build'))
  t.is(buildFolder({ SENTENCE_TORCH_BUILD: 'build-cuda' }), join(packageRoot, 'build-cuda'))
  t.is(buildFolder({ SENTENCE_TORCH_BUILD: '/elsewhere' }), '/elsewhere')

  const root = temporaryFolder()
  const note = (path: string, variant: string) => JSON.stringify({ path, version: '2.13.0', variant })
  writeTree(root, { 'build/libtorch.json': note('/cpu', 'cpu'), 'build-cuda/libtorch.json': note('/gpu', '13.0') })
  mkdirSync(join(root, 'build-cuda/Release'))
  const addon = join(root, 'build-cuda/Release/sentence_torch.node')
  t.like(readLibtorch({ env: {}, root }), { path: '/cpu', variant: 'cpu' })
  t.like(readLibtorch({ env: { SENTENCE_TORCH_ADDON: addon }, root }), { path: '/gpu', variant: '13.0' })
  const elsewhere = join(root, 'debug/sentence_torch.node')
  t.like(
    readLibtorch({ env: { SENTENCE_TORCH_ADDON: elsewhere }, root }),
    { path: '/cpu' },
    'nothing is noted beside it',
  )
  const mine = writeTree(join(root, 'mine'), fakeLibtorch('2.13.1'))
  t.like(readLibtorch({ env: { SENTENCE_TORCH_ADDON: addon, SENTENCE_TORCH_LIBTORCH: mine }, root }), {
    path: mine,
    variant: '13.0',
  })
})

/** A fat binary of entries of kind 1 (PTX) or 2 (machine code). */
function fatBinary(entries: { kind: number; architecture: number; bytes: number }[]): Buffer {
  const parts = entries.map(({ kind, architecture, bytes }) => {
    const entry = Buffer.alloc(64 + bytes)
    entry.writeUInt16LE(kind, 0)
    entry.writeUInt32LE(64, 4)
    entry.writeBigUInt64LE(BigInt(bytes), 8)
    entry.writeUInt32LE(architecture, 28)
    return entry
  })
  const body = Buffer.concat(parts)
  const header = Buffer.alloc(16)
  header.writeUInt32LE(0xba55ed50, 0)
  header.writeUInt16LE(1, 4)
  header.writeUInt16LE(16, 6)
  header.writeBigUInt64LE(BigInt(body.length), 8)
  return Buffer.concat([header, body])
}

test('the architectures of a library are read from its fat binaries', (t) => {
  const first = fatBinary([
    { kind: 2, architecture: 90, bytes: 24 },
    { kind: 1, architecture: 90, bytes: 8 },
  ])
  const second = fatBinary([{ kind: 2, architecture: 80, bytes: 40 }])
  const stray = Buffer.from('50ed55ba', 'hex')
  const file = Buffer.concat([Buffer.alloc(100, 7), first, Buffer.alloc(5), stray, second, stray])
  t.deepEqual(cudaArchitectures(file), [...ARCHITECTURES].sort())
  t.deepEqual(cudaArchitectures(Buffer.alloc(64)), [])
  t.deepEqual(cudaArchitectures(fatBinary([])), [])
})
