// What this machine is: processor features, how many threads make sense, and where LibTorch was found.
// Plain JavaScript without dependencies: the install step runs it before anything is built.
// The roots are parameters so that the tests can show faked /proc and /sys trees.

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspectLibtorch } from './libtorch-folder.mjs'

export { inspectBinary } from './binary.mjs'

/** The folder of package.json, the nearest one above: this module may have become a part of a bundle. */
export const packageRoot = folderOfPackage(dirname(fileURLToPath(import.meta.url)))

/**
 * @param {string} folder
 * @returns {string}
 */
function folderOfPackage(folder) {
  const above = dirname(folder)
  return existsSync(join(folder, 'package.json')) || above === folder ? folder : folderOfPackage(above)
}

/**
 * Where the addon is built: build/, or the folder that SENTENCE_TORCH_BUILD names, relative to the package.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string}
 */
export function buildFolder(env = process.env) {
  return resolve(packageRoot, env.SENTENCE_TORCH_BUILD || 'build')
}

/** @typedef {{ proc?: string, sys?: string, platform?: string }} Roots */

/**
 * Threads that compute at full speed: physical cores that this process may run on, no more than the cgroup quota, at
 * least 1. Hyper-threads share the units that matrix products keep busy, so a second one per core does not count.
 * @param {Roots} [roots]
 * @returns {number}
 */
export function threads(roots = {}) {
  const { physicalCores, quota } = cores(roots)
  return Math.max(1, Math.min(physicalCores, Math.floor(quota ?? Number.POSITIVE_INFINITY)))
}

/**
 * @param {Roots} [roots]
 * @returns {{ logical: number, allowed: number, physicalCores: number, quota: number | undefined }} logical processors of
 *   the machine, those that the affinity mask allows, distinct cores among these, CPUs granted by cgroups (undefined: no limit)
 */
export function cores({ proc = '/proc', sys = '/sys', platform = process.platform } = {}) {
  const parallelism = availableParallelism()
  if (platform !== 'linux') {
    const physical = Number(command('sysctl', ['-n', 'hw.physicalcpu'])) || parallelism
    return { logical: parallelism, allowed: parallelism, physicalCores: physical, quota: undefined }
  }
  const mask = /^Cpus_allowed_list:\s*(\S+)/m.exec(read(join(proc, 'self/status')) ?? '')?.[1]
  const allowed = mask ? parseCpuList(mask) : Array.from({ length: parallelism }, (_, cpu) => cpu)
  const siblings = allowed.map((cpu) => {
    const topology = join(sys, `devices/system/cpu/cpu${cpu}/topology`)
    return read(join(topology, 'core_cpus_list')) ?? read(join(topology, 'thread_siblings_list')) ?? String(cpu)
  })
  const present = read(join(sys, 'devices/system/cpu/online'))
  return {
    logical: present ? parseCpuList(present).length : allowed.length,
    allowed: allowed.length,
    physicalCores: Math.max(1, new Set(siblings.map((list) => list.trim())).size),
    quota: cgroupQuota(proc, sys),
  }
}

/**
 * The smallest CPU quota of this process's cgroup and those above it, version 2 and 1.
 * @param {string} proc
 * @param {string} sys
 * @returns {number | undefined}
 */
function cgroupQuota(proc, sys) {
  const root = join(sys, 'fs/cgroup')
  /** @type {number[]} */
  const found = []
  for (const line of (read(join(proc, 'self/cgroup')) ?? '').split('\n')) {
    const [, id, controllers, path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? []
    if (path === undefined || controllers === undefined) continue
    if (id === '0' && controllers === '') {
      // "max 100000" or "quota period"; below a hybrid layout the v2 tree is mounted at unified/.
      for (const base of [root, join(root, 'unified')])
        for (const folder of upwards(path)) {
          const [quota, period] = (read(join(base, folder, 'cpu.max')) ?? '').trim().split(/\s+/)
          if (quota && quota !== 'max' && Number(period) > 0) found.push(Number(quota) / Number(period))
        }
    } else if (controllers.split(',').includes('cpu')) {
      for (const base of [join(root, controllers), join(root, 'cpu'), join(root, 'cpu,cpuacct')])
        for (const folder of upwards(path)) {
          const quota = Number(read(join(base, folder, 'cpu.cfs_quota_us')))
          const period = Number(read(join(base, folder, 'cpu.cfs_period_us')))
          if (quota > 0 && period > 0) found.push(quota / period)
        }
    }
  }
  return found.length ? Math.min(...found) : undefined
}

/**
 * The folder and all above it. Inside a container the path may be the host's, of which only the root exists.
 * @param {string} path
 * @returns {string[]}
 */
function upwards(path) {
  const folders = []
  for (let folder = path; ; folder = dirname(folder)) {
    folders.push(folder)
    if (folder === dirname(folder)) return folders
  }
}

/**
 * "0-2,8" → [0, 1, 2, 8]
 * @param {string} list
 */
function parseCpuList(list) {
  return list
    .trim()
    .split(',')
    .flatMap((range) => {
      const [first, last = first] = range.split('-').map(Number)
      return Array.from({ length: Number(last) - Number(first) + 1 }, (_, i) => Number(first) + i)
    })
}

const FEATURES = new Set(
  (
    'sse4_2 avx avx2 fma f16c avx512f avx512bw avx512dq avx512vl avx512_vnni avx512_bf16 avx512_fp16 avx_vnni ' +
    'amx_tile amx_bf16 amx_int8 asimd asimdhp asimddp bf16 i8mm sve sve2'
  ).split(' '),
)

/**
 * Processor features that decide about kernels, as Linux names them: avx2, avx512f, avx512_bf16, amx_bf16, asimd, …
 * @param {Roots} [roots]
 * @returns {string[]}
 */
export function cpuFeatures({ proc = '/proc', platform = process.platform } = {}) {
  if (platform === 'linux') {
    const flags = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(read(join(proc, 'cpuinfo')) ?? '')?.[1] ?? ''
    return flags.split(/\s+/).filter((flag) => FEATURES.has(flag))
  }
  const list = command('sysctl', ['-a', 'hw.optional']) ?? ''
  const names = [...list.matchAll(/^hw\.optional\.(?:arm\.)?(?:FEAT_)?(\w+): 1$/gm)].map((match) =>
    match[1].toLowerCase(),
  )
  if (process.arch === 'arm64') names.push('asimd')
  return [...new Set(names)].filter((name) => FEATURES.has(name))
}

/**
 * The processor's name for people.
 * @param {Roots} [roots]
 * @returns {string}
 */
export function cpuModel({ proc = '/proc', platform = process.platform } = {}) {
  if (platform !== 'linux') return command('sysctl', ['-n', 'machdep.cpu.brand_string'])?.trim() ?? 'unknown'
  return /^model name\s*:\s*(.*)$/m.exec(read(join(proc, 'cpuinfo')) ?? '')?.[1] ?? process.arch
}

/** It holds four short strings. */
const LARGEST_NOTE = 1 << 20

/** Why there is no LibTorch to load the addon with. */
export class LibtorchFault extends Error {
  /**
   * @param {'environment' | 'note' | 'version' | 'absent'} kind SENTENCE_TORCH_LIBTORCH names none; libtorch.json is damaged;
   *   it is of another version than the addon was built for; nothing says where it is
   * @param {string} message
   */
  constructor(kind, message) {
    super(message)
    this.name = 'LibtorchFault'
    this.kind = kind
  }
}

/**
 * The LibTorch to load an addon with: the folder that SENTENCE_TORCH_LIBTORCH names, else the one that libtorch.json beside the
 * addon or in the folder above it names, relative to itself, else the one of the package that the addon depends on. Undefined
 * when none of these says anything; throws a LibtorchFault when what is said cannot be.
 * @param {object} [options]
 * @param {NodeJS.ProcessEnv} [options.env]
 * @param {string} [options.root]
 * @param {string} [options.addon] default: what SENTENCE_TORCH_ADDON names, or the one in build/
 * @param {() => string} [options.libtorch] finds the folder of the LibTorch package, where the addon is one of a package
 * @returns {{ path: string, version: string | undefined, variant: string } | undefined}
 */
export function readLibtorch({ env = process.env, root = packageRoot, addon, libtorch } = {}) {
  const file = addon ?? (env.SENTENCE_TORCH_ADDON || join(root, 'build/Release/sentence_torch.node'))
  const own = readNote(dirname(file)) ?? readNote(dirname(dirname(file)))
  // An addon that was built elsewhere, with CMake alone: most likely for the LibTorch of the build here.
  const note = own ?? (libtorch ? undefined : readNote(join(root, 'build')))
  const variant = note?.variant ?? 'cpu'
  const needed = own?.version

  const chosen = env.SENTENCE_TORCH_LIBTORCH
  // What was built with python's torch holds that torch.
  if (chosen && (chosen !== 'python' || !note?.path)) {
    const folder = chosen === 'python' ? pythonTorch() : chosen
    if (!folder) throw new LibtorchFault('environment', 'SENTENCE_TORCH_LIBTORCH=python: python3 cannot import torch')
    const { path, version, problem } = inspectLibtorch(folder, { headers: false })
    if (!path) throw new LibtorchFault('environment', `SENTENCE_TORCH_LIBTORCH: ${problem}`)
    if (!sameMinor(needed, version))
      throw new LibtorchFault(
        'version',
        `SENTENCE_TORCH_LIBTORCH is LibTorch ${version}, but the addon was built for ${needed}`,
      )
    return { path, version, variant }
  }
  if (note?.path) return { path: note.path, version: note.version, variant }
  if (!own && !libtorch) return undefined

  const folder = libtorch ? libtorch() : libtorchOfPackage(file)
  const found = readNote(folder)
  if (!found?.path) throw new LibtorchFault('absent', `${folder} has no libtorch.json that names a LibTorch`)
  if (!sameMinor(needed, found.version))
    throw new LibtorchFault('version', `${folder} is LibTorch ${found.version}, but the addon was built for ${needed}`)
  return { path: found.path, version: found.version, variant }
}

/**
 * What libtorch.json in a folder says; undefined where there is none.
 * @param {string} folder
 * @returns {{ path?: string, version?: string, variant?: string } | undefined}
 */
function readNote(folder) {
  const file = join(folder, 'libtorch.json')
  try {
    const kind = statSync(file)
    if (!kind.isFile() || kind.size > LARGEST_NOTE) throw new Error('it is no small file')
    const note = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof note !== 'object' || note === null || Array.isArray(note)) throw new Error('it is no object')
    const { path, root, version, variant } = note
    for (const value of [path, root, version, variant])
      if (value !== undefined && (typeof value !== 'string' || value.includes('\0')))
        throw new Error('a member is no string')
    const place = root ?? path
    return { path: place === undefined ? undefined : resolve(folder, place), version, variant }
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    if (code) throw error
    throw new LibtorchFault('note', `${file} is damaged (${message})`)
  }
}

/** The LibTorch of an addon that lies in its package, named by SENTENCE_TORCH_ADDON. @param {string} addon */
function libtorchOfPackage(addon) {
  const inside = join(dirname(addon), 'libtorch')
  if (existsSync(inside)) return inside
  const name = `@sentence-torch/libtorch-${process.platform}-${process.arch}`
  return dirname(createRequire(resolve(addon)).resolve(`${name}/package.json`))
}

/**
 * Another minor version has another binary interface.
 * @param {string | undefined} a
 * @param {string | undefined} b
 */
function sameMinor(a, b) {
  const minor = (/** @type {string} */ full) => full.split('.').slice(0, 2).join('.')
  return a === undefined || b === undefined || minor(a) === minor(b)
}

/**
 * The folder of the torch that Python imports, without importing it, which takes seconds.
 * @param {string} [python]
 * @returns {string | undefined}
 */
export function pythonTorch(python = 'python3') {
  const code =
    "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
  return command(python, ['-c', code])?.trim() || undefined
}

/** Whether SENTENCE_TORCH_OFFLINE forbids downloads. @param {NodeJS.ProcessEnv} env */
export function isOffline({ SENTENCE_TORCH_OFFLINE: value }) {
  return Boolean(value) && value !== '0'
}

/** The oldest glibc that the packages with a built addon run on. */
export const GLIBC_MINIMUM = '2.28'

/** Where there is a LibTorch. */
export const PLATFORMS = ['linux-x64', 'linux-arm64', 'darwin-arm64']

/**
 * @param {{ platform?: string, arch?: string, musl?: boolean }} [system]
 * @returns {string | undefined} why this platform is refused
 */
export function unsupportedPlatform({ platform = process.platform, arch = process.arch, musl = isMusl() } = {}) {
  if (platform === 'win32')
    return 'Windows is not supported: LibTorch is built there with another C++ ABI. sentence-torch runs on Windows inside WSL 2 (Linux).'
  if (musl)
    return 'musl (Alpine Linux) is not supported: LibTorch exists for glibc only. Use an image with glibc, such as node:22-bookworm-slim.'
  if (!PLATFORMS.includes(`${platform}-${arch}`))
    return `${platform}-${arch} is not supported: there is no LibTorch for it. Supported are ${PLATFORMS.join(', ')}.`
  return undefined
}

/**
 * Whether a version is a minimum or newer, by number.
 * @param {string} version
 * @param {string} minimum
 */
export function atLeast(version, minimum) {
  const [a, b] = [version, minimum].map((text) => text.split('.').map(Number))
  for (let i = 0; i < b.length; i++) if ((a[i] ?? 0) !== b[i]) return (a[i] ?? 0) > b[i]
  return true
}

/**
 * Version of the glibc that Node runs on, undefined where there is none.
 * @returns {string | undefined}
 */
export function glibcVersion() {
  const report = /** @type {{ header?: { glibcVersionRuntime?: string } } | undefined} */ (process.report?.getReport())
  return report?.header?.glibcVersionRuntime
}

/**
 * Whether this Linux uses musl instead of glibc.
 * @returns {boolean}
 */
export function isMusl() {
  if (process.platform !== 'linux' || glibcVersion()) return false
  return existsSync('/lib') && readdirSync('/lib').some((name) => name.startsWith('ld-musl-'))
}

/**
 * @param {string} path
 * @returns {string | undefined}
 */
function read(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/**
 * @param {string} file
 * @param {string[]} args
 * @returns {string | undefined} standard output, undefined when it cannot be run
 */
export function command(file, args) {
  try {
    return execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 60_000 })
  } catch {
    return undefined
  }
}
