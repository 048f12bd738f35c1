// Reports: what their pages say, in text and in a browser.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import * as report from '../../lib/report/index.js'
import { findChromium } from '../helpers/chromium.js'
import { inBrowser } from '../helpers/in-browser.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { HOSTILE, lossAt, makeRun, metric } from '../helpers/run-folders.js'
import { elementsOf } from '../helpers/svg.js'

const golden = JSON.parse(
  await readFile(new URL('../../../test/unit/golden/principal-axes.json', import.meta.url), 'utf8'),
) as { rows: number[][]; x: number[]; y: number[]; explained: [number, number] }[]

test('principal axes are those of scikit-learn', (t) => {
  for (const { rows, x, y, explained } of golden) {
    const found = report.principalAxes(rows.map((row) => Float32Array.from(row)))
    for (const [i, value] of x.entries()) t.true(Math.abs(found.x[i]! - value) < 1e-5, `x ${found.x[i]} for ${value}`)
    for (const [i, value] of y.entries()) t.true(Math.abs(found.y[i]! - value) < 1e-5, `y ${found.y[i]} for ${value}`)
    for (const i of [0, 1]) t.true(Math.abs(found.explained[i]! - explained[i]!) < 1e-6)
  }
  t.deepEqual([...report.principalAxes([Float32Array.of(1, 2), Float32Array.of(1, 2)]).x], [0, 0])
  t.throws(() => report.principalAxes([Float32Array.of(1, 2)]), { message: /at least two rows/ })
})

test('the hardest pairs are those whose ranks differ most', (t) => {
  const { pairs } = report.hardestPairs(['a', 'b', 'c', 'd'], ['e', 'f', 'g', 'h'], {
    ...{ gold: [0, 1, 2, 5], before: [0, 0, 0, 0], after: [0.9, 0.1, 0.4, 0.95] },
  })
  // Ranks 1 2 3 4 by gold; 3 1 2 4 by the model.
  t.deepEqual(
    pairs.map(({ text1 }) => text1),
    ['a', 'b', 'c', 'd'],
  )
  t.deepEqual(pairs[0], { text1: 'a', text2: 'e', gold: 0, before: 0, after: 0.9, note: 'too high: 13 % → 63 %' })
  t.throws(() => report.hardestPairs(['a'], ['b', 'c'], { gold: [1, 2], after: [1, 2] }), { message: /texts1/ })
})

test('duplicates and leaks are counted whatever case and outer blanks', async (t) => {
  const train = Dataset.fromColumns({ a: ['x', 'X ', 'y'], b: ['z', 'z', 'z'] })
  const dev = Dataset.fromColumns({ a: ['y', 'new'], b: ['Z', 'x'] })
  const { rows } = await report.overlapTable({ train, dev })
  t.deepEqual(rows, [
    ['train', 3, 1, 3, null, null],
    ['dev', 2, 0, 4, 1, 3],
  ])
  const { series } = await report.lengthHistogram({ train, dev }, (text) => text.length, 'characters')
  t.deepEqual(series, [
    { name: 'train', values: [1, 2, 1, 1, 1, 1] },
    { name: 'dev', values: [1, 3, 1, 1] },
  ])
})

test('a report has every section, and hostile texts stay texts', async (t) => {
  const folder = await temporaryFolder(t)
  await makeRun(folder)
  const file = await report.writeReport(folder)
  t.is(file, join(folder, 'report.html'))
  const text = await readFile(file, 'utf8')
  const elements = elementsOf(text)
  const ids = elements.flatMap(({ name, attributes }) => (name === 'section' ? [attributes.id] : []))
  t.deepEqual(ids, [
    'results',
    'training',
    'scores',
    'similarity',
    'map',
    'errors',
    'data',
    'speed',
    'config',
    'manifest',
  ])
  t.deepEqual(
    elements.filter(({ name }) => ['script', 'img', 'iframe', 'object'].includes(name)),
    [],
  )
  for (const { attributes } of elements) {
    for (const [name, value] of Object.entries(attributes)) {
      t.false(name.startsWith('on'), name)
      if (['href', 'src', 'xlink:href'].includes(name)) t.regex(value, /^(#|data:,)/)
    }
  }
  const cells = elements.filter(({ name }) => name === 'td').map((cell) => cell.text)
  for (const cell of [
    '0.8000',
    '0.8500',
    '+0.0500',
    '0.02 to 0.08',
    'no measurable difference (−0.01 to 0.01)',
    '0.7001',
    HOSTILE,
  ]) {
    t.true(cells.includes(cell), cell)
  }
  t.true(elements.some(({ name, text: shown }) => name === 'dd' && shown === '1,234,567'))
  t.true(elements.some(({ name, text: shown }) => name === 'pre' && shown.includes('learningRate: 0.00002')))
})

test('a run that has only begun, or failed, has a report, too', async (t) => {
  const folder = await temporaryFolder(t)
  const run = await report.RunFolder.create(folder, { manifest: { recipe: 'sts' } })
  t.regex(await readFile(await report.writeReport(folder), 'utf8'), /This run has not ended/)
  await run.finish('failed', '<b>no rows</b>')
  t.regex(await readFile(await report.writeReport(folder), 'utf8'), /This run failed: &lt;b&gt;no rows/)
  await t.throwsAsync(report.writeReport(join(folder, 'figures')), { code: 'ERR_NOT_FOUND' })
})

test('long logs are thinned to means, and say so', async (t) => {
  const folder = await temporaryFolder(t)
  await report.RunFolder.create(folder, { manifest: { recipe: 'sts' } })
  const { logFigures } = await import('../../lib/report/log-figures.js')
  const records = Array.from({ length: 1000 }, (_, i) => ({ loss: i % 2, step: i + 1 }))
  const [loss] = logFigures(records)
  t.is(loss?.kind, 'curves')
  if (loss?.kind !== 'curves') return
  t.is(loss.series[0]!.x.length, 334)
  t.is(loss.series[0]!.x[0], 2)
  t.true(Math.abs(loss.series[0]!.y[0]! - 1 / 3) < 1e-12)
  t.is(loss.caption, 'Every point is the mean of 3 records.')
})

test('a comparison has all runs beside their common start, the best one marked', async (t) => {
  const folder = await temporaryFolder(t)
  await makeRun(join(folder, 'one'), { reached: 0.85 })
  await makeRun(join(folder, 'two'), { reached: 0.9, text: 'plain' })
  const third = await makeRun(join(folder, 'three'), { reached: 0.7, text: 'plain' })
  await third.writeResult({ metrics: [{ ...metric('test_spearman_cosine', 0.7), before: 0.1 }], notes: [], counts: {} })
  const file = await report.writeComparison(
    ['one', 'two'].map((name) => join(folder, name)),
    join(folder, 'a', 'c.html'),
  )
  const elements = elementsOf(await readFile(file, 'utf8'))
  const rowOf = (list: typeof elements, name: string) =>
    list.find((row) => row.name === 'tr' && row.text.includes(name))!.text
  t.regex(rowOf(elements, 'test_spearman_cosine'), /0\.80000\.85000\.9000/)
  t.true(elements.some(({ name, text }) => name === 'strong' && text === '0.9000'))
  t.false(elements.some(({ name }) => ['script', 'img'].includes(name)))
  const all = await report.writeComparison(
    ['one', 'two', 'three'].map((name) => join(folder, name)),
    join(folder, 'd.html'),
  )
  t.regex(rowOf(elementsOf(await readFile(all, 'utf8')), 'test_spearman_cosine'), /differs.*from 0\.8000.*from 0\.1000/)
  await t.throwsAsync(report.writeComparison([folder], 'x.html'), { message: /at least two runs/ })
})

const program = findChromium()
const withBrowser = program === undefined ? test.skip : test.serial

withBrowser('a report in a browser: numbers, no errors, no requests, contrast, phone width', async (t) => {
  const folder = await temporaryFolder(t)
  await makeRun(folder)
  await inBrowser(t, await report.writeReport(folder), async (evaluate) => {
    const [row] = await evaluate<string[][]>(
      "[...document.querySelectorAll('#results tbody tr')].map((row) => [...row.cells].map((cell) => cell.innerText))",
    )
    t.deepEqual(row!.slice(0, 6), ['test_spearman_cosine', 'test', '0.8000', '0.8500', '+0.0500', '0.02 to 0.08'])
    // The curve of the loss, by the places of its points between the first (the highest) and the last (the lowest).
    const points = await evaluate<number[]>(
      "document.querySelector('#training svg path[stroke-width=\"2\"]').getAttribute('d').match(/-?[\\d.]+/g).map(Number)",
    )
    const y = points.filter((_, i) => i % 2 === 1)
    t.is(y.length, 30)
    const [top, bottom] = [y[0]!, y.at(-1)!]
    for (const [i, place] of y.entries()) {
      const share = (place - top) / (bottom - top)
      const expected = (lossAt(1) - lossAt(i + 1)) / (lossAt(1) - lossAt(30))
      t.true(Math.abs(share - expected) < 0.01, `step ${i + 1}: ${share} for ${expected}`)
    }
    t.is(await evaluate("document.querySelectorAll('#map svg').length"), 2)
    t.true(await evaluate("document.querySelector('#errors').innerText.includes('<script>window.hacked=1</script>')"))
  })
})

withBrowser('a comparison in a browser', async (t) => {
  const folder = await temporaryFolder(t)
  for (const name of ['one', 'two']) await makeRun(join(folder, name), { reached: name === 'one' ? 0.85 : 0.9 })
  const file = await report.writeComparison(
    ['one', 'two'].map((name) => join(folder, name)),
    join(folder, 'c.html'),
  )
  await inBrowser(t, file, async (evaluate) => {
    t.deepEqual(
      await evaluate("[...document.querySelector('#results tbody tr').cells].map((cell) => cell.innerText)"),
      ['test_spearman_cosine', '0.8000', '0.8500', '0.9000'],
    )
  })
})

if (program === undefined)
  console.log('no Chromium here: reports were not opened in a browser (apt-get install chromium)')
