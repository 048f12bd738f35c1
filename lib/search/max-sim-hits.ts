import { TimeSlice } from '../data/time-slice.js'
import { SentenceTorchError } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import { firstNotFinite } from '../models/embeddings.js'
import type { MaxSimName } from '../models/multi-vector/folder.js'
import { maxSimInPlace, maxSimMatrix } from '../models/multi-vector/scores.js'
import type { AnyTokenEmbeddings } from '../models/token-embeddings.js'
import { loadAddon } from '../native/load.js'
import type { NativeAddon } from '../native/types.js'
import type { Block } from './blocks.js'
import { HitLists } from './top-hits.js'

/** Multiplications in one job. They take some tenths of a second, which is the longest wait of another query. */
const JOB_WORK = 2 ** 34

/** {@link HitLists} of texts with a vector for each token, by late interaction, over a corpus that arrives in pieces. */
export class MaxSimHits extends HitLists {
  constructor(
    readonly queries: AnyTokenEmbeddings,
    readonly similarity: MaxSimName,
    k: number,
    private readonly addon: () => NativeAddon = loadAddon,
  ) {
    super(queries.length, k)
  }

  /**
   * @param first index of the piece's first document
   * @param copy false where nobody changes the corpus until this settles
   * @throws ERR_INVALID_ARGUMENT (width), ERR_INVALID_DATA (a score that is not finite), ERR_ABORTED
   */
  async add(corpus: AnyTokenEmbeddings, first: number, signal?: AbortSignal, copy = true): Promise<void> {
    const { offsets, dimension } = this.queries
    const perDocument = offsets.at(-1)! * dimension * Math.max(1, corpus.offsets.at(-1)! / corpus.length)
    const scored = copy ? maxSimMatrix : maxSimInPlace
    const step = Math.max(1, Math.floor(JOB_WORK / Math.max(1, perDocument)))
    for (let start = 0; start < corpus.length && this.queries.length > 0; start += step) {
      throwIfAborted(signal, 'The search')
      const part = corpus.slice(start, start + step)
      const { data } = await scored(this.similarity, this.queries, part, this.addon())
      const wrong = firstNotFinite(data)
      if (wrong !== -1) {
        const [query, row] = [Math.floor(wrong / part.length), first + start + (wrong % part.length)]
        const message = `Expected a finite score of query ${query} with row ${row}, but it is ${data[wrong]}`
        throw new SentenceTorchError('ERR_INVALID_DATA', message)
      }
      const k = Math.min(this.k, part.length)
      if (k > 0) await this.take(best(data, this.queries.length, part.length, k), k, first + start)
    }
  }
}

/** The `k` best of each row of scores, one query a block. */
async function* best(scores: Float32Array, queries: number, documents: number, k: number): AsyncGenerator<Block> {
  const slice = new TimeSlice()
  for (let first = 0; first < queries; first++) {
    const row = scores.subarray(first * documents, (first + 1) * documents)
    // A typed array sorts numbers without calling a function.
    const least = row.slice().sort()[documents - k]!
    const found: number[] = []
    for (let i = 0; i < documents; i++) if (row[i]! >= least) found.push(i)
    found.sort((a, b) => row[b]! - row[a]! || a - b)
    const indices = Int32Array.from(found.slice(0, k))
    yield { first, rows: 1, k, scores: Float32Array.from(indices, (i) => row[i]!), indices }
    await slice.yield()
  }
}
