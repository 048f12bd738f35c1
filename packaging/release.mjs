// What makes a folder of tarballs one release: the order in which they go, and that they agree.

import { PackError } from './pack-error.mjs'

/** @typedef {import('./tarball.mjs').Packed} Tarball */

const MAIN = 'sentence-torch'
/** LibTorch first, the main package last: whoever installs it in the meantime finds all that it names. */
const ORDER = [
  /^@sentence-torch\/libtorch-/,
  /^@sentence-torch\/(linux|darwin)-/,
  /^@sentence-torch\/build$/,
  /^sentence-torch$/,
]

/**
 * @param {readonly Tarball[]} tarballs
 * @returns {Tarball[]} in the order of publishing
 * @throws {PackError} where they are not one release
 */
export function inOrder(tarballs) {
  const rank = (/** @type {Tarball} */ { manifest }) => ORDER.findIndex((pattern) => pattern.test(manifest.name))
  const stranger = tarballs.find((tarball) => rank(tarball) < 0)
  if (stranger) throw new PackError(`${stranger.file} is ${stranger.manifest.name}, no package of ${MAIN}`)
  for (const [i, { manifest, file }] of tarballs.entries()) {
    const other = tarballs.slice(i + 1).find((tarball) => tarball.manifest.name === manifest.name)
    if (other)
      throw new PackError(
        `${manifest.name} is there twice, in ${file} and ${other.file}: remove the one of another release`,
      )
  }
  const main = tarballs.find(({ manifest }) => manifest.name === MAIN)
  if (!main) throw new PackError(`the tarball of ${MAIN} is missing: npm run pack:all makes it`)
  for (const tarball of tarballs) checkVersions(tarball, main, tarballs)
  return [...tarballs].sort((a, b) => rank(a) - rank(b) || (a.manifest.name < b.manifest.name ? -1 : 1))
}

/**
 * @param {Tarball} tarball
 * @param {Tarball} main
 * @param {readonly Tarball[]} all
 */
function checkVersions({ manifest, file }, main, all) {
  const { name, version } = manifest
  if (!ORDER[0]?.test(name) && version !== main.manifest.version)
    throw new PackError(
      `${file} has the version ${version}, but ${MAIN} is ${main.manifest.version}: pack all of them again`,
    )
  for (const [needed, wanted] of Object.entries({ ...manifest.dependencies, ...manifest.optionalDependencies })) {
    const found = all.find((other) => other.manifest.name === needed)?.manifest.version
    if (found && found !== wanted)
      throw new PackError(`${name} needs ${needed} ${wanted}, but the folder has ${found}: pack all of them again`)
  }
}

/**
 * Packages of the project that some tarball names and that are not among them.
 * @param {readonly Tarball[]} tarballs
 * @returns {{ name: string, version: string }[]}
 */
export function missingPackages(tarballs) {
  const there = tarballs.map(({ manifest }) => manifest.name)
  const named = tarballs.flatMap(({ manifest }) =>
    Object.entries({ ...manifest.dependencies, ...manifest.optionalDependencies }),
  )
  return named
    .filter(([name]) => name.startsWith('@sentence-torch/') && !there.includes(name))
    .map(([name, version]) => ({ name, version }))
}
