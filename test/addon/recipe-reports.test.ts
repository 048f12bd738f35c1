// The report of every recipe shows all that can be known of its run.
import { join } from 'node:path'
import test from 'ava'
import { RECIPES } from '../../lib/recipes/index.js'
import type { FigureOf } from '../../lib/report/figures.js'
import { RunFolder } from '../../lib/report/run-folder.js'
import { reportPage } from '../../lib/report/write-report.js'
import { findChromium } from '../helpers/chromium.js'
import { inBrowser } from '../helpers/in-browser.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { elementsOf } from '../helpers/svg.js'
import { tinyEvaluator, tinyOptions } from '../helpers/tiny-recipes.js'

const ALL = [
  ...['data-lengths', 'data-overlap', 'errors-test', 'map'],
  ...['scores-test-1', 'scores-test-2', 'similarity-1-before', 'similarity-2-after'],
]

for (const recipe of RECIPES) {
  test(`${recipe.name}: the report has scores, errors, similarities, a map, data and speed`, async (t) => {
    const folder = await temporaryFolder(t)
    const given = await tinyOptions(recipe.name, folder)
    await recipe.run({ ...given, dev: tinyEvaluator('dev'), test: tinyEvaluator('test') })
    const run = await RunFolder.read(join(folder, 'run'))
    t.deepEqual(
      ALL.filter((name) => !run.figures.has(name)),
      [],
    )
    const sections = elementsOf(await reportPage(run)).flatMap(({ name, attributes }) =>
      name === 'section' ? [attributes.id] : [],
    )
    // Merging trains nothing.
    const ofTraining = recipe.name === 'merging' ? [] : ['training', 'speed']
    for (const id of ['results', 'scores', 'similarity', 'map', 'errors', 'data', ...ofTraining]) {
      t.true(sections.includes(id), id)
    }
    if (ofTraining.length === 0) return
    const keys = new Set(run.logs.flatMap(({ records }) => records.flatMap((record) => Object.keys(record))))
    for (const key of ['time_forward', 'time_wait', 'tokens_per_second']) t.true(keys.has(key), key)
  })
}

const withBrowser = findChromium() === undefined ? test.skip : test.serial

withBrowser('the report of a recipe in a browser has the numbers of its run', async (t) => {
  const folder = await temporaryFolder(t)
  const given = await tinyOptions('scoredPairs', folder)
  const { metrics } = await RECIPES.find(({ name }) => name === 'scoredPairs')!.run({
    ...given,
    test: tinyEvaluator('test'),
  })
  const { figures } = await RunFolder.read(join(folder, 'run'))
  const { pairs } = figures.get('errors-test') as FigureOf<'pairs'>
  await inBrowser(t, join(folder, 'run', 'report.html'), async (evaluate) => {
    const cells = (section: string) =>
      evaluate<string[][]>(
        `[...document.querySelectorAll('#${section} tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent))`,
      )
    const [row] = await cells('results')
    t.deepEqual(row!.slice(0, 4), [
      metrics[0]!.name,
      'test',
      metrics[0]!.before.toFixed(4),
      metrics[0]!.after.toFixed(4),
    ])
    t.deepEqual(
      (await cells('errors')).map(([first, second, gold, before, after]) => [first, second, gold, before, after]),
      pairs.map(({ text1, text2, gold, before, after }) => [
        ...[text1, text2],
        ...[gold, before, after].map((value) => value!.toFixed(3)),
      ]),
    )
    // One point for each of 12 pairs, before and after.
    t.is(
      await evaluate(
        "document.querySelectorAll('#scores svg')[0].querySelectorAll('.mark-symbol.role-mark path').length",
      ),
      24,
    )
  })
})
