// The manifests that are published, derived from the repository's package.json. That one is made for a clone: it builds when it is
// installed, and neither fetches LibTorch's packages nor asks for names that are not published yet.

import { PLATFORMS } from '../install/system.mjs'
import { BUNDLED } from './bundle.mjs'

/** Those that have a package with the addon. */
export { PLATFORMS }

export const CUDA_PACKAGE = '@sentence-torch/linux-x64-cuda13'

/** What an entry of its own is for, with the versions that its tests were run with, and newer ones. All but the last are only met as types. */
const PEERS = { '@langchain/core': '>=1', ai: '>=6', '@llamaindex/core': '>=0.6.22' }

/** What only a build needs. The sources' package has it, the main package does not. */
export const BUILD_DEPENDENCIES = ['cmake-js', 'node-addon-api', 'node-api-headers']

/** The fields of the main package, in the order in which they are written. Whatever is not here (scripts, files, os, cpu, binary,
 *  devDependencies, private, gypfile) is the clone's alone. */
const MAIN_FIELDS = [
  ...['name', 'version', 'description', 'keywords', 'license', 'author', 'homepage', 'repository', 'bugs', 'type'],
  ...['engines', 'main', 'types', 'bin', 'exports', 'imports', 'dependencies'],
]

/** What all packages say of the project. */
const PROJECT_FIELDS = ['license', 'author', 'homepage', 'repository', 'bugs']

/**
 * @typedef {Record<string, any>} Manifest
 */

/**
 * JavaScript only: no install script, nothing that builds, and the addons as optional dependencies of exactly this version.
 * @param {Manifest} root the repository's package.json
 * @returns {Manifest}
 */
export function mainManifest(root) {
  const optional = PLATFORMS.map((platform) => [platformName(platform), root.version])
  return {
    ...pick(root, MAIN_FIELDS),
    repository: repository(root),
    dependencies: without(root.dependencies, [...BUILD_DEPENDENCIES, ...BUNDLED]),
    optionalDependencies: Object.fromEntries(optional),
    // Installed by hand. Where packages see only what they declare (pnpm, Yarn's Plug'n'Play) they are found through this.
    peerDependencies: { [CUDA_PACKAGE]: root.version, ...PEERS },
    peerDependenciesMeta: Object.fromEntries(
      [CUDA_PACKAGE, ...Object.keys(PEERS)].map((name) => [name, { optional: true }]),
    ),
  }
}

/**
 * The addon of one platform.
 * @param {Manifest} root
 * @param {string} platform
 * @param {string} libtorch version of the LibTorch that the addon was built for
 * @returns {Manifest}
 */
export function platformManifest(root, platform, libtorch) {
  return {
    ...binaryManifest(root, platform),
    name: platformName(platform),
    version: root.version,
    description: `The native addon of sentence-torch for ${platform}.`,
    main: 'index.js',
    dependencies: { [libtorchName(platform)]: libtorch },
  }
}

/**
 * LibTorch's libraries, of LibTorch's version.
 * @param {Manifest} root
 * @param {string} platform
 * @param {string} version
 * @returns {Manifest}
 */
export function libtorchManifest(root, platform, version) {
  return {
    ...binaryManifest(root, platform),
    name: libtorchName(platform),
    version,
    description: `LibTorch ${version} (CPU) for ${platform}: the shared libraries alone, for sentence-torch.`,
    license: 'SEE LICENSE IN LICENSE',
  }
}

/**
 * The addon for CUDA, without LibTorch, which is too large for a registry: `npx sentence-torch install cuda` brings it.
 * @param {Manifest} root
 * @param {string} variant CUDA version
 * @returns {Manifest}
 */
export function cudaManifest(root, variant) {
  return {
    ...binaryManifest(root, 'linux-x64'),
    name: CUDA_PACKAGE,
    version: root.version,
    description: `The native addon of sentence-torch for linux-x64 and CUDA ${variant}.`,
    main: 'index.js',
  }
}

/**
 * The sources and what builds them. CMake reads the version and `binary.napi_versions` here.
 * @param {Manifest} root
 * @param {readonly string[]} imported packages that its scripts import
 * @returns {Manifest}
 */
export function buildManifest(root, imported = []) {
  const names = [...new Set([...BUILD_DEPENDENCIES, ...imported])].sort()
  return {
    name: '@sentence-torch/build',
    version: root.version,
    description: 'The sources of the native addon of sentence-torch, and what builds them.',
    ...pick(root, PROJECT_FIELDS),
    repository: repository(root),
    type: root.type,
    engines: root.engines,
    exports: { './package.json': './package.json', './install/*': './install/*' },
    imports: root.imports,
    binary: root.binary,
    dependencies: Object.fromEntries(
      names.map((name) => {
        const range = root.dependencies[name]
        if (!range) throw new Error(`package.json has no dependency ${name}, which install/ imports`)
        return [name, range]
      }),
    ),
  }
}

/** @param {string} platform */
export function platformName(platform) {
  return `@sentence-torch/${platform}`
}

/** @param {string} platform */
export function libtorchName(platform) {
  return `@sentence-torch/libtorch-${platform}`
}

/**
 * Where the project lies for people, without a slash at the end.
 * @param {Manifest} root
 */
export function webAddress(root) {
  return repository(root)
    .url.replace(/^git\+/, '')
    .replace(/\.git$/, '')
}

/**
 * The shorthand written out: provenance compares the address with that of the workflow that publishes.
 * @param {Manifest} root
 * @returns {{ type: string, url: string }}
 */
function repository(root) {
  const path = /^github:([\w.-]+\/[\w.-]+)$/.exec(root.repository)?.[1]
  if (!path) throw new Error(`package.json: repository is expected as github:<owner>/<name>, found ${root.repository}`)
  return { type: 'git', url: `git+https://github.com/${path}.git` }
}

/**
 * @param {Manifest} root
 * @param {string} platform
 * @returns {Manifest}
 */
function binaryManifest(root, platform) {
  const [os, cpu] = platform.split('-')
  return {
    name: '',
    version: '',
    description: '',
    ...pick(root, PROJECT_FIELDS),
    repository: repository(root),
    engines: root.engines,
    os: [os],
    cpu: [cpu],
    ...(os === 'linux' ? { libc: ['glibc'] } : {}),
    // Shared libraries cannot be opened inside of an archive (Yarn's Plug'n'Play).
    preferUnplugged: true,
  }
}

/**
 * @param {Manifest} from
 * @param {readonly string[]} fields
 * @returns {Manifest}
 */
function pick(from, fields) {
  return Object.fromEntries(fields.filter((field) => field in from).map((field) => [field, from[field]]))
}

/**
 * @param {Record<string, string>} from
 * @param {readonly string[]} names
 */
function without(from, names) {
  return Object.fromEntries(Object.entries(from).filter(([name]) => !names.includes(name)))
}
