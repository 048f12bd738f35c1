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

type Source = (epoch: number) => AsyncIterable<StreamRow> | Iterable<StreamRow>

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
    return new DataStream(open, options)
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
    return new DataStream(async function* () {
      for (const [file, read] of readers) {
        for await (const { names, columns } of read(file, options.columns)) {
          const rows = columns[0]?.length ?? 0
          for (let row = 0; row < rows; row++) {
            yield Object.fromEntries(names.map((name, i) => [name, columns[i]![row]]))
          }
        }
      }
    }, options)
  }

  /** The rows from the beginning, in the order of the source. */
  rows(epoch = 0): AsyncIterable<StreamRow> | Iterable<StreamRow> {
    return this.#open(epoch)
  }

  /** The stream of what `change` makes of each row. */
  map(change: (row: StreamRow) => StreamRow | Promise<StreamRow>): DataStream {
    if (typeof change !== 'function') throw invalidArgument('change', 'a function of a row', change)
    const rows = this.#open
    return new DataStream(async function* (epoch) {
      for await (const row of rows(epoch)) yield await change(row)
    }, this.#options())
  }

  /** The stream of the rows for which `keep` says true. Its length is unknown. */
  filter(keep: (row: StreamRow) => boolean | Promise<boolean>): DataStream {
    if (typeof keep !== 'function') throw invalidArgument('keep', 'a function of a row', keep)
    const rows = this.#open
    return new DataStream(
      async function* (epoch) {
        for await (const row of rows(epoch)) if (await keep(row)) yield row
      },
      { shuffleBuffer: this.shuffleBuffer },
    )
  }

  #options(): DataStreamOptions {
    return { ...(this.length !== undefined && { length: this.length }), shuffleBuffer: this.shuffleBuffer }
  }
}
