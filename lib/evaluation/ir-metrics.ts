/** The metrics of InformationRetrievalEvaluator, from the ranked documents of every query. */
import { TimeSlice } from '../data/time-slice.js'
import { mean, meanInOrder } from './mean.js'
import { discountedGain, idealGain, reciprocalRank } from './ranking.js'

export interface Cutoffs {
  accuracyAtK: readonly number[]
  precisionRecallAtK: readonly number[]
  mrrAtK: readonly number[]
  ndcgAtK: readonly number[]
  mapAtK: readonly number[]
}

export const DEFAULT_CUTOFFS: Readonly<Cutoffs> = {
  accuracyAtK: [1, 3, 5, 10],
  precisionRecallAtK: [1, 3, 5, 10],
  mrrAtK: [10],
  ndcgAtK: [10],
  mapAtK: [100],
}

/** One query's hits, best first. */
export interface RankedQuery {
  /** 1 where the hit is relevant: [hits]. */
  relevant: Uint8Array
  /** Number of relevant documents, found or not; at least 1. */
  total: number
}

/** Measures of one query at the first `k` hits, in the order of the metrics. */
const MEASURES: readonly [name: string, cutoffs: keyof Cutoffs, measure: (query: RankedQuery, k: number) => number][] =
  [
    ['accuracy', 'accuracyAtK', ({ relevant }, k) => (count(relevant, k) > 0 ? 1 : 0)],
    ['precision', 'precisionRecallAtK', ({ relevant }, k) => count(relevant, k) / k],
    ['recall', 'precisionRecallAtK', ({ relevant, total }, k) => count(relevant, k) / total],
    ['ndcg', 'ndcgAtK', ({ relevant, total }, k) => discountedGain(relevant, k) / idealGain(total, k)],
    ['mrr', 'mrrAtK', mrr],
    ['map', 'mapAtK', ({ relevant, total }, k) => averagePrecisionAt(relevant, total, k)],
  ]

/** The means over the queries (`accuracy@1`, …, `map@100`), and the values of each query. */
export async function irMetrics(
  queries: Iterable<RankedQuery>,
  cutoffs: Cutoffs,
): Promise<{ means: Record<string, number>; values: Record<string, number[]> }> {
  const columns = MEASURES.flatMap(([name, at, measure]) =>
    cutoffs[at].map((k) => ({ key: `${name}@${k}`, k, measure, values: [] as number[] })),
  )
  const slice = new TimeSlice()
  for (const query of queries) {
    for (const { k, measure, values } of columns) values.push(measure(query, k))
    await slice.yield()
  }
  // The reference adds reciprocal ranks one by one, and everything else by numpy.
  return {
    means: Object.fromEntries(
      columns.map(({ key, measure, values }) => [key, measure === mrr ? meanInOrder(values) : mean(values)]),
    ),
    values: Object.fromEntries(columns.map(({ key, values }) => [key, values])),
  }
}

/** The columns of the CSV file, as names of metrics. Their order differs from that of the metrics. */
export function csvMetrics(cutoffs: Cutoffs): string[] {
  return [
    ...cutoffs.accuracyAtK.map((k) => `accuracy@${k}`),
    ...cutoffs.precisionRecallAtK.flatMap((k) => [`precision@${k}`, `recall@${k}`]),
    ...cutoffs.mrrAtK.map((k) => `mrr@${k}`),
    ...cutoffs.ndcgAtK.map((k) => `ndcg@${k}`),
    ...cutoffs.mapAtK.map((k) => `map@${k}`),
  ]
}

const TITLES: Record<string, string> = {
  accuracy: 'Accuracy',
  precision: 'Precision',
  recall: 'Recall',
  mrr: 'MRR',
  ndcg: 'NDCG',
  map: 'MAP',
}

/** The column's header: `cosine-Accuracy@1`. */
export function csvHeader(scoreName: string, metric: string): string {
  const [name, k] = metric.split('@') as [string, string]
  return `${scoreName}-${TITLES[name]}@${k}`
}

function mrr({ relevant }: RankedQuery, k: number): number {
  return reciprocalRank(relevant, k)
}

function count(relevant: Uint8Array, k: number): number {
  let sum = 0
  for (let i = 0; i < Math.min(k, relevant.length); i++) sum += relevant[i]!
  return sum
}

function averagePrecisionAt(relevant: Uint8Array, total: number, k: number): number {
  let [found, sum] = [0, 0]
  for (let i = 0; i < Math.min(k, relevant.length); i++) {
    if (relevant[i]) sum += ++found / (i + 1)
  }
  return sum / Math.min(k, total)
}
