// Folders that cannot be moved, several who save at once, and processes that are killed.
import { type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { type FileOperations, recoverFolder, replaceFolder } from '../../lib/io/atomic.js'
import { temporaryFolder, writeFiles } from '../helpers/model-folders.js'
import { filesOf, isForeign, type SaveRequest } from '../helpers/save-worker.js'

const worker = fileURLToPath(new URL('../helpers/save-worker.js', import.meta.url))

/** Path → content (long ones as their hash) of every file below `folder`, without what a killed process may leave. */
async function snapshot(folder: string, prefix = ''): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const entry of await fs.readdir(folder, { withFileTypes: true })) {
    if (/^\.sentence-torch-save\.tmp-/.test(entry.name)) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) Object.assign(found, await snapshot(path, `${prefix + entry.name}/`))
    else found[prefix + entry.name] = short(await fs.readFile(path, 'utf8'))
  }
  return found
}

const short = (text: string) => (text.length < 100 ? text : createHash('sha256').update(text).digest('hex'))

const shortened = (files: Record<string, string>) =>
  Object.fromEntries(Object.entries(files).map(([path, text]) => [path, short(text)]))

/** Exactly one save's files, and what lay there before. @returns its text */
async function assertWhole(t: ExecutionContext, target: string, kept: Record<string, string>): Promise<string> {
  const found = await snapshot(target)
  const [name, number] = found['config.json']!.split(' ')
  t.deepEqual(found, shortened({ ...filesOf(name!, Number(number)), ...kept }))
  return found['config.json']!
}

const fillWith = (files: Record<string, string>) => (folder: string) => writeFiles(folder, files)

function failing(operation: 'mkdir' | 'rename', code: string, when: (path: string) => boolean): FileOperations {
  const original = (operation === 'mkdir' ? fs.mkdir : fs.rename) as (...args: unknown[]) => Promise<unknown>
  const refused = async (...args: unknown[]) => {
    if (when(String(args[0]))) throw Object.assign(new Error(`${code}: ${operation}`), { code })
    return original(...args)
  }
  return { ...fs, [operation]: refused }
}

function run(request: SaveRequest, options: SpawnOptions = {}, command: readonly string[] = []): Promise<string> {
  const [file, ...args] = [...command, process.execPath, worker, JSON.stringify(request)]
  const child = spawn(file!, args, { stdio: ['ignore', 'ignore', 'pipe'], ...options })
  let errors = ''
  child.stderr!.on('data', (data: Buffer) => {
    errors += data
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code) => (code === 0 ? resolve(errors) : reject(new Error(errors || `exit ${code}`))))
  })
}

const old = { ...filesOf('old', 0), 'notes.txt': 'mine', 'logs/a': 'mine', '1_Pooling/notes': 'mine' }
const kept = { 'notes.txt': 'mine', 'logs/a': 'mine', '1_Pooling/notes': 'mine' }

const refusals: [string, 'mkdir' | 'rename', string][] = [
  ['a parent that may not be written', 'mkdir', 'EACCES'],
  ['a parent on a read-only disk', 'mkdir', 'EROFS'],
  ['a mount point', 'rename', 'EBUSY'],
  ["another user's folder in a shared one", 'rename', 'EPERM'],
  ['a folder of a lower layer', 'rename', 'EXDEV'],
]
for (const [name, operation, code] of refusals) {
  test(`a folder that cannot be moved is filled where it is: ${name} (${code})`, async (t) => {
    const parent = await temporaryFolder(t)
    const target = join(parent, 'model')
    await writeFiles(target, old)
    const { ino } = await fs.stat(target)
    const refuse = (path: string) => path === target || path.startsWith(join(parent, '.model'))
    const operations = failing(operation, code, refuse)
    await replaceFolder(target, fillWith(filesOf('new', 1)), { keepUnknown: isForeign, operations })
    t.deepEqual(await snapshot(target), shortened({ ...filesOf('new', 1), ...kept }))
    t.is((await fs.stat(target)).ino, ino)
    t.deepEqual((await fs.readdir(target)).sort(), [
      '1_Pooling',
      'config.json',
      'logs',
      'model.safetensors',
      'notes.txt',
    ])
    t.deepEqual(await fs.readdir(parent), ['model'])
    await replaceFolder(target, fillWith({ a: '1' }), { keepUnknown: false, operations })
    t.deepEqual(await snapshot(target), { a: '1' })
  })
}

test('where there is no folder and none can be made, the error is the system’s', async (t) => {
  const parent = await temporaryFolder(t)
  const operations = failing('mkdir', 'EACCES', (path) => path.startsWith(join(parent, '.model')))
  await t.throwsAsync(replaceFolder(join(parent, 'model'), fillWith({ a: '1' }), { operations }), { code: 'EACCES' })
})

test('files and folders take the place of each other inside, too', async (t) => {
  const target = join(await temporaryFolder(t), 'model')
  await writeFiles(target, { a: 'old', 'b/c': 'old', d: 'old' })
  await fs.symlink('../elsewhere', join(target, 'e'))
  const operations = failing('rename', 'EBUSY', (path) => path === target)
  await replaceFolder(target, fillWith({ 'a/x': 'new', b: 'new', 'e/y': 'new' }), { operations })
  t.deepEqual(await snapshot(target), { 'a/x': 'new', b: 'new', d: 'old', 'e/y': 'new' })
})

for (const where of ['beside', 'inside'] as const) {
  test(`of a folder that both have, each entry is asked about: ${where}`, async (t) => {
    const parent = await temporaryFolder(t)
    const target = join(parent, 'model')
    const old = {
      '2_Dense/old.bin': 'x',
      '2_Dense/notes.txt': 'mine',
      '2_Dense/sub/old.bin': 'x',
      'eval/old.bin': 'mine',
    }
    await writeFiles(target, { ...old, '2_Dense/config.json': 'old' })
    const keepUnknown = (path: string) => !path.endsWith('old.bin')
    const operations = where === 'inside' ? failing('rename', 'EBUSY', (path) => path === target) : fs
    const fresh = { '2_Dense/config.json': 'new', '2_Dense/sub/config.json': 'new' }
    await replaceFolder(target, fillWith(fresh), { keepUnknown, operations })
    t.deepEqual(await snapshot(target), { ...fresh, '2_Dense/notes.txt': 'mine', 'eval/old.bin': 'mine' })
    t.deepEqual(await fs.readdir(target).then((names) => names.sort()), ['2_Dense', 'eval'])
  })
}

test('the working directory and its parents stay the folders that they are', async (t) => {
  const target = join(await temporaryFolder(t), 'model')
  await writeFiles(target, old)
  for (const [i, [cwd, path]] of (
    [
      [target, '.'],
      [target, target],
      [join(target, 'logs'), '..'],
    ] as const
  ).entries()) {
    const { ino } = await fs.stat(target)
    await run({ target: path, name: 'new', times: 1 + i }, { cwd })
    t.is((await fs.stat(target)).ino, ino)
    t.deepEqual(await snapshot(target), shortened({ ...filesOf('new', i), ...kept }))
  }
})

test('a folder that a user may write in a parent that he may not', async (t) => {
  const parent = await temporaryFolder(t)
  const target = join(parent, 'model')
  await writeFiles(target, old)
  const isRoot = process.getuid?.() === 0
  if (isRoot) for (const path of ['', '1_Pooling', 'logs', '2_Dense']) await fs.chown(join(target, path), 65534, 65534)
  await fs.chmod(parent, 0o555)
  t.teardown(() => fs.chmod(parent, 0o755))
  await run({ target, name: 'new', times: 2 }, isRoot ? { uid: 65534, gid: 65534, cwd: '/' } : {})
  t.is(await assertWhole(t, target, kept), 'new 1 ')
  if (!isRoot) return
  // What cannot be ended is not begun.
  await fs.chown(join(target, '1_Pooling'), 0, 0)
  await t.throwsAsync(run({ target, name: 'newer', times: 1 }, { uid: 65534, gid: 65534, cwd: '/' }), {
    message: /EACCES/,
  })
  t.is(await assertWhole(t, target, kept), 'new 1 ')
})

// In a shell: $1 is the folder to save to, $0 an empty one around it.
const mounts: [string, string][] = [
  ['a mount point of another file system', 'mount -t tmpfs none "$1"'],
  ['a mount point of the same file system', 'mount --bind "$1" "$1"'],
  // As a folder of a container's image is: neither it nor the folders in it can be moved.
  [
    'a folder of the lower layer of an overlay',
    'mkdir "$0/up" "$0/work" && mount -t overlay overlay -o "lowerdir=$1/..,upperdir=$0/up,workdir=$0/work" "$1/.."',
  ],
]
for (const [name, mount] of mounts) {
  test(name, async (t) => {
    const around = await temporaryFolder(t)
    const target = join(around, 'lower', 'model')
    await writeFiles(target, name.includes('overlay') ? old : {})
    await fs.mkdir(target, { recursive: true })
    const script = `${mount} || exit 77; path="$1"; shift; echo mine > "$path/more"; "$@" && cp -r "$path/." "$0/copy"`
    const command = ['unshare', '-m', 'sh', '-c', script, around, target]
    if (spawnSync('unshare', ['-m', 'sh', '-c', mount, await temporaryFolder(t), target]).status !== 0) {
      t.log('not permitted to mount here: left out')
      return t.pass()
    }
    await run({ target, name: 'new', times: 3 }, {}, command)
    const others = { more: 'mine\n', ...(name.includes('overlay') && kept) }
    t.is(await assertWhole(t, join(around, 'copy'), others), 'new 2 ')
  })
}

test('several saves at once to one folder, by whatever path: one after the other', async (t) => {
  const parent = await temporaryFolder(t)
  await fs.mkdir(join(parent, 'real'))
  await fs.symlink('real', join(parent, 'link'))
  let inside = 0
  const save = (path: string, i: number) =>
    replaceFolder(
      join(parent, path),
      async (folder) => {
        t.is(++inside, 1)
        await writeFiles(folder, filesOf('new', i))
        inside--
      },
      { keepUnknown: isForeign },
    )
  await Promise.all(['real/model', 'link/model', 'link/../real/model'].map(save))
  // Where the paths lead is found out at once: which is first is left to the system.
  t.regex(await assertWhole(t, join(parent, 'real/model'), {}), /^new [012] $/)
  const failed = replaceFolder(join(parent, 'real/model'), () => Promise.reject(new Error('no')))
  await Promise.all([t.throwsAsync(failed, { message: 'no' }), save('real/model', 3)])
  t.is(await assertWhole(t, join(parent, 'real/model'), {}), 'new 3 ')
})

for (const where of ['beside', 'inside']) {
  test(`several processes save at once to one folder: ${where}`, async (t) => {
    const parent = await temporaryFolder(t)
    const target = join(parent, 'model')
    await writeFiles(target, old)
    const options = where === 'inside' ? { cwd: target } : {}
    const names = ['one', 'two', 'three']
    await Promise.all(names.map((name) => run({ target, name, times: 20 }, options)))
    t.regex(await assertWhole(t, target, kept), /^(one|two|three) 19 $/)
    t.deepEqual(await fs.readdir(parent), ['model'])
    t.deepEqual(
      (await fs.readdir(target)).filter((name) => name.startsWith('.')),
      [],
    )
  })

  test(`killed at any moment of saving, a whole folder is there after recovery: ${where}`, async (t) => {
    t.timeout(300_000)
    const target = join(await temporaryFolder(t), 'model')
    await writeFiles(target, old)
    const options = where === 'inside' ? { cwd: target } : {}
    const seen = new Set<string>()
    const kills = where === 'inside' ? 50 : 20
    for (let i = 0; i < kills; i++) {
      const args = [worker, JSON.stringify({ target, name: `run${i}` })]
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], ...options })
      const ended = new Promise((resolve) => child.on('exit', (_, signal) => resolve(signal)))
      await new Promise((resolve) => child.stdout!.once('data', resolve))
      await setTimeout(((i * 37) % 50) / 2)
      child.kill('SIGKILL')
      t.is(await ended, 'SIGKILL')
      await recoverFolder(target)
      seen.add((await assertWhole(t, target, kept)).split(' ')[0]!)
    }
    t.is(seen.size, kills, 'each went on from the one before it')
  })
}

/** File operations of a process that is killed before the n-th of them. */
function killedAt(n: number, base: FileOperations): { operations: FileOperations; calls: () => number } {
  let calls = 0
  const operations = Object.fromEntries(
    Object.entries(base).map(([name, original]) => {
      if (typeof original !== 'function') return [name, original]
      const counted = async (...args: unknown[]) => {
        if (calls++ >= n) throw new Error('killed')
        return (original as (...args: unknown[]) => Promise<unknown>)(...args)
      }
      return [name, counted]
    }),
  ) as unknown as FileOperations
  return { operations, calls: () => calls }
}

for (const where of ['beside', 'inside']) {
  test(`before whichever operation a process ends: the old files or the new ones, never both: ${where}`, async (t) => {
    const attempt = async (n: number) => {
      const parent = await temporaryFolder(t)
      const target = join(parent, 'model')
      await writeFiles(target, { ...old, 'config.json/deep': 'old', 'config.json': undefined })
      const before = await snapshot(target)
      const base = where === 'inside' ? failing('rename', 'EBUSY', (path) => path === target) : fs
      const { operations, calls } = killedAt(n, base)
      const options = { keepUnknown: isForeign, operations }
      const outcome = await replaceFolder(target, fillWith(filesOf('new', 1)), options).then(
        () => 'saved',
        (error: Error) => error.message,
      )
      await recoverFolder(target)
      const after = await snapshot(target)
      const isNew = after['config.json'] !== undefined
      t.deepEqual(after, isNew ? shortened({ ...filesOf('new', 1), ...kept }) : before, `${n} operations`)
      t.deepEqual((await fs.readdir(target)).includes('.sentence-torch-save'), false)
      return { outcome, isNew, calls: calls() }
    }
    const { calls, outcome } = await attempt(Number.POSITIVE_INFINITY)
    t.is(outcome, 'saved')
    const isNew: boolean[] = []
    for (let n = 0; n < calls; n++) isNew.push((await attempt(n)).isNew)
    // From one operation on the save counts.
    const first = isNew.indexOf(true)
    t.true(first > 0)
    t.true(isNew.slice(first).every(Boolean))
  })
}

test('a save that nobody ended goes on with the next one', async (t) => {
  const target = join(await temporaryFolder(t), 'model')
  await writeFiles(target, { 'config.json': 'old', gone: 'old' })
  await writeFiles(join(target, '.sentence-torch-save/id'), { 'gone.json': ['gone'], 'new/config.json': 'newer' })
  await fs.mkdir(join(target, '.sentence-torch-save/id/old'))
  await replaceFolder(target, fillWith({ other: 'newest' }))
  t.deepEqual(await snapshot(target), { 'config.json': 'newer', other: 'newest' })
})

test('a journal reaches nothing outside of its folder', async (t) => {
  const parent = await temporaryFolder(t)
  const target = join(parent, 'model')
  await writeFiles(parent, { 'secret/key': 'mine', 'model/config.json': 'old' })
  const work = join(target, '.sentence-torch-save/id')
  for (const gone of [['../secret'], [join(parent, 'secret')], ['..'], [''], 'secret', [1], ['a\0'], ['\ud800']]) {
    await writeFiles(work, { 'gone.json': gone, 'new/a': 'b', 'old/a': 'b' })
    await t.throwsAsync(recoverFolder(target), { code: 'ERR_INVALID_FILE' })
  }
  for (const gone of [['a/../../secret/key'], ['/config.json'], ['config.json/']]) {
    await writeFiles(work, { 'gone.json': gone, 'new/a': 'b', 'old/a': 'b' })
    await t.throwsAsync(recoverFolder(target), { code: 'ERR_INVALID_FILE' })
  }
  await fs.symlink(join(parent, 'secret'), join(target, 'link'))
  await writeFiles(work, { 'gone.json': ['link/key'], 'old/a': 'b' })
  await recoverFolder(target)
  t.is(await fs.readFile(join(parent, 'secret/key'), 'utf8'), 'mine')
  await fs.rm(join(target, 'link'))
  await fs.rm(join(target, 'a'), { force: true })
  for (const part of ['new', 'old']) {
    await fs.rm(work, { recursive: true, force: true })
    await writeFiles(work, { 'gone.json': ['config.json'], 'new/a': 'b', 'old/a': 'b' })
    await fs.rm(join(work, part), { recursive: true })
    await fs.symlink(join(parent, 'secret'), join(work, part))
    await recoverFolder(target)
    t.deepEqual(await snapshot(parent), { 'secret/key': 'mine', 'model/config.json': 'old' })
  }
})

test.serial(
  'what killed processes left is removed after an hour, when it cannot be of a living one any more',
  async (t) => {
    const parent = await temporaryFolder(t)
    const target = join(parent, 'model')
    const names = ['.model.tmp-', '.model.old-', 'model/.sentence-torch-save.tmp-', '.model2.tmp-']
    const left = names.map((name) => `${name}0123456789ab`)
    for (const name of left) await writeFiles(join(parent, name), { a: 'left' })
    const other = ['.model2.old-0123456789ab', '.model2.tmp', 'model/.other']
    for (const name of other) await writeFiles(join(parent, name), { a: 'mine' })
    const inside = failing('rename', 'EBUSY', (path) => path === target)
    const save = () => replaceFolder(target, fillWith({ b: 'new' }), { operations: inside })
    await save()
    for (const name of [...left, ...other]) await t.notThrowsAsync(fs.access(join(parent, name)), name)
    const { now } = Date
    Date.now = () => now() + 2 * 60 * 60 * 1000
    try {
      await save()
    } finally {
      Date.now = now
    }
    for (const name of left) await t.throwsAsync(fs.access(join(parent, name)), { code: 'ENOENT' }, name)
    for (const name of other) await t.notThrowsAsync(fs.access(join(parent, name)), name)
  },
)
