// Where LibTorch comes from: the one module that npm's install step, CMake and doctor ask.
//
//   1. SENTENCE_TORCH_LIBTORCH   a folder, or `python` for the torch that python3 imports; nothing else is tried then
//   2. the user cache            one folder per version, variant and platform, shared by all clones
//   3. the official zip          downloaded into the cache
//   4. the Python wheel          downloaded through pip, of which only what a cpu-only addon needs is unpacked into the cache
//
// As a program: `node install/libtorch.mjs --print` answers with one JSON object on stdout.

import { existsSync, readFileSync, realpathSync } from 'node:fs'
import {
  access,
  chmod,
  constants,
  mkdir,
  mkdtemp,
  readdir,
  rename,
  rm,
  stat,
  statfs,
  writeFile,
} from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { addressOf, download } from './download.mjs'
import { inspectLibtorch } from './libtorch-folder.mjs'
import { withLock } from './lock.mjs'
import { VERSION, WHEELS, ZIP_BASE, ZIPS } from './pins.mjs'
import { megabytes, progress } from './progress.mjs'
import { isOffline, packageRoot, pythonTorch } from './system.mjs'
import { fetchWheels } from './wheel.mjs'
import { unzip } from './zip.mjs'

// Zip or wheels, and what they unpack to, at the same time.
const SPACE_NEEDED = 1.3e9

/**
 * @typedef {object} Libtorch
 * @property {string} path folder that holds include/ and lib/
 * @property {string} version
 * @property {string} variant what the addon is built for: `cpu` or a CUDA version
 * @property {number} abi _GLIBCXX_USE_CXX11_ABI
 * @property {string} source environment, python, cache, zip or wheel
 */
/** @typedef {{ step: string, found: string, chosen: boolean }} Step */
/**
 * @typedef {object} Options
 * @property {NodeJS.ProcessEnv} [env]
 * @property {string} [platform] `linux-x64`
 * @property {boolean} [fetching] false: look only, download nothing (doctor)
 * @property {(line: string) => void} [log]
 * @property {string} [python]
 * @property {typeof ZIPS} [zips]
 * @property {typeof WHEELS} [wheels]
 */

/** All ways failed. `steps` says what was tried and what each found. */
export class LibtorchError extends Error {
  /**
   * @param {string} message
   * @param {Step[]} steps
   */
  constructor(message, steps) {
    super(message)
    this.name = 'LibtorchError'
    this.code = 'ERR_NOT_FOUND'
    this.steps = steps
  }
}

/**
 * @param {Options} [options]
 * @returns {Promise<Libtorch & { steps: Step[] }>}
 */
export async function resolveLibtorch(options = {}) {
  const { env = process.env, fetching = true, log = (line) => process.stderr.write(`${line}\n`) } = options
  const { platform = `${process.platform}-${process.arch}`, python = 'python3', zips = ZIPS, wheels = WHEELS } = options
  const variant = env.SENTENCE_TORCH_CUDA || 'cpu'
  /** @type {Step[]} */
  const steps = []
  /** @param {string} step @param {string} found */
  const tried = (step, found) => void steps.push({ step, found, chosen: false })
  /** @param {string} step @param {string} folder @param {string} source */
  const accept = (step, folder, source) => {
    const { path, version, abi, cuda, problem } = inspectLibtorch(folder)
    if (!path || !version || abi === undefined) return void tried(step, problem ?? 'nothing')
    if (variant !== 'cpu' && cuda !== variant)
      return void tried(step, `${path} has no CUDA ${variant} (${cuda ?? 'cpu'})`)
    steps.push({ step, found: `LibTorch ${version} in ${path}`, chosen: true })
    return { path, version, variant, abi, source, steps }
  }
  const give = () => new LibtorchError(report({ steps, variant, platform, env }), steps)

  // 1. What the user says is taken or refused, never silently replaced by something else.
  const wanted = env.SENTENCE_TORCH_LIBTORCH
  if (wanted) {
    const step = `SENTENCE_TORCH_LIBTORCH=${wanted}`
    const folder = wanted === 'python' ? pythonTorch(python) : resolve(wanted)
    const found = folder ? accept(step, folder, wanted === 'python' ? 'python' : 'environment') : undefined
    if (!folder) tried(step, `${python} cannot import torch`)
    if (found) return found
    throw give()
  }
  tried('SENTENCE_TORCH_LIBTORCH', 'not set')

  // 2. The cache.
  const cache = cacheFolder(env)
  const home = join(cache, `libtorch-${VERSION}-${variant}-${platform}`)
  const fromCache = () => {
    const root = cachedRoot(home)
    return root ? accept(`cache ${home}`, root, 'cache') : void tried(`cache ${home}`, 'not there')
  }
  const cached = fromCache()
  if (cached) return cached

  // 3. and 4. Downloads, into the cache.
  const zip = zips[platform]?.[variant]
  const zipUrl = zip && `${(env.SENTENCE_TORCH_LIBTORCH_MIRROR || ZIP_BASE).replace(/\/$/, '')}/${zip.path}`
  const wheel = variant === 'cpu' ? wheels[platform] : undefined
  const offline = isOffline(env)
  const zipStep = zipUrl ? `zip ${addressOf(zipUrl)}` : 'zip'
  const wheelStep = wheel ? `wheel ${wheel.wheels[0]?.requirement} through ${python} -m pip` : 'wheel'
  const refusal = offline ? 'not tried: SENTENCE_TORCH_OFFLINE is set' : 'not tried: only looking'
  if (offline || !fetching) {
    tried(zipStep, zipUrl ? refusal : `none for ${platform}, ${variant}`)
    tried(wheelStep, wheel ? refusal : `none for ${platform}, ${variant}`)
    throw give()
  }

  try {
    await mkdir(cache, { recursive: true })
    await access(cache, constants.W_OK)
  } catch (error) {
    const message = `${cache} cannot be written (${/** @type {NodeJS.ErrnoException} */ (error).code}): XDG_CACHE_HOME names another folder for LibTorch, SENTENCE_TORCH_LIBTORCH a LibTorch that is there`
    throw new LibtorchError(message, steps)
  }
  const onWait = (/** @type {string} */ holder) =>
    log(`Waiting for another process that fills the LibTorch cache: ${holder}`)
  return await withLock(
    `${home}.lock`,
    async () => {
      // Whoever held the lock before may have filled it.
      if (cachedRoot(home)) {
        const filled = fromCache()
        if (filled) return filled
      }
      await removeLeftovers(cache)
      /** @type {[string, string, boolean, (temporary: string) => Promise<object>][]} */
      const ways = [
        [
          zipStep,
          'zip',
          Boolean(zipUrl),
          (folder) =>
            fillFromZip(
              /** @type {string} */ (zipUrl),
              zip?.sha256 ?? env.SENTENCE_TORCH_LIBTORCH_SHA256,
              folder,
              cache,
              log,
            ),
        ],
        [
          wheelStep,
          'wheel',
          Boolean(wheel),
          (folder) => fetchWheels(/** @type {NonNullable<typeof wheel>} */ (wheel), folder, { python, log }),
        ],
      ]
      for (const [step, source, offered, fill] of ways) {
        if (!offered) {
          tried(step, `none for ${platform}, ${variant}`)
          continue
        }
        const temporary = await mkdtemp(`${home}.filling-`)
        try {
          await checkSpace(cache)
          const facts = await fill(temporary)
          const root = join(temporary, source === 'zip' ? 'libtorch' : 'torch')
          const { version, problem, abi } = inspectLibtorch(root)
          if (problem || version !== VERSION)
            throw new Error(problem ?? `it holds version ${version} instead of ${VERSION}`)
          const manifest = { version, variant, abi, source, root: source === 'zip' ? 'libtorch' : 'torch', ...facts }
          await writeFile(join(temporary, 'libtorch.json'), `${JSON.stringify(manifest, null, 2)}\n`)
          await chmod(temporary, 0o755)
          await rm(home, { recursive: true, force: true })
          await rename(temporary, home)
          const found = accept(step, join(home, manifest.root), source)
          if (found) return found
        } catch (error) {
          tried(step, error instanceof Error ? error.message : String(error))
          log(`LibTorch: ${step} failed: ${error instanceof Error ? error.message : error}`)
        } finally {
          await rm(temporary, { recursive: true, force: true })
        }
      }
      throw give()
    },
    { onWait },
  )
}

/**
 * The folder of all caches of this package.
 * @param {NodeJS.ProcessEnv} [env]
 */
export function cacheFolder(env = process.env) {
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'sentence-torch')
}

/**
 * A filled cache folder has its manifest: it is renamed into place as a whole. One that was put there by hand may be the
 * unpacked zip as it is.
 * @param {string} home
 * @returns {string | undefined}
 */
function cachedRoot(home) {
  const manifest = join(home, 'libtorch.json')
  if (existsSync(manifest)) {
    try {
      const { root } = JSON.parse(readFileSync(manifest, 'utf8'))
      if (root === 'libtorch' || root === 'torch') return join(home, root)
    } catch {} // Damaged: it is filled anew.
    return undefined
  }
  return [home, join(home, 'libtorch'), join(home, 'torch')].find((folder) => existsSync(join(folder, 'include')))
}

/**
 * @param {string} url
 * @param {string | undefined} sha256
 * @param {string} folder to unpack into
 * @param {string} cache where the zip lies meanwhile, so that the next run can resume it
 * @param {(line: string) => void} log
 */
async function fillFromZip(url, sha256, folder, cache, log) {
  const file = join(cache, decodeURIComponent(url.slice(url.lastIndexOf('/') + 1)))
  const got = await download(url, file, { sha256 })
  try {
    if (!sha256) log(`SHA-256 of ${addressOf(url)}: ${got.sha256} (no pin to compare with)`)
    const bar = progress('Unpacking LibTorch', got.bytes)
    const { files, bytes } = await unzip(file, folder, { onProgress: bar.update })
    bar.done()
    return { url: addressOf(url), sha256: got.sha256, pinned: Boolean(sha256), files, bytes }
  } finally {
    await rm(file, { force: true })
  }
}

/**
 * Temporary folders of runs that were killed.
 * @param {string} cache
 */
async function removeLeftovers(cache) {
  for (const name of await readdir(cache)) {
    if (!name.includes('.filling-')) continue
    const { mtimeMs } = await stat(join(cache, name))
    if (Date.now() - mtimeMs > 3_600_000) await rm(join(cache, name), { recursive: true, force: true })
  }
}

/** @param {string} folder */
async function checkSpace(folder) {
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize < SPACE_NEEDED)
    throw new Error(
      `${folder} has ${megabytes(bavail * bsize)} left, but ${megabytes(SPACE_NEEDED)} are needed (XDG_CACHE_HOME moves the cache)`,
    )
}

/**
 * The one error: what was tried, what each found, what mends it.
 * @param {{ steps: Step[], variant: string, platform: string, env: NodeJS.ProcessEnv }} situation
 */
function report({ steps, variant, platform, env }) {
  const ways = []
  if (env.SENTENCE_TORCH_LIBTORCH)
    ways.push('unset SENTENCE_TORCH_LIBTORCH, or let it name a folder with include/ and lib/ of LibTorch 2.11 to 2.14')
  if (isOffline(env)) ways.push('unset SENTENCE_TORCH_OFFLINE, so that LibTorch can be downloaded')
  // npm builds a clone when it is installed, the package on request alone.
  const build = existsSync(join(packageRoot, 'binding.gyp')) ? 'npm install' : 'npx sentence-torch build'
  ways.push(
    `python3 -m pip install torch==${VERSION} && SENTENCE_TORCH_LIBTORCH=python ${build}`,
    `or unpack a LibTorch zip anywhere and run: SENTENCE_TORCH_LIBTORCH=<that folder> ${build}`,
  )
  if (process.platform === 'linux')
    ways.push(
      'where only pip is missing: apt-get install python3-pip (Debian, Ubuntu), dnf install python3-pip (Fedora)',
    )
  return [
    `LibTorch for ${platform}, ${variant}, was not found. Tried, in this order:`,
    ...steps.map(({ step, found }, i) => `  ${i + 1}. ${step}: ${found}`),
    'What mends it:',
    ...ways.map((way) => `  - ${way}`),
  ].join('\n')
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    const { steps: _, ...found } = await resolveLibtorch()
    process.stdout.write(`${JSON.stringify(found)}\n`)
  } catch (error) {
    process.stderr.write(`${error instanceof LibtorchError ? error.message : /** @type {Error} */ (error).stack}\n`)
    process.exitCode = 1
  }
}
