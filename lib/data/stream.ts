import { invalidArgument } from '../errors.js'
import { checkInteger, checkOptions } from '../options.js'

/** One row of a stream: texts and labels by column name. */
export type StreamRow = Readonly<Record<string, unknown>>

export interface DataStreamOptions {
  /** Rows of one pass, when they are known: without it a run needs `maxSteps`. */
  length?: number
  /** Rows among which the next one is drawn; 1 keeps the order of the source. Default 10,000. */
  shuffleBuffer?: number
}

/**
 * Rows that are read again in every epoch instead of being held in memory. They are shuffled through a bounded buffer by seed
 * and epoch, so that the same epoch gives the same batches as long as the source gives the same rows.
 */
export class DataStream {
  /** Rows of one pass, if they are known. */
  readonly length: number | undefined
  readonly shuffleBuffer: number
  readonly #open: () => AsyncIterable<StreamRow> | Iterable<StreamRow>

  private constructor(open: () => AsyncIterable<StreamRow> | Iterable<StreamRow>, options: DataStreamOptions) {
    checkOptions('DataStream', options, ['length', 'shuffleBuffer'])
    checkInteger('length', options.length, 0)
    checkInteger('shuffleBuffer', options.shuffleBuffer, 1)
    this.#open = open
    this.length = options.length
    this.shuffleBuffer = options.shuffleBuffer ?? 10_000
  }

  /**
   * A stream of what `open` gives, which is called once an epoch (and once more when a run is resumed) and must give the
   * same rows in the same order each time.
   */
  static from(open: () => AsyncIterable<StreamRow> | Iterable<StreamRow>, options: DataStreamOptions = {}): DataStream {
    if (typeof open !== 'function') throw invalidArgument('open', 'a function that gives an (async) iterable', open)
    return new DataStream(open, options)
  }

  /** The rows from the beginning, in the order of the source. */
  rows(): AsyncIterable<StreamRow> | Iterable<StreamRow> {
    return this.#open()
  }
}
