// Looks at a folder and says which LibTorch it is, or what it lacks.

import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** Versions that the engine is written for: 2.11 up to and with 2.14. */
const OLDEST_MINOR = 11
const NEWEST_MINOR = 14

/**
 * @typedef {object} LibtorchFolder
 * @property {string} [path] absolute path of the folder that holds lib/ (and include/, unless it is there to run only)
 * @property {string} [version] "2.13.0"; absent where a folder without headers does not say it
 * @property {string} [cuda] CUDA version of its CUDA libraries; absent when it has none
 * @property {number} [abi] _GLIBCXX_USE_CXX11_ABI
 * @property {string} [problem] why it cannot be used
 */

/** @param {string} [platform] */
function libraryNames(platform = process.platform) {
  const suffix = platform === 'darwin' ? 'dylib' : 'so'
  return [`lib/libtorch_cpu.${suffix}`, `lib/libc10.${suffix}`]
}

const HEADER = 'include/ATen/core/Tensor.h'

/**
 * @param {string} folder
 * @param {{ headers?: boolean }} [options] `headers`: whether it is to be built with (default), not only run with
 * @returns {LibtorchFolder}
 */
export function inspectLibtorch(folder, { headers = true } = {}) {
  if (!existsSync(folder)) return { problem: `${folder} does not exist` }
  const path = realpathSync(rootOf(folder))
  const missing = libraryNames().filter((name) => !existsSync(join(path, name)))
  if (missing.length === 0 && headers && !existsSync(join(path, HEADER)))
    return {
      problem: `${folder} has the libraries but not the headers (no ${HEADER}): the addon runs with it, but cannot be built with it`,
    }
  if (missing.length) return { problem: `${folder} has no ${missing.join(', no ')}` }

  const version = readVersion(path)
  if (!version && headers)
    return { problem: `${folder} does not say its version (no include/torch/headeronly/version.h)` }
  const [major, minor] = (version ?? '').split('.').map(Number)
  if (version && (major !== 2 || Number(minor) < OLDEST_MINOR || Number(minor) > NEWEST_MINOR))
    return { problem: `${folder} is LibTorch ${version}, but 2.${OLDEST_MINOR} to 2.${NEWEST_MINOR} is needed` }
  if (!headers) return { path, version }

  const cpuOnly = !readdirSync(join(path, 'lib')).some((name) => name.startsWith('libtorch_cuda.'))
  return { path, version, cuda: cpuOnly ? undefined : readCuda(path), abi: readAbi(path) }
}

/** A folder of the cache, or an installed package, names the folder inside that is LibTorch. @param {string} folder */
function rootOf(folder) {
  const { root } = readNote(folder)
  return root !== undefined && !existsSync(join(folder, 'lib')) ? join(folder, root) : folder
}

/** What libtorch.json in a folder says; nothing where it is absent or damaged. @param {string} folder */
function readNote(folder) {
  try {
    const { root, version } = JSON.parse(readFileSync(join(folder, 'libtorch.json'), 'utf8'))
    return /** @type {{ root?: string, version?: string }} */ ({
      root: typeof root === 'string' ? root : undefined,
      version: typeof version === 'string' ? version : undefined,
    })
  } catch {
    return {}
  }
}

/** Of the headers, else of what lies about in a folder without headers. @param {string} path */
function readVersion(path) {
  for (const header of ['torch/headeronly/version.h', 'torch/csrc/api/include/torch/version.h']) {
    const file = join(path, 'include', header)
    if (!existsSync(file)) continue
    const text = readFileSync(file, 'utf8')
    const parts = ['MAJOR', 'MINOR', 'PATCH'].map((part) => new RegExp(`TORCH_VERSION_${part} (\\d+)`).exec(text)?.[1])
    if (parts.every((part) => part !== undefined)) return parts.join('.')
  }
  const above = readNote(dirname(path))
  if (above.root === basename(path) && above.version) return above.version
  for (const [name, pattern] of /** @type {const} */ ([
    ['build-version', /^(\d+\.\d+\.\d+)/],
    ['version.py', /^__version__ = '(\d+\.\d+\.\d+)/m],
  ])) {
    const file = join(path, name)
    const found = existsSync(file) && pattern.exec(readFileSync(file, 'utf8'))
    if (found) return found[1]
  }
  return undefined
}

/** @param {string} path */
function readCuda(path) {
  const python = join(path, 'version.py')
  if (existsSync(python)) return /^cuda.*= '([\d.]+)'/m.exec(readFileSync(python, 'utf8'))?.[1]
  const build = join(path, 'build-version')
  const digits = existsSync(build) ? /\+cu(\d+)(\d)/.exec(readFileSync(build, 'utf8')) : null
  return digits ? `${digits[1]}.${digits[2]}` : undefined
}

/**
 * Which C++ ABI (_GLIBCXX_USE_CXX11_ABI): std::string of the new one is part of the mangled names of libc10.
 * @param {string} path
 */
function readAbi(path) {
  const [, c10] = libraryNames()
  return c10.endsWith('.so') && !readFileSync(join(path, c10)).includes('__cxx11') ? 0 : 1
}
