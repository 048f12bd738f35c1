import type { LogRecord } from '../callbacks/callbacks.js'
import { roundTo } from './format.js'

/** The part of a step's report that is read here. */
export interface TimedReport {
  /** Milliseconds. */
  times: { forward: number; backward: number; optimizer: number }
  tokens: number
  /** With several processes. */
  communication?: number
  hidden?: number
}

/**
 * Where the time of a run goes. `data` and `tokenize` run beside the engine's `forward`, `backward` and `optimizer`. `wait` is how
 * long training waited for batches: the part of the first two that the engine's work did not hide. With several processes, `communication` is how
 * long the engine waited for sums of gradients, and `hidden` how long they passed beside its backward pass.
 */
export class Timings {
  readonly #now: () => number
  #making = 0
  #tokenize = 0
  #wait = 0
  #forward = 0
  #backward = 0
  #optimizer = 0
  #communication: number | undefined
  #hidden = 0
  #tokens = 0
  #running = 0
  #since: number | undefined

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Steps are running from now on. Idempotent. */
  resume(): void {
    this.#since ??= this.#now()
  }

  /** No steps are running from now on, because of an evaluation, a checkpoint or a pause. */
  suspend(): void {
    if (this.#since !== undefined) this.#running += this.#now() - this.#since
    this.#since = undefined
  }

  /** The same batches; measures how long making them takes, with tokenising. */
  making<T>(batches: AsyncIterable<T>): AsyncIterable<T> {
    return this.#timed(batches, (time) => {
      this.#making += time
    })
  }

  /** The same batches; measures how long their consumer waits for them. */
  waiting<T>(batches: AsyncIterable<T>): AsyncIterable<T> {
    return this.#timed(batches, (time) => {
      this.#wait += time
    })
  }

  async tokenizing<T>(work: Promise<T>): Promise<T> {
    const start = this.#now()
    try {
      return await work
    } finally {
      this.#tokenize += this.#now() - start
    }
  }

  add({ times, tokens, communication, hidden = 0 }: TimedReport): void {
    this.#forward += times.forward
    this.#backward += times.backward
    this.#optimizer += times.optimizer
    if (communication !== undefined) this.#communication = (this.#communication ?? 0) + communication
    this.#hidden += hidden
    this.#tokens += tokens
  }

  /** Seconds and tokens per second since the last call. */
  take(): LogRecord {
    if (this.#since !== undefined) {
      this.suspend()
      this.resume()
    }
    const seconds = (milliseconds: number) => roundTo(milliseconds / 1000, 4)
    const record = {
      time_data: seconds(Math.max(0, this.#making - this.#tokenize)),
      time_tokenize: seconds(this.#tokenize),
      time_forward: seconds(this.#forward),
      time_backward: seconds(this.#backward),
      time_optimizer: seconds(this.#optimizer),
      ...(this.#communication !== undefined && {
        time_communication: seconds(this.#communication),
        time_hidden: seconds(this.#hidden),
      }),
      time_wait: seconds(this.#wait),
      tokens_per_second: this.#running > 0 ? roundTo((this.#tokens / this.#running) * 1000, 3) : 0,
    }
    this.#making = this.#tokenize = this.#wait = this.#running = 0
    this.#forward = this.#backward = this.#optimizer = this.#hidden = this.#tokens = 0
    if (this.#communication !== undefined) this.#communication = 0
    return record
  }

  async *#timed<T>(items: AsyncIterable<T>, add: (time: number) => void): AsyncGenerator<T, void, undefined> {
    const iterator = items[Symbol.asyncIterator]()
    try {
      for (;;) {
        const start = this.#now()
        const item = await iterator.next()
        add(this.#now() - start)
        if (item.done) return
        yield item.value
      }
    } finally {
      await iterator.return?.()
    }
  }
}
