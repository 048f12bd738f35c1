// What a 64-bit little-endian ELF library asks of the machine that loads it: a reader of its dynamic section, of the versions
// that it needs and of the symbols that it imports, for the tests of what is released.

export interface ElfImports {
  /** As ELF numbers them: 62 is x86-64, 183 is AArch64. */
  machine: number
  needed: string[]
  /** RPATH and RUNPATH. */
  searchPaths: string[]
  /** "GLIBC_2.14", "GLIBCXX_3.4.21", … */
  versions: string[]
  /** Names of undefined symbols. */
  symbols: string[]
}

interface Section {
  type: number
  offset: number
  size: number
  link: number
  entrySize: number
}

const DYNAMIC = 6
const DYNAMIC_SYMBOLS = 11
const NEEDED_VERSIONS = 0x6ffffffe
const TAGS = { needed: 1, rpath: 15, runpath: 29 }

/** @throws RangeError when the file ends early, Error when it is no such library */
export function elfImports(file: Buffer): ElfImports {
  if (file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1)
    throw new Error('not a 64-bit little-endian ELF file')
  const sections = readSections(file)
  const sectionOf = (type: number) => {
    const section = sections.find((candidate) => candidate.type === type)
    const strings = section && sections[section.link]
    return section && strings ? { section, text: (offset: number) => textAt(file, strings.offset + offset) } : undefined
  }
  const dynamic = sectionOf(DYNAMIC)
  const symbols = sectionOf(DYNAMIC_SYMBOLS)
  if (!dynamic || !symbols) throw new Error('not a shared library')
  const entries = [...offsets(dynamic.section)].map((at) => ({
    tag: number64(file, at),
    value: number64(file, at + 8),
  }))
  const texts = (...tags: number[]) =>
    entries.filter(({ tag }) => tags.includes(tag)).map(({ value }) => dynamic.text(value))
  const versions = sectionOf(NEEDED_VERSIONS)
  return {
    machine: file.readUInt16LE(18),
    needed: texts(TAGS.needed),
    searchPaths: texts(TAGS.rpath, TAGS.runpath),
    versions: versions ? readVersions(file, versions.section.offset, versions.text) : [],
    symbols: [...offsets(symbols.section)]
      .filter((at) => file.readUInt16LE(at + 6) === 0)
      .map((at) => symbols.text(file.readUInt32LE(at)))
      .filter(Boolean),
  }
}

function readSections(file: Buffer): Section[] {
  const start = number64(file, 40)
  const [size, count] = [file.readUInt16LE(58), file.readUInt16LE(60)]
  return Array.from({ length: count }, (_, i) => {
    const at = start + i * size
    return {
      type: file.readUInt32LE(at + 4),
      offset: number64(file, at + 24),
      size: number64(file, at + 32),
      link: file.readUInt32LE(at + 40),
      entrySize: number64(file, at + 56),
    }
  })
}

/** A chain of libraries, each with a chain of its versions; every link is counted from its own start, 0 ends. */
function readVersions(file: Buffer, start: number, text: (offset: number) => string): string[] {
  const found: string[] = []
  for (let library = start, next = -1; next !== 0; library += next) {
    next = file.readUInt32LE(library + 12)
    let version = library + file.readUInt32LE(library + 8)
    for (let left = file.readUInt16LE(library + 2); left > 0; left--) {
      found.push(text(file.readUInt32LE(version + 8)))
      version += file.readUInt32LE(version + 12)
    }
  }
  return found
}

function* offsets({ offset, size, entrySize }: Section): Generator<number> {
  for (let at = offset; at + entrySize <= offset + size; at += entrySize) yield at
}

function number64(file: Buffer, at: number): number {
  return Number(file.readBigUInt64LE(at))
}

function textAt(file: Buffer, at: number): string {
  return file.toString('latin1', at, file.indexOf(0, at))
}

/** The versions, "GLIBC_2.29", that are newer than the limit of their name: `{ GLIBC: '2.28' }`. */
export function newerThan(versions: readonly string[], limits: Record<string, string>): string[] {
  return versions.filter((version) => {
    const [, name = '', number = ''] = /^(.*)_([\d.]+)$/.exec(version) ?? []
    const limit = limits[name]
    return limit !== undefined && compareVersions(number, limit) > 0
  })
}

export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split('.').map(Number)) as [number[], number[]]
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0)
    if (difference) return difference
  }
  return 0
}
