// `build`: where the sources come from, and what is said where they cannot be had or built. The builds are fakes.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { SetupError } from '#toolchain'
import { type BuildPlace, buildAddon } from '../../lib/cli/build-addon.js'
import { runProgram } from '../../lib/cli/child.js'
import { temporaryFolder, writeTree } from './install-helpers.js'

const PACKAGE = 'node_modules/@sentence-torch/build/'

/** A build that notes what it was asked for. */
const BUILD = `
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
const target = process.env.SENTENCE_TORCH_BUILD
mkdirSync(join(target, 'Release'), { recursive: true })
const sources = dirname(dirname(fileURLToPath(import.meta.url)))
writeFileSync(join(target, 'asked.json'), JSON.stringify({ sources, args: process.argv.slice(2) }))
process.exitCode = Number(process.env.FAKE_BUILD_CODE ?? 0)
`

const sources = (version = '1.2.3', prefix = PACKAGE) => ({
  [`${prefix}package.json`]: JSON.stringify({ name: '@sentence-torch/build', version }),
  [`${prefix}install/build.mjs`]: BUILD,
})

function setUp() {
  const base = temporaryFolder()
  const root = writeTree(join(base, 'app/node_modules/sentence-torch'), {
    'package.json': '{"name": "sentence-torch", "version": "1.2.3"}',
  })
  const cache = join(base, 'cache')
  const { PATH } = process.env
  const place = { force: false, root, cwd: join(base, 'app'), cache, npm: join(base, 'npm'), env: { PATH }, check() {} }
  const build = (more: Partial<BuildPlace> = {}) => buildAddon({ ...place, ...more })
  const asked = () => JSON.parse(readFileSync(join(root, 'build/asked.json'), 'utf8'))
  return { base, root, cache, build, asked, env: place.env }
}

/** Stands for npm: notes its arguments, and makes the package below --prefix. */
function fakeNpm(base: string, { version = '1.2.3', before = '' } = {}): void {
  const template = writeTree(join(base, 'template'), sources(version, ''))
  const script = `#!/bin/bash
echo "$@" >> ${join(base, 'npm.log')}
while [ "$1" != --prefix ]; do shift; done
mkdir -p "$2/node_modules/@sentence-torch"
${before}
cp -r ${template} "$2/node_modules/@sentence-torch/build"
`
  writeFileSync(join(base, 'npm'), script, { mode: 0o755 })
}

test('a clone is its own source', async (t) => {
  const { root, build, asked } = setUp()
  writeTree(root, { 'CMakeLists.txt': '', 'install/build.mjs': BUILD })
  t.is(await build({ force: true }), 0)
  t.deepEqual(asked(), { sources: root, args: ['--force'] })
})

test('an installed package, beside this one or in the working directory; its exit code is the answer', async (t) => {
  for (const where of ['app', 'app/node_modules/sentence-torch', 'elsewhere']) {
    const { base, build, asked, env } = setUp()
    writeTree(join(base, where), sources())
    const code = await build({ cwd: join(base, where), env: { ...env, FAKE_BUILD_CODE: '7' } })
    t.is(code, 7)
    t.deepEqual(asked(), { sources: join(base, where, PACKAGE).slice(0, -1), args: [] })
    t.false(existsSync(join(base, 'cache')))
  }
})

test('an installed package of another version is refused with the command that mends it', async (t) => {
  const { base, root, build } = setUp()
  writeTree(join(base, 'app'), sources('1.2.4'))
  await t.throwsAsync(build(), {
    code: 'ERR_UNSUPPORTED',
    message: /is version 1\.2\.4, but sentence-torch is 1\.2\.3: `npm install @sentence-torch\/build@1\.2\.3`/,
  })
  t.false(existsSync(join(root, 'build')))
})

test('npm fetches it into the cache, once', async (t) => {
  const { base, cache, build, asked } = setUp()
  fakeNpm(base)
  t.deepEqual(await Promise.all([build(), build(), build()]), [0, 0, 0])
  t.is(asked().sources, join(cache, 'build-1.2.3', PACKAGE).slice(0, -1))
  t.deepEqual(readdirSync(cache), ['build-1.2.3'])
  const calls = readFileSync(join(base, 'npm.log'), 'utf8').trim().split('\n')
  t.is(calls.length, 1)
  t.regex(calls[0]!, /^install --prefix .* --ignore-scripts .*@sentence-torch\/build@1\.2\.3$/)
})

async function leavesNothing(t: ExecutionContext, { root, cache }: ReturnType<typeof setUp>): Promise<void> {
  t.false(existsSync(join(root, 'build')))
  t.deepEqual(existsSync(cache) ? readdirSync(cache) : [], [])
}

test('no compiler: the error of the toolchain, before anything is fetched', async (t) => {
  const place = setUp()
  fakeNpm(place.base)
  const check = () => {
    throw new SetupError('A C++ compiler was not found')
  }
  await t.throwsAsync(place.build({ check }), { code: 'ERR_SETUP', message: /A C\+\+ compiler was not found/ })
  t.false(existsSync(join(place.base, 'npm.log')))
  await leavesNothing(t, place)
})

test('no npm', async (t) => {
  const place = setUp()
  await t.throwsAsync(place.build(), {
    code: 'ERR_NOT_FOUND',
    message: /npm was not found: install @sentence-torch\/build@1\.2\.3 with your package manager/,
  })
  await leavesNothing(t, place)
})

test('no network, or a registry that is down in the middle: the local way, and nothing stays', async (t) => {
  const place = setUp()
  fakeNpm(place.base, { before: 'echo "npm error network ECONNRESET" >&2; exit 1' })
  const way =
    /`npm install --prefix build-1\.2\.3 @sentence-torch\/build@1\.2\.3`.* found here as .*cache\/build-1\.2\.3$/
  const error = await t.throwsAsync(place.build(), { code: 'ERR_NETWORK', message: way })
  t.regex(error.message, /npm could not install @sentence-torch\/build@1\.2\.3 \(exit code 1, see above\)/)
  await leavesNothing(t, place)
  const offline = place.build({ env: { ...place.env, SENTENCE_TORCH_OFFLINE: '1' } })
  await t.throwsAsync(offline, { code: 'ERR_NETWORK', message: way })
  t.is(readFileSync(join(place.base, 'npm.log'), 'utf8').trim().split('\n').length, 1)
  fakeNpm(place.base)
  t.is(await place.build({ env: { ...place.env, SENTENCE_TORCH_OFFLINE: '0' } }), 0)
})

test('a folder that cannot be written names what works', (t) => {
  const { base, root } = setUp()
  fakeNpm(base)
  chmodSync(root, 0o555)
  t.teardown(() => chmodSync(root, 0o755))
  const module = new URL('../../lib/cli/build-addon.js', import.meta.url).href
  // Root may write everywhere: it becomes nobody, who has to be let in.
  chmodSync(base, 0o755)
  const code = `
    const { buildAddon } = await import(${JSON.stringify(module)})
    if (process.getuid() === 0) process.setuid(65534)
    await buildAddon({ force: false, root: ${JSON.stringify(root)}, check() {} }).catch((error) => console.log(error.code, error.message))`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })
  t.regex(
    stdout,
    /^ERR_FILE_SYSTEM .*sentence-torch cannot be written \(EACCES\): .*SENTENCE_TORCH_BUILD=.*SENTENCE_TORCH_ADDON=/,
  )
  t.false(existsSync(join(root, 'build')))
})

test('a cache that cannot be made names XDG_CACHE_HOME', async (t) => {
  const place = setUp()
  fakeNpm(place.base)
  writeFileSync(join(place.base, 'file'), '')
  const cache = join(place.base, 'file/cache')
  await t.throwsAsync(place.build({ cache }), {
    code: 'ERR_FILE_SYSTEM',
    message: /XDG_CACHE_HOME names another folder/,
  })
})

test('a program that a signal ends gives its number', async (t) => {
  const code = await runProgram(process.execPath, ['-e', 'process.kill(process.pid, "SIGTERM")'], process.env, '/')
  t.is(code, 143)
})
