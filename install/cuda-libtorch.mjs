// Fills the package with the addon for CUDA: LibTorch for CUDA is too large for a package, and comes from pinned wheels.

import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { access, chmod, constants, mkdtemp, rename, rm, statfs, writeFile } from 'node:fs/promises'
import { constants as system } from 'node:os'
import { join, resolve } from 'node:path'
import { withLock } from './lock.mjs'
import { CUDA_WHEELS, neededForCuda, VERSION } from './pins.mjs'
import { megabytes } from './progress.mjs'
import { command, isOffline } from './system.mjs'
import { SetupError } from './toolchain.mjs'
import { fetchWheels, isAddress, pipArguments } from './wheel.mjs'

const LIBRARIES = ['c10', 'torch_cpu', 'c10_cuda', 'torch_cuda'].map((name) => `torch/lib/lib${name}.so`)

/**
 * @param {object} options
 * @param {string} options.folder the package's folder
 * @param {string} [options.from] a folder that holds the wheels, or an address below which they lie; default: pip's index
 * @param {NodeJS.ProcessEnv} [options.env]
 * @param {string} [options.python]
 * @param {typeof CUDA_WHEELS} [options.source]
 * @param {(line: string) => void} [options.log]
 */
export async function fillCuda({ folder, env = process.env, python = 'python3', source = CUDA_WHEELS, ...rest }) {
  const { log = (line) => void process.stderr.write(`sentence-torch: ${line}\n`) } = rest
  const from = readPlace(rest.from)
  const { version, variant } = wantedBy(folder)
  if (version !== VERSION || variant !== source.variant)
    throw new SetupError(
      `the addon in ${folder} was built for LibTorch ${version} (CUDA ${variant}), but this version of sentence-torch installs ${VERSION} (CUDA ${source.variant}): update both packages together`,
    )
  if (!hasDriver())
    log('no NVIDIA driver was found here: LibTorch for CUDA is installed all the same, for a machine that has one')
  await access(folder, constants.W_OK).catch((error) => {
    throw notWritable(folder, error)
  })
  const home = join(folder, 'libtorch')
  const lock = join(folder, 'libtorch.lock')
  const onWait = (/** @type {string} */ holder) => log(`waiting for another process that fills ${folder}: ${holder}`)
  await withLock(
    lock,
    async () => {
      if (isFilled(home)) return log(`LibTorch ${VERSION} for CUDA ${source.variant} is in ${home} already`)
      // Nobody else is at it: they are of runs that were killed.
      for (const name of readdirSync(folder)) if (name.startsWith('libtorch.filling-')) await remove(join(folder, name))
      const start = Date.now()
      await fill({ folder, home, lock, from, python, source, log, env })
      const seconds = ((Date.now() - start) / 1000).toFixed(0)
      log(`LibTorch ${VERSION} for CUDA ${source.variant} is in ${home} (${seconds} s)`)
    },
    { onWait },
  )
}

/**
 * An address, or the absolute path of a folder.
 * @param {string | undefined} from
 */
function readPlace(from) {
  if (from === undefined || (isAddress(from) && URL.canParse(from))) return from
  if (/^[a-z][a-z\d+.-]*:\/\//i.test(from))
    // The value is not shown: it may hold a password.
    throw new SetupError('--from: expected a folder, or an address that begins with https:// or http:// and has a host')
  return resolve(from)
}

/**
 * Everything happens in a temporary folder, which is renamed when it is complete, and removed when it does not get so far.
 * @param {{ folder: string, home: string, lock: string, from?: string, python: string, source: typeof CUDA_WHEELS, log: (line: string) => void, env: NodeJS.ProcessEnv }} work
 */
async function fill({ folder, home, lock, from, python, source, log, env }) {
  if (isOffline(env) && (from === undefined || isAddress(from)))
    throw new SetupError(`SENTENCE_TORCH_OFFLINE is set: nothing is downloaded. ${localWay(source)}`)
  await checkSpace(folder, source)
  const temporary = await mkdtemp(join(folder, 'libtorch.filling-')).catch((error) => {
    throw notWritable(folder, error)
  })
  const forget = onStop((signal) => {
    rmSync(temporary, { recursive: true, force: true, maxRetries: 5 })
    rmSync(lock, { force: true })
    log(`stopped by ${signal}: nothing was installed`)
  })
  try {
    const options = { python, log, from, select: neededForCuda, signal: forget.signal }
    const facts = await fetchWheels(source, temporary, options).catch((error) => {
      throw new SetupError(`LibTorch for CUDA was not installed: ${error.message}. ${localWay(source)}`, {
        cause: error,
      })
    })
    const missing = LIBRARIES.filter((name) => !existsSync(join(temporary, name)))
    if (missing.length) throw new SetupError(`the wheels do not hold ${missing.join(', ')}`)
    const note = { version: VERSION, variant: source.variant, root: 'torch', ...facts }
    await writeFile(join(temporary, 'libtorch.json'), `${JSON.stringify(note, null, 2)}\n`)
    await chmod(temporary, 0o755)
    await rm(home, { recursive: true, force: true })
    await rename(temporary, home)
  } finally {
    forget()
    await remove(temporary)
  }
}

/**
 * What the addon of the package was built for.
 * @param {string} folder
 * @returns {{ version: string, variant: string }}
 */
function wantedBy(folder) {
  const file = join(folder, 'libtorch.json')
  try {
    const { version, variant } = JSON.parse(readFileSync(file, 'utf8')) ?? {}
    if (typeof version !== 'string' || typeof variant !== 'string') throw new Error('it names no version and variant')
    return { version, variant }
  } catch (error) {
    throw new SetupError(
      `${file} cannot be read (${/** @type {Error} */ (error).message}): the package is damaged, install it again`,
    )
  }
}

/** The note is the last that is written. @param {string} home */
function isFilled(home) {
  try {
    const { version, root } = JSON.parse(readFileSync(join(home, 'libtorch.json'), 'utf8'))
    return version === VERSION && root === 'torch' && LIBRARIES.every((name) => existsSync(join(home, name)))
  } catch {
    return false
  }
}

function hasDriver() {
  return existsSync('/proc/driver/nvidia/version') || command('nvidia-smi', ['-L']) !== undefined
}

/**
 * What is unpacked, and the largest wheel beside it.
 * @param {string} folder
 * @param {typeof CUDA_WHEELS} source
 */
async function checkSpace(folder, { unpackedBytes, wheels }) {
  const { bavail, bsize } = await statfs(folder)
  const needed = unpackedBytes + Math.max(...wheels.map(({ bytes }) => bytes))
  if (bavail * bsize < needed)
    throw new SetupError(`${folder} has ${megabytes(bavail * bsize)} left, but ${megabytes(needed)} are needed`)
}

/** How a machine without network gets them. @param {typeof CUDA_WHEELS} source */
function localWay({ platforms, wheels }) {
  const args = pipArguments(platforms, 'wheels').filter((arg) => !/^(--disable|--progress|on$|off$)/.test(arg))
  const requirements = wheels.map(({ requirement }) => requirement)
  const line = ['python3 -m pip', ...args, ...requirements].join(' ')
  return `Without network: \`npx sentence-torch install cuda --from <folder>\` takes the wheels from a folder, which this fills elsewhere:\n    ${line}`
}

/** @param {string} folder @param {NodeJS.ErrnoException} error */
function notWritable(folder, error) {
  return new SetupError(
    `${folder} cannot be written (${error.code}): run it as the user who owns node_modules, or name a LibTorch for CUDA elsewhere in SENTENCE_TORCH_LIBTORCH`,
    { cause: error },
  )
}

/**
 * Cleans up when the process is told to end, and ends it. The result takes that back.
 * @param {(signal: string) => void} cleanUp
 */
function onStop(cleanUp) {
  const abort = new AbortController()
  const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])
  const handlers = signals.map((signal) => {
    const handler = () => {
      abort.abort()
      cleanUp(signal)
      process.exit(128 + system.signals[signal])
    }
    process.on(signal, handler)
    return { signal, handler }
  })
  const forget = () => {
    for (const { signal, handler } of handlers) process.off(signal, handler)
  }
  return Object.assign(forget, { signal: abort.signal })
}

/** @param {string} path */
async function remove(path) {
  await rm(path, { recursive: true, force: true })
}
