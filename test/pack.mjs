// npm run test:pack: what users get. Makes the packages of this platform, installs them from a registry on the loopback interface
// into an empty folder, without a compiler and with an empty cache, and runs the README's examples there on a tiny random model.
// `--packed <folder>` takes tarballs that are there already.
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { LoopbackRegistry } from '../dist/test/helpers/loopback-registry.js'
import { tinyFolder } from '../dist/test/helpers/tiny-folder.js'
import { tinyConfig } from '../dist/test/helpers/tiny-model.js'
import { rootManifest, stageBuild, stageMain } from '../packaging/stage.mjs'
import { makeTarball, readTarball } from '../packaging/tarball.mjs'

const root = fileURLToPath(new URL('../', import.meta.url))
const work = mkdtempSync(join(tmpdir(), 'sentence-torch-pack-'))
const user = join(work, 'user')
const platform = `${process.platform}-${process.arch}`
const given = parseArgs({ options: { packed: { type: 'string' } } }).values.packed
const MOST_PACKAGES = 24
/** Packed megabytes. */
const LIMITS = {
  'sentence-torch': 1.9,
  '@sentence-torch/build': 0.5,
  [`@sentence-torch/${platform}`]: 3.6,
  [`@sentence-torch/libtorch-${platform}`]: 120,
}

// Nothing of this machine's setup, and of its programs Node alone: whatever wants to build something fails.
mkdirSync(join(work, 'bin'))
symlinkSync(process.execPath, join(work, 'bin/node'))
const env = {
  PATH: join(work, 'bin'),
  HOME: join(work, 'home'),
  npm_config_cache: join(work, 'npm-cache'),
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_update_notifier: 'false',
}
// npm tells its scripts where it is.
const npmProgram = process.env.npm_execpath ?? join(dirname(process.execPath), '../lib/node_modules/npm/bin/npm-cli.js')

/** Standard output; an error with all that was said when the program fails. Not synchronous where the registry has to answer. */
function run(args, options = {}) {
  const result = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 1 << 26, cwd: user, env, ...options })
  if (result.error) throw result.error
  if (result.status !== 0) throw new Error(`node ${args.join(' ')} failed:\n${result.stdout}\n${result.stderr}`)
  return result.stdout
}

const tests = []
const test = (name, body) => void tests.push({ name, body })
function expect(condition, message) {
  if (!condition) throw new Error(message)
}

let packed = []
let registry

test(
  given ? `the packages of this platform are in ${given}` : 'pack:all makes the packages of this platform',
  async () => {
    packed = given ? await readPacked(resolve(given)) : packAll()
    const missing = Object.keys(LIMITS).filter((name) => !packed.some((entry) => entry.name === name))
    expect(!missing.length, `not packed: ${missing}`)
  },
)

test('no package is too large', () => {
  for (const { name, packed: bytes, unpacked, files } of packed) {
    console.log(
      `  ${name}: ${(bytes / 1e6).toFixed(2)} MB packed, ${(unpacked / 1e6).toFixed(2)} MB, ${files.length} files`,
    )
    expect(!(bytes > LIMITS[name] * 1e6), `${name} has ${bytes} bytes, more than ${LIMITS[name]} MB`)
  }
})

test('each package holds what belongs to it and nothing else', () => {
  const filesOf = (name) => packed.find((entry) => entry.name === name).files
  const allowed = {
    'sentence-torch':
      /^(package\.json|[A-Z]+(\.md)?|dist\/bundle\/[\w-]+\.c?js|dist\/lib\/[\w/-]+\.d\.c?ts|licences\/[\w-]+\.txt|schema\/(config|encoded-files)\.schema\.json|install\/[\w-]+\.(mjs|d\.mts))$/,
    '@sentence-torch/build':
      /^(package\.json|README\.md|LICENSE|CMakeLists\.txt|cmake\/.*|install\/[\w-]+\.(mjs|d\.mts)|native\/(?!test\/).*)$/,
    [`@sentence-torch/${platform}`]:
      /^(package\.json|README\.md|LICENSE|index\.js|libtorch\.json|boot\.node|sentence_torch\.node)$/,
    [`@sentence-torch/libtorch-${platform}`]:
      /^(package\.json|README\.md|LICENSE|libtorch\.json|licences\/[\w-]+\.txt|.*\.(so|so\.[\d.]+|dylib))$/,
  }
  for (const [name, pattern] of Object.entries(allowed)) {
    const strange = filesOf(name).filter((file) => !pattern.test(file))
    expect(!strange.length, `${name} holds ${strange}`)
  }
  for (const name of ['CHANGELOG.md', 'SECURITY.md', 'LICENSE', 'README.md'])
    expect(filesOf('sentence-torch').includes(name), `sentence-torch has no ${name}`)
  for (const name of [
    'licences/parse5.txt',
    'licences/entities.txt',
    'licences/vega.txt',
    'licences/huggingface-jinja.txt',
  ])
    expect(filesOf('sentence-torch').includes(name), `sentence-torch has no ${name}`)
  for (const name of ['licences/pytorch.txt', 'licences/pytorch-third-party.txt'])
    expect(filesOf(`@sentence-torch/libtorch-${platform}`).includes(name), `no ${name} with LibTorch`)
})

test('packing again gives the same bytes', async () => {
  if (given) return console.log('  skipped, the tarballs come from another machine')
  for (const [name, stage] of Object.entries({ 'sentence-torch': stageMain, '@sentence-torch/build': stageBuild })) {
    const folder = join(work, 'again', name)
    mkdirSync(folder, { recursive: true })
    await stage(folder, rootManifest())
    const { integrity } = await makeTarball(folder, join(work, 'again'))
    expect(integrity === packed.find((entry) => entry.name === name).integrity, `${name} differs`)
  }
})

test('npm install brings everything and builds nothing', async () => {
  const upstream = run([npmProgram, 'config', 'get', 'registry'], { cwd: root, env: process.env }).trim()
  registry = await LoopbackRegistry.start({ upstream })
  for (const { file, manifest, integrity } of packed) registry.add(manifest, integrity, () => readFileSync(file))
  const start = Date.now()
  const install = [npmProgram, 'install', 'sentence-torch', '--registry', registry.url, '--foreground-scripts']
  await runBeside(install)
  console.log(`  npm install with an empty cache: ${((Date.now() - start) / 1000).toFixed(1)} s`)
  const lock = JSON.parse(readFileSync(join(user, 'node_modules/.package-lock.json'), 'utf8'))
  const names = Object.keys(lock.packages)
  console.log(`  ${names.length} packages`)
  expect(names.length <= MOST_PACKAGES, `${names.length} packages: ${names}`)
  const scripts = names.filter((name) => lock.packages[name].hasInstallScript)
  expect(!scripts.length, `install scripts in ${scripts}`)
  expect(!existsSync(join(user, 'node_modules/sentence-torch/build')), 'something was built')
})

test('the first example of the README, pasted into that folder', async () => {
  const { code, model } = examples()[0]
  await tinyFolder(join(user, model))
  writeFileSync(join(user, 'first.mjs'), code)
  const start = Date.now()
  const output = run(['first.mjs'])
  console.log(`  ${output.trim()} (${((Date.now() - start) / 1000).toFixed(1)} s)`)
  expect(/\S+ \d\.\d+/.test(output), `a text and its score are expected, found ${output}`)
})

test('the second example trains', () => {
  const { code } = examples()[1]
  const pairs = Array.from({ length: 64 }, (_, i) => ({ anchor: `question ${i}`, positive: `answer ${i}` }))
  for (const [, file] of code.matchAll(/Dataset\.fromFile\('([^']+\.jsonl)'\)/g))
    writeFileSync(join(user, file), pairs.map((pair) => `${JSON.stringify(pair)}\n`).join(''))
  writeFileSync(join(user, 'second.mjs'), code)
  run(['second.mjs'])
  expect(existsSync(join(user, 'runs/a/model/model.safetensors')), 'no model was saved')
})

test('embeddings are finite, through import and, where Node can, through require', () => {
  const check = `
    const model = await SentenceTransformer.load(${JSON.stringify(examples()[0].model)})
    const { data, shape } = await model.encode(['one text', 'another'])
    if (shape[0] !== 2 || shape[1] !== ${tinyConfig.hidden_size} || !data.every(Number.isFinite)) throw new Error('bad embeddings')
    await model.dispose()`
  writeFileSync(join(user, 'check.mjs'), `import { SentenceTransformer } from 'sentence-torch'\n${check}`)
  run(['check.mjs'])
  if (!process.features.require_module) return console.log('  require: skipped, this Node cannot require ES modules')
  const body = `const { SentenceTransformer } = require('sentence-torch');\n(async () => {${check}\n})()`
  writeFileSync(join(user, 'check.cjs'), body)
  run(['check.cjs'])
})

test('the program says that the installed addon loads', () => {
  const { addon } = JSON.parse(run([join(user, 'node_modules/.bin/sentence-torch'), 'doctor', '--json']))
  expect(addon.loads, `the addon does not load: ${JSON.stringify(addon)}`)
  expect(addon.chosen.source === `@sentence-torch/${platform}`, `another addon was taken: ${addon.chosen.source}`)
})

function packAll() {
  const addon = process.env.SENTENCE_TORCH_ADDON
  const options = ['--json', '--out', join(work, 'tarballs'), ...(addon ? ['--addon', dirname(addon)] : [])]
  return JSON.parse(run([join(root, 'packaging/pack-all.mjs'), ...options], { cwd: root, env: process.env }))
}

/** What pack:all says of its tarballs, read from the tarballs of this platform. */
async function readPacked(folder) {
  const files = readdirSync(folder).filter((name) => name.endsWith('.tgz'))
  const all = await Promise.all(files.map((name) => readTarball(join(folder, name))))
  return all.filter(({ name }) => name in LIMITS)
}

/** As run, while this process answers. */
async function runBeside(args) {
  const { execFile } = await import('node:child_process')
  return promisify(execFile)(process.execPath, args, { cwd: user, env, maxBuffer: 1 << 26 })
}

/** The fenced blocks of the README that import the package, and the model that each loads: a folder of that name in the working
 *  directory is what loading looks at first. */
function examples() {
  const blocks = readFileSync(join(root, 'README.md'), 'utf8').matchAll(/```(?:ts|js)\n([\s\S]*?)```/g)
  const found = [...blocks].map((match) => match[1]).filter((code) => code.includes("from 'sentence-torch'"))
  expect(found.length >= 2, "README.md has no two examples that import from 'sentence-torch'")
  return found.map((code) => ({ code, model: /SentenceTransformer\.load\(\s*'([^']+)'/.exec(code)?.[1] ?? '' }))
}

mkdirSync(user)
let passed = 0
let failed = 0
try {
  for (const { name, body } of tests) {
    try {
      console.log(name)
      await body()
      passed += 1
    } catch (error) {
      failed += 1
      console.error(`  failed: ${error.message}\n${error.stderr ?? ''}`)
    }
  }
} finally {
  await registry?.close()
  rmSync(work, { recursive: true, force: true })
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed ? 1 : 0
