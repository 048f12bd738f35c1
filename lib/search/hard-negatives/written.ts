import type { Block } from '../blocks.js'
import { askWriter, type NegativeWriter } from './judge.js'
import type { MiningPlan } from './options.js'
import { Numbered, type Pairs } from './pairs.js'

/** Adds what a writer writes for each query to the corpus. @returns the rows of each query */
export async function addWritten(writer: NegativeWriter, pairs: Pairs, plan: MiningPlan): Promise<number[][]> {
  const { signal, numNegatives } = plan
  const asked = pairs.queries.map((query, i) => [query, pairs.corpus[pairs.positives[i]![0]!]!] as const)
  const texts = await askWriter(writer, asked, { count: numNegatives, ...(signal && { signal }) })
  const corpus = new Numbered()
  for (const text of pairs.corpus) corpus.number(text)
  const rows = texts.map((list) => [...new Set(list.map((text) => corpus.number(text)))])
  pairs.corpus = corpus.texts
  return rows
}

/** The candidates of each query as if a search had found them. Queries with fewer have places of the lowest score. */
export function writtenBlock(
  written: readonly (readonly number[])[],
  score: (query: number, rows: readonly number[]) => readonly number[],
): Block {
  const k = Math.max(1, ...written.map((rows) => rows.length))
  const scores = new Float32Array(written.length * k).fill(Number.NEGATIVE_INFINITY)
  const indices = new Int32Array(written.length * k)
  written.forEach((rows, query) => {
    indices.set(rows, query * k)
    scores.set(score(query, rows), query * k)
  })
  return { first: 0, rows: written.length, k, scores, indices }
}
