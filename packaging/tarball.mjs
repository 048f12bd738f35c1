// A folder as a package's tarball. The same files give the same bytes: sorted entries, fixed times, modes and owners.

import { createHash } from 'node:crypto'
import { chmodSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
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
  const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const file = join(target, tarballName(name, version))
  const files = filesBelow(folder)
  let unpacked = 0
  for (const path of files) {
    chmodSync(join(folder, path), 0o644)
    unpacked += statSync(join(folder, path)).size
  }
  // npm takes the manifest first; installers that stream are the faster for it.
  const ordered = ['package.json', ...files.filter((path) => path !== 'package.json')]
  await create(
    { file, cwd: folder, prefix: 'package', portable: true, mtime: MTIME, gzip: { level: LEVEL }, noDirRecurse: true },
    ordered,
  )
  const bytes = readFileSync(file)
  return { name, version, file, integrity: integrityOf(bytes), packed: bytes.length, unpacked, files: ordered }
}

/**
 * What a tarball says of itself.
 * @param {string} file
 * @returns {Promise<{ manifest: import('./manifests.mjs').Manifest, integrity: string, bytes: number }>}
 */
export async function readTarball(file) {
  /** @type {Buffer[]} */
  const chunks = []
  await list({
    file,
    onReadEntry: (entry) => {
      if (entry.path === 'package/package.json') entry.on('data', (chunk) => chunks.push(chunk))
    },
  })
  if (!chunks.length) throw new PackError(`${file} is no package's tarball: it holds no package/package.json`)
  const bytes = readFileSync(file)
  return { manifest: JSON.parse(Buffer.concat(chunks).toString()), integrity: integrityOf(bytes), bytes: bytes.length }
}

/** As registries give it. @param {Buffer} bytes */
function integrityOf(bytes) {
  return `sha512-${createHash('sha512').update(bytes).digest('base64')}`
}
