import test from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import type { InformationRetrievalEvaluator } from '../../lib/evaluation/information-retrieval.js'
import { evaluatorOfRows, holdOut } from '../../lib/recipes/held-out.js'

const pairs = (count: number) =>
  Dataset.fromColumns({
    question: Array.from({ length: count }, (_, i) => `question ${i}`),
    answer: Array.from({ length: count }, (_, i) => `answer ${i}`),
  })

test('held-out questions look for their answers among those of the training rows, too', async (t) => {
  const all = pairs(80)
  const { dev } = await holdOut(all, 'pairs', 0.2, 42)
  const evaluator = evaluatorOfRows(dev, 'pairs', 'dev', 42, all) as InformationRetrievalEvaluator
  t.deepEqual(evaluator.size, { queries: 8, corpus: 80 })
})

test('of many training rows every n-th answer is among them', async (t) => {
  const all = pairs(9000)
  const { dev } = await holdOut(all, 'pairs', 0.01, 42)
  const { size } = evaluatorOfRows(dev, 'pairs', 'dev', 42, all) as InformationRetrievalEvaluator
  t.is(size.queries, 45)
  t.true(size.corpus >= 1800 && size.corpus <= 2045, String(size.corpus))
})

test('a share that leaves too few rows on one side is an error in the words of the option', async (t) => {
  const code = 'ERR_INVALID_DATA'
  await t.throwsAsync(holdOut(pairs(80), 'pairs', 0.99, 42), { code, message: /^holdOut 0\.99 of 80 rows leaves none/ })
  await t.throwsAsync(holdOut(pairs(80), 'pairs', 0.05, 42), { code, message: /^holdOut 0\.05 of 80 rows is too few/ })
})
