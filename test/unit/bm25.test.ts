// BM25 against rank_bm25 (test/parity/make_bm25.py).
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { Bm25, wordsOf } from '../../lib/search/bm25.js'

const golden = JSON.parse(
  readFileSync(fileURLToPath(new URL('../../../test/parity/golden/bm25/scores.json', import.meta.url)), 'utf8'),
) as { documents: string[]; queries: string[]; cases: { options: object; scores: number[][] }[] }

test('scores are those of rank_bm25, with any k1 and b', async (t) => {
  for (const { options, scores } of golden.cases) {
    const index = await Bm25.of(golden.documents, options)
    for (const [i, query] of golden.queries.entries()) {
      const found = index.scores(query)
      for (const [document, expected] of scores[i]!.entries()) {
        const score = found.get(document) ?? 0
        t.true(Math.abs(score - expected) < 1e-12, `${query}, document ${document}: ${score}, not ${expected}`)
      }
    }
  }
})

test('a search gives the best documents that share a word with the query, equal ones by number', async (t) => {
  const index = await Bm25.of(['a x', 'b', 'b', 'a', 'c c'])
  t.deepEqual(
    index.search('b', 5).map(({ corpusId }) => corpusId),
    [1, 2],
  )
  t.is(index.search('a', 1)[0]!.corpusId, 3)
  t.deepEqual(index.search('z', 3), [])
  t.deepEqual((await Bm25.of([])).search('a', 3), [])
  t.deepEqual((await Bm25.of(['', ' . '])).search('a', 3), [])
})

test('words are runs of letters, digits and marks of any script', (t) => {
  t.deepEqual(wordsOf("It's 12°C – ÀÉ नमस्ते!"), ['it', 's', '12', 'c', 'àé', 'नमस्ते'])
})

test('options are checked', async (t) => {
  await t.throwsAsync(Bm25.of(['a'], { k1: -1 }), { code: 'ERR_INVALID_ARGUMENT', message: /k1/ })
  await t.throwsAsync(Bm25.of(['a'], { b: 1.5 }), { code: 'ERR_INVALID_ARGUMENT', message: /from 0 to 1/ })
})
