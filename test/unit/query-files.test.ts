import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { QueryGenerator } from '../../lib/recipes/queries/generator.js'
import { cleanQueries, readQueries, writeQueries } from '../../lib/recipes/queries/query-files.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const passages = Array.from({ length: 1000 }, (_, i) => `passage ${i}`)

/** Queries that depend on passage and seed alone. It stops with an error in front of the passage `last`. */
class Writer implements QueryGenerator {
  readonly key = 'w'
  readonly asked: string[] = []
  constructor(readonly last = '') {}

  async generate(chunk: readonly string[], { perPassage, seed }: { perPassage: number; seed: number }) {
    if (chunk.includes(this.last)) throw new Error('no more power')
    this.asked.push(...chunk)
    return chunk.map((passage) => Array.from({ length: perPassage }, (_, i) => `${passage}? ${seed} ${i}`))
  }
}

const options = { perPassage: 3, seed: 7 }

async function contents(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).sort()
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')])),
  )
}

test('files have 1,024 pairs, the last one what is left', async (t) => {
  const folder = await temporaryFolder(t)
  const counts = await writeQueries(folder, passages, new Writer(), options)
  t.deepEqual(counts, { queries: 3000, emptyQueries: 0, duplicateQueries: 0 })
  t.deepEqual((await readdir(folder)).sort(), ['pairs_0000.tsv', 'pairs_0001.tsv', 'pairs_0002.tsv', 'progress.json'])
  const lines = (await readFile(join(folder, 'pairs_0000.tsv'), 'utf8')).split('\n')
  t.is(lines.length, 1 + 1024 + 1)
  t.is(lines[0], 'query\tpassage')
  const { pairs } = await readQueries(folder)
  t.is(pairs.length, 3000)
  t.deepEqual(
    pairs.texts('passage').filter((_, i) => i % 3 === 0),
    passages,
  )
})

test('a run that was stopped has all its pairs in files, goes on behind them, and ends with the same files', async (t) => {
  const whole = await temporaryFolder(t)
  await writeQueries(whole, passages, new Writer(), options)
  const folder = await temporaryFolder(t)
  await t.throwsAsync(writeQueries(folder, passages, new Writer('passage 800'), options), { message: 'no more power' })
  const there = await contents(folder)
  t.deepEqual(Object.keys(there), ['pairs_0000.tsv', 'pairs_0001.tsv', 'pairs_0002.tsv', 'progress.json'])
  t.is(there['pairs_0002.tsv']!.split('\n').length, 1 + (800 * 3 - 2048) + 1)
  // Killed after the file was written, and before that was noted: an unfinished third file.
  await writeFile(join(folder, 'pairs_0002.tsv'), 'query\tpassage\nhalf of a')
  const second = new Writer()
  await writeQueries(folder, passages, second, options)
  t.deepEqual(await contents(folder), await contents(whole))
  // Nothing is asked for again.
  t.is(second.asked.length, 200)
  t.is(second.asked[0], 'passage 800')
})

test('queries are a function of the number of the passage and the seed', async (t) => {
  const folders = [await temporaryFolder(t), await temporaryFolder(t)]
  await writeQueries(folders[0]!, passages.slice(0, 64), new Writer(), options)
  await writeQueries(folders[1]!, passages.slice(0, 64), new Writer(), { ...options, seed: 8 })
  const [a, b] = await Promise.all(folders.map(async (folder) => (await readQueries(folder)).pairs.texts('query')))
  const seeds = (queries: readonly string[]) => queries.map((query) => query.split(' ')[2])
  t.is(new Set(seeds(a!)).size, 2)
  t.is(new Set([...seeds(a!), ...seeds(b!)]).size, 4)
})

test('a folder with queries of other inputs is refused', async (t) => {
  const folder = await temporaryFolder(t)
  await writeQueries(folder, passages.slice(0, 10), new Writer(), options)
  const other = writeQueries(folder, passages.slice(0, 11), new Writer(), options)
  await t.throwsAsync(other, { code: 'ERR_INVALID_ARGUMENT', message: /has queries of other passages/ })
  await rm(join(folder, 'progress.json'))
  await writeQueries(folder, passages.slice(0, 11), new Writer(), options)
  t.is((await readQueries(folder)).pairs.length, 33)
})

test('queries are cleaned: blanks, empty ones, repeated ones', async (t) => {
  const found = cleanQueries(['a\tb\nc', ' ', '', 'a b c', ' d '])
  t.deepEqual(found, { queries: ['a b c', 'd'], empty: 2, duplicates: 1 })
  const folder = await temporaryFolder(t)
  const silent: QueryGenerator = { key: 1, generate: async (chunk) => chunk.map(() => [' ', '\n']) }
  t.deepEqual(await writeQueries(folder, ['one'], silent, options), {
    ...{ queries: 0, emptyQueries: 2, duplicateQueries: 0 },
  })
  await t.throwsAsync(readQueries(folder), { code: 'ERR_INVALID_DATA', message: /all that were written were empty/ })
})

test('texts that look like numbers, and quotes, stay what they are', async (t) => {
  const folder = await temporaryFolder(t)
  const generator: QueryGenerator = { key: 1, generate: async () => [['1990', '"quoted"', '01', 'null']] }
  await writeQueries(folder, ['the passage "x"'], generator, options)
  t.deepEqual((await readQueries(folder)).pairs.texts('query'), ['1990', '"quoted"', '01', 'null'])
})

test('an answer of another shape is an error', async (t) => {
  const folder = await temporaryFolder(t)
  const bad = { key: 1, generate: async () => [['a'], ['b']] }
  await t.throwsAsync(writeQueries(folder, ['one'], bad, options), { message: /for each of 1 passages/ })
})
