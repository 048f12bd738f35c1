// What goes into each package: every function fills one folder, from files of the repository, the build and LibTorch alone.

import { spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { packageRoot } from '../install/system.mjs'
import { BUNDLED, bundle } from './bundle.mjs'
import { bareImports, checkImports } from './imports.mjs'
import { copyStripped, licencesOf, neededLibraries } from './libraries.mjs'
import {
  buildManifest,
  CUDA_PACKAGE,
  cudaManifest,
  libtorchManifest,
  libtorchName,
  mainManifest,
  platformManifest,
  webAddress,
} from './manifests.mjs'
import { PackError } from './pack-error.mjs'
import { absoluteLinks, shortReadme } from './readme.mjs'
import { contentDigest, filesBelow } from './tarball.mjs'

/** @typedef {import('./manifests.mjs').Manifest} Manifest */

/** Scripts that only a clone has a use for. */
const CLONE_SCRIPTS = [
  'check-includes.mjs',
  'check.mjs',
  'native-tests.mjs',
  'cuda-check.mjs',
  'cuda-check-addon.mjs',
  'fatbin.mjs',
]

/** The repository's package.json. @returns {Manifest} */
export function rootManifest() {
  return JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'))
}

/**
 * The main package: the bundle, declarations, the scripts that it uses, documents.
 * @param {string} folder
 * @param {Manifest} root
 */
export async function stageMain(folder, root) {
  const compiled = join(folder, 'compiled')
  const tsc = join(packageRoot, 'node_modules/.bin/tsc')
  const project = join(packageRoot, 'packaging/tsconfig.json')
  const { status, stdout, error } = spawnSync(tsc, ['-p', project, '--outDir', compiled], { encoding: 'utf8' })
  if (status !== 0) throw new PackError(`TypeScript does not compile (npm run build:ts):\n${error?.message ?? stdout}`)
  const lib = join(compiled, 'lib')
  const drawing = await bundle(lib, join(folder, 'dist/bundle'))
  for (const file of filesBelow(lib).filter((name) => /\.d\.[cm]?ts$/.test(name))) {
    mkdirSync(dirname(join(folder, 'dist/lib', file)), { recursive: true })
    copyFileSync(join(lib, file), join(folder, 'dist/lib', file))
  }
  rmSync(compiled, { recursive: true })
  // What builds is in the sources' package.
  copyScripts(folder, (name) => name !== 'build.mjs')
  for (const name of ['CHANGELOG.md', 'SECURITY.md', 'LICENSE'])
    copyFileSync(join(packageRoot, name), join(folder, name))
  cpSync(join(packageRoot, 'schema'), join(folder, 'schema'), { recursive: true })
  mkdirSync(join(folder, 'licences'))
  for (const name of BUNDLED)
    copyFileSync(licenceOf(name), join(folder, 'licences', `${name.replace('@', '').replace('/', '-')}.txt`))
  writeFileSync(join(folder, 'licences/vega.txt'), drawing.map(licenceText).join('\n'))
  const readme = readFileSync(join(packageRoot, 'README.md'), 'utf8')
  writeFileSync(join(folder, 'README.md'), absoluteLinks(readme, { web: webAddress(root), version: root.version }))
  finish(folder, mainManifest(root))
}

/** The file with a package's licence. @param {string} name */
function licenceOf(name) {
  const folder = join(packageRoot, 'node_modules', name)
  const file = readdirSync(folder).find((entry) => /^licen[cs]e(\.(md|txt))?$/i.test(entry))
  if (!file) throw new PackError(`${name} is a part of the bundle, and has no file with its licence`)
  return join(folder, file)
}

/** The licence of one of many packages. @param {string} name */
function licenceText(name) {
  const { version } = JSON.parse(readFileSync(join(packageRoot, 'node_modules', name, 'package.json'), 'utf8'))
  const text = readFileSync(licenceOf(name), 'utf8')
  return `${'='.repeat(80)}\n${name} ${version}\n\n${text.trim()}\n`
}

/**
 * The sources' package.
 * @param {string} folder
 * @param {Manifest} root
 */
export function stageBuild(folder, root) {
  const tests = join(packageRoot, 'native/test')
  for (const name of ['native', 'cmake'])
    cpSync(join(packageRoot, name), join(folder, name), { recursive: true, filter: (source) => source !== tests })
  copyFileSync(join(packageRoot, 'CMakeLists.txt'), join(folder, 'CMakeLists.txt'))
  copyScripts(folder, () => true)
  const manifest = buildManifest(root, bareImports(folder))
  describe(folder, manifest, 'What `npx sentence-torch build` builds the native addon from.', root)
  finish(folder, manifest)
}

/**
 * A platform's addon.
 * @param {string} folder
 * @param {Manifest} root
 * @param {{ platform: string, addon: string, libtorch: string }} options `addon` is the folder of the built files, `libtorch` the
 *   version that the platform's LibTorch package has
 */
export function stagePlatform(folder, root, { platform, addon, libtorch }) {
  const built = builtFor(addon)
  if (built.variant !== 'cpu')
    throw new PackError(`${addon} was built for CUDA ${built.variant}; the package of ${platform} computes on the CPU`)
  if (built.version !== libtorch)
    throw new PackError(`${addon} was built for LibTorch ${built.version}, but LibTorch ${libtorch} is to be packed`)
  copyAddon(folder, addon, platform)
  writeIndex(folder, `dirname(require.resolve('${libtorchName(platform)}/package.json'))`, 'dirname')
  writeJson(join(folder, 'libtorch.json'), { version: libtorch, variant: 'cpu' })
  const manifest = platformManifest(root, platform, libtorch)
  describe(folder, manifest, `${manifest.description} It needs no compiler, and glibc 2.28 or newer on Linux.`, root)
  finish(folder, manifest)
}

/**
 * The addon for CUDA alone.
 * @param {string} folder
 * @param {Manifest} root
 * @param {string} addon folder of the built files
 */
export function stageCuda(folder, root, addon) {
  const built = builtFor(addon)
  if (!built.variant.startsWith('13.'))
    throw new PackError(`${addon} was built for ${built.variant}, but ${CUDA_PACKAGE} is for CUDA 13`)
  copyAddon(folder, addon, 'linux-x64')
  writeIndex(folder, "join(__dirname, 'libtorch')", 'join')
  writeJson(join(folder, 'libtorch.json'), built)
  const manifest = cudaManifest(root, built.variant)
  const text = `${manifest.description} \`npm install ${CUDA_PACKAGE}\` and then \`npx sentence-torch install cuda\`, which brings LibTorch for CUDA.`
  describe(folder, manifest, text, root)
  finish(folder, manifest)
}

/**
 * LibTorch's libraries, in the layout in which they find each other.
 * @param {string} folder
 * @param {Manifest} root
 * @param {{ platform: string, path: string, version: string }} options `path` holds lib/
 */
export function stageLibtorch(folder, root, { platform, path, version }) {
  const found = neededLibraries(path, platform)
  for (const library of found.libraries) {
    const target = join(folder, library)
    mkdirSync(dirname(target), { recursive: true })
    // In the zip's layout the folder of the package is named libtorch, whatever it is named here.
    const source = found.root === 'torch' ? join(found.home, library) : join(path, library.slice('libtorch/'.length))
    copyStripped(source, target, platform)
  }
  writeJson(join(folder, 'libtorch.json'), { version, variant: 'cpu', root: found.root })
  const { index, files } = licencesOf({ ...found, version }, join(packageRoot, 'packaging/licences'), platform)
  mkdirSync(join(folder, 'licences'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'licences', name), text)
  writeFileSync(join(folder, 'LICENSE'), index)
  const manifest = libtorchManifest(root, platform, version)
  const names = found.libraries.map((library) => `\`${basename(library)}\``).join(', ')
  describe(folder, manifest, `${manifest.description}\n\n${names}; licences in LICENSE.`, root)
  finish(folder, manifest)
}

/**
 * @param {string} addon
 * @returns {{ version: string, variant: string }} the LibTorch that an addon was built for
 */
function builtFor(addon) {
  const file = join(addon, '..', 'libtorch.json')
  if (!existsSync(file))
    throw new PackError(
      `${addon} is not the Release folder of a finished build: ${file} is missing (npm run build:native)`,
    )
  const { version, variant } = JSON.parse(readFileSync(file, 'utf8'))
  return { version, variant }
}

/**
 * @param {string} folder
 * @param {string} addon
 * @param {string} platform
 */
function copyAddon(folder, addon, platform) {
  for (const name of ['boot.node', 'sentence_torch.node']) {
    const source = join(addon, name)
    if (!existsSync(source))
      throw new PackError(`${source} is missing: build first (npm run build:native), or name the folder in --addon`)
    copyStripped(source, join(folder, name), platform)
  }
}

/**
 * @param {string} folder
 * @param {string} libtorch expression of LibTorch's folder
 * @param {string} imported what it needs of node:path
 */
function writeIndex(folder, libtorch, imported) {
  const lines = [
    "'use strict'",
    `const { ${imported} } = require('node:path')`,
    'exports.folder = __dirname',
    "exports.boot = () => require('./boot.node')",
    "exports.addon = () => require('./sentence_torch.node')",
    `exports.libtorch = () => ${libtorch}`,
  ]
  writeFileSync(join(folder, 'index.js'), `${lines.join('\n')}\n`)
}

/**
 * @param {string} folder
 * @param {(name: string) => boolean} wanted
 */
function copyScripts(folder, wanted) {
  mkdirSync(join(folder, 'install'), { recursive: true })
  for (const name of readdirSync(join(packageRoot, 'install')))
    if (/\.m(js|ts)$/.test(name) && !CLONE_SCRIPTS.includes(name) && wanted(name))
      copyFileSync(join(packageRoot, 'install', name), join(folder, 'install', name))
}

/**
 * README and, where the package has none of its own, the project's licence.
 * @param {string} folder
 * @param {Manifest} manifest
 * @param {string} text
 * @param {Manifest} root
 */
function describe(folder, manifest, text, root) {
  writeFileSync(join(folder, 'README.md'), shortReadme(manifest.name, text, webAddress(root)))
  if (!existsSync(join(folder, 'LICENSE'))) copyFileSync(join(packageRoot, 'LICENSE'), join(folder, 'LICENSE'))
}

/**
 * @param {string} folder
 * @param {Manifest} manifest
 */
function finish(folder, manifest) {
  checkImports(folder, manifest)
  writeJson(join(folder, 'package.json'), { ...manifest, contentDigest: contentDigest(folder) })
}

/**
 * @param {string} file
 * @param {object} value
 */
function writeJson(file, value) {
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`)
}
