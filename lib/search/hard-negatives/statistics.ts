import type { Mined, MinedColumns } from './output.js'
import type { Pairs } from './pairs.js'
import type { MiningStatistics, NegativeSample, Skipped } from './statistics-types.js'

/** Samples of each kind. */
const SAMPLES = 20

export function miningStatistics(
  pairs: Pairs,
  mined: Mined,
  skipped: readonly Skipped[],
  { columns, negativeScores, possible }: MinedColumns,
): MiningStatistics {
  const rows = columns[pairs.anchorColumn]!.length
  const all = mined.negatives.flatMap((negatives, query) => negatives.map((_, i) => [query, i] as const))
  const score = ([query, i]: readonly [number, number]) => mined.negativeScores[query]![i]!
  const sample = ([query, i]: readonly [number, number]): NegativeSample => ({
    query: pairs.queries[query]!,
    positive: pairs.corpus[pairs.positives[query]![0]!]!,
    negative: pairs.corpus[mined.negatives[query]![i]!]!,
    positiveScore: mined.positiveScores[query]![0]!,
    negativeScore: mined.negativeScores[query]![i]!,
  })
  const step = Math.max(1, Math.ceil(all.length / SAMPLES))
  return {
    ...{ queries: pairs.queries.length, corpus: pairs.corpus.length, rows },
    missingRows: Math.max(0, possible - rows),
    positiveScores: mined.positiveScores.flat(),
    negativeScores,
    refused: skipped,
    samples: all.filter((_, i) => i % step === 0).map(sample),
    closest: [...all]
      .sort((a, b) => score(b) - score(a))
      .slice(0, SAMPLES)
      .map(sample),
  }
}
