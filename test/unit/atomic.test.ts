import * as fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { type FileOperations, replaceFolder, writeFileAtomic } from '../../lib/io/atomic.js'
import { makeFolder, syncFile } from '../../lib/io/files.js'

const newFolder = () => fs.mkdtemp(join(tmpdir(), 'atomic-test-'))

/** Path → content of every file below `folder`; links as "-> target", empty folders too. */
async function snapshot(folder: string, prefix = ''): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const entry of await fs.readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isSymbolicLink()) found[prefix + entry.name] = `-> ${await fs.readlink(path)}`
    else if (entry.isFile()) found[prefix + entry.name] = await fs.readFile(path, 'utf8')
    else Object.assign(found, { [`${prefix + entry.name}/`]: '' }, await snapshot(path, `${prefix + entry.name}/`))
  }
  return found
}

async function write(folder: string, files: Record<string, string>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await fs.mkdir(join(folder, name, '..'), { recursive: true })
    await fs.writeFile(join(folder, name), content)
  }
}

test('a new folder appears with its parents', async (t) => {
  const parent = await newFolder()
  await replaceFolder(join(parent, 'a/b/model'), (tmp) => write(tmp, { 'x.json': '1', 'sub/y': '2' }))
  t.deepEqual(await snapshot(parent), {
    'a/': '',
    'a/b/': '',
    'a/b/model/': '',
    'a/b/model/x.json': '1',
    'a/b/model/sub/': '',
    'a/b/model/sub/y': '2',
  })
})

test('written files win, unknown files stay, nothing is left beside', async (t) => {
  const parent = await newFolder()
  const target = join(parent, 'model')
  await write(target, { 'x.json': 'old', 'notes.txt': 'mine', 'sub/y': 'old', 'sub/z': 'mine', 'other/deep/w': 'mine' })
  await fs.symlink('../elsewhere', join(target, 'link'))
  await replaceFolder(target, (tmp) => write(tmp, { 'x.json': 'new', 'sub/y': 'new', other2: 'new' }))
  t.deepEqual(await snapshot(target), {
    link: '-> ../elsewhere',
    'notes.txt': 'mine',
    'other/': '',
    'other/deep/': '',
    'other/deep/w': 'mine',
    other2: 'new',
    'sub/': '',
    'sub/y': 'new',
    'sub/z': 'mine',
    'x.json': 'new',
  })
  t.deepEqual(await fs.readdir(parent), ['model'])
})

test('what is kept can be chosen', async (t) => {
  const target = join(await newFolder(), 'model')
  const old = { a: 'old', b: 'old', 'sub/a': 'old', 'sub/b': 'old' }
  await write(target, old)
  const keepUnknown = (name: string) => name !== 'b' && name !== 'sub'
  await replaceFolder(target, (tmp) => write(tmp, { c: 'new' }), { keepUnknown })
  t.deepEqual(await snapshot(target), { a: 'old', c: 'new' })
  await replaceFolder(target, (tmp) => write(tmp, { d: 'new' }), { keepUnknown: false })
  t.deepEqual(await snapshot(target), { d: 'new' })
})

test('a file of the old folder gives way to a folder and the other way round', async (t) => {
  const target = join(await newFolder(), 'model')
  await write(target, { a: 'old', 'b/c': 'old' })
  await replaceFolder(target, (tmp) => write(tmp, { 'a/x': 'new', b: 'new' }))
  t.deepEqual(await snapshot(target), { 'a/': '', 'a/x': 'new', b: 'new' })
})

test('a link to a folder is followed', async (t) => {
  const parent = await newFolder()
  await write(join(parent, 'real'), { a: 'old' })
  await fs.symlink('real', join(parent, 'link'))
  await replaceFolder(join(parent, 'link'), (tmp) => write(tmp, { a: 'new' }))
  t.deepEqual(await snapshot(parent), { link: '-> real', 'real/': '', 'real/a': 'new' })
})

test('a file at the target is refused', async (t) => {
  const target = join(await newFolder(), 'model')
  await fs.writeFile(target, 'file')
  await t.throwsAsync(
    replaceFolder(target, async () => {}),
    { code: 'ERR_INVALID_ARGUMENT' },
  )
  t.is(await fs.readFile(target, 'utf8'), 'file')
})

test('an error while filling (a full disk) leaves the old folder and no other', async (t) => {
  const parent = await newFolder()
  const target = join(parent, 'model')
  await write(target, { a: 'old', 'sub/b': 'old' })
  const before = await snapshot(parent)
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  const fill = async (tmp: string) => {
    await write(tmp, { a: 'half', 'sub/b': 'ha' })
    throw full
  }
  t.is(await t.throwsAsync(replaceFolder(target, fill)), full)
  t.deepEqual(await snapshot(parent), before)
  t.is(await t.throwsAsync(replaceFolder(join(parent, 'new'), fill)), full)
  t.deepEqual(await snapshot(parent), before)
})

/** File operations that fail at the n-th call, counted over all that change or sync something. */
function failingAt(n: number): { operations: FileOperations; calls: () => number } {
  let calls = 0
  const guarded = ['mkdir', 'open', 'rename', 'symlink', 'copyFile', 'readdir'] as const
  const operations: FileOperations = { ...fs }
  for (const name of guarded) {
    const original = operations[name] as (...args: unknown[]) => Promise<unknown>
    Object.assign(operations, {
      [name]: async (...args: unknown[]) => {
        if (calls++ === n) throw Object.assign(new Error(`${name} failed`), { code: 'EIO' })
        return original(...args)
      },
    })
  }
  return { operations, calls: () => calls }
}

test('whichever operation fails: the old folder is intact or the new one is in place, never a mixture', async (t) => {
  const old = { a: 'old', 'sub/b': 'old', keep: 'mine' }
  const run = async (n: number) => {
    const parent = await newFolder()
    const target = join(parent, 'model')
    await write(target, old)
    const before = await snapshot(parent)
    const { operations, calls } = failingAt(n)
    let failed = false
    await replaceFolder(target, (tmp) => write(tmp, { a: 'new', 'sub/b': 'new' }), { operations }).catch((error) => {
      t.is(error.code, 'EIO')
      failed = true
    })
    if (failed) t.deepEqual(await snapshot(parent), before, `operation ${n}`)
    else t.is(await fs.readFile(join(target, 'a'), 'utf8'), 'new')
    return { failed, calls: calls() }
  }
  const { calls, failed } = await run(Number.POSITIVE_INFINITY)
  t.false(failed)
  const outcomes: boolean[] = []
  for (let n = 0; n < calls; n++) outcomes.push((await run(n)).failed)
  // Only looking for what killed processes left, and what comes after everything is in place, may fail without a word: the sync
  // of the parent folder, and the last look at the old one and its subfolder.
  const silent = outcomes.flatMap((failed, n) => (failed ? [] : [n]))
  t.deepEqual(silent.slice(2), [calls - 3, calls - 2, calls - 1])
  t.is(silent.length, 5)
})

test("files are written where Yarn's Plug'n'Play has replaced node:fs: its handles cannot sync", async (t) => {
  const notImplemented = async () => {
    throw new Error('Method not implemented.')
  }
  for (const sync of [undefined, notImplemented]) {
    const parent = await newFolder()
    const open: FileOperations['open'] = async (...args) =>
      Object.assign(await fs.open(...args), { sync }) as fs.FileHandle
    const operations = { ...fs, open }
    await writeFileAtomic(join(parent, 'file'), 'one', { operations })
    await replaceFolder(join(parent, 'model'), (tmp) => write(tmp, { a: 'new' }), { operations })
    t.deepEqual(await snapshot(parent), { file: 'one', 'model/': '', 'model/a': 'new' })
  }
  // The descriptor is really asked: a closed one is an error, and so is what the system says of a sync that there is.
  await t.throwsAsync(syncFile({ fd: -1, sync: notImplemented }))
  const full = Object.assign(new Error('no space'), { code: 'ENOSPC' })
  await t.throwsAsync(syncFile({ fd: -1, sync: () => Promise.reject(full) }), { is: full })
})

test('every file and folder is synced before the folder gets its name', async (t) => {
  const parent = await newFolder()
  const target = join(parent, 'model')
  const synced: string[] = []
  const open: FileOperations['open'] = async (path, ...rest) => {
    const file = await fs.open(path, ...rest)
    const sync = file.sync.bind(file)
    file.sync = async () => {
      await sync()
      synced.push(String(path))
    }
    return file
  }
  const rename: FileOperations['rename'] = async (from, to) => {
    const expected = ['', '/a', '/sub', '/sub/b'].map((path) => `${from}${path}`)
    t.deepEqual([...synced].sort(), expected)
    await fs.rename(from, to)
  }
  const operations = { ...fs, open, rename }
  await replaceFolder(target, (tmp) => write(tmp, { a: 'new', 'sub/b': 'new' }), { operations })
  t.is(synced.at(-1), parent, 'and the folder that holds the name after that')
})

test('without hard links unknown files are copied; a link that cannot be made does not lose them', async (t) => {
  const target = join(await newFolder(), 'model')
  await write(target, { keep: 'mine' })
  const link = async () => {
    throw Object.assign(new Error('EPERM'), { code: 'EPERM' })
  }
  await replaceFolder(target, (tmp) => write(tmp, { a: 'new' }), { operations: { ...fs, link } })
  t.deepEqual(await snapshot(target), { a: 'new', keep: 'mine' })
})

test('an old folder that cannot be removed is no failure of the save', async (t) => {
  const target = join(await newFolder(), 'model')
  await write(target, { a: 'old' })
  const rm = async () => {
    throw Object.assign(new Error('EBUSY'), { code: 'EBUSY' })
  }
  await replaceFolder(target, (tmp) => write(tmp, { a: 'new' }), { operations: { ...fs, rm } })
  t.deepEqual(await snapshot(target), { a: 'new' })
})

test('a file is replaced whole or not at all', async (t) => {
  const folder = await newFolder()
  const path = join(folder, 'x.json')
  await writeFileAtomic(path, 'one')
  t.is(await fs.readFile(path, 'utf8'), 'one')
  await writeFileAtomic(path, new Uint8Array([0x32]))
  t.is(await fs.readFile(path, 'utf8'), '2')
  const broken = writeFileAtomic(path, async (file) => {
    await file.write('half')
    throw new Error('ENOSPC')
  })
  await t.throwsAsync(broken, { message: 'ENOSPC' })
  // The first looks for what killed processes left.
  for (const n of [1, 2]) {
    await t.throwsAsync(writeFileAtomic(path, 'three', failingAt(n)), { code: 'EIO' })
  }
  t.deepEqual(await snapshot(folder), { 'x.json': '2' })
})

test('a folder is made with its parents, or the reason of the first that cannot be made is told', async (t) => {
  const folder = await newFolder()
  const path = join(folder, 'a/b/c')
  await Promise.all([makeFolder(path), makeFolder(path), makeFolder(join(path, 'd'))])
  await makeFolder(path)
  t.true((await fs.stat(join(path, 'd'))).isDirectory())
  await fs.writeFile(join(folder, 'file'), '')
  await t.throwsAsync(makeFolder(join(folder, 'file')), { code: 'EEXIST' })
  await t.throwsAsync(makeFolder(join(folder, 'file/x')), { code: 'ENOTDIR' })
  // A disk that is read-only says so of the parent, and "no such file" of what lies deeper.
  const mkdir = (async (made: string) => {
    const code = made === join(folder, 'ro') ? 'EROFS' : 'ENOENT'
    throw Object.assign(new Error(code), { code })
  }) as FileOperations['mkdir']
  await t.throwsAsync(makeFolder(join(folder, 'ro/logs/x'), { mkdir }), { code: 'EROFS' })
  if (process.platform === 'linux') await t.throwsAsync(makeFolder('/proc/x/y'), { code: 'ENOENT' })
})
