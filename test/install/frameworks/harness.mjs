// What the programs of this folder share: a project in a temporary folder with sentence-torch installed as users get it (tarballs
// from a registry on the loopback) beside a framework from npm's registry, and the count of what passed.
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { LoopbackRegistry } from '../../../dist/test/helpers/loopback-registry.js'
import { tinyFolder } from '../../../dist/test/helpers/tiny-folder.js'
import { readTarball } from '../../../packaging/tarball.mjs'

export const root = fileURLToPath(new URL('../../../', import.meta.url))

/** A case that cannot run here, with the reason. */
export class Skip extends Error {}

const { values } = parseArgs({
  options: {
    packed: { type: 'string' },
    only: { type: 'string' },
    keep: { type: 'boolean' },
    help: { type: 'boolean' },
  },
})
const tests = []

/** @param {string} name @param {() => Promise<string | undefined>} run gives what is worth printing */
export function test(name, run) {
  tests.push({ name, run })
}

/** @param {unknown} fact @param {string} otherwise */
export function expect(fact, otherwise) {
  if (!fact) throw new Error(otherwise)
}

/** Runs what `test` was told. @param {string} title */
export async function main(title) {
  if (values.help) {
    console.log(`${title}\n  --packed DIR   tarballs of npm run pack:all; without it they are made
  --only WORD    the cases whose names hold this word
  --keep         leaves the folders, and says where`)
    return
  }
  const counts = { passed: 0, failed: 0 }
  try {
    const reason = await unreachable()
    if (reason) console.log(`${title}: skipped, npm's registry cannot be reached (${reason})`)
    else for (const one of tests) if (one.name.includes(values.only ?? '')) await runOne(one, counts)
  } finally {
    await registry?.close()
    if (values.keep && work) console.log(`kept: ${work}`)
    else if (work) rmSync(work, { recursive: true, force: true })
  }
  console.log(`${counts.passed} passed, ${counts.failed} failed`)
  if (counts.failed > 0) process.exitCode = 1
}

async function runOne({ name, run }, counts) {
  const start = Date.now()
  try {
    const said = await run()
    counts.passed++
    console.log(`passed   ${name}${said ? `: ${said}` : ''} (${((Date.now() - start) / 1000).toFixed(1)} s)`)
  } catch (error) {
    if (error instanceof Skip) return console.log(`skipped  ${name}: ${error.message}`)
    counts.failed++
    console.log(`failed   ${name}: ${error.message}`)
  }
}

async function unreachable() {
  const { status, stderr } = await attempt(...npm(['view', 'typescript', 'version', '--fetch-retries=0']), {
    timeout: 30,
  })
  return status === 0 ? undefined : `npm view ended with ${status}: ${stderr.trim().split('\n')[0]}`
}

/** npm tells its scripts where it is. @param {string[]} args @returns {[string, string[]]} */
function npm(args) {
  const cli = process.env.npm_execpath
  return cli ? [process.execPath, [cli, ...args]] : ['npm', args]
}

let work
let registry
let packed

async function setUp() {
  if (packed) return
  work = mkdtempSync(join(tmpdir(), 'sentence-torch-frameworks-'))
  let folder = values.packed && resolve(values.packed)
  if (!folder) {
    folder = join(work, 'packed')
    const addon = process.env.SENTENCE_TORCH_ADDON
    const options = ['--out', folder, ...(addon ? ['--addon', dirname(addon)] : [])]
    await run(process.execPath, [join(root, 'packaging/pack-all.mjs'), ...options], { cwd: root, timeout: 1200 })
  }
  registry = await LoopbackRegistry.start()
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.tgz'))) {
    const file = join(folder, name)
    const { manifest, integrity } = await readTarball(file)
    registry.add(manifest, integrity, () => readFileSync(file))
    if (manifest.name === 'sentence-torch') packed = file
  }
  expect(packed, `${folder} holds no packed sentence-torch`)
}

/**
 * A project with sentence-torch, a tiny model in `model`, and what else is asked for.
 * @param {string} name
 * @param {{ packages?: string[], manifest?: object, files?: Record<string, string> }} [options]
 * @returns {Promise<string>} its folder
 */
export async function project(name, { packages = [], manifest = {}, files = {} } = {}) {
  await setUp()
  const folder = join(work, name)
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, private: true, ...manifest }, null, 2))
  // The packages with built files come from here, the others from where npm is told to look.
  writeFileSync(join(folder, '.npmrc'), `@sentence-torch:registry=${registry.url}\naudit=false\nfund=false\n`)
  await run(...npm(['install', '--no-save', packed, ...packages]), { cwd: folder, timeout: 400 })
  await tinyFolder(join(folder, 'model'))
  addFiles(folder, files)
  return folder
}

/** @param {string} folder @param {Record<string, string>} files */
export function addFiles(folder, files) {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), content)
  }
}

/** The version of a package that a project has. @param {string} folder @param {string} name */
export function versionOf(folder, name) {
  return JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8')).version
}

/** Programs see nothing of the setup of whoever tests: a variable would lead them to another addon. */
export function cleanEnv() {
  const own = /^(SENTENCE_TORCH_|npm_|NODE_OPTIONS$|NODE_PATH$|NODE_ENV$)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)))
}

/**
 * Runs a program to its end, or for `timeout` seconds.
 * @param {string} program @param {string[]} args @param {{ cwd?: string, env?: object, timeout?: number }} [options]
 * @returns {Promise<{ status: number | string, stdout: string, stderr: string }>}
 */
export function attempt(program, args, { timeout = 200, env, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...cleanEnv(), ...env },
      ...options,
    })
    const said = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'])
      child[name].setEncoding('utf8').on('data', (chunk) => {
        said[name] += chunk
      })
    const timer = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), timeout * 1000)
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ status: code ?? String(signal), ...said })
    })
  })
}

/** As `attempt`; any end but exit code 0 is an error. @returns {Promise<string>} standard output */
export async function run(program, args, options) {
  const { status, stdout, stderr } = await attempt(program, args, options)
  if (status === 0) return stdout
  const said = `${stdout}\n${stderr}`.trim().split('\n').slice(-30).join('\n')
  throw new Error(`${[program, ...args].join(' ').slice(0, 200)} ended with ${status}:\n${said}`)
}

/** A program of a project's packages, run by Node. @param {string} folder @param {string} file below node_modules */
export function local(folder, file, args = [], options = {}) {
  return run(process.execPath, [join(folder, 'node_modules', file), ...args], { cwd: folder, ...options })
}

/** The line that every program prints: `embedding [..]`. @param {string} output */
export function embeddingIn(output) {
  const line = output.split('\n').find((text) => text.startsWith('embedding '))
  expect(line, `no embedding was printed:\n${output}`)
  const values = JSON.parse(line.slice('embedding '.length))
  expect(values.length === 32 && values.every(Number.isFinite), `no embedding of the tiny model: ${line}`)
  return values
}

/** Prints the embedding of one text as the others do. */
export const printEmbedding = (folder = './model') => `
  const model = await SentenceTransformer.load(${JSON.stringify(folder)})
  const { data } = await model.encode(['the red cat'])
  console.log('embedding ' + JSON.stringify([...data]))
  await model.dispose()
`
