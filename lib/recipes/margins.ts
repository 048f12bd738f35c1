/** Hard negatives and a teacher's margins: what GPL trains on. */
import { Dataset } from '../data/dataset.js'
import type { CrossEncoder } from '../models/cross-encoder.js'
import type { SentenceTransformer } from '../models/sentence-transformer.js'
import { mineHardNegatives } from '../search/hard-negatives/mine.js'

/** The hits of a query among which negatives are drawn, as in GPL. */
const POOL = 50

export interface NegativesOptions {
  /** Negatives of each pair. */
  count: number
  seed: number
  signal: AbortSignal | undefined
}

/**
 * Passages that the model finds near a query although they are not its own: drawn from the 50 nearest.
 * @param pairs columns `query` and `passage`
 * @returns columns `query`, `positive` and `negative`: one row for each negative
 * @throws ERR_INVALID_DATA when there is none; ERR_ABORTED
 */
export async function hardNegatives(
  pairs: Dataset,
  corpus: readonly string[],
  model: SentenceTransformer,
  { count, seed, signal }: NegativesOptions,
): Promise<Dataset> {
  const mined = await mineHardNegatives(pairs, model, {
    ...{ anchorColumnName: 'query', positiveColumnName: 'passage', corpus, numNegatives: count, seed },
    ...{ rangeMax: Math.max(POOL, count), samplingStrategy: 'random', outputFormat: 'triplet', verbose: false },
    ...(signal && { signal }),
  })
  return mined.renameColumns({ passage: 'positive' })
}

/**
 * The margins of a cross-encoder: its raw score of query and positive, less that of query and negative.
 * Paper: Hofstätter et al. 2020, https://arxiv.org/abs/2010.02666.
 * @param triplets columns `query`, `positive` and `negative`
 * @param model with one label
 */
export async function marginsOf(triplets: Dataset, model: CrossEncoder, signal?: AbortSignal): Promise<Float64Array> {
  const queries = triplets.texts('query')
  // A positive stands in as many rows as it has negatives, and is read once.
  const places = new Map<string, number>()
  const pairs: [string, string][] = []
  const placeOf = (query: string, text: string) => {
    const key = JSON.stringify([query, text])
    const place = places.get(key) ?? pairs.push([query, text]) - 1
    places.set(key, place)
    return place
  }
  const [positives, negatives] = (['positive', 'negative'] as const).map((name) =>
    triplets.texts(name).map((text, row) => placeOf(queries[row]!, text)),
  )
  const { data } = await model.predict(pairs, { activationFn: 'identity', ...(signal && { signal }) })
  return Float64Array.from(positives!, (place, row) => data[place]! - data[negatives![row]!]!)
}

/** Rows for the loss of margins. */
export function withMargins(triplets: Dataset, margins: ArrayLike<number>): Dataset {
  const columns = ['query', 'positive', 'negative'].map((name) => [name, triplets.texts(name)] as const)
  return Dataset.fromColumns({ ...Object.fromEntries(columns), label: Array.from(margins) })
}
