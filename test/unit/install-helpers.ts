import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { crc32, deflateRawSync } from 'node:zlib'
import { packageRoot } from '#system'

/** A module of install/, which is plain JavaScript and not part of the compiled tree. */
export async function installModule<T>(name: string): Promise<T> {
  return (await import(pathToFileURL(join(packageRoot, 'install', name)).href)) as T
}

const folders: string[] = []
process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** A new folder, which is removed when the process of the test file ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sentence-torch-install-'))
  folders.push(folder)
  return folder
}

/** Writes files given as { 'a/b.txt': 'content' } below `root`. */
export function writeTree(root: string, files: Record<string, string>): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), content)
  }
  return root
}

const suffix = process.platform === 'darwin' ? 'dylib' : 'so'

/** What makes a folder look like LibTorch. */
export function fakeLibtorch(version: string, prefix = ''): Record<string, string> {
  const [major, minor, patch] = version.split('.')
  return {
    [`${prefix}lib/libtorch_cpu.${suffix}`]: 'cpu',
    [`${prefix}lib/libc10.${suffix}`]: '_ZN3c105ErrorC1ENSt7__cxx1112basic_stringIcE',
    [`${prefix}include/ATen/core/Tensor.h`]: '',
    [`${prefix}include/torch/headeronly/version.h`]: `#define TORCH_VERSION_MAJOR ${major}\n#define TORCH_VERSION_MINOR ${minor}\n#define TORCH_VERSION_PATCH ${patch}\n`,
  }
}

export interface ZipMember {
  name: string
  data: string
  stored?: boolean
  crc?: number
  size?: number
  mode?: number
  flags?: number
  /** Its name in front of its data, where it is another one. */
  localName?: string
  /** Where the directory says that it lies. */
  offset?: number
  method?: number
}

/** A zip file byte by byte, so that it can lie. */
export function makeZip(members: ZipMember[]): Buffer {
  const locals: Buffer[] = []
  const central: Buffer[] = []
  let offset = 0
  for (const { name, data, stored = false, crc, size, mode = 0o100644, flags = 0, ...lies } of members) {
    const raw = Buffer.from(data)
    const packed = stored ? raw : deflateRawSync(raw)
    const encoded = Buffer.from(name)
    const localName = Buffer.from(lies.localName ?? name)
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50, 0)
    local.writeUInt16LE(localName.length, 26)
    const entry = Buffer.alloc(46)
    entry.writeUInt32LE(0x02014b50, 0)
    entry.writeUInt16LE(flags, 8)
    entry.writeUInt16LE(lies.method ?? (stored ? 0 : 8), 10)
    entry.writeUInt32LE(crc ?? crc32(raw), 16)
    entry.writeUInt32LE(packed.length, 20)
    entry.writeUInt32LE(size ?? raw.length, 24)
    entry.writeUInt16LE(encoded.length, 28)
    entry.writeUInt32LE((mode << 16) >>> 0, 38)
    entry.writeUInt32LE(lies.offset ?? offset, 42)
    locals.push(local, localName, packed)
    central.push(entry, encoded)
    offset += local.length + localName.length + packed.length
  }
  const directory = Buffer.concat(central)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(members.length, 8)
  end.writeUInt16LE(members.length, 10)
  end.writeUInt32LE(directory.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...locals, directory, end])
}

export function zipOf(files: Record<string, string>): Buffer {
  return makeZip(Object.entries(files).map(([name, data]) => ({ name, data })))
}

export function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}

export interface FileServer {
  url: string
  /** The Range header of every request, in order. */
  ranges: (string | undefined)[]
  close(): Promise<void>
}

/** Serves `data` under every path, with ranges and an ETag. `cutAfter` ends the first answers after so many bytes. */
export async function serve(data: Buffer, options: { cutAfter?: number; cuts?: number } = {}): Promise<FileServer> {
  const ranges: (string | undefined)[] = []
  let cuts = options.cutAfter === undefined ? 0 : (options.cuts ?? 1)
  const etag = `"${sha256(data)}"`
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    ranges.push(request.headers.range)
    const wanted = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')
    const start = wanted && request.headers['if-range'] === etag ? Number(wanted[1]) : 0
    const body = data.subarray(start)
    response.writeHead(start ? 206 : 200, {
      etag,
      'content-length': body.length,
      ...(start ? { 'content-range': `bytes ${start}-${data.length - 1}/${data.length}` } : {}),
    })
    if (cuts-- > 0) response.write(body.subarray(0, options.cutAfter), () => setTimeout(() => response.destroy(), 300))
    else response.end(body)
  }
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ranges,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}
