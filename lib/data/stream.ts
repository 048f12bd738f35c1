import type { InspectOptionsStylized } from 'node:util'
import { describe, invalidArgument, SentenceTorchError } from '../errors.js'
import { checkInteger, checkOptions, checkType, ownCopy } from '../options.js'
import { addClassNames } from './class-names.js'
import { type ColumnChoice, columnsOf } from './column-choice.js'
import { Dataset } from './dataset.js'
import { INSPECT, inspectStream } from './inspect.js'
import { opener } from './readers/index.js'
import { losesOrder, unknownOrder } from './readers/key-order.js'
import type { ReadOptions } from './readers/table.js'

/** One row of a stream: texts and labels by column name. */
export type StreamRow = Readonly<Record<string, unknown>>

export interface DataStreamOptions {
  /** Rows of one pass, if known. Without it a run needs `maxSteps`. */
  length?: number
  /** Size of the buffer from which rows are drawn; 1 keeps the order of the source. Default 10,000. */
  shuffleBuffer?: number
  /**
   * Of several processes that train together, each reads rows of its own and makes its part of every batch of them. Default false: each
   * reads all rows, and batches are those of one process.
   */
  byRank?: boolean
}

/** Which of several processes reads a stream, so that it leaves the rows of the others out. */
export interface StreamPart {
  rank: number
  size: number
}

const WHOLE: StreamPart = { rank: 0, size: 1 }

type Rows = AsyncIterable<StreamRow> | Iterable<StreamRow>

/** Some rows, and their columns in order. The keys of an object do not always show that order. */
export interface StreamPiece {
  names: readonly string[]
  rows: readonly StreamRow[]
}

/** Gives rows in pieces, because a promise for each row would take longer than reading it. */
type Source = (epoch: number, part: StreamPart) => AsyncIterable<StreamPiece>

/** Rows that are taken together from a source without pieces of its own. */
const PIECE_ROWS = 256

/**
 * Rows that are read again in every epoch instead of being held in memory. A bounded buffer shuffles them by seed and
 * epoch: the same epoch gives the same batches if the source gives the same rows. Each row is checked as in a Dataset, when
 * it arrives.
 */
export class DataStream {
  /** Rows of one pass, if known. */
  readonly length: number | undefined
  readonly shuffleBuffer: number
  /** Whether each of several processes reads rows of its own. */
  readonly byRank: boolean
  readonly #open: Source

  private constructor(open: Source, options: DataStreamOptions) {
    if (typeof open !== 'function' || options === undefined) {
      const message = 'new DataStream(…) opens nothing: use DataStream.from or DataStream.fromFile'
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    checkInteger('length', options.length, 0)
    checkInteger('shuffleBuffer', options.shuffleBuffer, 1)
    checkType('byRank', options.byRank, 'boolean')
    this.#open = open
    this.byRank = options.byRank ?? false
    this.length = options.length
    this.shuffleBuffer = options.shuffleBuffer ?? 10_000
  }

  /**
   * A stream of the rows of `open`. It is called once for every epoch (from 0), and again when a run is resumed. Each call
   * for the same epoch must give the same rows in the same order. With `byRank` its second argument says which process asks, and it
   * gives the rows of that one: of all processes together, each row once.
   * @param options.columns keys of the rows to take, in this order; needed where a key is a whole number, such as "1",
   * because objects have those first. Default: the keys of the first row
   */
  static from(
    open: (epoch: number, part: StreamPart) => AsyncIterable<StreamRow> | Iterable<StreamRow>,
    options: DataStreamOptions & ColumnChoice = {},
  ): DataStream {
    if (typeof open !== 'function') throw invalidArgument('open', 'a function that gives an (async) iterable', open)
    checkOptions('DataStream.from', options, ['length', 'shuffleBuffer', 'byRank', 'columns'])
    const columns = columnsOf(options)
    return new DataStream((epoch, part) => inPieces(iterable(open(epoch, part)), columns), options)
  }

  /**
   * A stream of the rows of a file, or of several files one after another, in any format of `Dataset.fromFile`. For files
   * that are larger than memory. With `byRank` a process reads every n-th file where their number can be divided by that of the
   * processes, else every n-th row.
   * @param options.columns as for `Dataset.fromFile`, like `header`, `dtype` and `field`
   */
  static fromFile(path: string | readonly string[], options: DataStreamOptions & ReadOptions = {}): DataStream {
    const { length, shuffleBuffer, byRank, ...readOptions } = options
    const known = ['length', 'shuffleBuffer', 'byRank', 'columns', 'header', 'dtype', 'field']
    checkOptions('DataStream.fromFile', options, known)
    const paths = typeof path === 'string' ? [path] : path
    if (!Array.isArray(paths) || paths.length === 0) throw invalidArgument('path', 'a file name or several', path)
    const given = ownCopy(readOptions)
    const files = paths.map((file) => [file, opener(file, given)] as const)
    const read = async function* (some: typeof files) {
      const classNames = new Map<string, readonly string[]>()
      for (const [file, open] of some) {
        for await (const { names, columns, classNames: found } of open()) {
          if (found) addClassNames(classNames, found, file)
          const [first = []] = columns
          const rows = first.map((_, row) => Object.fromEntries(names.map((name, i) => [name, columns[i]![row]])))
          yield { names, rows }
        }
      }
    }
    return new DataStream((_, part) => {
      const { rank, size } = part
      if (files.length % size === 0) return read(files.filter((_file, i) => i % size === rank))
      return everyRow(read(files), part)
    }, options)
  }

  /** The rows from the start, in the order of the source. */
  async *rows(epoch = 0): AsyncGenerator<StreamRow, void, undefined> {
    for await (const { rows } of this.#open(epoch, WHOLE)) yield* rows
  }

  /** The rows of the first epoch: `for await (const row of stream)`. */
  [Symbol.asyncIterator](): AsyncGenerator<StreamRow, void, undefined> {
    return this.rows()
  }

  /** The first `count` rows, checked and in memory. */
  async head(count = 5): Promise<Dataset> {
    checkInteger('count', count ?? null, 0)
    const first: StreamRow[] = []
    if (count === 0) return Dataset.fromRows(first)
    let columns: readonly string[] = []
    reading: for await (const { names, rows } of this.#open(0, WHOLE)) {
      if (first.length === 0) columns = names
      for (const row of rows) if (first.push(row) === count) break reading
    }
    return Dataset.fromRows(first, losesOrder(columns) ? { columns } : {})
  }

  /** The rows, several at a time. @param part which rows, of a stream by rank */
  pieces(epoch: number, part: StreamPart = WHOLE): AsyncIterable<StreamPiece> {
    return this.#open(epoch, this.byRank ? part : WHOLE)
  }

  /**
   * The stream of the rows that `change` returns.
   * @param options.columns keys of the new rows to take, in this order. Default: all, in their order; where a key is a
   * whole number, columns keep their places, and new columns come last
   */
  map(change: (row: StreamRow) => StreamRow | Promise<StreamRow>, options: ColumnChoice = {}): DataStream {
    if (typeof change !== 'function') throw invalidArgument('change', 'a function of a row', change)
    checkOptions('DataStream.map', options, ['columns'])
    const columns = columnsOf(options)
    const open = this.#open
    return new DataStream(async function* (epoch, part) {
      for await (const { names, rows } of open(epoch, part)) {
        yield inOrder(await Promise.all(rows.map((row) => change(row))), columns, names)
      }
    }, this.#options())
  }

  /** The stream of the rows for which `keep` returns true. Its length is unknown. */
  filter(keep: (row: StreamRow) => boolean | Promise<boolean>): DataStream {
    if (typeof keep !== 'function') throw invalidArgument('keep', 'a function of a row', keep)
    const open = this.#open
    return new DataStream(
      async function* (epoch, part) {
        for await (const { names, rows } of open(epoch, part)) {
          const kept = await Promise.all(rows.map((row) => keep(row)))
          yield { names, rows: rows.filter((_, i) => kept[i]) }
        }
      },
      { shuffleBuffer: this.shuffleBuffer, byRank: this.byRank },
    )
  }

  /** The output of console.log. It reads no rows. */
  [INSPECT](depth: number, options: InspectOptionsStylized): string {
    return inspectStream(this, depth, options)
  }

  #options(): DataStreamOptions {
    const { shuffleBuffer, byRank } = this
    return { ...(this.length !== undefined && { length: this.length }), shuffleBuffer, byRank }
  }
}

/** @throws ERR_INVALID_DATA for a value that cannot be iterated */
function iterable(rows: Rows): Rows {
  const found: unknown = rows
  if (typeof found === 'object' && found !== null && (Symbol.asyncIterator in found || Symbol.iterator in found))
    return rows
  throw new SentenceTorchError(
    'ERR_INVALID_DATA',
    `The function of a DataStream must give an (async) iterable of rows but gave ${describe(found)}`,
  )
}

/** Of every `size` rows number `rank`. */
async function* everyRow(
  pieces: AsyncIterable<StreamPiece>,
  { rank, size }: StreamPart,
): AsyncGenerator<StreamPiece, void, undefined> {
  let number = 0
  for await (const { names, rows } of pieces) yield { names, rows: rows.filter(() => number++ % size === rank) }
}

async function* inPieces(rows: Rows, columns?: readonly string[]): AsyncGenerator<StreamPiece, void, undefined> {
  if (Symbol.asyncIterator in rows) {
    // An asynchronous source may be slow, so each of its rows is passed on at once.
    for await (const row of rows) yield inOrder([row], columns)
    return
  }
  let piece: StreamRow[] = []
  for (const row of rows) {
    piece.push(row)
    if (piece.length < PIECE_ROWS) continue
    yield inOrder(piece, columns)
    piece = []
  }
  yield inOrder(piece, columns)
}

/**
 * Rows with the order of their columns.
 * @param columns columns to take, in this order; default all
 * @param before the columns that the rows had before they were changed
 * @throws ERR_INVALID_DATA when the rows do not show the order
 */
function inOrder(
  rows: readonly StreamRow[],
  columns: readonly string[] | undefined,
  before: readonly string[] = [],
): StreamPiece {
  const [first] = rows
  // The check of the rows refuses what is not an object.
  if (typeof first !== 'object' || first === null) return { names: columns ?? [], rows }
  if (columns !== undefined) {
    const pick = (row: StreamRow) =>
      Object.fromEntries(columns.flatMap((name) => (Object.hasOwn(row, name) ? [[name, row[name]]] : [])))
    return { names: columns, rows: rows.map((row) => (typeof row === 'object' && row !== null ? pick(row) : row)) }
  }
  const names = Object.keys(first)
  if (!losesOrder(names)) return { names, rows }
  const [known, now] = [new Set(before), new Set(names)]
  const added = names.filter((name) => !known.has(name))
  if (losesOrder(added)) throw unknownOrder(added, before.length > 0 ? 'as new columns of the stream' : 'in the stream')
  return { names: [...before.filter((name) => now.has(name)), ...added], rows }
}
