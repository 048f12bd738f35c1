// npm's install step: finds LibTorch and builds the addons with cmake-js, unless they are up to date. `--force` builds
// incrementally in any case. Everything the compiler says is in build/build.log.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createWriteStream, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { freemem } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { cudaVariant, findNvcc } from './cuda.mjs'
import { cacheFolder, LibtorchError, resolveLibtorch } from './libtorch.mjs'
import { placeLibtorch } from './local-libtorch.mjs'
import { withLock } from './lock.mjs'
import { buildFolder, command, cores, packageRoot } from './system.mjs'
import { checkToolchain, SetupError } from './toolchain.mjs'

const require = createRequire(import.meta.url)
const build = buildFolder()
const addons = ['boot.node', 'sentence_torch.node'].map((name) => join(build, 'Release', name))
const stampFile = join(build, 'stamp.json')
const logFile = join(build, 'build.log')
// A translation unit that includes ATen takes about this much memory to compile.
const BYTES_PER_JOB = 1.2e9

/** @param {string} line */
const say = (line) => void process.stderr.write(`sentence-torch: ${line}\n`)

/** @param {boolean} force */
async function main(force) {
  const start = Date.now()
  const variant = cudaVariant()
  const toolchain = checkToolchain()
  // Before LibTorch, which for CUDA is a download of gigabytes.
  if (variant !== 'cpu') say(`building for CUDA ${variant} with ${findNvcc()}`)
  // CMake takes the compiler that was checked, not the first that it finds.
  process.env.CXX ??= toolchain.compiler
  const { steps: _, ...libtorch } = await resolveLibtorch({ log: say })
  say(`LibTorch ${libtorch.version} (${libtorch.variant}, ${libtorch.source}): ${libtorch.path}`)

  mkdirSync(build, { recursive: true })
  const onWait = (/** @type {string} */ holder) => say(`waiting for another build in this folder: ${holder}`)
  await withLock(
    join(build, 'build.lock'),
    async () => {
      const stamp = {
        sources: hashSources(),
        libtorch: libtorch.path,
        version: libtorch.version,
        compiler: toolchain.compilerVersion,
        variant,
      }
      if (!force && addons.every(existsSync) && readStamp() === JSON.stringify(stamp)) {
        placeLibtorch(build, libtorch)
        say('the addon is up to date')
        return
      }
      rmSync(stampFile, { force: true })
      await configure(libtorch.path, libtorch.variant)
      const warnings = await compile()
      placeLibtorch(build, libtorch)
      writeFileSync(stampFile, JSON.stringify(stamp))
      const seconds = ((Date.now() - start) / 1000).toFixed(0)
      say(
        `built in ${seconds} s${warnings ? `, ${warnings} compiler warnings in ${relative(process.cwd(), logFile)}` : ''}`,
      )
    },
    { onWait },
  )
  if (variant === 'cpu') reportDriver()
}

/**
 * @param {string} libtorch
 * @param {string} variant
 */
async function configure(libtorch, variant) {
  const args = ['configure', `--CDLIBTORCH=${libtorch}`, `--CDSENTENCE_TORCH_CUDA=${variant}`]
  const hadCache = existsSync(join(build, 'CMakeCache.txt'))
  const { code } = await cmakeJs(args, 'w')
  if (code === 0) return
  if (!hadCache) throw failed('cmake')
  // A cache of another CMake, generator or folder: start afresh, once.
  for (const name of ['CMakeCache.txt', 'CMakeFiles']) rmSync(join(build, name), { recursive: true, force: true })
  if ((await cmakeJs(args, 'w')).code !== 0) throw failed('cmake')
}

/** @returns {Promise<number>} how many warnings the compiler gave */
async function compile() {
  const { allowed, quota } = cores()
  const jobs = Math.max(1, Math.min(allowed, Math.ceil(quota ?? allowed), Math.floor(freemem() / BYTES_PER_JOB)))
  say(
    `compiling with ${jobs} ${jobs === 1 ? 'job' : 'jobs'}; what the compiler says goes to ${relative(process.cwd(), logFile)}`,
  )
  const { code, output } = await cmakeJs(['build', '-p', String(jobs)], 'a')
  if (code !== 0) throw failed('compiler')
  return output.match(/\bwarning: /g)?.length ?? 0
}

/**
 * @param {string[]} args
 * @param {'w' | 'a'} flags whether to start the log or to add to it
 * @returns {Promise<{ code: number, output: string }>}
 */
function cmakeJs(args, flags) {
  const program = join(dirname(require.resolve('cmake-js/package.json')), 'bin/cmake-js')
  const log = createWriteStream(logFile, { flags })
  return new Promise((resolve, reject) => {
    const options = ['--directory', packageRoot, '--out', build, '--config', 'Release', '--log-level', 'error']
    const child = spawn(process.execPath, [program, ...args, ...options], {
      cwd: packageRoot,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    let shown = ''
    /** @param {Buffer} chunk */
    const take = (chunk) => {
      log.write(chunk)
      const text = chunk.toString()
      output += text
      const step = text.match(/\[\s*\d+(?:\/\d+|%)\]/g)?.at(-1)
      if (step && step !== shown && process.stderr.isTTY) process.stderr.write(`\rsentence-torch: ${step}\u001b[K`)
      shown = step ?? shown
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.on('error', reject)
    child.on('close', (code) => {
      if (shown && process.stderr.isTTY) process.stderr.write('\r\u001b[K')
      log.end(() => resolve({ code: code ?? 1, output }))
    })
  })
}

/** @param {string} what */
function failed(what) {
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n')
  const first = lines.findIndex((line) => /error: |CMake Error|undefined reference/i.test(line))
  const excerpt = lines.slice(Math.max(0, first), Math.max(0, first) + 30).join('\n')
  return new SetupError(`${what} failed. The first error (all of it is in ${logFile}):\n${excerpt}`)
}

/** Everything that goes into the addons. */
function hashSources() {
  const hash = createHash('sha256')
  const native = ['native', 'cmake']
    .flatMap((folder) => readdirSync(join(packageRoot, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((path) => !relative(packageRoot, path).startsWith(join('native', 'test')))
    .sort()
  for (const path of [...native, ...['CMakeLists.txt', 'package.json'].map((name) => join(packageRoot, name))])
    hash.update(`${relative(packageRoot, path)}\0`).update(readFileSync(path))
  for (const name of ['node-addon-api', 'node-api-headers', 'cmake-js'])
    hash.update(require(`${name}/package.json`).version)
  return hash.digest('hex')
}

function readStamp() {
  return existsSync(stampFile) ? readFileSync(stampFile, 'utf8') : undefined
}

function reportDriver() {
  const driver = command('nvidia-smi', ['--query-gpu=driver_version,name', '--format=csv,noheader'])
    ?.trim()
    .split('\n')[0]
  if (driver)
    say(
      `an NVIDIA driver was found (${driver}). This build computes on the CPU; SENTENCE_TORCH_CUDA=13.0 npm run build:native builds for the GPU (docs/cuda.md says what of that has run).`,
    )
}

try {
  await main(process.argv.includes('--force'))
} catch (error) {
  const { syscall, message } = /** @type {NodeJS.ErrnoException} */ (error)
  const ofTheSystem = syscall !== undefined
  if (!(ofTheSystem || error instanceof SetupError || error instanceof LibtorchError)) throw error
  say(message)
  if (ofTheSystem)
    say(
      `what mends it: ${build} has to be writable, and so has the cache, ${cacheFolder()}, which XDG_CACHE_HOME moves`,
    )
  process.exitCode = 1
}
