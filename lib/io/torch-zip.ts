// The zip archives of torch.save: entries are stored uncompressed, mostly with zip64 records.
import { damaged } from './damaged.js'
import { unsupportedTorchFile } from './torch-remedy.js'

/** Reads `length` bytes at `position`; all of them are in the file. */
export type ReadBytes = (position: number, length: number, what: string) => Promise<Buffer>

/** An entry of the archive's directory. */
export interface ZipEntry {
  name: string
  size: number
  /** Position of its own header. */
  header: number
  /** Compressed or encrypted, which torch never writes. */
  isPacked: boolean
}

/** Limit of entries. Torch writes one for every storage: thousands in the largest models. */
const MAX_ENTRIES = 100_000
const MAX_DIRECTORY_BYTES = 32 * 1024 * 1024

const LOCAL = 0x04034b50
const CENTRAL = 0x02014b50
const END = 0x06054b50
const END_64 = 0x06064b50
const LOCATOR_64 = 0x07064b50
/** The value of a field that is stored in the zip64 record instead. */
const ELSEWHERE = 0xffffffff

/** The archive's entries by name. */
export interface ZipDirectory {
  /** Name of the first entry. All others are in the same folder. */
  first: string
  entries: ReadonlyMap<string, ZipEntry>
  /** Start of the directory. All entries end before it. */
  start: number
}

/**
 * Reads the directory at the end of an archive.
 * @throws SentenceTorchError ERR_INVALID_FILE
 */
export async function readDirectory(read: ReadBytes, size: number, path: string): Promise<ZipDirectory> {
  const { count, start, bytes } = await findDirectory(read, size, path)
  const directory = await read(start, bytes, 'its zip directory')
  const entries = new Map<string, ZipEntry>()
  let at = 0
  let first = ''
  for (let i = 0; i < count; i++) {
    const { entry, next } = parseEntry(directory, at, path)
    if (entries.has(entry.name)) throw damaged(path, `its zip directory has ${brief(entry.name)} twice`)
    if (i === 0) first = entry.name
    entries.set(entry.name, entry)
    at = next
  }
  if (at !== bytes) throw damaged(path, `its zip directory of ${count} entries ends at byte ${at} of ${bytes}`)
  return { first, entries, start }
}

/**
 * Start of an entry's bytes, all of which are in the file.
 * @throws SentenceTorchError ERR_INVALID_FILE, ERR_UNSUPPORTED for a compressed one
 */
export async function dataStart(
  read: ReadBytes,
  { start }: ZipDirectory,
  entry: ZipEntry,
  path: string,
): Promise<number> {
  const broken = (problem: string) => damaged(path, `its zip entry ${brief(entry.name)} ${problem}`)
  const name = Buffer.from(entry.name)
  if (entry.isPacked)
    throw unsupportedTorchFile(path, `has the zip entry ${brief(entry.name)} packed: torch packs nothing`)
  if (entry.header + 30 + name.length > start) throw broken('begins behind the entries')
  const header = await read(entry.header, 30 + name.length, 'a zip entry')
  if (header.readUInt32LE(0) !== LOCAL) throw broken('has no header of its own')
  if (header.readUInt16LE(8) !== 0) throw broken('is packed, says its own header alone')
  if (header.readUInt16LE(26) !== name.length || !header.subarray(30).equals(name))
    throw broken('has another name there')
  const data = entry.header + 30 + name.length + header.readUInt16LE(28)
  if (data + entry.size > start) throw broken(`has ${entry.size} bytes, of which the file holds ${start - data}`)
  return data
}

interface Place {
  count: number
  start: number
  bytes: number
}

async function findDirectory(read: ReadBytes, size: number, path: string): Promise<Place> {
  // An archive ends in 22 bytes. A comment after them would need a search, but torch never writes one.
  const tail =
    size < 22 ? Buffer.alloc(0) : await read(Math.max(0, size - 42), Math.min(size, 42), 'the end of its zip')
  const end = tail.subarray(-22)
  if (end.length < 22 || end.readUInt32LE(0) !== END || end.readUInt16LE(20) !== 0) {
    throw damaged(path, 'it does not end as a zip archive does: it may be cut off')
  }
  const place: Place = { count: end.readUInt16LE(10), bytes: end.readUInt32LE(12), start: end.readUInt32LE(16) }
  let limit = size - 22
  if (tail.length === 42 && tail.readUInt32LE(0) === LOCATOR_64) {
    const at = Number(tail.readBigUInt64LE(8))
    limit = size - 42 - 56
    if (at !== limit) throw damaged(path, `its zip64 record is said to be at byte ${at}, expected ${limit}`)
    const record = await read(at, 56, 'its zip64 record')
    if (record.readUInt32LE(0) !== END_64) throw damaged(path, `it has no zip64 record at byte ${at}`)
    place.count = Number(record.readBigUInt64LE(32))
    place.bytes = Number(record.readBigUInt64LE(40))
    place.start = Number(record.readBigUInt64LE(48))
  }
  const { count, start, bytes } = place
  if (start + bytes !== limit)
    throw damaged(path, `its zip directory is ${bytes} bytes at ${start}, expected to end at ${limit}`)
  if (count > MAX_ENTRIES || bytes > MAX_DIRECTORY_BYTES) {
    const most = `at most ${MAX_ENTRIES} and ${MAX_DIRECTORY_BYTES} are read`
    throw damaged(path, `its zip directory has ${count} entries in ${bytes} bytes (${most})`)
  }
  return place
}

function parseEntry(directory: Buffer, at: number, path: string): { entry: ZipEntry; next: number } {
  const broken = (problem: string) => damaged(path, `its zip directory ${problem}, at byte ${at}`)
  if (at + 46 > directory.length || directory.readUInt32LE(at) !== CENTRAL) throw broken('breaks off')
  const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => directory.readUInt16LE(at + field))
  const [nameEnd, extraEnd] = [at + 46 + nameBytes!, at + 46 + nameBytes! + extraBytes!]
  const next = extraEnd + commentBytes!
  if (next > directory.length) throw broken('breaks off')
  const name = directory.toString('utf8', at + 46, nameEnd)
  const entry = {
    name,
    size: directory.readUInt32LE(at + 24),
    header: directory.readUInt32LE(at + 42),
    isPacked: false,
  }
  let packed = directory.readUInt32LE(at + 20)
  const fields = wideFields(directory.subarray(nameEnd, extraEnd))
  const wide = () => {
    const value = Number(fields.shift() ?? Number.NaN)
    if (Number.isSafeInteger(value)) return value
    throw broken(`has impossible zip64 sizes for ${brief(name)}`)
  }
  if (entry.size === ELSEWHERE) entry.size = wide()
  if (packed === ELSEWHERE) packed = wide()
  if (entry.header === ELSEWHERE) entry.header = wide()
  const [flags, method] = [directory.readUInt16LE(at + 8), directory.readUInt16LE(at + 10)]
  entry.isPacked = method !== 0 || packed !== entry.size || (flags & 1) !== 0
  return { entry, next }
}

/** The 64-bit numbers of a zip64 record among an entry's extra fields. */
function wideFields(extra: Buffer): bigint[] {
  for (let at = 0; at + 4 <= extra.length; ) {
    const [id, length] = [extra.readUInt16LE(at), extra.readUInt16LE(at + 2)]
    const end = at + 4 + length
    if (id === 1 && end <= extra.length) {
      return Array.from({ length: Math.floor(length / 8) }, (_, i) => extra.readBigUInt64LE(at + 4 + i * 8))
    }
    at = end
  }
  return []
}

/** Names may hold any characters. */
function brief(name: string): string {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 57)}...` : name)
}
