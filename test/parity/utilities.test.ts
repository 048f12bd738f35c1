// Search and mining against sentence-transformers' own (make_utilities.py), on the real engine.
import { readFileSync } from 'node:fs'
import test from 'ava'
import { embeddings } from '../../lib/models/embeddings.js'
import type { Metric } from '../../lib/native/types.js'
import * as util from '../../lib/search/util.js'

const golden = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`../../../test/parity/golden/utilities/${name}.json`, import.meta.url), 'utf8')) as T

const matrix = (data: number[], dim: number) => embeddings(Float32Array.from(data), data.length / dim, dim)
/** Scores of float32 sums in another order. */
const TOLERANCE = 4e-6
const near = (a: number, b: number) => Math.abs(a - b) <= TOLERANCE * Math.max(1, Math.abs(b))

const camel = (options: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  )

/**
 * Whether two ranked lists are the same: the same scores in order, and among equal scores the same entries. Where the list was
 * cut among equal scores (`cut`), the last of them may be others.
 */
function sameRanking(found: [number, string][], expected: [number, string][], cut: boolean): boolean {
  if (found.length !== expected.length) return false
  for (let start = 0; start < expected.length; ) {
    let end = start + 1
    while (end < expected.length && near(expected[end]![0], expected[end - 1]![0])) end++
    const names = (list: [number, string][]) =>
      JSON.stringify(
        list
          .slice(start, end)
          .map((entry) => entry[1])
          .sort(),
      )
    for (let i = start; i < end; i++) if (!near(found[i]![0], expected[i]![0])) return false
    if (!(cut && end === expected.length) && names(found) !== names(expected)) return false
    start = end
  }
  return true
}

interface SearchGolden {
  dim: number
  queries: number[]
  corpus: number[]
  cases: { metric: Metric; options: Record<string, number>; hits: [number, number][][] }[]
}

test('semanticSearch finds what util.semantic_search finds', async (t) => {
  const { dim, queries, corpus, cases } = golden<SearchGolden>('search')
  t.is(cases.length, 16)
  for (const { metric, options, hits } of cases) {
    const found = await util.semanticSearch(matrix(queries, dim), matrix(corpus, dim), {
      ...camel(options),
      scoreFunction: metric,
    })
    t.is(found.length, hits.length)
    found.forEach((row, i) => {
      const mine = row.map((hit): [number, string] => [hit.score, `${hit.corpusId}`])
      const theirs = hits[i]!.map(([id, score]): [number, string] => [score, `${id}`])
      t.true(sameRanking(mine, theirs, true), `${metric} ${JSON.stringify(options)}, query ${i}`)
    })
  }
})

interface ParaphraseGolden {
  rows: Record<string, { dim: number; data: number[] }>
  cases: { rows: string; metric: Metric; options: Record<string, number>; pairs: [number, number, number][] }[]
}

test('paraphraseMiningEmbeddings finds the pairs of util.paraphrase_mining_embeddings', async (t) => {
  const { rows, cases } = golden<ParaphraseGolden>('paraphrases')
  t.is(cases.length, 44)
  const entry = ([score, i, j]: [number, number, number]): [number, string] => [score, `${i}-${j}`]
  for (const { rows: name, metric, options, pairs } of cases) {
    const { dim, data } = rows[name]!
    const found = await util.paraphraseMiningEmbeddings(matrix(data, dim), { ...camel(options), scoreFunction: metric })
    t.true(found.every(([, i, j]) => i < j))
    t.true(sameRanking(found.map(entry), pairs.map(entry), false), `${name} ${metric} ${JSON.stringify(options)}`)
  }
})

interface CommunityGolden {
  rows: Record<string, { dim: number; data: number[] }>
  cases: { rows: string; options: Record<string, number>; communities: number[][] }[]
}

test('communityDetection finds the communities of util.community_detection in their order', async (t) => {
  const { rows, cases } = golden<CommunityGolden>('communities')
  t.is(cases.length, 24)
  for (const { rows: name, options, communities } of cases) {
    const where = `${name} ${JSON.stringify(options)}`
    const { dim, data } = rows[name]!
    const all = matrix(data, dim)
    const found = await util.communityDetection(all, camel(options))
    t.is(found.length, communities.length, where)
    found.forEach((community, i) => {
      t.deepEqual(community.toSorted(), communities[i]!.toSorted(), where)
      // Most alike first; only rows that are repeated score alike.
      const values = (list: number[]) => list.map((row) => [...all.row(row)])
      t.deepEqual(values(community), values(communities[i]!), where)
    })
  }
})
