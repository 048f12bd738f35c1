import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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
    options?: { select?: (name: string) => boolean },
  ): Promise<{ files: number; bytes: number }>
}>('zip.mjs')
const { download } = await installModule<{
  download(
    url: string,
    target: string,
    options?: { sha256?: string; attempts?: number; retryMs?: number; stream?: { write(text: string): void } },
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
