import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { packageRoot } from '#system'
import { fakeLibtorch, installModule, serve, sha256, temporaryFolder, writeTree, zipOf } from './install-helpers.js'

interface Step {
  step: string
  found: string
  chosen: boolean
}
interface Found {
  path: string
  version: string
  variant: string
  abi: number
  source: string
  steps: Step[]
}
interface Options {
  env?: NodeJS.ProcessEnv
  platform?: string
  fetching?: boolean
  log?: (line: string) => void
  python?: string
  zips?: Record<string, Record<string, { path: string; sha256?: string }>>
  wheels?: Record<string, unknown>
}
const { resolveLibtorch, cacheFolder } = await installModule<{
  resolveLibtorch(options: Options): Promise<Found>
  cacheFolder(env: NodeJS.ProcessEnv): string
}>('libtorch.mjs')
const { neededFromWheel, VERSION } = await installModule<{ neededFromWheel(name: string): boolean; VERSION: string }>(
  'pins.mjs',
)
const { withLock } = await installModule<{
  withLock<T>(
    path: string,
    work: () => Promise<T>,
    options?: { onWait?: (holder: string) => void; pollMs?: number; staleMs?: number },
  ): Promise<T>
}>('lock.mjs')
const { unsupportedPlatform, inspectToolchain, atLeast } = await installModule<{
  unsupportedPlatform(system: { platform: string; arch: string; musl: boolean }): string | undefined
  inspectToolchain(options: { env: NodeJS.ProcessEnv }): { compiler?: string; problems: string[] }
  atLeast(version: string, minimum: string): boolean
}>('toolchain.mjs')

const platform = 'linux-x64'
const silent = () => {}
const nothing = { zips: {}, wheels: {}, platform, log: silent }
const cacheName = (variant = 'cpu') => join('sentence-torch', `libtorch-${VERSION}-${variant}-${platform}`)

test('SENTENCE_TORCH_LIBTORCH comes before a filled cache', async (t) => {
  const root = temporaryFolder()
  const mine = writeTree(join(root, 'mine'), fakeLibtorch('2.12.1'))
  writeTree(join(root, cacheName()), fakeLibtorch(VERSION))
  const env = { SENTENCE_TORCH_LIBTORCH: mine, XDG_CACHE_HOME: root }
  const found = await resolveLibtorch({ ...nothing, env })
  t.like(found, { path: mine, version: '2.12.1', variant: 'cpu', abi: 1, source: 'environment' })
})

test('a SENTENCE_TORCH_LIBTORCH that cannot be used is an error, not replaced by the cache', async (t) => {
  const root = temporaryFolder()
  writeTree(join(root, cacheName()), fakeLibtorch(VERSION))
  const wrong: [Record<string, string>, RegExp][] = [
    [fakeLibtorch('2.9.0'), /LibTorch 2\.9\.0, but 2\.11 to 2\.14 is needed/],
    [fakeLibtorch('2.15.0'), /LibTorch 2\.15\.0, but 2\.11 to 2\.14 is needed/],
    [{ 'readme.txt': '' }, /has no lib\/libtorch_cpu\.\w+, no lib\/libc10/],
  ]
  for (const [files, message] of wrong) {
    const folder = writeTree(temporaryFolder(), files)
    const env = { SENTENCE_TORCH_LIBTORCH: folder, XDG_CACHE_HOME: root }
    await t.throwsAsync(resolveLibtorch({ ...nothing, env }), { name: 'LibtorchError', message })
  }
  const env = { SENTENCE_TORCH_LIBTORCH: join(root, 'absent'), XDG_CACHE_HOME: root }
  await t.throwsAsync(resolveLibtorch({ ...nothing, env }), { message: /absent does not exist/ })
})

test('the word python takes the torch that python imports', async (t) => {
  const root = temporaryFolder()
  const torch = writeTree(join(root, 'torch'), fakeLibtorch('2.13.0'))
  const python = join(root, 'python')
  writeFileSync(python, `#!/bin/sh\necho ${torch}\n`, { mode: 0o755 })
  const env = { SENTENCE_TORCH_LIBTORCH: 'python', XDG_CACHE_HOME: root }
  t.like(await resolveLibtorch({ ...nothing, env, python }), { path: torch, source: 'python' })
  const absent = resolveLibtorch({ ...nothing, env, python: join(root, 'no-python') })
  await t.throwsAsync(absent, { message: /no-python cannot import torch/ })
})

test('a pre-placed cache folder is taken without a download', async (t) => {
  const root = temporaryFolder()
  writeTree(join(root, cacheName()), fakeLibtorch(VERSION, 'libtorch/'))
  const env = { XDG_CACHE_HOME: root, SENTENCE_TORCH_OFFLINE: '1' }
  const found = await resolveLibtorch({ ...nothing, env })
  t.is(found.path, join(root, cacheName(), 'libtorch'))
  t.is(found.source, 'cache')
})

test('a cache folder with a damaged or hostile manifest counts as not there', async (t) => {
  const root = temporaryFolder()
  const files = fakeLibtorch(VERSION, 'libtorch/')
  const env = { XDG_CACHE_HOME: root, SENTENCE_TORCH_OFFLINE: '1' }
  for (const manifest of ['{', 'null', '{}', '{"root": 7}', '{"root": "../../libtorch"}']) {
    writeTree(join(root, cacheName()), { ...files, 'libtorch.json': manifest })
    await t.throwsAsync(resolveLibtorch({ ...nothing, env }), { message: /cache .*: not there/ })
  }
  writeTree(join(root, cacheName()), { 'libtorch.json': '{"root": "libtorch"}' })
  t.is((await resolveLibtorch({ ...nothing, env })).source, 'cache')
})

test('a CUDA variant is not served by a folder without CUDA', async (t) => {
  const folder = writeTree(temporaryFolder(), fakeLibtorch('2.13.0'))
  const env = { SENTENCE_TORCH_LIBTORCH: folder, SENTENCE_TORCH_CUDA: '13.0' }
  await t.throwsAsync(resolveLibtorch({ ...nothing, env }), { message: /has no CUDA 13\.0/ })
  const suffix = process.platform === 'darwin' ? 'dylib' : 'so'
  writeTree(folder, { [`lib/libtorch_cuda.${suffix}`]: '', 'version.py': "cuda: Optional[str] = '13.0'\n" })
  t.is((await resolveLibtorch({ ...nothing, env })).variant, '13.0')
})

test('the offline error lists every step and what mends it', async (t) => {
  const root = temporaryFolder()
  const env = { XDG_CACHE_HOME: root, SENTENCE_TORCH_OFFLINE: '1' }
  const error = await t.throwsAsync(resolveLibtorch({ env, platform, log: silent }), { name: 'LibtorchError' })
  const message = error?.message ?? ''
  t.regex(message, /1\. SENTENCE_TORCH_LIBTORCH: not set/)
  t.regex(message, /2\. cache .*libtorch-.*: not there/)
  t.regex(message, /3\. zip http.*: not tried: SENTENCE_TORCH_OFFLINE is set/)
  t.regex(message, /4\. wheel torch==.*: not tried: SENTENCE_TORCH_OFFLINE is set/)
  t.regex(message, /What mends it:[\s\S]* SENTENCE_TORCH_LIBTORCH=python npm install\n/)
  t.false(existsSync(join(root, 'sentence-torch')), 'nothing is written when nothing may be downloaded')
})

test('the same error of an installed package names the command that builds there', (t) => {
  const root = writeTree(temporaryFolder(), { 'package.json': '{"type": "module"}' })
  cpSync(join(packageRoot, 'install'), join(root, 'install'), { recursive: true })
  symlinkSync(join(packageRoot, 'node_modules'), join(root, 'node_modules'))
  const env = { PATH: process.env.PATH, XDG_CACHE_HOME: root, SENTENCE_TORCH_OFFLINE: '1' }
  const program = join(root, 'install/libtorch.mjs')
  const { status, stderr } = spawnSync(process.execPath, [program], { env, encoding: 'utf8' })
  t.is(status, 1)
  t.regex(stderr, / SENTENCE_TORCH_LIBTORCH=python npx sentence-torch build\n/)
  t.notRegex(stderr, /npm install$/m)
})

test('the zip of a mirror fills the cache, which then serves without the mirror', async (t) => {
  const root = temporaryFolder()
  const zip = zipOf(fakeLibtorch(VERSION, 'libtorch/'))
  const server = await serve(zip)
  const zips = { [platform]: { cpu: { path: 'cpu/libtorch.zip', sha256: sha256(zip) } } }
  const env = { XDG_CACHE_HOME: root, SENTENCE_TORCH_LIBTORCH_MIRROR: server.url }
  const found = await resolveLibtorch({ ...nothing, zips, env })
  await server.close()
  t.like(found, { source: 'zip', version: VERSION, path: join(root, cacheName(), 'libtorch') })
  const manifest = JSON.parse(readFileSync(join(root, cacheName(), 'libtorch.json'), 'utf8'))
  t.like(manifest, { version: VERSION, variant: 'cpu', source: 'zip', sha256: sha256(zip), pinned: true })
  t.deepEqual(readdirSync(join(root, 'sentence-torch')), [`libtorch-${VERSION}-cpu-${platform}`], 'no leftovers')
  t.is((await resolveLibtorch({ ...nothing, env })).source, 'cache')
})

test('a zip with another digest, another version or another content is refused and leaves nothing', async (t) => {
  const other = zipOf(fakeLibtorch('2.12.0', 'libtorch/'))
  const cases: [Buffer, string | undefined, RegExp][] = [
    [zipOf(fakeLibtorch(VERSION, 'libtorch/')), '0'.repeat(64), /has the SHA-256 [0-9a-f]{64}, but 0{64} is expected/],
    [other, undefined, /it holds version 2\.12\.0 instead of/],
    [Buffer.from('<html>not a zip</html>'), undefined, /no end-of-directory record/],
  ]
  for (const [data, pin, message] of cases) {
    const root = temporaryFolder()
    const server = await serve(data)
    const zips = { [platform]: { cpu: { path: 'libtorch.zip', sha256: pin } } }
    const env = { XDG_CACHE_HOME: root, SENTENCE_TORCH_LIBTORCH_MIRROR: server.url }
    await t.throwsAsync(resolveLibtorch({ ...nothing, zips, env }), { message })
    await server.close()
    t.deepEqual(readdirSync(join(root, 'sentence-torch')), [])
  }
})

test('when the zip cannot be had, pip is asked, and its failure is part of the one error', async (t) => {
  const root = temporaryFolder()
  const python = join(root, 'python')
  writeFileSync(python, '#!/bin/sh\necho "ERROR: No matching distribution found for torch" >&2\nexit 1\n', {
    mode: 0o755,
  })
  const wheel = { requirement: 'torch==0', file: 'torch.whl', sha256: '', bytes: 1 }
  const wheels = { [platform]: { platforms: ['any'], wheels: [wheel] } }
  const zips = { [platform]: { cpu: { path: 'libtorch.zip' } } }
  const env = { XDG_CACHE_HOME: root, SENTENCE_TORCH_LIBTORCH_MIRROR: 'http://127.0.0.1:1' }
  const lines: string[] = []
  const error = await t.throwsAsync(
    resolveLibtorch({ env, platform, zips, wheels, python, log: (line) => lines.push(line) }),
  )
  t.regex(
    error?.message ?? '',
    /3\. zip http:\/\/127\.0\.0\.1:1\/libtorch\.zip: .*\n\s+4\. wheel torch==0 .*No matching distribution/,
  )
  t.true(lines.some((line) => line.includes('zip http://127.0.0.1:1')))
})

test('wheels are compared with their pins before they are unpacked', async (t) => {
  const root = temporaryFolder()
  const data = zipOf({
    ...fakeLibtorch(VERSION, 'torch/'),
    'torch/lib/libtorch_cuda.so': 'big',
    'torch/__init__.py': '',
  })
  writeFileSync(join(root, 'torch.whl'), data)
  const python = join(root, 'python')
  // Stands for pip: copies the wheel to where --dest says.
  const script = `#!/bin/sh\nwhile [ "$1" != --dest ]; do shift; done\ncp ${join(root, 'torch.whl')} "$2/"\n`
  writeFileSync(python, script, { mode: 0o755 })
  const env = { XDG_CACHE_HOME: root }
  const wheels = (pin: string) => ({
    [platform]: { platforms: ['any'], wheels: [{ requirement: 'torch==0', file: 'torch.whl', sha256: pin, bytes: 1 }] },
  })
  const refused = resolveLibtorch({ ...nothing, env, python, wheels: wheels('0'.repeat(64)) })
  await t.throwsAsync(refused, { message: /torch\.whl has the SHA-256 .* is expected/ })
  const found = await resolveLibtorch({ ...nothing, env, python, wheels: wheels(sha256(data)) })
  t.is(found.source, 'wheel')
  t.false(existsSync(join(found.path, 'lib/libtorch_cuda.so')))
  t.false(existsSync(join(found.path, '../wheels')), 'the wheels are deleted')
})

test('what is taken from a wheel', (t) => {
  const needed = ['lib/libtorch_cpu.so', 'lib/libc10.so', 'lib/libgomp.so.1', 'lib/libomp.dylib', 'include/ATen/ATen.h']
  const others = [
    'lib/libtorch_cuda.so',
    'lib/libc10_cuda.so',
    'lib/libtorch_python.so',
    'lib/libtorch.so',
    'lib/libshm.so',
    'nn/x.py',
  ]
  for (const name of needed) t.true(neededFromWheel(`torch/${name}`), name)
  for (const name of others) t.false(neededFromWheel(`torch/${name}`), name)
  t.true(neededFromWheel('nvidia/cu13/lib/libcudart.so.13'))
  t.false(neededFromWheel('nvidia/cu13/lib/libnvperf_host.so'))
  t.true(neededFromWheel('torch-2.13.0.dist-info/licenses/LICENSE'))
})

test('the cache follows XDG_CACHE_HOME and HOME', (t) => {
  t.is(cacheFolder({ XDG_CACHE_HOME: '/x', HOME: '/h' }), '/x/sentence-torch')
  t.is(cacheFolder({ HOME: '/h' }), '/h/.cache/sentence-torch')
})

test('a lock lets one in at a time', async (t) => {
  const path = join(temporaryFolder(), 'lock')
  let inside = 0
  let most = 0
  const waited: string[] = []
  const work = async () => {
    most = Math.max(most, ++inside)
    await new Promise((resolve) => setTimeout(resolve, 30))
    inside--
  }
  await Promise.all([1, 2, 3].map(() => withLock(path, work, { pollMs: 5, onWait: (holder) => waited.push(holder) })))
  t.is(most, 1)
  t.true(waited.length >= 1)
  t.false(existsSync(path))
})

test('a lock is released after a failure', async (t) => {
  const path = join(temporaryFolder(), 'lock')
  await t.throwsAsync(
    withLock(path, () => Promise.reject(new Error('no'))),
    { message: 'no' },
  )
  t.false(existsSync(path))
})

test('a lock whose holder is dead, or that nobody touches, is stale', async (t) => {
  const root = temporaryFolder()
  const { hostname } = await import('node:os')
  const dead = join(root, 'dead')
  writeFileSync(dead, JSON.stringify({ pid: 2 ** 30, host: hostname() }))
  t.is(await withLock(dead, async () => 'in', { pollMs: 5 }), 'in')

  const old = join(root, 'old')
  writeFileSync(old, JSON.stringify({ pid: process.pid, host: 'another machine' }))
  const { utimesSync } = await import('node:fs')
  utimesSync(old, new Date(0), new Date(0))
  t.is(await withLock(old, async () => 'in', { pollMs: 5 }), 'in')
})

test('platforms that cannot work are refused by name', (t) => {
  const refusal = (platform: string, arch: string, musl = false) => unsupportedPlatform({ platform, arch, musl })
  t.regex(refusal('win32', 'x64') ?? '', /Windows is not supported.*WSL 2/)
  t.regex(refusal('linux', 'x64', true) ?? '', /musl .*is not supported.*glibc/)
  t.regex(refusal('linux', 'ia32') ?? '', /linux-ia32 is not supported/)
  t.regex(refusal('darwin', 'x64') ?? '', /darwin-x64 is not supported/)
  t.is(refusal('linux', 'x64'), undefined)
  t.is(refusal('linux', 'arm64'), undefined)
  t.is(refusal('darwin', 'arm64'), undefined)
})

test('a missing compiler is named with the commands that install one', (t) => {
  const { compiler, problems } = inspectToolchain({ env: { CXX: 'no-such-compiler' } })
  t.is(compiler, undefined)
  const problem = problems.find((text) => text.includes('no-such-compiler')) ?? ''
  t.regex(problem, /A C\+\+ compiler was not found \(looked for no-such-compiler on PATH\)/)
  t.regex(problem, /apt-get install g\+\+[\s\S]*dnf install gcc-c\+\+[\s\S]*xcode-select --install/)
})

test('a compiler without C++20 is told from a missing one', (t) => {
  const cxx = join(temporaryFolder(), 'old-c++')
  writeFileSync(cxx, '#!/bin/sh\n[ "$1" = --version ] && exit 0\nexit 1\n', { mode: 0o755 })
  t.true(
    inspectToolchain({ env: { CXX: cxx } }).problems.some((text) => text.includes('old-c++ cannot build the addon')),
  )
})

test('versions are compared by number', (t) => {
  t.true(atLeast('3.22.1', '3.22'))
  t.true(atLeast('4.0', '3.22'))
  t.false(atLeast('3.9.5', '3.22'))
})

test('a build folder or a cache that cannot be written is one message, with what mends it', (t) => {
  if (inspectToolchain({ env: process.env }).problems.length > 0) return t.pass('skipped: nothing can be built here')
  const root = temporaryFolder()
  writeTree(root, { file: '', ...fakeLibtorch(VERSION, 'mine/') })
  const build = (env: NodeJS.ProcessEnv) => {
    const more = {
      SENTENCE_TORCH_BUILD: join(root, 'build'),
      SENTENCE_TORCH_OFFLINE: '',
      SENTENCE_TORCH_CUDA: '',
      ...env,
    }
    const options = { cwd: packageRoot, encoding: 'utf8', env: { ...process.env, ...more } } as const
    const { status, stderr } = spawnSync(process.execPath, ['install/build.mjs'], options)
    t.is(status, 1)
    t.notRegex(stderr, /\n {4}at /)
    t.false(existsSync(join(root, 'build')))
    return stderr
  }
  const inFile = join(root, 'file/below')
  const place = build({ SENTENCE_TORCH_BUILD: inFile, SENTENCE_TORCH_LIBTORCH: join(root, 'mine') })
  t.regex(place, /ENOTDIR: .*file\/below'\n.*what mends it: .*file\/below has to be writable/)
  const cache = build({ XDG_CACHE_HOME: inFile, SENTENCE_TORCH_LIBTORCH: '' })
  t.regex(cache, /file\/below\/sentence-torch cannot be written \(ENOTDIR\): XDG_CACHE_HOME names another folder/)
})

test('doctor answers with one JSON object, also where nothing is there', async (t) => {
  const home = temporaryFolder()
  mkdirSync(join(home, 'hub'))
  const env = { PATH: process.env.PATH, HOME: home, XDG_CACHE_HOME: home, HF_HOME: home, HF_TOKEN: 'hf_secret' }
  const output = execFileSync(process.execPath, ['install/doctor.mjs', '--json'], {
    cwd: packageRoot,
    env,
    encoding: 'utf8',
  })
  const facts = JSON.parse(output)
  t.true(facts.cpu.threads >= 1)
  t.is(facts.libtorch.chosen, null)
  t.is(facts.libtorch.steps.length, 4)
  t.is(facts.addon.steps[0].step, 'SENTENCE_TORCH_ADDON')
  t.is(facts.addon.chosen === null, !facts.addon.steps.some(({ chosen }: Step) => chosen))
  t.true(facts.addon.loads === true || facts.addon.detail.length > 0)
  t.is(facts.huggingFace.token, 'set')
  t.false(output.includes('hf_secret'))
})
