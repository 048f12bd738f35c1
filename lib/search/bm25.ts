import { TimeSlice } from '../data/time-slice.js'
import { number, type OptionTable, optionValues } from '../options/kinds.js'
import type { SearchHit } from './semantic-search.js'

export interface Bm25Options {
  /** How much a word counts that comes again. Default 1.5. */
  k1?: number
  /** How much the length of a document counts, from 0 to 1. Default 0.75. */
  b?: number
}

const OPTIONS = {
  k1: number(1.5, { least: 0 }),
  b: number(0.75, { least: 0, most: 1 }),
} satisfies OptionTable<Bm25Options>

/** The weight of a word that more than half of the documents have, as a share of the mean weight. */
const EPSILON = 0.25

/** Documents that have a word, and how often each has it. */
interface Postings {
  documents: number[]
  frequencies: number[]
  weight: number
}

/**
 * Search by words (BM25, the Okapi form with a floor of its weights). Words are runs of letters, digits and marks, in lower case.
 *
 * Paper: Trotman et al. 2014, https://doi.org/10.1145/2682862.2682863. Source: rank_bm25 `BM25Okapi`.
 */
export class Bm25 {
  readonly #postings = new Map<string, Postings>()
  /** For each document what its length adds to a word's frequency: k1 (1 − b + b length / mean length). */
  readonly #saturation: Float64Array
  readonly #k1: number

  private constructor(words: readonly (readonly string[])[], k1: number, b: number) {
    this.#k1 = k1
    const mean = words.reduce((sum, { length }) => sum + length, 0) / words.length
    // Without any word there is no length to compare with, and no posting that reads this.
    this.#saturation = Float64Array.from(words, ({ length }) => k1 * (1 - b + (mean > 0 ? (b * length) / mean : 0)))
  }

  /** Indexes documents, without blocking the event loop. @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION */
  static async of(documents: readonly string[], options: Bm25Options = {}): Promise<Bm25> {
    const { k1, b } = optionValues('Bm25', options, OPTIONS)
    const slice = new TimeSlice()
    const words: string[][] = []
    for (const document of documents) {
      words.push(wordsOf(document))
      await slice.yield()
    }
    const index = new Bm25(words, k1, b)
    for (const [document, own] of words.entries()) {
      index.#add(document, own)
      await slice.yield()
    }
    index.#weigh(documents.length)
    return index
  }

  #add(document: number, words: readonly string[]): void {
    for (const [word, frequency] of counted(words)) {
      let found = this.#postings.get(word)
      if (found === undefined) {
        found = { documents: [], frequencies: [], weight: 0 }
        this.#postings.set(word, found)
      }
      found.documents.push(document)
      found.frequencies.push(frequency)
    }
  }

  #weigh(documents: number): void {
    let sum = 0
    for (const postings of this.#postings.values()) {
      const { length } = postings.documents
      postings.weight = Math.log(documents - length + 0.5) - Math.log(length + 0.5)
      sum += postings.weight
    }
    const floor = (EPSILON * sum) / this.#postings.size
    for (const postings of this.#postings.values()) if (postings.weight < 0) postings.weight = floor
  }

  /** The score of every document that has a word of `query`, by its number; a word that comes again counts again. */
  scores(query: string): Map<number, number> {
    const scores = new Map<number, number>()
    for (const [word, times] of counted(wordsOf(query))) {
      const found = this.#postings.get(word)
      if (found === undefined) continue
      for (const [i, document] of found.documents.entries()) {
        const frequency = found.frequencies[i]!
        const part = (frequency * (this.#k1 + 1)) / (frequency + this.#saturation[document]!)
        scores.set(document, (scores.get(document) ?? 0) + times * found.weight * part)
      }
    }
    return scores
  }

  /** The `topK` best documents that have a word of `query`, best first; equal scores by rising number. */
  search(query: string, topK: number): SearchHit[] {
    return [...this.scores(query)]
      .map(([corpusId, score]) => ({ corpusId, score }))
      .sort((a, b) => b.score - a.score || a.corpusId - b.corpusId)
      .slice(0, topK)
  }
}

/** The words of a text, as {@link Bm25} compares them. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}\p{M}]+/gu) ?? []
}

function counted(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}
