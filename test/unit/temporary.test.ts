// Whose a temporary name is, and what of it may go.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, utimesSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { writeFileAtomic } from '../../lib/io/atomic.js'
import {
  isLeftOver,
  newId,
  ownerOf,
  parseTemporary,
  removeLeftOvers,
  stateOf,
  temporaryBeside,
  tidyFolder,
} from '../../lib/io/temporary.js'
import { temporaryFolder, writeFiles } from '../helpers/model-folders.js'

const own = newId()
const replaced = (part: 0 | 1 | 2, value: string) => {
  const parts = own.split('-')
  parts[part] = value
  return parts.join('-')
}
const gone = replaced(1, String(2 ** 22 + 1))
const elsewhere = replaced(0, '00000000')

test('a name says its place and its process', (t) => {
  const name = basename(temporaryBeside('/models/my.model-2', 'tmp'))
  t.deepEqual(parseTemporary(name), { base: 'my.model-2', kind: 'tmp' })
  t.is(ownerOf(name)!.pid, process.pid)
  t.is(stateOf(ownerOf(name)!), 'running')
  const nested = basename(temporaryBeside(join('/models', name), 'old'))
  t.deepEqual(parseTemporary(nested), { base: name, kind: 'old' })
  t.deepEqual(parseTemporary('.model.old-0123456789ab'), { base: 'model', kind: 'old' })
  t.not(newId(), newId())
  for (const other of ['model', '.model.tmp', '.model.tmp-x', 'model.tmp-0123456789ab', `.model.bak-${own}`]) {
    t.is(parseTemporary(other), undefined, other)
  }
  // As other programs name files of their own.
  for (const other of ['.x.tmp', '0123abcd-0123-4567-89ab-0123456789ab', 'blob.0123456789ab.incomplete']) {
    t.is(ownerOf(other), undefined, other)
  }
})

test('a process is gone when its number is free, belongs to a later one, or is that of a dead child', async (t) => {
  t.is(stateOf(ownerOf(gone)!), 'gone')
  t.is(stateOf(ownerOf(elsewhere)!), 'elsewhere')
  if (process.platform === 'linux') t.is(stateOf(ownerOf(replaced(2, '1'))!), 'gone')
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
  t.teardown(() => child.kill('SIGKILL'))
  const id = replaced(2, '0').replace(`-${process.pid}-`, `-${child.pid}-`)
  t.is(stateOf(ownerOf(id)!), 'running')
  const ended = new Promise((resolve) => child.on('exit', resolve))
  child.kill('SIGKILL')
  await ended
  t.is(stateOf(ownerOf(id)!), 'gone')
})

test('what a worker thread left goes when that thread is gone, while its process lives on', async (t) => {
  if (process.platform !== 'linux') return t.pass('elsewhere it goes by its age')
  const folder = await temporaryFolder(t)
  const module = new URL('../../lib/io/temporary.js', import.meta.url).href
  const thread = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads')
    setInterval(() => {}, 1000)
    import(workerData).then(({ newId, ownerOf, stateOf }) => {
      const id = newId()
      parentPort.postMessage([id, stateOf(ownerOf(id))])
    })`,
    { eval: true, workerData: module },
  )
  t.teardown(() => thread.terminate())
  const [id, seenByItself] = await new Promise<[string, string]>((resolve, reject) => {
    thread.once('message', resolve)
    thread.once('error', reject)
  })
  t.is(seenByItself, 'running')
  t.is(ownerOf(id)!.pid, process.pid)
  t.is(stateOf(ownerOf(id)!), 'running')
  t.is(parseTemporary(`.model.tmp-${id}`)?.base, 'model')
  await writeFiles(folder, { [`.model.tmp-${id}/a`]: 'x' })
  await tidyFolder(folder)
  t.deepEqual(readdirSync(folder), [`.model.tmp-${id}`])

  // Its number has been given to a later thread.
  t.is(stateOf({ ...ownerOf(id)!, start: '1' }), 'gone')
  // Where the system does not tell of threads.
  t.is(stateOf({ ...ownerOf(id)!, start: '0' }), 'elsewhere')

  await thread.terminate()
  t.is(stateOf(ownerOf(id)!), 'gone')
  await tidyFolder(folder)
  t.deepEqual(readdirSync(folder), [])
})

test('what processes of other machines left goes by the age of its newest file', async (t) => {
  const path = join(await temporaryFolder(t), `.model.tmp-${elsewhere}`)
  await writeFiles(path, { 'a/b': 'x' })
  t.false(await isLeftOver(path))
  const { now } = Date
  Date.now = () => now() + 2 * 60 * 60 * 1000
  t.teardown(() => {
    Date.now = now
  })
  t.true(await isLeftOver(path))
  const later = new Date(Date.now())
  utimesSync(join(path, 'a/b'), later, later)
  t.false(await isLeftOver(path), 'somebody still writes in it')
})

test('a folder is tidied of what is gone, and of nothing else', async (t) => {
  const folder = await temporaryFolder(t)
  const left = [
    ...[`.model.tmp-${gone}`, `.there.old-${gone}`, `..model.tmp-${gone}.tmp-${gone}`, `.notes.txt.tmp-${gone}`],
    `..model.tmp-${gone}.old-${gone}`,
  ]
  // The only copy of a folder stays until whoever asks for it takes it back.
  const stay = [
    `.absent.old-${gone}`,
    `.model.tmp-${own}`,
    `.model.tmp-${elsewhere}`,
    '.model.tmp',
    'there',
    'x.tokens',
  ]
  for (const name of [...left, ...stay]) await writeFiles(join(folder, name), { a: 'x' })
  await tidyFolder(folder)
  t.deepEqual(readdirSync(folder).sort(), [...stay].sort())
  await tidyFolder(join(folder, 'no such folder'))
})

test('other names are tidied by whoever knows them', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFiles(folder, { [`etag.${gone}.incomplete`]: '', [`etag.${own}.incomplete`]: '', [`etag.${gone}`]: '' })
  await removeLeftOvers(folder, (name) => name.endsWith('.incomplete'))
  t.deepEqual(readdirSync(folder).sort(), [`etag.${gone}`, `etag.${own}.incomplete`].sort())
})

test('writing a file takes away what killed processes left beside it', async (t) => {
  const folder = await temporaryFolder(t)
  await mkdir(join(folder, `.x.json.tmp-${gone}`))
  await writeFileAtomic(join(folder, 'x.json'), '{}')
  t.deepEqual(readdirSync(folder), ['x.json'])
  t.true(existsSync(join(folder, 'x.json')))
})
