// The search of sparse rows against sentence-transformers' own (make_sparse_search.py), on the real engine.
import { readFileSync } from 'node:fs'
import test from 'ava'
import { SparseEmbeddings } from '../../lib/models/sparse-embeddings.js'
import type { Metric } from '../../lib/native/types.js'
import { InvertedIndex } from '../../lib/search/inverted-index.js'
import { semanticSearch } from '../../lib/search/semantic-search.js'
import { camel, sameRanking } from './rankings.js'

type Rows = [columns: number[], values: number[]][]

interface Golden {
  dimension: number
  queries: Rows
  corpus: Rows
  cases: { metric: Metric; options: Record<string, number>; hits: [number, number][][] }[]
}

const golden: Golden = JSON.parse(
  readFileSync(new URL('../../../test/parity/golden/sparse-search.json', import.meta.url), 'utf8'),
)
const sparse = (rows: Rows) =>
  SparseEmbeddings.fromRows(
    rows.map(([columns, values]) => ({ indices: Int32Array.from(columns), values: Float32Array.from(values) })),
    golden.dimension,
  )

test('semanticSearch of sparse rows finds what util.semantic_search finds', async (t) => {
  const [queries, corpus] = [sparse(golden.queries), sparse(golden.corpus)]
  const index = await InvertedIndex.from(corpus)
  t.is(golden.cases.length, 12)
  for (const { metric, options, hits } of golden.cases) {
    for (const there of [corpus, index]) {
      const found = await semanticSearch(queries, there, { ...camel(options), scoreFunction: metric })
      t.is(found.length, hits.length)
      found.forEach((row, i) => {
        const mine = row.map((hit): [number, string] => [hit.score, `${hit.corpusId}`])
        const theirs = hits[i]!.map(([id, score]): [number, string] => [score, `${id}`])
        t.true(
          sameRanking('sparseSearch', 'semanticSearch', mine, theirs, true),
          `${metric} ${JSON.stringify(options)}, query ${i}`,
        )
      })
    }
  }
})
