import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { words } from '../../lib/data/legacy/treebank.js'
import { loadBeir } from '../../lib/evaluation/beir.js'
import { appendCsv } from '../../lib/evaluation/csv.js'
import { isAbsent, openFile, readWhole } from '../../lib/io/open-file.js'
import { readNpy } from '../../lib/search/hard-negatives/npy.js'

const folder = mkdtempSync(join(tmpdir(), 'hostile-places-'))
const hasPipes = process.platform !== 'win32'
let count = 0

function pipe(): string {
  const path = join(folder, `pipe-${count++}`)
  execFileSync('mkfifo', [path])
  return path
}

async function socket(t: ExecutionContext): Promise<string> {
  const path = join(folder, `socket-${count++}`)
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(path, resolve))
  t.teardown(() => server.close())
  return path
}

function beirFolder(): string {
  const path = join(folder, `beir-${count++}`)
  mkdirSync(path)
  writeFileSync(join(path, 'corpus.jsonl'), '{"_id":"d","text":"x"}')
  writeFileSync(join(path, 'queries.jsonl'), '{"_id":"q","text":"x"}')
  return path
}

const refused = (t: ExecutionContext, work: () => Promise<unknown>, code: string, message: RegExp) =>
  t.throwsAsync(work, { name: 'SentenceTorchError', code, message })

test('files to read: folders, pipes and what the system refuses', async (t) => {
  await refused(t, () => openFile(folder), 'ERR_INVALID_ARGUMENT', /found the folder/)
  await refused(t, () => openFile(join(folder, 'none')), 'ERR_NOT_FOUND', /There is no file/)
  await refused(t, () => openFile('a\0b'), 'ERR_INVALID_ARGUMENT', /NUL/)
  await refused(t, () => openFile(join(folder, 'x'.repeat(300))), 'ERR_FILE_SYSTEM', /ENAMETOOLONG/)
  if (hasPipes) await refused(t, () => openFile(pipe()), 'ERR_INVALID_ARGUMENT', /found the pipe/)
  if (hasPipes) await refused(t, async () => openFile(await socket(t)), 'ERR_INVALID_ARGUMENT', /found the socket/)
})

test('whole files: as long as they are, and no longer than they may be', async (t) => {
  const path = join(folder, 'text')
  writeFileSync(path, 'hello')
  t.is(String(await readWhole(path, 5, 'ERR_INVALID_FILE')), 'hello')
  await refused(
    t,
    () => readWhole(path, 4, 'ERR_INVALID_FILE'),
    'ERR_INVALID_FILE',
    /at most 4 bytes in .*text, found 5/,
  )
  await refused(t, () => readWhole(folder, 4, 'ERR_INVALID_MODEL'), 'ERR_INVALID_MODEL', /found the folder/)
  const absent = await t.throwsAsync(readWhole(join(folder, 'none'), 4, 'ERR_INVALID_FILE'), { code: 'ERR_NOT_FOUND' })
  const below = await t.throwsAsync(readWhole(join(path, 'none'), 4, 'ERR_INVALID_FILE'))
  t.true(isAbsent(absent))
  t.true(isAbsent(below))
  // A file that says it is one, and gives bytes without end.
  if (process.platform === 'linux') t.is((await readWhole('/proc/self/mem', 4, 'ERR_INVALID_FILE')).length, 0)
})

test('embeddings of a cache', async (t) => {
  await refused(t, () => readNpy(folder, 1, 1), 'ERR_INVALID_ARGUMENT', /found the folder/)
  t.is(await readNpy(join(folder, 'none.npy'), 1, 1), undefined)
  const file = join(folder, 'file')
  writeFileSync(file, '\x93NUMPY\x01\x00\xff\xff', 'latin1')
  await refused(t, () => readNpy(file, 1, 1), 'ERR_INVALID_FILE', /ends too early/)
  await refused(t, () => readNpy(join(file, 'x'), 1, 1), 'ERR_FILE_SYSTEM', /ENOTDIR/)
  if (hasPipes) await refused(t, () => readNpy(pipe(), 1, 1), 'ERR_INVALID_ARGUMENT', /found the pipe/)
})

test('result files of evaluators that cannot be written end nothing', async (t) => {
  const file = join(folder, 'results')
  writeFileSync(file, '')
  const warned: string[] = []
  const listen = ({ message }: Error) => warned.push(message)
  process.on('warning', listen)
  const places = [file, join(file, 'x'), folder, ...(hasPipes ? [join(folder, 'with-pipe')] : [])]
  mkdirSync(join(folder, 'a.csv'))
  mkdirSync(join(folder, 'with-pipe'))
  if (hasPipes) execFileSync('mkfifo', [join(folder, 'with-pipe', 'a.csv')])
  for (const place of places) await appendCsv(place, 'a.csv', ['a'], ['1'])
  await new Promise((resolve) => setTimeout(resolve, 20))
  process.off('warning', listen)
  for (const place of places)
    t.true(
      warned.some((message) => message.includes(join(place, 'a.csv'))),
      place,
    )
})

test('retrieval sets', async (t) => {
  const set = beirFolder()
  await refused(t, () => loadBeir(set), 'ERR_NOT_FOUND', /There is no folder/)
  writeFileSync(join(set, 'qrels'), '')
  await refused(t, () => loadBeir(set), 'ERR_FILE_SYSTEM', /ENOTDIR/)
  const other = beirFolder()
  mkdirSync(join(other, 'qrels', 'test.tsv'), { recursive: true })
  await refused(t, () => loadBeir(other), 'ERR_INVALID_ARGUMENT', /found the folder/)
  const odd = beirFolder()
  mkdirSync(join(odd, 'qrels'))
  writeFileSync(join(odd, 'qrels', 'test.tsv'), '__proto__\tconstructor\t1\n')
  t.deepEqual([...(await loadBeir(odd)).relevantDocs], [['__proto__', new Set(['constructor'])]])
})

test('words of texts that expressions could take long for', (t) => {
  const many = 50_000
  for (const text of [
    `x.${' '.repeat(many)}x`,
    `x${'?'.repeat(many)} a`,
    'A. '.repeat(many),
    `x.${')'.repeat(many)}x`,
    "'".repeat(many),
  ]) {
    const start = process.cpuUsage()
    t.true(words(text).length > 0)
    t.true(process.cpuUsage(start).user < 5e6, text.slice(0, 5))
  }
})
