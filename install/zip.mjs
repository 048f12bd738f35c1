// A reader of zip files (with zip64) that unpacks chosen members, checks each one's length and CRC-32 and never writes outside
// its target, nor more than its table of contents says. Enough for the LibTorch zip and for Python wheels, without an unzip
// program.

import { isUtf8 } from 'node:buffer'
import { createWriteStream } from 'node:fs'
import { mkdir, open, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { crc32, createInflateRaw, inflateRaw } from 'node:zlib'

const STORED = 0
const DEFLATED = 8
// Members up to this size are inflated in memory, which is many times faster for the thousands of headers.
const SMALL = 4 << 20
// LibTorch has some ten thousand members, in a megabyte of directory, and unpacks to less than 6 GB.
const MAX_DIRECTORY = 64 << 20
const MAX_BYTES = 16e9
// No deflated data are smaller than this part of what they unpack to.
const MAX_RATIO = 1032
const MAX_PATH = 1024
const MAX_NAME = 255

/**
 * @typedef {object} Member
 * @property {string} name
 * @property {number} method
 * @property {number} crc
 * @property {number} compressedSize
 * @property {number} size
 * @property {number} offset of its local header
 */

/** A zip file that is damaged or not to be trusted. */
class ZipError extends Error {}

/**
 * @param {import('node:fs/promises').FileHandle} file
 * @param {number} position
 * @param {number} length
 */
async function readAt(file, position, length) {
  if (position < 0 || !Number.isSafeInteger(position + length)) throw new ZipError('its offsets are damaged')
  const buffer = Buffer.alloc(length)
  let done = 0
  while (done < length) {
    const { bytesRead } = await file.read(buffer, done, length - done, position + done)
    if (bytesRead === 0) throw new ZipError('the file ends too early')
    done += bytesRead
  }
  return buffer
}

/**
 * The table of contents.
 * @param {import('node:fs/promises').FileHandle} file
 * @returns {Promise<Member[]>}
 */
async function readDirectory(file) {
  const { size: fileSize } = await file.stat()
  const tailStart = Math.max(0, fileSize - 65_557)
  const tail = await readAt(file, tailStart, fileSize - tailStart)
  const end = tail.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'))
  if (end < 0 || end + 22 > tail.length) throw new ZipError('it has no end-of-directory record')
  let count = tail.readUInt16LE(end + 10)
  let size = tail.readUInt32LE(end + 12)
  let start = tail.readUInt32LE(end + 16)
  if (count === 0xffff || size === 0xffffffff || start === 0xffffffff) {
    const locator = await readAt(file, tailStart + end - 20, 20)
    if (locator.readUInt32LE(0) !== 0x07064b50) throw new ZipError('its zip64 locator is missing')
    const record = await readAt(file, Number(locator.readBigUInt64LE(8)), 56)
    if (record.readUInt32LE(0) !== 0x06064b50) throw new ZipError('its zip64 record is missing')
    count = Number(record.readBigUInt64LE(32))
    size = Number(record.readBigUInt64LE(40))
    start = Number(record.readBigUInt64LE(48))
  }
  if (start + size > fileSize) throw new ZipError('its directory lies beyond the end')
  if (size > MAX_DIRECTORY) throw new ZipError(`its directory has more than ${MAX_DIRECTORY} bytes`)

  const directory = await readAt(file, start, size)
  /** @type {Member[]} */
  const members = []
  let at = 0
  for (let i = 0; i < count; i++) {
    if (at + 46 > size || directory.readUInt32LE(at) !== 0x02014b50) throw new ZipError('its directory is damaged')
    const nameLength = directory.readUInt16LE(at + 28)
    const extraLength = directory.readUInt16LE(at + 30)
    const commentLength = directory.readUInt16LE(at + 32)
    const nameEnd = at + 46 + nameLength
    if (nameEnd + extraLength + commentLength > size) throw new ZipError('its directory is damaged')
    const name = directory.subarray(at + 46, nameEnd)
    if (!isUtf8(name)) throw new ZipError('the name of a member is no UTF-8')
    const member = {
      name: name.toString(),
      method: directory.readUInt16LE(at + 10),
      crc: directory.readUInt32LE(at + 16),
      compressedSize: directory.readUInt32LE(at + 20),
      size: directory.readUInt32LE(at + 24),
      offset: directory.readUInt32LE(at + 42),
    }
    readZip64(directory.subarray(nameEnd, nameEnd + extraLength), member)
    checkMember(member, fileSize, directory.readUInt16LE(at + 8), directory.readUInt32LE(at + 38) >>> 16)
    members.push(member)
    at = nameEnd + extraLength + commentLength
  }
  checkPlaces(members)
  return members
}

/**
 * Members that lie over each other, or that are to become one file or a file and a folder, are not what any program packs.
 * @param {Member[]} members
 */
function checkPlaces(members) {
  let end = 0
  for (const { name, offset, compressedSize } of [...members].sort((a, b) => a.offset - b.offset)) {
    if (offset < end) throw new ZipError(`its member ${JSON.stringify(name)} lies over another one`)
    end = offset + 30 + Buffer.byteLength(name) + compressedSize
  }
  // Some file systems take upper case and lower case for the same.
  const files = new Set()
  for (const { name } of members) {
    const key = name.toLowerCase()
    if (files.has(key)) throw new ZipError(`it holds two members of the same name, ${JSON.stringify(name)}`)
    files.add(key)
  }
  for (const { name } of members) {
    for (let at = name.indexOf('/'); at >= 0 && at < name.length - 1; at = name.indexOf('/', at + 1))
      if (files.has(name.slice(0, at).toLowerCase()))
        throw new ZipError(`its member ${JSON.stringify(name)} lies below a file`)
  }
}

/**
 * Sizes that do not fit into 32 bits are in an extra field, in this order, each only if its field is all ones.
 * @param {Buffer} extra
 * @param {Member} member
 */
function readZip64(extra, member) {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue
    const field = extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2))
    let next = 0
    for (const key of /** @type {const} */ (['size', 'compressedSize', 'offset'])) {
      if (member[key] !== 0xffffffff) continue
      if (next + 8 > field.length) throw new ZipError(`the sizes of ${member.name} are missing`)
      member[key] = Number(field.readBigUInt64LE(next))
      next += 8
    }
  }
}

/**
 * @param {Member} member
 * @param {number} fileSize
 * @param {number} flags
 * @param {number} mode Unix file mode, 0 when unknown
 */
function checkMember({ name, method, offset, compressedSize, size }, fileSize, flags, mode) {
  const refuse = (/** @type {string} */ why) => {
    const short = name.length > 100 ? `${name.slice(0, 100)}...` : name
    throw new ZipError(`its member ${JSON.stringify(short)} ${why}`)
  }
  const fault = pathFault(name)
  if (fault) refuse(fault)
  const type = mode & 0o170000
  if (type === 0o120000) refuse('is a link')
  if (type !== 0 && type !== 0o100000 && type !== 0o040000) refuse('is neither file nor folder')
  if (flags & 1) refuse('is encrypted')
  if (method !== STORED && method !== DEFLATED) refuse(`has the unknown compression ${method}`)
  if (offset + 30 + compressedSize > fileSize) refuse('lies beyond the end')
  const most = method === STORED ? compressedSize : compressedSize * MAX_RATIO
  if (size > most) refuse('is damaged: its sizes do not fit each other')
}

/**
 * As lib/io/safe-path.ts, which is not built yet when this runs.
 * @param {string} name
 */
function pathFault(name) {
  if (Buffer.byteLength(name) > MAX_PATH) return `has a name longer than ${MAX_PATH} bytes`
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(name)) return 'has control characters in its name'
  if (name.startsWith('/') || name.includes('\\') || /^[a-z]:/i.test(name)) return 'points outside the folder'
  for (const part of name.replace(/\/$/, '').split('/')) {
    if (part === '..') return 'points outside the folder'
    if (part === '' || part === '.') return 'has an empty part in its name'
    if (Buffer.byteLength(part) > MAX_NAME) return `has a part longer than ${MAX_NAME} bytes in its name`
  }
  return undefined
}

/**
 * Unpacks the members that `select` accepts into `target` under their own names.
 * @param {string} path the zip file
 * @param {string} target an existing folder
 * @param {{ select?: (name: string) => boolean, maxBytes?: number, onProgress?: (done: number, total: number) => void }} [options]
 *   maxBytes: of all of them together, unpacked
 * @returns {Promise<{ files: number, bytes: number }>}
 */
export async function unzip(path, target, { select = () => true, maxBytes = MAX_BYTES, onProgress } = {}) {
  const file = await open(path)
  try {
    const members = (await readDirectory(file)).filter(({ name }) => !name.endsWith('/') && select(name))
    const total = members.reduce((sum, { size }) => sum + size, 0)
    if (total > maxBytes) throw new ZipError(`it unpacks to ${total} bytes, more than ${maxBytes}`)
    for (const folder of new Set(members.map(({ name }) => dirname(name))))
      await mkdir(join(target, folder), { recursive: true })
    let done = 0
    for (const member of members) {
      await extract(file, member, join(target, member.name))
      done += member.size
      onProgress?.(done, total)
    }
    return { files: members.length, bytes: total }
  } catch (error) {
    if (error instanceof ZipError) throw new ZipError(`${path} cannot be unpacked: ${error.message}`)
    throw error
  } finally {
    await file.close()
  }
}

/**
 * @param {import('node:fs/promises').FileHandle} file
 * @param {Member} member
 * @param {string} target
 */
async function extract(file, member, target) {
  const nameLength = Buffer.byteLength(member.name)
  const header = await readAt(file, member.offset, 30 + nameLength)
  if (header.readUInt32LE(0) !== 0x04034b50) throw new ZipError(`the header of ${member.name} is damaged`)
  if (header.readUInt16LE(26) !== nameLength || header.toString('utf8', 30) !== member.name)
    throw new ZipError(`the header of ${member.name} has another name`)
  const start = member.offset + 30 + nameLength + header.readUInt16LE(28)
  let crc = 0
  let size = 0
  const damaged = (/** @type {unknown} */ cause) => new ZipError(`${member.name} is damaged`, { cause })

  if (member.size <= SMALL && member.compressedSize <= SMALL) {
    const packed = await readAt(file, start, member.compressedSize)
    const data =
      member.method === STORED
        ? packed
        : await inflateSmall(packed, member.size).catch((e) => Promise.reject(damaged(e)))
    crc = crc32(data)
    size = data.length
    if (crc === member.crc && size === member.size) await writeFile(target, data)
  } else {
    const check = new Transform({
      transform(chunk, _encoding, next) {
        crc = crc32(chunk, crc)
        size += chunk.length
        next(size > member.size ? damaged('longer than declared') : null, chunk)
      },
    })
    if (member.compressedSize === 0) throw damaged('empty')
    const source = file.createReadStream({ start, end: start + member.compressedSize - 1, autoClose: false })
    const steps = member.method === STORED ? [source, check] : [source, createInflateRaw(), check]
    try {
      await pipeline([...steps, createWriteStream(target)])
    } catch (error) {
      throw /^Z_/.test(/** @type {{ code?: string }} */ (error).code ?? '') ? damaged(error) : error
    }
  }
  if (crc !== member.crc || size !== member.size) throw damaged('checksum')
}

/**
 * @param {Buffer} packed
 * @param {number} size
 * @returns {Promise<Buffer>}
 */
function inflateSmall(packed, size) {
  // One more byte than declared, so that a longer stream shows as a wrong length instead of a silent cut.
  return promisify(inflateRaw)(packed, { maxOutputLength: size + 1 })
}
