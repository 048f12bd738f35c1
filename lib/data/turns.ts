import { setImmediate } from 'node:timers/promises'

/** Longest time (ms) that long work blocks the event loop. */
const SLICE_MS = 3

/**
 * Cuts long work on the JavaScript thread into short slices, so that timers, requests and the next training step are at most
 * a few milliseconds late: call `give` between pieces of at most about a millisecond each.
 */
export class Turns {
  readonly #now: () => number
  #start: number

  /** @param now the clock, in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
    this.#start = now()
  }

  /** Whether this slice has lasted long enough. */
  get isOver(): boolean {
    return this.#now() - this.#start > SLICE_MS
  }

  /** Lets the event loop run if this slice has lasted long enough. */
  async give(): Promise<void> {
    if (!this.isOver) return
    await setImmediate()
    this.#start = this.#now()
  }
}

/** Work in pieces of at most about a millisecond: it yields `undefined` where a turn may be given, and items, if it makes any. */
export type Pieces<Item = never, Result = void> = Generator<Item | undefined, Result, undefined>

/** What the work comes to, with turns in between. */
export async function inTurns<Result>(pieces: Pieces<never, Result>, turns: Turns = new Turns()): Promise<Result> {
  for (;;) {
    const { done, value } = pieces.next()
    if (done) return value
    await turns.give()
  }
}

/** The items that the work makes, with turns in between. */
export async function* itemsInTurns<Item>(pieces: Pieces<Item>): AsyncGenerator<Item, void, undefined> {
  const turns = new Turns()
  for (const item of pieces) {
    if (item === undefined) await turns.give()
    else yield item
  }
}
