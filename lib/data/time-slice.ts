import { setImmediate } from 'node:timers/promises'

/** Longest time (ms) that work may block the event loop. */
const SLICE_MS = 3

/**
 * Cuts long work on the JavaScript thread into short slices. Timers, requests and the next training step then wait at most
 * a few milliseconds. The work calls `yield` after every piece of at most about a millisecond.
 */
export class TimeSlice {
  readonly #now: () => number
  #start: number

  /** @param now the clock, in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
    this.#start = now()
  }

  /** Whether this slice has reached its length. */
  get isOver(): boolean {
    return this.#now() - this.#start > SLICE_MS
  }

  /** If this slice is over, lets the event loop run and begins the next slice. */
  async yield(): Promise<void> {
    if (!this.isOver) return
    await setImmediate()
    this.#start = this.#now()
  }
}

/**
 * Work in pieces of at most about a millisecond. It yields its items, and `undefined` between two pieces, where the event
 * loop may run.
 */
export type Pieces<Item = never, Result = void> = Generator<Item | undefined, Result, undefined>

/** Runs the work in slices and returns its result. */
export async function runInSlices<Result>(
  pieces: Pieces<never, Result>,
  slice: TimeSlice = new TimeSlice(),
): Promise<Result> {
  for (;;) {
    const { done, value } = pieces.next()
    if (done) return value
    await slice.yield()
  }
}

/** Runs the work in slices and yields its items. */
export async function* itemsInSlices<Item>(pieces: Pieces<Item>): AsyncGenerator<Item, void, undefined> {
  const slice = new TimeSlice()
  for (const item of pieces) {
    if (item === undefined) await slice.yield()
    else yield item
  }
}
