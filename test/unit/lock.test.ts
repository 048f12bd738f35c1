// Lock files: who holds one, and when one is stale.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import * as fs from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import type { FileOperations } from '../../lib/io/files.js'
import { FileLock, type LockHolder, takeLock } from '../../lib/io/lock.js'
import { newId } from '../../lib/io/temporary.js'
import { resolveArguments } from '../../lib/training/arguments/arguments.js'
import { OutputFolder } from '../../lib/training/checkpoint/output-folder.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const LOCK_MODULE = new URL('../../lib/io/lock.js', import.meta.url).href
const worker = fileURLToPath(new URL('../helpers/lock-worker.js', import.meta.url))
const own = newId()
const gone = own.replace(/-\d+-/, `-${2 ** 22 + 1}-`)
const elsewhere = own.replace(/^.{8}/, '00000000')

async function lockIn(t: ExecutionContext): Promise<string> {
  return join(await temporaryFolder(t), 'lock')
}

async function taken(t: ExecutionContext, path: string, operations?: FileOperations): Promise<FileLock> {
  const lock = await takeLock(path, operations)
  t.true(lock instanceof FileLock, JSON.stringify(lock))
  return lock as FileLock
}

async function held(t: ExecutionContext, path: string): Promise<LockHolder> {
  const holder = await takeLock(path)
  t.false(holder instanceof FileLock)
  return holder as LockHolder
}

test('one at a time, also within a process; nothing is left', async (t) => {
  const path = await lockIn(t)
  const lock = await taken(t, path)
  const holder = await held(t, path)
  t.like(holder, { pid: process.pid, host: hostname(), isOwn: true })
  t.true(Math.abs(Date.parse(holder.since!) - Date.now()) < 60_000)
  await lock.release()
  await (await taken(t, path)).release()
  t.deepEqual(await fs.readdir(join(path, '..')), [])
})

test('a lock of a process that is gone is taken over, one of a living process is not', async (t) => {
  const path = await lockIn(t)
  const write = (id: string) => fs.writeFile(path, JSON.stringify({ id, pid: 7, host: 'there', since: 'then' }))
  await write(own.replace(/.{12}$/, '0123456789ab'))
  t.like(await held(t, path), { pid: 7, host: 'there', since: 'then', isOwn: true, isElsewhere: false })
  await write(gone)
  await (await taken(t, path)).release()
  if (process.platform === 'linux') {
    // Its number has been given to another process since.
    const parts = own.split('-')
    await write([parts[0], parts[1], '1', parts[3]].join('-'))
    await (await taken(t, path)).release()
  }
  t.deepEqual(await fs.readdir(join(path, '..')), [])
})

for (const [name, text] of [
  ['of another machine', JSON.stringify({ id: elsewhere, pid: 7, host: 'there', since: 'then' })],
  ['that is half-written', '{"id":"'],
  ['that is none of ours', '[null]'],
  ['with an id that leads elsewhere', JSON.stringify({ id: `${gone}/../../x`, pid: '7' })],
]) {
  test(`a lock ${name} is stale when nobody has touched it for a while`, async (t) => {
    const path = await lockIn(t)
    await fs.writeFile(path, text!)
    t.false((await held(t, path)).isOwn)
    const before = new Date(Date.now() - 2 * 60_000)
    await fs.utimes(path, before, before)
    await (await taken(t, path)).release()
    t.deepEqual(await fs.readdir(join(path, '..')), [])
  })
}

test('a lock that was taken over is not removed by the one that had it', async (t) => {
  const path = await lockIn(t)
  const first = await taken(t, path)
  await fs.writeFile(path, JSON.stringify({ id: elsewhere, pid: 7 }))
  await first.release()
  t.is((await held(t, path)).pid, 7)
})

// First, and alone: it changes the clock.
test.serial('a lock is touched by the clock of the file system, not by that of this host', async (t) => {
  const path = await lockIn(t)
  const lock = await taken(t, path)
  const text = await fs.readFile(path, 'utf8')
  const before = new Date(Date.now() - 60 * 60_000)
  await fs.utimes(path, before, before)
  const now = Date.now()
  const RealDate = Date
  globalThis.Date = class extends RealDate {
    constructor() {
      super(now + 60 * 60_000)
    }
    static override now() {
      return now + 60 * 60_000
    }
  } as DateConstructor
  try {
    await lock.touch()
  } finally {
    globalThis.Date = RealDate
  }
  t.true(Math.abs((await fs.stat(path)).mtimeMs - now) < 60_000)
  t.is(await fs.readFile(path, 'utf8'), text)

  // Another's lock in its place is not kept alive.
  await fs.writeFile(path, JSON.stringify({ id: elsewhere, pid: 7 }))
  await fs.utimes(path, before, before)
  await lock.touch()
  t.true(Math.abs((await fs.stat(path)).mtimeMs - before.getTime()) < 1000)
  await lock.release()
  await fs.rm(path)
  await lock.touch()
  t.deepEqual(await fs.readdir(join(path, '..')), [])
})

test.serial('a lock whose time is yet to come is waited for a minute and a half, too', async (t) => {
  const outputDir = await temporaryFolder(t)
  const path = join(outputDir, '.sentence-torch.lock')
  await fs.writeFile(path, JSON.stringify({ id: elsewhere, pid: 7, host: 'there' }))
  const later = new Date(Date.now() + 60 * 60_000)
  await fs.utimes(path, later, later)
  const { now } = performance
  const begin = now.call(performance)
  // Two seconds are seventy-five.
  performance.now = () => begin + (now.call(performance) - begin) * 75
  try {
    const folder = await OutputFolder.open(args(outputDir), AbortSignal.timeout(20_000))
    await folder.release()
  } finally {
    performance.now = now
  }
  t.deepEqual(await fs.readdir(outputDir), [])
})

async function workerWithLock(t: ExecutionContext, path: string): Promise<Worker> {
  const thread = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads')
    setInterval(() => {}, 1000)
    import(workerData.module).then(async ({ takeLock }) => {
      globalThis.lock = await takeLock(workerData.path)
      parentPort.postMessage('taken')
    })`,
    { eval: true, workerData: { module: LOCK_MODULE, path } },
  )
  t.teardown(() => thread.terminate())
  await new Promise((resolve, reject) => {
    thread.once('message', resolve)
    thread.once('error', reject)
  })
  return thread
}

test('a lock of a worker thread counts until that thread is gone', async (t) => {
  if (process.platform !== 'linux') return t.pass('elsewhere it shows by its age')
  const outputDir = await temporaryFolder(t)
  const path = join(outputDir, '.sentence-torch.lock')
  const thread = await workerWithLock(t, path)
  t.like(await held(t, path), { pid: process.pid, isOwn: true, isElsewhere: false })
  await t.throwsAsync(OutputFolder.open(args(outputDir)), {
    code: 'ERR_BUSY',
    message: /in use: another trainer of this process/,
  })
  const child = spawnSync(process.execPath, [worker, path], { input: 'take\n', encoding: 'utf8' })
  t.is(child.stdout, `ready\nheld by ${process.pid}\n`, 'another process sees that it lives')

  await thread.terminate()
  const folder = await OutputFolder.open(args(outputDir))
  await folder.release()

  await (await workerWithLock(t, path)).terminate()
  const other = spawnSync(process.execPath, [worker, path], { input: 'take\n', encoding: 'utf8' })
  t.is(other.stdout, 'ready\ntaken\n', 'another process sees that it is gone')
})

test('a worker thread that the system does not tell of shows by its age that it is gone', async (t) => {
  const outputDir = await temporaryFolder(t)
  const path = join(outputDir, '.sentence-torch.lock')
  const [machine, pid, , random] = own.split('-')
  await fs.writeFile(path, JSON.stringify({ id: `${machine}-${pid}-0-t987654-${random}`, pid: process.pid }))
  t.like(await held(t, path), { isOwn: true, isElsewhere: true })
  await t.throwsAsync(OutputFolder.open(args(outputDir), AbortSignal.timeout(100)), { code: 'ERR_ABORTED' })
  const before = new Date(Date.now() - 2 * 60_000)
  await fs.utimes(path, before, before)
  await (await taken(t, path)).release()
})

test('what is no file is refused as a lock, and nothing waits for it', async (t) => {
  const folder = await temporaryFolder(t)
  await fs.writeFile(join(folder, 'file'), '')
  const kinds: [string, RegExp, (path: string) => unknown][] = [
    ['dangling', /a symbolic link/, (path) => fs.symlink('no-such-file', path)],
    ['linked', /a symbolic link/, (path) => fs.symlink(join(folder, 'file'), path)],
    ['folder', /a folder/, (path) => fs.mkdir(path)],
    ['pipe', /no regular file/, (path) => spawnSync('mkfifo', [path])],
  ]
  for (const [name, message, make] of kinds) {
    await fs.mkdir(join(folder, name))
    await make(join(folder, name, '.sentence-torch.lock'))
    await t.throwsAsync(OutputFolder.open(args(join(folder, name))), { code: 'ERR_FILE_SYSTEM', message })
    t.deepEqual(await fs.readdir(join(folder, name)), ['.sentence-torch.lock'])
  }
})

test('a lock that comes and goes is not tried for ever', async (t) => {
  const path = await lockIn(t)
  const link = async () => {
    throw Object.assign(new Error('EEXIST: link'), { code: 'EEXIST' })
  }
  await t.throwsAsync(takeLock(path, { ...fs, link }), { code: 'ERR_FILE_SYSTEM', message: /it comes and goes/ })
  t.deepEqual(await fs.readdir(join(path, '..')), [])
})

test('without hard links', async (t) => {
  const path = await lockIn(t)
  const link = async () => {
    throw Object.assign(new Error('EPERM: link'), { code: 'EPERM' })
  }
  const lock = await taken(t, path, { ...fs, link })
  const second = await takeLock(path, { ...fs, link })
  t.like(second, { pid: process.pid, isOwn: true })
  await lock.release()
  t.deepEqual(await fs.readdir(join(path, '..')), [])
})

test('of many processes that find the same stale lock one gets it, every time', async (t) => {
  const path = await lockIn(t)
  const children: ChildProcess[] = []
  t.teardown(() => {
    for (const child of children) child.kill('SIGKILL')
  })
  const start = async () => {
    const child = spawn(process.execPath, [worker, path], { stdio: ['pipe', 'pipe', 'inherit'] })
    children.push(child)
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
    t.is((await lines.next()).value, 'ready')
    const ask = async () => {
      child.stdin!.write('take\n')
      return (await lines.next()).value as string
    }
    return { child, ask }
  }
  let group = await Promise.all(Array.from({ length: 4 }, start))
  await fs.writeFile(path, JSON.stringify({ id: gone, pid: 7 }))
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(group.map(({ ask }) => ask()))
    t.is(answers.filter((answer) => answer === 'taken').length, 1, answers.join())
    const winner = group[answers.indexOf('taken')]!
    t.is(answers.filter((answer) => answer === `held by ${winner.child.pid}`).length, group.length - 1, answers.join())
    // It dies with the lock.
    const ended = new Promise((resolve) => winner.child.on('exit', resolve))
    winner.child.kill('SIGKILL')
    await ended
    group = group.filter((each) => each !== winner)
  }
  t.deepEqual(await fs.readdir(join(path, '..')), ['lock'])
})

const args = (outputDir: string, more = {}) => resolveArguments({ outputDir, ...more })

test('two trainers of one process in one folder: an error that names it; a run without checkpoints takes none', async (t) => {
  const outputDir = join(await temporaryFolder(t), 'deep', 'out')
  const first = await OutputFolder.open(args(outputDir))
  await t.throwsAsync(OutputFolder.open(args(outputDir)), {
    code: 'ERR_BUSY',
    message: new RegExp(`${outputDir} is in use: another trainer of this process \\(${process.pid} on `),
  })
  const without = await OutputFolder.open(args(outputDir, { saveStrategy: 'no' }))
  await t.throwsAsync(without.claim(), { code: 'ERR_BUSY' }, 'but a callback may ask for one')
  await without.release()
  await first.release()
  await first.release()
  const second = await OutputFolder.open(args(outputDir, { saveStrategy: 'no', handleSignals: true }))
  t.deepEqual(await fs.readdir(outputDir), ['.sentence-torch.lock'])
  await second.release()
  t.deepEqual(await fs.readdir(outputDir), [])
})

test('a process of another container is waited for: it shows that it lives, or its lock is taken', async (t) => {
  const text = JSON.stringify({ id: elsewhere, pid: 7, host: 'there', since: 'then' })
  const lockOf = async (age: number) => {
    const outputDir = await temporaryFolder(t)
    const path = join(outputDir, '.sentence-torch.lock')
    await fs.writeFile(path, text)
    const before = new Date(Date.now() - age)
    await fs.utimes(path, before, before)
    return { outputDir, touch: () => fs.utimes(path, new Date(), new Date()) }
  }
  const dead = await lockOf(88_000)
  const folder = await OutputFolder.open(args(dead.outputDir))
  await folder.release()
  t.deepEqual(await fs.readdir(dead.outputDir), [])

  const living = await lockOf(60_000)
  const opening = OutputFolder.open(args(living.outputDir))
  const touching = setInterval(living.touch, 300)
  t.teardown(() => clearInterval(touching))
  await t.throwsAsync(opening, { code: 'ERR_BUSY', message: /in use: process 7 on there trains there since then/ })

  const aborted = await lockOf(0)
  await t.throwsAsync(OutputFolder.open(args(aborted.outputDir), AbortSignal.timeout(100)), { code: 'ERR_ABORTED' })
})

test('an output folder that cannot be written is refused at the start', async (t) => {
  const folder = await temporaryFolder(t)
  await fs.writeFile(join(folder, 'file'), '')
  for (const [path, reason] of [
    ['file', /Cannot write in the output folder .*file: something of that name is there \(EEXIST\)/],
    ['file/out', /no folder \(ENOTDIR\)/],
  ] as const) {
    await t.throwsAsync(OutputFolder.open(args(join(folder, path))), { code: 'ERR_FILE_SYSTEM', message: reason })
  }
})

test('a read-only output folder is refused at the start', async (t) => {
  const folder = await temporaryFolder(t)
  const script = `
    import { resolveArguments } from ${JSON.stringify(new URL('../../lib/training/arguments/arguments.js', import.meta.url).href)}
    import { OutputFolder } from ${JSON.stringify(new URL('../../lib/training/checkpoint/output-folder.js', import.meta.url).href)}
    await OutputFolder.open(resolveArguments({ outputDir: process.argv[1] }))`
  const mounted = (command: string[]) =>
    spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs -o ro none "$0" && "$@"', folder, ...command])
  if (mounted(['true']).status !== 0) {
    t.log('not permitted to mount here: left out')
    return t.pass()
  }
  const { status, stderr: errors } = mounted([process.execPath, '--input-type=module', '-e', script, folder])
  const stderr = String(errors)
  t.is(status, 1, stderr)
  t.regex(stderr, new RegExp(`Cannot write in the output folder ${folder}: the file system is read-only \\(EROFS\\)`))
  t.regex(stderr, /ERR_FILE_SYSTEM/)
})
