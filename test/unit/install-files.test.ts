import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { cores, cpuFeatures, readLibtorch, threads } from '#system'
import {
  fakeLibtorch,
  installModule,
  makeZip,
  serve,
  sha256,
  temporaryFolder,
  writeTree,
  type ZipMember,
  zipOf,
} from './install-helpers.js'

const { unzip } = await installModule<{
  unzip(
    path: string,
    target: string,
    options?: { select?: (name: string) => boolean; maxBytes?: number },
  ): Promise<{ files: number; bytes: number }>
}>('zip.mjs')
const { download } = await installModule<{
  download(
    url: string,
    target: string,
    options?: {
      sha256?: string
      maxBytes?: number
      attempts?: number
      retryMs?: number
      silenceMs?: number
      stream?: { write(text: string): void }
    },
  ): Promise<{ sha256: string; bytes: number }>
}>('download.mjs')

const quiet = { write() {} }

function zipFile(data: Buffer): string {
  const path = join(temporaryFolder(), 'test.zip')
  writeFileSync(path, data)
  return path
}

test('unzip writes the chosen members, stored and deflated, small and large', async (t) => {
  const target = temporaryFolder()
  const large = 'abcdefgh'.repeat(1_000_000)
  const zip = makeZip([
    { name: 'a/small.txt', data: 'small' },
    { name: 'a/stored.txt', data: 'stored', stored: true },
    { name: 'large.bin', data: large },
    { name: 'large-stored.bin', data: large, stored: true },
    { name: 'empty', data: '' },
    { name: 'folder/', data: '', stored: true },
    { name: 'not-wanted.txt', data: 'x' },
  ])
  const result = await unzip(zipFile(zip), target, { select: (name) => name !== 'not-wanted.txt' })
  t.deepEqual(result, { files: 5, bytes: 11 + 2 * large.length })
  t.is(readFileSync(join(target, 'a/small.txt'), 'utf8'), 'small')
  t.is(readFileSync(join(target, 'a/stored.txt'), 'utf8'), 'stored')
  t.is(readFileSync(join(target, 'large.bin'), 'utf8'), large)
  t.is(readFileSync(join(target, 'large-stored.bin'), 'utf8'), large)
  t.is(readFileSync(join(target, 'empty'), 'utf8'), '')
  t.false(existsSync(join(target, 'not-wanted.txt')))
})

for (const name of ['../out.txt', 'a/../../out.txt', '/out.txt', 'a\\..\\out.txt', 'C:/out.txt']) {
  test(`unzip refuses the member ${name} and writes nothing`, async (t) => {
    const target = temporaryFolder()
    const path = zipFile(
      makeZip([
        { name: 'good.txt', data: 'good' },
        { name, data: 'evil' },
      ]),
    )
    await t.throwsAsync(unzip(path, target), { message: /points outside the folder/ })
    t.deepEqual(readdirSync(target), [])
  })
}

const hostile: [string, ZipMember[], RegExp][] = [
  ['a control character in a name', [{ name: 'a\0.txt', data: 'a' }], /control characters/],
  ['an empty part of a name', [{ name: 'a//b', data: 'a' }], /empty part/],
  ['a point as a part of a name', [{ name: './a', data: 'a' }], /empty part/],
  ['a long name', [{ name: 'a/'.repeat(600), data: 'a' }], /longer than 1024 bytes/],
  ['a long part of a name', [{ name: 'ä'.repeat(130), data: 'a' }], /a part longer than 255 bytes/],
  ['another name in front of the data', [{ name: 'a', localName: 'b', data: 'a' }], /has another name/],
  ['a device', [{ name: 'a', data: 'a', mode: 0o020644 }], /neither file nor folder/],
  ['an unknown compression', [{ name: 'a', data: 'a', method: 9 }], /unknown compression 9/],
  ['a member beyond the end', [{ name: 'a', data: 'a', offset: 0x7fffffff }], /beyond the end/],
  ['a stored member with two sizes', [{ name: 'a', data: 'a', stored: true, size: 2 }], /do not fit each other/],
  ['a size that no data have', [{ name: 'a', data: 'a', size: 0x7fffffff }], /do not fit each other/],
  [
    'members that share their data',
    [
      { name: 'a', data: 'a'.repeat(1000) },
      { name: 'b', localName: 'a', data: 'a'.repeat(1000), offset: 0 },
    ],
    /lies over another one/,
  ],
  [
    'names that differ in their case',
    [
      { name: 'a/B', data: 'a' },
      { name: 'A/b', data: 'b' },
    ],
    /two members of the same name/,
  ],
  [
    'a file as a folder',
    [
      { name: 'a', data: 'a' },
      { name: 'a/b', data: 'b' },
    ],
    /lies below a file/,
  ],
  ['a link', [{ name: 'link', data: '/etc/passwd', mode: 0o120777 }], /is a link/],
  ['an encrypted member', [{ name: 'a', data: 'a', flags: 1 }], /is encrypted/],
  ['a wrong checksum', [{ name: 'a', data: 'a', crc: 1 }], /a is damaged/],
  ['more data than declared', [{ name: 'a', data: 'a'.repeat(100), size: 10 }], /a is damaged/],
  ['less data than declared', [{ name: 'a', data: 'a', size: 10 }], /a is damaged/],
  ['more data than declared, large', [{ name: 'a', data: 'a'.repeat(1e7), size: 5e6 }], /a is damaged/],
  [
    'two members of one name',
    [
      { name: 'a', data: 'a' },
      { name: 'a', data: 'b' },
    ],
    /two members of the same name/,
  ],
]
for (const [what, members, message] of hostile) {
  test(`unzip refuses ${what}`, async (t) => {
    await t.throwsAsync(unzip(zipFile(makeZip(members)), temporaryFolder()), { message })
  })
}

test('unzip refuses names that are no UTF-8, and more bytes than it may write', async (t) => {
  const zip = zipOf({ 'name.txt': 'some text' })
  const spoilt = Buffer.from(zip.toString('latin1').replaceAll('name.txt', 'n\xffme.txt'), 'latin1')
  await t.throwsAsync(unzip(zipFile(spoilt), temporaryFolder()), { message: /no UTF-8/ })
  const target = temporaryFolder()
  await t.throwsAsync(unzip(zipFile(zip), target, { maxBytes: 8 }), { message: /unpacks to 9 bytes, more than 8/ })
  t.deepEqual(readdirSync(target), [])
})

test('unzip refuses a file in which any byte of the directory is another one, or unpacks the same', async (t) => {
  const files = { 'a.txt': 'some text', 'b.txt': 'other text' }
  const whole = zipOf(files)
  const start = whole.indexOf('PK\x01\x02')
  for (let at = start; at < whole.length; at++) {
    const spoilt = Buffer.from(whole)
    spoilt[at] = ~spoilt[at]!
    const target = temporaryFolder()
    const error: unknown = await unzip(zipFile(spoilt), target).then(
      () => undefined,
      (caught) => caught,
    )
    if (error === undefined) {
      for (const name of readdirSync(target)) t.is(readFileSync(join(target, name), 'utf8'), files[name as 'a.txt'])
    } else {
      t.regex((error as Error).message, /cannot be unpacked/, `byte ${at}`)
    }
  }
})

test('unzip refuses every truncation of a file', async (t) => {
  const whole = zipOf({ 'a.txt': 'some text', 'b.txt': 'other text' })
  for (let length = 0; length < whole.length; length += 7)
    await t.throwsAsync(unzip(zipFile(whole.subarray(0, length)), temporaryFolder()), { message: /cannot be unpacked/ })
})

test('a download that is cut off goes on where it stopped', async (t) => {
  const data = Buffer.from('0123456789'.repeat(50_000))
  const server = await serve(data, { cutAfter: 100_000, cuts: 2 })
  const target = join(temporaryFolder(), 'file.bin')
  const result = await download(`${server.url}/file.bin`, target, { sha256: sha256(data), retryMs: 1, stream: quiet })
  await server.close()
  t.deepEqual(result, { sha256: sha256(data), bytes: data.length })
  t.deepEqual(readFileSync(target), data)
  t.is(server.ranges[0], undefined)
  t.true(server.ranges.length >= 2)
  t.regex(server.ranges.at(-1) ?? '', /^bytes=[1-9]\d*-$/)
})

test('a later run resumes what an earlier one left, unless the file has changed', async (t) => {
  const root = temporaryFolder()
  const data = Buffer.from('abcdefghij'.repeat(1_000))
  const target = join(root, 'file.bin')
  const server = await serve(data)
  writeFileSync(`${target}.part`, data.subarray(0, 5_000))
  writeFileSync(`${target}.part.etag`, `"${sha256(data)}"`)
  await download(`${server.url}/file.bin`, target, { sha256: sha256(data), stream: quiet })
  t.deepEqual(server.ranges, ['bytes=5000-'])

  writeFileSync(`${target}.part`, 'other bytes')
  writeFileSync(`${target}.part.etag`, '"of another file"')
  await download(`${server.url}/file.bin`, target, { sha256: sha256(data), stream: quiet })
  await server.close()
  t.deepEqual(readFileSync(target), data)
  t.deepEqual(readdirSync(root), ['file.bin'])
})

test('a download with a wrong digest is removed', async (t) => {
  const root = temporaryFolder()
  const server = await serve(Buffer.from('corrupted'))
  const wrong = download(`${server.url}/file.bin`, join(root, 'file.bin'), { sha256: 'f'.repeat(64), stream: quiet })
  await t.throwsAsync(wrong, { message: /has the SHA-256 [0-9a-f]{64}, but f{64} is expected/ })
  await server.close()
  t.deepEqual(readdirSync(root), [])
})

/** Answers every request with `answer`. */
async function hostileServer(answer: RequestListener): Promise<{ url: string; close(): void }> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close }
}

const hostileAnswers: Record<string, [RequestListener, RegExp]> = {
  'endless bytes': [
    (_, response) => {
      const write = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      }
      response.on('drain', write)
      write()
    },
    /more than 1.0 MB came/,
  ],
  'a length beyond what it may be': [
    (_, response) => response.writeHead(200, { 'content-length': 2e6 }).write('a'),
    /2.0 MB/,
  ],
  'a gzip bomb': [
    (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(1e8))),
    /more than .* came/,
  ],
  'no content': [(_, response) => response.writeHead(204).end(), /HTTP status 204/],
  'a circle of redirects': [(_, response) => response.writeHead(302, { location: '/' }).end(), /more than 10 times/],
  'a redirect to a file': [
    (_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
    /redirects to file:.*, which is not followed/,
  ],
  silence: [(_, response) => response.writeHead(200).write('a'), /no answer for 0.3 s/],
}
for (const [what, [answer, message]] of Object.entries(hostileAnswers)) {
  test(`a download of ${what} ends and leaves nothing in its place`, async (t) => {
    const server = await hostileServer(answer)
    const target = join(temporaryFolder(), 'file.bin')
    const options = { maxBytes: 1e6, attempts: 1, silenceMs: what === 'silence' ? 300 : 10_000, stream: quiet }
    await t.throwsAsync(download(`${server.url}/file.bin`, target, options), { message })
    server.close()
    t.false(existsSync(target))
    if (what !== 'silence') t.false(existsSync(`${target}.part`))
  })
}

test.serial('what begins with https is not redirected to http', async (t) => {
  const original = globalThis.fetch
  t.teardown(() => {
    globalThis.fetch = original
  })
  globalThis.fetch = async () => new Response(null, { status: 302, headers: { location: 'http://zips.example/a.zip' } })
  const failed = download('https://zips.example/a.zip', join(temporaryFolder(), 'a.zip'), { stream: quiet })
  await t.throwsAsync(failed, { message: /redirects to http:\/\/zips\.example.*, which is not followed/ })
})

test('a refused connection says which address', async (t) => {
  const refused = download('http://127.0.0.1:1/file.bin', join(temporaryFolder(), 'file.bin'), { stream: quiet })
  await t.throwsAsync(refused, { message: /^http:\/\/127\.0\.0\.1:1\/file\.bin: / })
})

/** A faked Linux: `cpus` allowed processors with their hyper-thread siblings, and files of cgroups. */
function fakeSystem(status: string, siblings: string[], cgroup: string, cgroupFiles: Record<string, string>) {
  const root = temporaryFolder()
  const topology = siblings.map((list, cpu) => [
    `sys/devices/system/cpu/cpu${cpu}/topology/core_cpus_list`,
    `${list}\n`,
  ])
  writeTree(root, {
    'proc/self/status': `Name:\tnode\nCpus_allowed_list:\t${status}\n`,
    'proc/self/cgroup': cgroup,
    ...Object.fromEntries(topology),
    ...Object.fromEntries(Object.entries(cgroupFiles).map(([name, text]) => [`sys/fs/cgroup/${name}`, text])),
  })
  return { proc: join(root, 'proc'), sys: join(root, 'sys'), platform: 'linux' }
}

const fourCores = ['0,4', '1,5', '2,6', '3,7', '0,4', '1,5', '2,6', '3,7']

test('threads: physical cores, not hyper-threads', (t) => {
  t.is(threads(fakeSystem('0-7', fourCores, '', {})), 4)
})

test('threads: the affinity mask counts', (t) => {
  t.is(threads(fakeSystem('0-1', fourCores, '', {})), 2)
  t.is(threads(fakeSystem('0,4', fourCores, '', {})), 1, 'two hyper-threads of one core')
  t.is(cores(fakeSystem('1,3-5', fourCores, '', {})).allowed, 4)
})

test('threads: the quota of cgroups version 2, also of a parent', (t) => {
  const quota = (files: Record<string, string>) => threads(fakeSystem('0-7', fourCores, '0::/a/b\n', files))
  t.is(quota({ 'a/b/cpu.max': '200000 100000\n' }), 2)
  t.is(quota({ 'a/b/cpu.max': 'max 100000\n', 'a/cpu.max': '300000 100000\n' }), 3)
  t.is(quota({ 'a/b/cpu.max': 'max 100000\n' }), 4)
  t.is(quota({ 'cpu.max': '50000 100000\n' }), 1, 'never below 1')
  t.is(quota({ 'cpu.max': '250000 100000\n' }), 2, 'a share of a core does not count')
})

test('threads: the quota of cgroups version 1', (t) => {
  const files = (quota: number) => ({
    'cpu,cpuacct/job/cpu.cfs_quota_us': `${quota}\n`,
    'cpu,cpuacct/job/cpu.cfs_period_us': '100000\n',
  })
  const group = '5:memory:/job\n4:cpu,cpuacct:/job\n'
  t.is(threads(fakeSystem('0-7', fourCores, group, files(300_000))), 3)
  t.is(threads(fakeSystem('0-7', fourCores, group, files(-1))), 4, '-1 means no limit')
})

test('threads: without any of these files', (t) => {
  t.true(threads({ proc: '/nonexistent', sys: '/nonexistent', platform: 'linux' }) >= 1)
})

test('processor features by the names of Linux', (t) => {
  const root = writeTree(temporaryFolder(), {
    cpuinfo: 'processor\t: 0\nflags\t\t: fpu avx2 fma avx512f amx_bf16 tsc\n',
  })
  t.deepEqual(cpuFeatures({ proc: root, platform: 'linux' }), ['avx2', 'fma', 'avx512f', 'amx_bf16'])
})

test('readLibtorch: the built one, unless SENTENCE_TORCH_LIBTORCH names a folder', (t) => {
  const root = temporaryFolder()
  t.is(readLibtorch({ root, env: {} }), undefined)
  const built = { path: '/somewhere/libtorch', version: '2.13.0', variant: 'cpu' }
  writeTree(root, { 'build/libtorch.json': JSON.stringify(built) })
  t.deepEqual(readLibtorch({ root, env: {} }), built)
  t.deepEqual(readLibtorch({ root, env: { SENTENCE_TORCH_LIBTORCH: 'python' } }), built)
  const moved = writeTree(join(root, 'moved'), fakeLibtorch('2.13.0'))
  t.deepEqual(readLibtorch({ root, env: { SENTENCE_TORCH_LIBTORCH: moved } }), { ...built, path: moved })
  const other = writeTree(join(root, 'other'), fakeLibtorch('2.11.0'))
  t.throws(() => readLibtorch({ root, env: { SENTENCE_TORCH_LIBTORCH: other } }), {
    message: /2\.11\.0.*built for 2\.13\.0/,
  })
  t.throws(() => readLibtorch({ root, env: { SENTENCE_TORCH_LIBTORCH: join(root, 'none') } }), {
    message: /does not exist/,
  })
})
