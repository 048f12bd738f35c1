import test from 'ava'
import { Dataset, recipes } from '../../lib/index.js'

const rows = Dataset.fromRows([
  { premise: 'p1', hypothesis: 'p1 yes', label: 0 },
  { premise: 'p1', hypothesis: 'p1 no', label: 2 },
  { premise: 'p1', hypothesis: 'p1 perhaps', label: 1 },
  { premise: 'p2', hypothesis: 'p2 yes', label: 0 },
  { premise: 'p3', hypothesis: 'p3 no', label: 2 },
  { premise: 'p1', hypothesis: 'p1 never', label: 2 },
])

test('several data sets become one: columns left out, features made equal, rows without a gold label dropped', async (t) => {
  const snli = Dataset.fromRows([
    { label: 2, sentence1: 'a', sentence2: 'b', idx: 7 },
    { label: -1, sentence1: 'c', sentence2: 'd', idx: 8 },
  ])
  const { dataset, dropped } = await recipes.nliRows([rows, snli])
  t.deepEqual(dataset.columnNames, ['premise', 'hypothesis', 'label'])
  t.is(dataset.length, rows.length + 1)
  t.is(dropped, 1)
  t.deepEqual(dataset.row(-1), { premise: 'a', hypothesis: 'b', label: 2 })
  t.is((await recipes.nliRows(rows)).dataset.length, rows.length)
})

test('rows that are no NLI are errors that name data set and row', async (t) => {
  const other = Dataset.fromRows([{ anchor: 'a', positive: 'b' }])
  await t.throwsAsync(recipes.nliRows([rows, other]), {
    code: 'ERR_INVALID_DATA',
    message: 'Expected the columns premise, hypothesis and label in dataset 1, found anchor, positive',
  })
  const four = Dataset.fromRows([
    { premise: 'a', hypothesis: 'b', label: 0 },
    { premise: 'a', hypothesis: 'b', label: 3 },
  ])
  await t.throwsAsync(recipes.nliRows(four), { code: 'ERR_INVALID_DATA', message: /dataset 0, row 1 .*found 3/ })
})

test('hard negatives are contradictions of the same premise; pairs without one are left out and counted', async (t) => {
  const seen = new Set<unknown>()
  for (let seed = 0; seed < 20; seed++) {
    const { dataset, withoutNegative } = await recipes.nliPairs(rows, { negatives: 'hard', seed })
    t.is(withoutNegative, 1)
    t.is(dataset.length, 1)
    const { negative, ...pair } = dataset.row(0)
    t.deepEqual(pair, { anchor: 'p1', positive: 'p1 yes' })
    seen.add(negative)
  }
  t.deepEqual([...seen].sort(), ['p1 never', 'p1 no'])
})

test('soft negatives are hypotheses of any other premise, the same ones for the same seed', async (t) => {
  const { dataset } = await recipes.nliPairs(rows, { negatives: 'soft', seed: 3 })
  t.is(dataset.length, 2)
  for (const { anchor, negative } of dataset) t.false((negative as string).startsWith(anchor as string))
  const again = await recipes.nliPairs(rows, { negatives: 'soft', seed: 3 })
  t.deepEqual([...again.dataset], [...dataset])
})

test('without negatives every entailed pair counts', async (t) => {
  const { dataset, withoutNegative } = await recipes.nliPairs(rows, { negatives: 'none' })
  t.deepEqual(
    [...dataset],
    [
      { anchor: 'p1', positive: 'p1 yes' },
      { anchor: 'p2', positive: 'p2 yes' },
    ],
  )
  t.is(withoutNegative, 0)
})

test('where nothing is left, the error says what there was', async (t) => {
  const onePremise = Dataset.fromRows([{ premise: 'p', hypothesis: 'q', label: 0 }])
  for (const negatives of ['hard', 'soft'] as const) {
    await t.throwsAsync(recipes.nliPairs(onePremise, { negatives }), {
      code: 'ERR_INVALID_DATA',
      message: /found 1 rows, 1 of them entailed/,
    })
  }
  await t.throwsAsync(recipes.nliPairs(rows, { negatives: 'medium' as 'hard' }), { code: 'ERR_INVALID_ARGUMENT' })
})
