import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { datasetSha256 } from '../../lib/data/hash-dataset.js'
import { Dataset } from '../../lib/index.js'
import { folderSha256 } from '../../lib/recipes/fingerprint.js'
import { Stages } from '../../lib/recipes/stages.js'
import { temporaryFolder } from '../helpers/model-folders.js'

/** One run of two stages, the second made from the first. @returns which ran, and what was said */
async function twoStages(folder: string, first: object, second: object, fail = '') {
  const [ran, lines]: [string[], string[]] = [[], []]
  const stages = new Stages(folder, { log: (line) => lines.push(line) })
  const work = (name: string) => async (stage: { folder: string; isContinued: boolean }) => {
    ran.push(stage.isContinued ? `${name} again` : name)
    await writeFile(join(stage.folder, 'out.txt'), name)
    if (fail === name) throw new Error('no more power')
  }
  const one = await stages.run('one', { ...first }, work('one'))
  const two = await stages.run('two', { ...second, one: one.key }, work('two'))
  return { ran, lines, one, two }
}

test('a stage with the same inputs is taken as it is', async (t) => {
  const folder = await temporaryFolder(t)
  const before = await twoStages(folder, { rows: 3, name: 'a' }, { ratio: 0.5 })
  t.deepEqual(before.ran, ['one', 'two'])
  t.deepEqual(await readdir(join(folder, 'stages')), ['1-one', '2-two'])
  t.deepEqual((await readdir(before.one.folder)).sort(), ['done.json', 'inputs.json', 'out.txt'])

  // The order of the keys and absent ones are no difference.
  const after = await twoStages(folder, { name: 'a', rows: 3, more: undefined }, { ratio: 0.5 })
  t.deepEqual(after.ran, [])
  t.true(after.one.isReused && after.two.isReused)
  t.is(after.two.key, before.two.key)
  t.deepEqual(after.lines, [
    'stage 1, one: reused, its inputs are the same',
    'stage 2, two: reused, its inputs are the same',
  ])
})

test('a stage whose inputs changed is named and runs again, and so do those made from it', async (t) => {
  const folder = await temporaryFolder(t)
  await twoStages(folder, { rows: 3, name: 'a' }, { ratio: 0.5 })
  const { ran, lines } = await twoStages(folder, { rows: 4, name: 'a' }, { ratio: 0.5 })
  t.deepEqual(ran, ['one', 'two'])
  t.deepEqual(lines, [
    'stage 1, one: runs again, because rows changed',
    'stage 2, two: runs again, because one changed',
  ])
  t.deepEqual((await twoStages(folder, { rows: 4, name: 'a' }, { ratio: 0.6 })).ran, ['two'])
})

test('a stage that lost a file runs again', async (t) => {
  const folder = await temporaryFolder(t)
  const { one } = await twoStages(folder, {}, {})
  await rm(join(one.folder, 'out.txt'))
  const again = await twoStages(folder, {}, {})
  t.deepEqual(again.ran, ['one'])
  t.is(again.lines[0], 'stage 1, one: runs again, because its file out.txt is gone')
  await writeFile(join(one.folder, 'out.txt'), 'cut')
  await writeFile(join(one.folder, 'out.txt'), 'c')
  t.regex((await twoStages(folder, {}, {})).lines[0]!, /its file out\.txt has 1 bytes, not 3/)
})

test('a stage that was stopped is not done; it goes on only with the same inputs', async (t) => {
  const folder = await temporaryFolder(t)
  await t.throwsAsync(twoStages(folder, {}, { ratio: 1 }, 'two'), { message: 'no more power' })
  const again = await twoStages(folder, {}, { ratio: 1 })
  t.deepEqual(again.ran, ['two again'])
  t.is(again.lines[1], 'stage 2, two: continues')

  const other = await temporaryFolder(t)
  await t.throwsAsync(twoStages(other, {}, { ratio: 1 }, 'two'))
  t.deepEqual((await twoStages(other, {}, { ratio: 2 })).ran, ['two'])
})

test('a damaged record and a bad name are errors that name them', async (t) => {
  const folder = await temporaryFolder(t)
  const { one } = await twoStages(folder, {}, {})
  await writeFile(join(one.folder, 'done.json'), '{"format":1,"inputs":[]}')
  await t.throwsAsync(twoStages(folder, {}, {}), {
    code: 'ERR_INVALID_FILE',
    message: /as inputs in .*1-one\/done\.json/,
  })
  const stages = new Stages(folder)
  await t.throwsAsync(
    stages.run('../x', {}, async () => {}),
    { code: 'ERR_INVALID_ARGUMENT' },
  )
  const controller = new AbortController()
  controller.abort()
  const stopped = new Stages(folder, { signal: controller.signal })
  await t.throwsAsync(
    stopped.run('x', {}, async () => t.fail()),
    { code: 'ERR_ABORTED' },
  )
})

test('fingerprints are of the content alone', async (t) => {
  const rows = [
    { a: 'x', label: 1 },
    { a: 'y', label: 0 },
  ]
  const own = await datasetSha256(Dataset.fromRows(rows))
  t.is(await datasetSha256(Dataset.fromColumns({ a: ['x', 'y'], label: [1, 0] })), own)
  t.not(await datasetSha256(Dataset.fromRows([...rows].reverse())), own)
  t.not(await datasetSha256(Dataset.fromRows(rows).selectColumns(['label', 'a'])), own)

  const [one, two] = [await temporaryFolder(t), await temporaryFolder(t)]
  for (const folder of [one, two]) {
    await mkdir(join(folder, 'sub'))
    await writeFile(join(folder, 'sub', 'b'), 'B')
    await writeFile(join(folder, 'a'), 'A')
  }
  t.is(await folderSha256(one), await folderSha256(two))
  await writeFile(join(two, 'a'), 'AA')
  t.not(await folderSha256(one), await folderSha256(two))
  t.is(await readFile(join(one, 'a'), 'utf8'), 'A')
})
