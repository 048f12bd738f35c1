// Puts the libraries that a built addon runs with into its build folder: as hard links, which cost no space. With them the folder
// can be copied to another place or machine, where there is no cache.

import {
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { neededLibraries } from './binary.mjs'
import { neededFromWheel } from './pins.mjs'

/**
 * Writes `libtorch.json` (what an addon in `build/Release` is loaded with) and, for the cpu variant, the folder `libtorch` that it
 * names, relative to itself. Both change as a whole or not at all. A LibTorch for CUDA takes gigabytes: it stays where it is.
 * @param {string} build
 * @param {{ path: string, version: string, variant: string }} libtorch
 * @param {{ link?: typeof linkSync }} [options]
 */
export function placeLibtorch(build, { path, version, variant }, { link = linkSync } = {}) {
  const folder = join(build, 'libtorch')
  if (variant !== 'cpu') {
    writeNote(build, { path, version, variant })
    rmSync(folder, { recursive: true, force: true })
    return
  }
  const files = runtimeFiles(path)
  if (!isPlaced(folder, files)) {
    removeLeftovers(build)
    const filling = join(build, `libtorch.filling-${process.pid}`)
    try {
      for (const [name, source] of files) place(source, join(filling, name), link)
      // A folder cannot be exchanged in one step; what was there before stays whole in case that this ends in between.
      const before = join(build, `libtorch.before-${process.pid}`)
      if (existsSync(folder)) renameSync(folder, before)
      renameSync(filling, folder)
      rmSync(before, { recursive: true, force: true })
    } finally {
      rmSync(filling, { recursive: true, force: true })
    }
  }
  writeNote(build, { version, variant, root: `libtorch/${rootName(path)}` })
}

/**
 * The files that a cpu-only addon needs at run time: their places below a folder in the layout of their source (`torch/lib` and
 * `nvidia/cu13/lib` beside it, or `libtorch/lib`), and where they are.
 * @param {string} path LibTorch's root
 * @returns {Map<string, string>}
 */
export function runtimeFiles(path) {
  const root = rootName(path)
  /** @type {Map<string, string>} */
  const files = new Map()
  for (const name of ['build-version', 'version.py'])
    if (existsSync(join(path, name))) files.set(join(root, name), join(path, name))
  for (const library of process.platform === 'linux' ? neededFrom(path) : everyLibrary(path)) {
    const inside = relative(path, library)
    files.set(inside.startsWith('..') ? relative(dirname(path), library) : join(root, inside), library)
  }
  return files
}

/** Its RPATH leads to folders beside it, whatever its own name is. @param {string} path */
function rootName(path) {
  return basename(path) === 'torch' ? 'torch' : 'libtorch'
}

/**
 * The libraries that the linker would open for LibTorch, among those that came with it.
 * @param {string} path
 * @returns {Set<string>}
 */
function neededFrom(path) {
  const nvidia = join(path, '../nvidia')
  const packages = existsSync(nvidia) ? readdirSync(nvidia).map((name) => join(nvidia, name, 'lib')) : []
  const folders = [join(path, 'lib'), ...packages, join(path, '../torch.libs')]
  /** @type {Set<string>} */
  const found = new Set()
  const names = ['libtorch_cpu.so', 'libc10.so']
  for (let name = names.pop(); name !== undefined; name = names.pop()) {
    const library = folders.map((folder) => join(folder, /** @type {string} */ (name))).find(existsSync)
    if (!library || found.has(library)) continue
    found.add(library)
    names.push(...neededLibraries(library))
  }
  return found
}

/** @param {string} path */
function everyLibrary(path) {
  const names = readdirSync(join(path, 'lib')).filter((name) => neededFromWheel(`torch/lib/${name}`))
  return names.map((name) => join(path, 'lib', name))
}

/**
 * @param {string} source
 * @param {string} target
 * @param {typeof linkSync} link
 */
function place(source, target, link) {
  mkdirSync(dirname(target), { recursive: true })
  const file = realpathSync(source)
  try {
    link(file, target)
  } catch {
    // Another file system, one without links, or a file of somebody else.
    copyFileSync(file, target, constants.COPYFILE_FICLONE)
    const { atime, mtime } = statSync(file)
    utimesSync(target, atime, mtime)
  }
}

/**
 * @param {string} folder
 * @param {Map<string, string>} files
 */
function isPlaced(folder, files) {
  if (!existsSync(folder)) return false
  const there = readdirSync(folder, { recursive: true }).filter(
    (name) => !statSync(join(folder, String(name))).isDirectory(),
  )
  return (
    there.length === files.size &&
    [...files].every(([name, source]) => {
      const [a, b] = [join(folder, name), source].map((file) => statSync(file, { throwIfNoEntry: false }))
      return a && b && a.size === b.size && Math.abs(a.mtimeMs - b.mtimeMs) < 1
    })
  )
}

/** What a build that was killed has left; the caller holds the lock of the folder. @param {string} build */
function removeLeftovers(build) {
  for (const name of readdirSync(build))
    if (/^libtorch\.(filling|before)-\d+$/.test(name)) rmSync(join(build, name), { recursive: true, force: true })
}

/** @param {string} build @param {object} note */
function writeNote(build, note) {
  const file = join(build, 'libtorch.json')
  const temporary = `${file}.${process.pid}`
  try {
    writeFileSync(temporary, `${JSON.stringify(note, null, 2)}\n`)
    renameSync(temporary, file)
  } finally {
    rmSync(temporary, { force: true })
  }
}
