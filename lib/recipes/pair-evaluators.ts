/** What measures a cross-encoder: on rows that were held out, and on the data of an evaluation of a config. */
import type { Dataset } from '../data/dataset.js'
import { Random } from '../data/random.js'
import { SentenceTorchError } from '../errors.js'
import { loadBeir } from '../evaluation/beir.js'
import { CrossEncoderClassificationEvaluator } from '../evaluation/cross-encoder/classification.js'
import type { CrossEncoderEvaluator } from '../evaluation/cross-encoder/common.js'
import { CrossEncoderCorrelationEvaluator } from '../evaluation/cross-encoder/correlation.js'
import {
  CrossEncoderRerankingEvaluator,
  type CrossEncoderRerankingSample,
} from '../evaluation/cross-encoder/reranking.js'
import type { Pair } from '../models/cross-encoder.js'
import { Bm25 } from '../search/bm25.js'
import type { RowKind } from './suggest-loss.js'

/** Texts that a query's answer is ranked among, where the rows have no negatives. */
const DRAWN = 20
/** Best documents by words, which are ranked anew. */
const BY_WORDS = 100

/** @param all the rows that these are a part of: other texts to rank an answer among */
export function pairEvaluatorOfRows(
  rows: Dataset,
  kind: RowKind,
  name: string,
  seed: number,
  all: Dataset,
): CrossEncoderEvaluator | undefined {
  const labels = () => rows.labels() as readonly number[]
  switch (kind) {
    case 'scores':
      return new CrossEncoderCorrelationEvaluator({ sentencePairs: pairsOf(rows), scores: labels(), name })
    case 'binary':
    case 'classes of pairs':
      return new CrossEncoderClassificationEvaluator({ sentencePairs: pairsOf(rows), labels: labels(), name })
    case 'pairs':
      return ranking(withDrawn(rows, all, seed), name)
    case 'triplets':
    case 'margins':
      return ranking(grouped(rows), name)
    case 'lists':
      return ranking(lists(rows), name)
    default:
      return undefined
  }
}

/** What the rows of an evaluation are, by its kind. */
const KINDS = { sts: 'scores', pairs: 'binary', triplets: 'triplets', nli: 'classes of pairs' } as const

export function pairEvaluatorOfKind(kind: keyof typeof KINDS, rows: Dataset, name: string): CrossEncoderEvaluator {
  return pairEvaluatorOfRows(rows, KINDS[kind], name, 0, rows)!
}

/** Reranking of what a search by words finds in a folder in the BEIR layout. @throws ERR_NOT_FOUND, ERR_INVALID_DATA */
export async function pairEvaluatorOfBeir(folder: string, name: string): Promise<CrossEncoderEvaluator> {
  return ranking(await byWords(folder), name, { alwaysRerankPositives: false })
}

function ranking(
  samples: readonly CrossEncoderRerankingSample[],
  name: string,
  options: { alwaysRerankPositives?: boolean } = {},
): CrossEncoderEvaluator {
  return new CrossEncoderRerankingEvaluator({ samples, name, ...options })
}

function pairsOf(rows: Dataset): Pair[] {
  const [first, second] = rows.textColumns.map((column) => rows.texts(column))
  return first!.map((text, row): Pair => [text, second![row]!])
}

/** A sample of each query: all its answers, and other texts of the same column, which the seed draws. */
function withDrawn(rows: Dataset, all: Dataset, seed: number): CrossEncoderRerankingSample[] {
  const answers = all.texts(all.textColumns[1]!)
  const random = new Random(seed, 0, 0)
  return [...answersOf(rows)].map(([query, positive]) => {
    const negative = new Set<string>()
    // Where there are few other texts, fewer are drawn.
    for (let tries = 0; tries < 4 * DRAWN && negative.size < DRAWN; tries++) {
      const text = answers[random.below(answers.length)]!
      if (!positive.has(text)) negative.add(text)
    }
    return { query, positive: [...positive], negative: [...negative] }
  })
}

/** A sample of each query: its answers, and all negatives of its rows. */
function grouped(rows: Dataset): CrossEncoderRerankingSample[] {
  const positives = answersOf(rows)
  const negatives = new Map<string, Set<string>>()
  const [queries, , ...columns] = rows.textColumns.map((column) => rows.texts(column))
  queries!.forEach((query, row) => {
    const own = negatives.get(query) ?? new Set()
    for (const column of columns) own.add(column[row]!)
    negatives.set(query, own)
  })
  return [...positives].map(([query, positive]) => ({
    query,
    positive: [...positive],
    negative: [...negatives.get(query)!].filter((text) => !positive.has(text)),
  }))
}

function answersOf(rows: Dataset): Map<string, Set<string>> {
  const answers = new Map<string, Set<string>>()
  for (const [query, answer] of pairsOf(rows)) answers.set(query, (answers.get(query) ?? new Set()).add(answer))
  return answers
}

/** A sample of each row; documents with a label above 0 are the right ones. */
function lists(rows: Dataset): CrossEncoderRerankingSample[] {
  const [queries, documents] = rows.textColumns as [string, string]
  const labels = rows.labels() as readonly (readonly number[])[]
  const all = rows.textLists(documents)
  return rows.texts(queries).map((query, row) => {
    const those = (isRight: boolean) => all[row]!.filter((_, i) => labels[row]![i]! > 0 === isRight)
    return { query, positive: those(true), negative: those(false) }
  })
}

/** Queries of a folder in the BEIR layout, with the documents that a search by words finds. */
async function byWords(folder: string): Promise<CrossEncoderRerankingSample[]> {
  const { queries, corpus, relevantDocs } = await loadBeir(folder)
  const [ids, texts] = [[...corpus.keys()], [...corpus.values()]]
  const index = await Bm25.of(texts)
  const samples: CrossEncoderRerankingSample[] = []
  for (const [id, query] of queries) {
    const positive = [...(relevantDocs.get(id) ?? [])].flatMap((document) => corpus.get(document) ?? [])
    if (positive.length === 0) continue
    const documents = index.search(query, BY_WORDS).map(({ corpusId }) => texts[corpusId]!)
    samples.push({ query, positive, documents })
  }
  if (samples.length > 0) return samples
  const message = `Expected queries with relevant documents in ${folder}, found none for ${ids.length} documents`
  throw new SentenceTorchError('ERR_INVALID_DATA', message)
}
