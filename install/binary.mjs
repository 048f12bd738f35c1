// Reads the head of a shared library: which machine it is for, whether the file is whole, which libraries it needs.

import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'

const ELF_MACHINES = /** @type {Record<number, string>} */ ({ 62: 'x64', 183: 'arm64', 3: 'ia32', 40: 'arm' })
const MACH_MACHINES = /** @type {Record<number, string>} */ ({ 16777223: 'x64', 16777228: 'arm64' })
const PT_LOAD = 1
const PT_DYNAMIC = 2
const DT_NEEDED = 1
const DT_STRTAB = 5
const LC_SEGMENT_64 = 0x19
const LONGEST_NAME = 256

/**
 * @typedef {object} Binary
 * @property {'whole' | 'cut off' | 'missing' | 'forbidden' | 'unreadable' | 'no library'} state `forbidden`: to this user
 * @property {string} description for people: "Linux x64", "Linux x64, cut off: 10 of 20 bytes", "missing"
 * @property {string} [machine] "linux-x64", as far as it is known
 */
/** @typedef {{ type: number, offset: number, address: number, size: number }} Segment */

/**
 * The dynamic linker maps a file that was cut off and dies of SIGBUS when it reads beyond the end: so it is looked at before.
 * @param {string} path
 * @returns {Binary}
 */
export function inspectBinary(path) {
  try {
    const kind = statSync(path)
    // To open a pipe waits for somebody who writes.
    if (!kind.isFile()) return { state: 'no library', description: kind.isDirectory() ? 'a folder' : 'not a file' }
    return withFile(path, inspect)
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return { state: 'missing', description: 'missing' }
    const state = code === 'EACCES' || code === 'EPERM' ? 'forbidden' : 'unreadable'
    return { state, description: `unreadable: ${message}` }
  }
}

/**
 * The names of the libraries that an ELF file needs, as the linker wrote them; none for other files.
 * @param {string} path
 * @returns {string[]}
 */
export function neededLibraries(path) {
  return withFile(path, (file) => {
    const head = readAt(file, 0, 64)
    if (!isElf64(head)) return []
    const segments = elfSegments(file, head)
    const dynamic = segments.find(({ type }) => type === PT_DYNAMIC)
    if (!dynamic) return []
    const entries = readAt(file, dynamic.offset, dynamic.size)
    const offsets = []
    let names = 0
    for (let at = 0; at + 16 <= entries.length; at += 16) {
      const tag = number(entries, at)
      if (tag === DT_NEEDED) offsets.push(number(entries, at + 8))
      else if (tag === DT_STRTAB) names = number(entries, at + 8)
    }
    const home = segments.find(({ type, address, size }) => {
      return type === PT_LOAD && names >= address && names < address + size
    })
    if (!home) return []
    return offsets.map((offset) => {
      const text = readAt(file, home.offset + names - home.address + offset, LONGEST_NAME)
      return text.toString('utf8', 0, text.indexOf(0))
    })
  })
}

/**
 * @param {number} file
 * @returns {Binary}
 */
function inspect(file) {
  const { size } = fstatSync(file)
  const head = readAt(file, 0, 64)
  if (size === 0) return { state: 'cut off', description: 'an empty file' }
  const elf = head.length >= 4 && head.readUInt32BE(0) === 0x7f454c46
  const mach = head.length >= 4 && head.readUInt32LE(0) === 0xfeedfacf
  if (!elf && !mach) return { state: 'no library', description: 'not a shared library' }
  if (head.length < 64) return { state: 'cut off', description: `cut off: ${size} bytes` }
  const arch = elf ? ELF_MACHINES[head.readUInt16LE(18)] : MACH_MACHINES[head.readUInt32LE(4)]
  const description = `${elf ? 'Linux' : 'macOS'} ${arch ?? 'of another processor'}`
  const machine = `${elf ? 'linux' : 'darwin'}-${arch ?? 'unknown'}`
  const end = mach ? machEnd(file, head) : isElf64(head) ? elfEnd(file, head) : size
  if (end <= size) return { state: 'whole', description, machine }
  return { state: 'cut off', description: `${description}, cut off: ${size} of at least ${end} bytes`, machine }
}

/** Little endian, as all that LibTorch exists for. @param {Buffer} head */
function isElf64(head) {
  return head.length === 64 && head.readUInt32BE(0) === 0x7f454c46 && head[4] === 2 && head[5] === 1
}

/**
 * @param {number} file
 * @param {Buffer} head
 * @returns {Segment[]}
 */
function elfSegments(file, head) {
  const table = readAt(file, number(head, 32), head.readUInt16LE(56) * 56)
  return Array.from({ length: Math.floor(table.length / 56) }, (_, i) => {
    const at = i * 56
    const [offset, address, size] = [8, 16, 32].map((field) => number(table, at + field))
    return { type: table.readUInt32LE(at), offset, address, size }
  })
}

/** Where the last segment or the table of sections ends. @param {number} file @param {Buffer} head */
function elfEnd(file, head) {
  const tables = [number(head, 32) + head.readUInt16LE(56) * 56, number(head, 40) + head.readUInt16LE(60) * 64]
  return Math.max(64, ...tables, ...elfSegments(file, head).map(({ offset, size }) => offset + size))
}

/** Where the last segment ends. @param {number} file @param {Buffer} head */
function machEnd(file, head) {
  const bytes = head.readUInt32LE(20)
  const commands = readAt(file, 32, bytes)
  let end = 32 + bytes
  for (let at = 0; at + 56 <= commands.length; at += Math.max(8, commands.readUInt32LE(at + 4)))
    if (commands.readUInt32LE(at) === LC_SEGMENT_64)
      end = Math.max(end, number(commands, at + 40) + number(commands, at + 48))
  return end
}

/** @param {Buffer} bytes @param {number} at */
function number(bytes, at) {
  return Number(bytes.readBigUInt64LE(at))
}

/**
 * @template T
 * @param {string} path
 * @param {(file: number) => T} work
 */
function withFile(path, work) {
  const file = openSync(path, 'r')
  try {
    return work(file)
  } finally {
    closeSync(file)
  }
}

/** Fewer bytes where the file ends. @param {number} file @param {number} start @param {number} length */
function readAt(file, start, length) {
  const bytes = Buffer.alloc(Math.min(length, 1 << 20))
  return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, start))
}
