/** Silver pairs: new pairs of texts that are alike, for a cross-encoder to label. */
import { Dataset } from '../data/dataset.js'
import { TimeSlice } from '../data/time-slice.js'
import { throwIfAborted } from '../io/abort.js'
import type { SentenceTransformer } from '../models/sentence-transformer.js'
import { Bm25 } from '../search/bm25.js'
import { semanticSearch } from '../search/semantic-search.js'

/** Two texts. */
export type TextPair = readonly [string, string]

export interface RecombineOptions {
  /** Partners of a text. */
  topK: number
  /** Finds them by meaning. Absent: by words, with BM25. */
  model?: SentenceTransformer
  signal: AbortSignal | undefined
}

/**
 * Each text with the `topK` texts that are most like it. A pair comes once, in either order.
 * Source: sentence-transformers `examples/…/data_augmentation/train_sts_indomain_semantic.py` and `…_bm25.py`.
 * @param texts each once
 * @throws ERR_ABORTED
 */
export async function recombine(
  texts: readonly string[],
  { topK, model, signal }: RecombineOptions,
): Promise<TextPair[]> {
  const pairs = new UniquePairs()
  const add = (text: string, hits: readonly { corpusId: number }[]) => {
    const others = hits.map(({ corpusId }) => texts[corpusId]!).filter((other) => other !== text)
    for (const other of others.slice(0, topK)) pairs.add([text, other])
  }
  // One more than wanted, because a text finds itself.
  if (model !== undefined) {
    const vectors = await model.encode([...texts], signal && { signal })
    const found = await semanticSearch(vectors, vectors, { topK: topK + 1, ...(signal && { signal }) })
    for (const [i, hits] of found.entries()) add(texts[i]!, hits)
    return pairs.list
  }
  const index = await Bm25.of(texts)
  const slice = new TimeSlice()
  for (const text of texts) {
    throwIfAborted(signal, 'Searching for pairs')
    add(text, index.search(text, topK + 1))
    await slice.yield()
  }
  return pairs.list
}

/** Pairs, each once: (a, b) and (b, a) are the same. */
export class UniquePairs {
  readonly list: TextPair[] = []
  readonly #seen = new Set<string>()

  /** @returns whether it is new */
  add([a, b]: TextPair): boolean {
    const key = JSON.stringify(a < b ? [a, b] : [b, a])
    if (this.#seen.has(key)) return false
    this.#seen.add(key)
    this.list.push([a, b])
    return true
  }
}

/** All texts of two columns, each once, in the order in which they come. */
export function distinctTexts(dataset: Dataset): string[] {
  return [...new Set(dataset.textColumns.flatMap((name) => [...dataset.texts(name)]))]
}

/** Pairs that are no gold ones. */
export function withoutGold(pairs: readonly TextPair[], gold: Dataset): TextPair[] {
  const all = new UniquePairs()
  for (const pair of pairsOf(gold)) all.add(pair)
  return pairs.filter((pair) => all.add(pair))
}

/** Gold rows, each pair once, then silver ones. */
export async function goldAndSilver(gold: Dataset, silver: Dataset): Promise<Dataset> {
  const all = new UniquePairs()
  const first = pairsOf(gold).flatMap((pair, row) => (all.add(pair) ? [row] : []))
  return Dataset.concatenate([gold.select(first), silver])
}

/** The first two columns of texts. */
export function pairsOf(dataset: Dataset): TextPair[] {
  const [a, b] = dataset.textColumns.map((name) => dataset.texts(name))
  return a!.map((text, i) => [text, b![i]!])
}

/** Columns `sentence1` and `sentence2`. */
export function pairRows(pairs: readonly TextPair[]): Dataset {
  return Dataset.fromColumns({ sentence1: pairs.map(([a]) => a), sentence2: pairs.map(([, b]) => b) })
}
