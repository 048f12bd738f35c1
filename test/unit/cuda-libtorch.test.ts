// `install cuda`: the package with the addon for CUDA is filled from small wheels, as a whole or not at all.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { type CudaOptions, type CudaSource, fillCuda } from '#cuda-libtorch'
import { packageRoot } from '#system'
import { installCuda } from '../../lib/cli/install-cuda.js'
import { installModule, sha256, temporaryFolder, writeTree, zipOf } from './install-helpers.js'

const { VERSION, CUDA_WHEELS, neededForCuda } = await installModule<{
  VERSION: string
  CUDA_WHEELS: CudaSource
  neededForCuda(name: string): boolean
}>('pins.mjs')

const files = {
  'torch-0.whl': zipOf({
    'torch/lib/libc10.so': 'c10',
    'torch/lib/libtorch_cpu.so': 'cpu',
    'torch/lib/libc10_cuda.so': 'c10_cuda',
    'torch/lib/libtorch_cuda.so': 'cuda',
    'torch/lib/libtorch_python.so': 'python',
    'torch/include/ATen/ATen.h': '',
    'torch-0.dist-info/licenses/LICENSE': 'licence',
  }),
  'nvidia_cublas-0.whl': zipOf({ 'nvidia/cu13/lib/libcublas.so.13': 'cublas', 'nvidia/cu13/include/cublas.h': '' }),
}

function wheelOf(file: keyof typeof files) {
  return { requirement: file.replace('-0.whl', '==0'), file, sha256: sha256(files[file]), bytes: files[file].length }
}

const source: CudaSource = {
  variant: '13.0',
  platforms: ['any'],
  unpackedBytes: 1000,
  wheels: [wheelOf('torch-0.whl'), wheelOf('nvidia_cublas-0.whl')],
}

function setUp() {
  const root = temporaryFolder()
  const folder = writeTree(join(root, 'package'), {
    'libtorch.json': JSON.stringify({ version: VERSION, variant: '13.0' }),
  })
  const wheels = join(root, 'wheels')
  mkdirSync(wheels)
  for (const [name, data] of Object.entries(files)) writeFileSync(join(wheels, name), data)
  const lines: string[] = []
  const fill = (options: Partial<CudaOptions> = {}) => {
    return fillCuda({ folder, source, env: {}, log: (line) => lines.push(line), ...options })
  }
  return { root, folder, wheels, lines, fill }
}

function isFilled(t: ExecutionContext, folder: string): void {
  const found = readdirSync(join(folder, 'libtorch'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(folder, 'libtorch', name)).isFile(),
  )
  t.deepEqual(found.sort(), [
    'libtorch.json',
    'nvidia/cu13/lib/libcublas.so.13',
    'torch-0.dist-info/licenses/LICENSE',
    ...['libc10.so', 'libc10_cuda.so', 'libtorch_cpu.so', 'libtorch_cuda.so'].map((name) => `torch/lib/${name}`),
  ])
  const note = JSON.parse(readFileSync(join(folder, 'libtorch/libtorch.json'), 'utf8'))
  t.like(note, { version: VERSION, variant: '13.0', root: 'torch' })
  t.deepEqual(readdirSync(folder).sort(), ['libtorch', 'libtorch.json'])
}

const isEmpty = (t: ExecutionContext, folder: string) => t.deepEqual(readdirSync(folder), ['libtorch.json'])

test('from a folder of wheels, which stays; the second time nothing is done', async (t) => {
  const { folder, wheels, lines, fill } = setUp()
  await fill({ from: wheels })
  isFilled(t, folder)
  t.deepEqual(readdirSync(wheels).sort(), Object.keys(files).sort())
  await fill({ from: join(wheels, 'absent') })
  t.regex(lines.at(-1)!, /is in .*libtorch already$/)
})

test('from an address, with what was interrupted taken up again', async (t) => {
  const { folder, fill } = setUp()
  const asked: string[] = []
  let cuts = 1
  const server = createServer((request, response) => {
    asked.push(request.url!)
    const data = files[request.url!.slice('/mirror/'.length) as keyof typeof files]
    const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const body = data.subarray(start)
    response.writeHead(start ? 206 : 200, {
      ...{ etag: '"a"', 'content-length': body.length },
      ...(start ? { 'content-range': `bytes ${start}-${data.length - 1}/${data.length}` } : {}),
    })
    if (cuts-- > 0) response.write(body.subarray(0, 100), () => setTimeout(() => response.destroy(), 100))
    else response.end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  await fill({ from: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mirror/` })
  isFilled(t, folder)
  t.deepEqual(asked, ['/mirror/torch-0.whl', '/mirror/torch-0.whl', '/mirror/nvidia_cublas-0.whl'])
})

test('a password and a token reach the server they are for, and nobody else', async (t) => {
  const { folder, lines, fill } = setUp()
  const asked: (string | undefined)[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.authorization}`)
    const { pathname } = new URL(request.url!, 'http://x')
    if (pathname.startsWith('/private/')) {
      const { port } = server.address() as AddressInfo
      response.writeHead(302, { location: `http://localhost:${port}/open${pathname.slice('/private'.length)}` }).end()
    } else response.end(files[pathname.slice('/open/'.length) as keyof typeof files])
  })
  await new Promise<void>((resolve) => server.listen(0, resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  await fill({ from: `http://me:hunter%402@127.0.0.1:${port}/private/?token=hunter3` })
  isFilled(t, folder)
  const header = `Basic ${Buffer.from('me:hunter@2').toString('base64')}`
  t.deepEqual(asked.slice(0, 2), [`/private/torch-0.whl?token=hunter3 ${header}`, '/open/torch-0.whl undefined'])
  t.notRegex(lines.join(), /hunter/)
  t.notRegex(readFileSync(join(folder, 'libtorch/libtorch.json'), 'utf8'), /hunter/)

  const other = setUp()
  const failed = await t.throwsAsync(other.fill({ from: `http://me:hunter2@127.0.0.1:${port}/nothing?token=hunter3` }))
  t.notRegex(failed.message + other.lines.join(), /hunter/)
  isEmpty(t, other.folder)
})

test('what is neither a folder nor an address that can be asked', async (t) => {
  const { folder, root, wheels, fill } = setUp()
  for (const from of ['ftp://me:hunter2@host/', 'file:///tmp', 'http://', 'https://[']) {
    const error = await t.throwsAsync(fill({ from }), { message: /--from: expected a folder, or an address/ })
    t.notRegex(error.message, /hunter/)
  }
  // Nothing would end the wait for somebody who writes into it.
  const pipes = join(root, 'pipes')
  mkdirSync(pipes)
  for (const name of readdirSync(wheels)) execFileSync('mkfifo', [join(pipes, name)])
  await t.throwsAsync(fill({ from: pipes }), { message: /lacks 2 of 2 wheels/ })
  isEmpty(t, folder)
})

/** Stands for pip: copies the wheel that is asked for to where --dest says. */
function fakePip(root: string, wheels: string, before = ''): string {
  const python = join(root, 'python')
  const script = `#!/bin/bash
while [ "$1" != --dest ]; do shift; done; dest=$2
while [ $# -gt 1 ]; do shift; done
${before}
cp "${wheels}/\${1%%==*}-0.whl" "$dest/"
`
  writeFileSync(python, script, { mode: 0o755 })
  return python
}

test('through pip, wheel by wheel', async (t) => {
  const { root, folder, wheels, fill } = setUp()
  await fill({ python: fakePip(root, wheels) })
  isFilled(t, folder)
})

const failures: Record<
  string,
  { options: (place: ReturnType<typeof setUp>) => Partial<CudaOptions>; message: RegExp }
> = {
  'wheels that are missing': {
    options: ({ wheels }) => {
      renameSync(join(wheels, 'torch-0.whl'), join(wheels, 'other.whl'))
      return { from: wheels }
    },
    message: /wheels lacks 1 of 2 wheels:\n +torch-0\.whl/,
  },
  'a wheel that is another': {
    options: ({ wheels }) => {
      writeFileSync(join(wheels, 'nvidia_cublas-0.whl'), zipOf({ 'nvidia/cu13/lib/libcublas.so.13': 'evil' }))
      return { from: wheels }
    },
    message: /nvidia_cublas-0\.whl has the SHA-256 [0-9a-f]{64}, but [0-9a-f]{64} is expected/,
  },
  'a folder that is not there': { options: ({ root }) => ({ from: join(root, 'no') }), message: /no lacks 2 of 2/ },
  'a mirror that cannot be reached': {
    options: () => ({ from: 'http://127.0.0.1:1' }),
    message: /ECONNREFUSED|bad port/,
  },
  'no Python': { options: ({ root }) => ({ python: join(root, 'python3') }), message: /python3 was not found/ },
  'a pip that fails in the middle': {
    options: ({ root, wheels }) => ({
      python: fakePip(root, wheels, '[ $1 = torch==0 ] || { echo "ERROR: Connection broken" >&2; exit 1; }'),
    }),
    message: /pip failed: ERROR: Connection broken/,
  },
  'wheels without LibTorch': {
    options: ({ wheels }) => ({ from: wheels, source: { ...source, wheels: [wheelOf('nvidia_cublas-0.whl')] } }),
    message: /do not hold torch\/lib\/libc10\.so/,
  },
  'a full disk': {
    options: ({ wheels }) => ({ from: wheels, source: { ...source, unpackedBytes: 1e18 } }),
    message: /MB left, but 1000000000000 MB are needed/,
  },
  'no downloads allowed': {
    options: () => ({ env: { SENTENCE_TORCH_OFFLINE: '1' } }),
    message: /SENTENCE_TORCH_OFFLINE is set/,
  },
}
for (const [what, { options, message }] of Object.entries(failures)) {
  test(`${what}: one error, and nothing stays`, async (t) => {
    const place = setUp()
    const error = await t.throwsAsync(place.fill(options(place)), { code: 'ERR_SETUP', message })
    isEmpty(t, place.folder)
    if (!/disk|without/.test(what))
      t.regex(
        error.message,
        /Without network: `npx sentence-torch install cuda --from <folder>`.*\n +python3 -m pip download .*torch==0/,
      )
  })
}

test('a package of another version, or a damaged one, is refused', async (t) => {
  const { folder, wheels, fill } = setUp()
  writeTree(folder, { 'libtorch.json': '{"version": "2.12.0", "variant": "13.0"}' })
  await t.throwsAsync(fill({ from: wheels }), { message: /built for LibTorch 2\.12\.0 .* update both packages/ })
  writeTree(folder, { 'libtorch.json': '{' })
  await t.throwsAsync(fill({ from: wheels }), { message: /libtorch\.json cannot be read .* install it again/ })
})

test('what a killed run left is removed; several runs at once wait for each other', async (t) => {
  const { folder, wheels, fill } = setUp()
  writeTree(folder, { 'libtorch.filling-abc/torch/lib/libc10.so': 'half', 'libtorch/torch/lib/libc10.so': 'no note' })
  await Promise.all([fill({ from: wheels }), fill({ from: wheels }), fill({ from: wheels })])
  isFilled(t, folder)
})

/** Whether a process does anything: one that has ended may wait for its parent. */
function isRunning(pid: number): boolean {
  const state = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout ?? ''
  return /^[^Z]/.test(state.trim())
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} in the middle: pip ends, and nothing stays`, async (t) => {
    const { root, folder, wheels } = setUp()
    const python = fakePip(root, wheels, `echo $$ > ${join(root, 'pid')}; exec sleep 60`)
    const options = { folder, source, env: {}, python }
    const module = pathToFileURL(join(packageRoot, 'install/cuda-libtorch.mjs')).href
    const code = `import { fillCuda } from ${JSON.stringify(module)}; await fillCuda(${JSON.stringify(options)})`
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (text) => {
      said += text
    })
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
    while (!existsSync(join(root, 'pid')) || !readFileSync(join(root, 'pid'), 'utf8').trim()) await sleep(20)
    child.kill(signal)
    t.is(await ended, signal === 'SIGINT' ? 130 : 143)
    t.regex(said, new RegExp(`stopped by ${signal}: nothing was installed`))
    isEmpty(t, folder)
    for (let tries = 0; isRunning(Number(readFileSync(join(root, 'pid'), 'utf8'))); tries++) {
      t.true(tries < 100, 'pip has ended')
      await sleep(20)
    }
  })
}

test('the program finds the package, of its own version alone', async (t) => {
  if (`${process.platform}-${process.arch}` !== 'linux-x64') {
    await t.throwsAsync(installCuda({}), { code: 'ERR_UNSUPPORTED', message: /for linux-x64 alone, not for/ })
    return
  }
  const root = writeTree(temporaryFolder(), { 'package.json': '{"name": "sentence-torch", "version": "1.2.3"}' })
  const place = { root, cwd: root, from: join(root, 'no') }
  await t.throwsAsync(installCuda(place), {
    code: 'ERR_NOT_FOUND',
    message: /cuda13 is not installed: `npm install @sentence-torch\/linux-x64-cuda13@1\.2\.3`/,
  })
  const cuda = 'node_modules/@sentence-torch/linux-x64-cuda13/'
  writeTree(root, { [`${cuda}package.json`]: '{"version": "1.2.2"}' })
  await t.throwsAsync(installCuda(place), { code: 'ERR_UNSUPPORTED', message: /is version 1\.2\.2, but .* 1\.2\.3/ })
  writeTree(root, {
    [`${cuda}package.json`]: '{"version": "1.2.3"}',
    [`${cuda}libtorch.json`]: JSON.stringify({ version: VERSION, variant: '13.0' }),
  })
  await t.throwsAsync(installCuda(place), { code: 'ERR_SETUP', message: /no lacks 15 of 15 wheels/ })
})

test('the pins: every wheel once, with a digest; what is taken of them', (t) => {
  const { wheels } = CUDA_WHEELS
  t.is(new Set(wheels.map(({ file }) => file)).size, wheels.length)
  for (const { requirement, file, sha256: digest, bytes } of wheels) {
    const [name, version] = requirement.split('==')
    t.true(file.startsWith(`${name!.replaceAll('-', '_')}-${version}-`), file)
    t.regex(digest, /^[0-9a-f]{64}$/)
    t.true(bytes > 1e6)
  }
  const needed = ['nvidia/cudnn/lib/libcudnn_ops.so.9', 'nvidia/cu13/lib/libnvrtc-builtins.so.13.0', 'torch/version.py']
  const others = ['nvidia/cu13/lib/libnvrtc.alt.so.13', 'nvidia/cu13/include/a.h', 'torch/lib/libtorch_python.so']
  for (const name of [...needed, 'torch/lib/libtorch_cuda.so', 'torch/lib/libgomp.so.1'])
    t.true(neededForCuda(name), name)
  for (const name of [...others, 'torch/nn/x.py', 'nvidia/cu13/bin/nvcc']) t.false(neededForCuda(name), name)
})
