import { overloaded } from './errors.js'

/** An amount of something of which only so much may be in use: texts in work, bytes of bodies. */
export class Budget {
  #used = 0

  constructor(readonly limit: number) {}

  get used(): number {
    return this.#used
  }

  get isFull(): boolean {
    return this.#used >= this.limit
  }

  /**
   * Takes an amount. One that is larger than the limit takes all, so that it passes when nothing else is in use.
   * @returns gives it back, once
   * @throws ServeError 429 when too little is left
   */
  take(amount: number): () => void {
    const taken = Math.min(amount, this.limit)
    if (this.#used + taken > this.limit) throw overloaded()
    this.#used += taken
    let isTaken = true
    return () => {
      if (isTaken) this.#used -= taken
      isTaken = false
    }
  }
}
