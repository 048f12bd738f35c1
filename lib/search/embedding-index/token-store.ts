import { damaged } from '../../io/damaged.js'
import type { MaxSimName } from '../../models/multi-vector/folder.js'
import { TokenEmbeddings } from '../../models/token-embeddings.js'
import { MaxSimHits } from '../max-sim-hits.js'
import type { Segment } from './format.js'
import type { IndexFile } from './index-file.js'

/** Bytes of vectors that are read at once. Two such blocks are in memory. */
const BLOCK_BYTES = 2 ** 25

/** The vectors of texts of an index. Where each text ends is in memory; vectors are read block by block for every search. */
export class TokenStore {
  readonly #file: IndexFile
  /** For each segment where its texts begin, and the end. */
  readonly #offsets: Int32Array[] = []

  constructor(file: IndexFile) {
    this.#file = file
  }

  /** Reads segments that are new. @throws SentenceTorchError ERR_INVALID_FILE */
  async add(): Promise<void> {
    const { segments, head } = this.#file
    for (const segment of segments.slice(this.#offsets.length)) {
      const vectors = segment.parts.vectors.bytes / (4 * head.dimension)
      this.#offsets.push(await readEnds(this.#file, segment, vectors))
    }
  }

  /** @param k at most the number of rows */
  async search(
    queries: TokenEmbeddings,
    similarity: MaxSimName,
    k: number,
    signal: AbortSignal | undefined,
  ): Promise<MaxSimHits> {
    const hits = new MaxSimHits(queries, similarity, k)
    const blocks = [...this.#blocks()]
    const read = ({ segment, from, to }: Block) => {
      const reading = this.#read(segment, from, to)
      // It is awaited later, or never where the search ends.
      reading.catch(() => {})
      return reading
    }
    let next = blocks[0] && read(blocks[0])
    for (const [i, { segment, from }] of blocks.entries()) {
      const block: TokenEmbeddings = await next!
      next = blocks[i + 1] && read(blocks[i + 1]!)
      await hits.add(block, this.#file.segments[segment]!.first + from, signal)
    }
    return hits
  }

  /** The vectors of some rows, in their order. */
  async some(numbers: readonly number[]): Promise<TokenEmbeddings> {
    const rows: Pick<ReturnType<TokenEmbeddings['row']>, 'data' | 'shape'>[] = []
    for (const number of numbers) {
      const segment = this.#file.segments.indexOf(this.#file.segmentOf(number))
      const from = number - this.#file.segments[segment]!.first
      rows.push((await this.#read(segment, from, from + 1)).row(0))
    }
    return TokenEmbeddings.fromRows(rows, this.#file.head.dimension)
  }

  *#blocks(): Generator<Block> {
    const most = Math.max(1, Math.floor(BLOCK_BYTES / 4 / this.#file.head.dimension))
    for (const [segment, offsets] of this.#offsets.entries()) {
      for (let from = 0; from < offsets.length - 1; ) {
        let to = from + 1
        while (to < offsets.length - 1 && offsets[to + 1]! - offsets[from]! <= most) to++
        yield { segment, from, to }
        from = to
      }
    }
  }

  async #read(segment: number, from: number, to: number): Promise<TokenEmbeddings> {
    const { dimension } = this.#file.head
    const offsets = this.#offsets[segment]!.slice(from, to + 1)
    const start = offsets[0]!
    const data = new Float32Array((offsets.at(-1)! - start) * dimension)
    const place = this.#file.segments[segment]!.parts.vectors.start + 4 * start * dimension
    await this.#file.read(new Uint8Array(data.buffer), place)
    return new TokenEmbeddings(
      data,
      offsets.map((offset) => offset - start),
      dimension,
    )
  }
}

/** Texts `from` … `to` − 1 of a segment. */
interface Block {
  segment: number
  from: number
  to: number
}

/** Where each row of a segment begins, and the end. @throws SentenceTorchError ERR_INVALID_FILE unless they rise to `count` */
export async function readEnds(file: IndexFile, segment: Segment, count: number): Promise<Int32Array> {
  const offsets = new Int32Array(segment.rows + 1)
  await file.readPart(segment, 'factors', new Uint8Array(offsets.buffer, 4))
  for (let i = 0; i < segment.rows; i++) {
    if (offsets[i + 1]! >= offsets[i]!) continue
    throw damaged(file.path, `row ${segment.first + i} ends at ${offsets[i + 1]}, before it begins, at ${offsets[i]}`)
  }
  if (offsets[segment.rows] !== count)
    throw damaged(file.path, `rows from ${segment.first} on have ${count} values, but end at ${offsets[segment.rows]}`)
  return offsets
}
