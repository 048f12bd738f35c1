import { invalidArgument } from '../errors.js'
import { checkInteger, checkOptions } from '../options.js'
import { readerOf } from './readers/index.js'

/** One row of a stream: texts and labels by column name. */
export type StreamRow = Readonly<Record<string, unknown>>

export interface DataStreamOptions {
  /** Rows of one pass, when they are known: without it a run needs `maxSteps`. */
  length?: number
  /** Rows among which the next one is drawn; 1 keeps the order of the source. Default 10,000. */
  shuffleBuffer?: number
}

type Rows = AsyncIterable<StreamRow> | Iterable<StreamRow>
/** Rows in pieces: a promise for each row would take longer than reading it. */
type Source = (epoch: number) => AsyncIterable<readonly StreamRow[]>

/** Rows of a source without pieces of its own that are taken together. */
const PIECE_ROWS = 256

/**
 * Rows that are read again in every epoch instead of being held in memory. They are shuffled through a bounded buffer by seed
 * and epoch, so that the same epoch gives the same batches as long as the source gives the same rows. What a Dataset checks
 * of its rows is checked as they come.
 */
export class DataStream {
  /** Rows of one pass, if they are known. */
  readonly length: number | undefined
  readonly shuffleBuffer: number
  readonly #open: Source

  private constructor(open: Source, options: DataStreamOptions) {
    checkInteger('length', options.length, 0)
    checkInteger('shuffleBuffer', options.shuffleBuffer, 1)
    this.#open = open
    this.length = options.length
    this.shuffleBuffer = options.shuffleBuffer ?? 10_000
  }

  /**
   * A stream of what `open` gives. It is called once an epoch, and again when a run is resumed, and must give the same rows
   * in the same order each time it is called for the same epoch (from 0).
   */
  static from(
    open: (epoch: number) => AsyncIterable<StreamRow> | Iterable<StreamRow>,
    options: DataStreamOptions = {},
  ): DataStream {
    if (typeof open !== 'function') throw invalidArgument('open', 'a function that gives an (async) iterable', open)
    checkOptions('DataStream.from', options, ['length', 'shuffleBuffer'])
    return new DataStream((epoch) => inPieces(open(epoch)), options)
  }

  /**
   * A stream of the rows of a file, or of several one after the other, in any format of `Dataset.fromFile`; for files that
   * are larger than memory.
   * @param options.columns which columns to take, in this order; default all
   */
  static fromFile(
    path: string | readonly string[],
    options: DataStreamOptions & { columns?: readonly string[] } = {},
  ): DataStream {
    checkOptions('DataStream.fromFile', options, ['length', 'shuffleBuffer', 'columns'])
    const paths = typeof path === 'string' ? [path] : path
    if (!Array.isArray(paths) || paths.length === 0) throw invalidArgument('path', 'a file name or several', path)
    const readers = paths.map((file) => [file, readerOf(file)] as const)
    const wanted = options.columns && [...options.columns]
    return new DataStream(async function* () {
      for (const [file, read] of readers) {
        for await (const { names, columns } of read(file, wanted)) {
          const [first = []] = columns
          yield first.map((_, row) => Object.fromEntries(names.map((name, i) => [name, columns[i]![row]])))
        }
      }
    }, options)
  }

  /** The rows from the beginning, in the order of the source. */
  async *rows(epoch = 0): AsyncGenerator<StreamRow, void, undefined> {
    for await (const piece of this.#open(epoch)) yield* piece
  }

  /** The rows, some at a time. */
  pieces(epoch: number): AsyncIterable<readonly StreamRow[]> {
    return this.#open(epoch)
  }

  /** The stream of what `change` makes of each row. */
  map(change: (row: StreamRow) => StreamRow | Promise<StreamRow>): DataStream {
    if (typeof change !== 'function') throw invalidArgument('change', 'a function of a row', change)
    const open = this.#open
    return new DataStream(async function* (epoch) {
      for await (const piece of open(epoch)) yield await Promise.all(piece.map((row) => change(row)))
    }, this.#options())
  }

  /** The stream of the rows for which `keep` says true. Its length is unknown. */
  filter(keep: (row: StreamRow) => boolean | Promise<boolean>): DataStream {
    if (typeof keep !== 'function') throw invalidArgument('keep', 'a function of a row', keep)
    const open = this.#open
    return new DataStream(
      async function* (epoch) {
        for await (const piece of open(epoch)) {
          const kept = await Promise.all(piece.map((row) => keep(row)))
          yield piece.filter((_, i) => kept[i])
        }
      },
      { shuffleBuffer: this.shuffleBuffer },
    )
  }

  #options(): DataStreamOptions {
    return { ...(this.length !== undefined && { length: this.length }), shuffleBuffer: this.shuffleBuffer }
  }
}

async function* inPieces(rows: Rows): AsyncGenerator<readonly StreamRow[], void, undefined> {
  if (Symbol.asyncIterator in rows) {
    // What waits for something may wait for long: every row goes on at once.
    for await (const row of rows) yield [row]
    return
  }
  let piece: StreamRow[] = []
  for (const row of rows) {
    piece.push(row)
    if (piece.length < PIECE_ROWS) continue
    yield piece
    piece = []
  }
  yield piece
}
