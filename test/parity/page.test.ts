// docs/parity.md has a row for everything: what is exported here, what sentence-transformers exports (golden/names.json, made by
// make_names.py), every loss of the engine, every argument.
import { existsSync, readFileSync } from 'node:fs'
import test from 'ava'
import * as evaluation from '../../lib/evaluation/index.js'
import * as crossEncoderLosses from '../../lib/losses/cross-encoder/index.js'
import * as losses from '../../lib/losses/index.js'
import * as multiVectorLosses from '../../lib/losses/multi-vector/index.js'
import * as util from '../../lib/search/util.js'
import { resolveArguments } from '../../lib/training/arguments/arguments.js'
import { PLANNED_ARGUMENTS } from '../../lib/training/arguments/planned-arguments.js'
import { registered } from './loss-golden.js'
import { manifest, type Section, TITLES } from './manifest/index.js'
import { RELEASED } from './manifest/released-models.js'
import { MODELS_PAGE, obstacle, renderModels, TABLES } from './models-page.js'
import { SPEED_HEAD, speedsOf } from './models-speed.js'
import { cells, PAGE, render, rowsOf, twoDigits } from './page.js'

const ROOT = new URL('../../../', import.meta.url)
const python = JSON.parse(readFileSync(new URL('test/parity/golden/names.json', ROOT), 'utf8')) as Record<
  Section,
  string[]
>
const EVALUATION = ['evaluation', 'crossEncoderEvaluation', 'sparseEvaluation', 'multiVectorEvaluation'] as const
const ours = (...sections: Section[]) =>
  new Set(manifest.flatMap((row) => (sections.includes(row.section) ? row.ours : [])))
const missing = (expected: Iterable<string>, found: ReadonlySet<string>) =>
  [...expected].filter((name) => !found.has(name))
const functions = (module: object) =>
  Object.entries(module).flatMap(([name, value]) => (typeof value === 'function' ? name : []))

test('docs/parity.md has the rows of the manifest: npm run parity', (t) => {
  const page = rowsOf(readFileSync(PAGE, 'utf8'))
  t.deepEqual(Object.keys(page), Object.values(TITLES))
  for (const [section, title] of Object.entries(TITLES)) {
    t.deepEqual(page[title], manifest.filter((row) => row.section === section).map(cells), title)
  }
})

test('docs/models.md has the rows of the fixtures and of the released models: npm run parity', (t) => {
  const page = readFileSync(MODELS_PAGE, 'utf8')
  t.deepEqual(
    Object.keys(rowsOf(page)),
    TABLES.map(({ title }) => title),
  )
  for (const { title, about, rows } of TABLES) {
    const cells = rows.map((row) => row.cells)
    t.deepEqual(rowsOf(page, cells[0]!.length)[title], cells, title)
    t.true(page.includes(`## ${title}\n\n${about}\n`), title)
    t.false(cells.flat().some((cell) => cell.includes('|')))
  }
})

test('a page of models without figures is not written, and refusals have their reason', (t) => {
  t.throws(() => renderModels(TABLES, {}, 'paper'), { message: /test\/parity\/architectures\.test\.ts/ })
  const why = (name: string) => obstacle(RELEASED.find((model) => model.name === name)!)
  t.is(why('all-MiniLM-L6-v2'), undefined)
  t.is(why('ms-marco-electra-base'), undefined)
  t.is(why('gtr-t5-base'), undefined)
  t.regex(why('gte-Qwen2-1.5B-instruct')!, /^the architecture .* is not built$/)
  for (const name of ['splade-v3', 'colbertv2.0', 'GTE-ModernColBERT-v1']) t.is(why(name), undefined)
  t.regex(why('jina-colbert-v2')!, /^the architecture .* is not built$/)
  t.is(RELEASED.length, 94)
})

test('speeds are those of the benchmark, and absent without it', (t) => {
  const row = {
    theme: 'architectures',
    processor: 'paper',
    architecture: 'bert',
    task: 'encoding',
    program: 'ours',
    key: 'perSecond',
  }
  const memory = { theme: 'architectures', task: 'training', growth: 2 }
  const lines = [{ theme: 'machine' }, { ...row, ours: 123.456, ratio: 2.345, share: 70.6 }, memory]
  const { processor, cells } = speedsOf(lines.map((line) => JSON.stringify(line)).join('\n'))!
  t.is(processor, 'paper')
  t.deepEqual([...cells], [['bert', ['123/s, 2.35×, 71 %', '–', '–', '–']]])
  t.is(SPEED_HEAD.length, cells.get('bert')!.length)
  t.is(speedsOf('{"theme":"machine"}\n'), undefined)
})

test('everything that is exported has a row', (t) => {
  t.deepEqual(missing(functions(losses), ours('losses', 'sparseLosses')), [])
  t.deepEqual(missing(functions(crossEncoderLosses), ours('crossEncoderLosses')), [])
  t.deepEqual(missing(functions(multiVectorLosses), ours('multiVectorLosses')), [])
  t.deepEqual(missing(functions(evaluation), ours(...EVALUATION)), [])
  t.deepEqual(missing(functions(util), ours('util')), [])
  t.true(functions(losses).length > 30 && functions(evaluation).length > 20 && functions(util).length > 15)
})

test('every loss of the engine has a row', async (t) => {
  const names = await registered()
  t.true(names.length > 20)
  t.deepEqual(missing(names, ours('losses', 'sparseLosses')), [])
})

test('every argument has a row: built ones as such, others with the reason', (t) => {
  t.deepEqual(missing(Object.keys(resolveArguments()), ours('arguments')), [])
  const refused = manifest.flatMap(({ section, state, python }) =>
    section === 'arguments' && state === 'not built' ? python : [],
  )
  const camel = refused.map((name) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()))
  t.deepEqual(camel.sort(), Object.keys(PLANNED_ARGUMENTS).sort())
})

test('arguments are named where they are tested, besides their defaults', (t) => {
  for (const { section, ours, golden, tests } of manifest) {
    if (section !== 'arguments' || ours.length === 0) continue
    const paths = [...golden, ...tests].filter((path) => !/unit\/arguments\.test|make_training\.py/.test(path))
    const text = paths.map((path) => readFileSync(new URL(path, ROOT), 'utf8')).join()
    const snake = ours[0]!.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    t.true(text.includes(ours[0]!) || text.includes(snake), `${ours[0]} in ${paths}`)
  }
})

test('everything that sentence-transformers exports has a row', (t) => {
  for (const section of Object.keys(TITLES) as Section[]) {
    const rows = manifest.filter((row) => row.section === section)
    t.deepEqual(missing(python[section] ?? [], new Set(rows.flatMap((row) => row.python))), [], TITLES[section])
  }
})

test('rows are whole: files exist, what is built is tested, what is not has a reason', (t) => {
  for (const row of manifest) {
    const name = `${row.section}: ${row.python.join(', ') || row.ours.join(', ')}`
    for (const path of [...row.golden, ...row.tests]) t.true(existsSync(new URL(path, ROOT)), `${name}: ${path}`)
    if (row.state === 'not built') t.is(row.ours.length, 0, name)
    else t.true(row.tests.length > 0, `${name}: tests`)
    if (row.state !== 'built') t.not(row.note, '', `${name}: note`)
    t.is(row.python.length === 0, row.state === 'only here', name)
    if (row.report) t.true(row.golden.length > 0 || row.state !== 'built', `${name}: golden values`)
    t.false(
      cells(row).some((cell) => cell.includes('|')),
      `${name}: no cell holds a bar`,
    )
  }
})

test('figures are parts of what is allowed, in two digits', (t) => {
  t.deepEqual([0.01234, 0, 1.56e-7, 12, 0.00012].map(twoDigits), ['0.012', '0', '1.6e-7', '12', '1.2e-4'])
  const row = manifest.find(({ report }) => report?.[1] === 'CoSENTLoss' && report[0] === 'losses')!
  const measured = { part: 'value', deviation: 2e-6, allowed: 1e-5, cases: 3, python: 1e-6 }
  const exact = { part: 'ids', deviation: 0, allowed: 0, cases: 2 }
  const page = render([row], { losses: { CoSENTLoss: { value: measured, ids: exact } } }, 'paper')
  t.true(page.includes('| value: 0.2 of 1e-5, Python 0.1 (3); ids: equal (2) |'), page)
  t.deepEqual(rowsOf(page).Losses, [cells(row)])
  t.throws(() => render([row], {}, 'paper'), { message: /test\/parity\/losses\.test\.ts/ })
})
