// A folder as a package's tarball. The same files give the same bytes: sorted entries, fixed times, modes and owners.

import { createHash } from 'node:crypto'
import { chmodSync, readdirSync, readFileSync } from 'node:fs'
import { join, posix, relative, sep } from 'node:path'
import { create, list } from 'tar'
import { PackError } from './pack-error.mjs'

// The time that npm gives to all files: zip tools cannot show 1970.
const MTIME = new Date('1985-10-26T08:15:00.000Z')
// Level 9 takes twice the time and saves a quarter of a percent.
const LEVEL = 6

/**
 * @typedef {object} Packed
 * @property {string} name
 * @property {string} version
 * @property {string} file path of the tarball
 * @property {string} integrity as registries give it
 * @property {number} packed bytes of the tarball
 * @property {number} unpacked bytes of its files
 * @property {string[]} files
 * @property {import('./manifests.mjs').Manifest} manifest
 */

/**
 * All files below a folder, with slashes, sorted.
 * @param {string} folder
 * @returns {string[]}
 */
export function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      relative(folder, join(entry.parentPath ?? entry.path, entry.name))
        .split(sep)
        .join('/'),
    )
    .sort()
}

/**
 * One number for all files of a package but its manifest, in which it is written. Compression differs between processors and
 * versions of Node: this says whether two tarballs hold the same.
 * @param {string} folder
 */
export function contentDigest(folder) {
  const hash = createHash('sha256')
  for (const name of filesBelow(folder).filter((file) => file !== 'package.json'))
    hash.update(
      `${name}\0${createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex')}\n`,
    )
  return hash.digest('hex')
}

/** The name that npm pack gives. @param {string} name @param {string} version */
export function tarballName(name, version) {
  return `${name.replace(/^@/, '').replaceAll('/', '-')}-${version}.tgz`
}

/**
 * @param {string} folder holds package.json and everything that goes along
 * @param {string} target folder of the tarball
 * @returns {Promise<Packed>}
 */
export async function makeTarball(folder, target) {
  const { name, version, bin = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const file = join(target, tarballName(name, version))
  const files = filesBelow(folder)
  const programs = Object.values(bin).map((program) => posix.normalize(String(program)))
  for (const path of files) chmodSync(join(folder, path), programs.includes(path) ? 0o755 : 0o644)
  // npm takes the manifest first; installers that stream are the faster for it.
  const ordered = ['package.json', ...files.filter((path) => path !== 'package.json')]
  await create(
    { file, cwd: folder, prefix: 'package', portable: true, mtime: MTIME, gzip: { level: LEVEL }, noDirRecurse: true },
    ordered,
  )
  return readTarball(file)
}

/**
 * @param {string} file
 * @returns {Promise<Packed>}
 */
export async function readTarball(file) {
  /** @type {Buffer[]} */
  const chunks = []
  /** @type {string[]} */
  const files = []
  let unpacked = 0
  await list({
    file,
    strict: true,
    onReadEntry: (entry) => {
      const path = entry.path.replace(/^package\//, '')
      files.push(path)
      unpacked += entry.size
      if (path === 'package.json') entry.on('data', (chunk) => chunks.push(chunk))
    },
  }).catch((cause) => {
    throw new PackError(`${file} is damaged or no tarball (${cause.message}): npm run pack:all makes it anew`, {
      cause,
    })
  })
  if (!chunks.length) throw new PackError(`${file} is no package's tarball: it holds no package/package.json`)
  const manifest = JSON.parse(Buffer.concat(chunks).toString())
  const bytes = readFileSync(file)
  const { name, version } = manifest
  return { name, version, file, integrity: integrityOf(bytes), packed: bytes.length, unpacked, files, manifest }
}

/** As registries give it. @param {Buffer} bytes */
function integrityOf(bytes) {
  return `sha512-${createHash('sha512').update(bytes).digest('base64')}`
}
