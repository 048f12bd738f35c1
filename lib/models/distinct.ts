/** The different texts among many: equal ones are computed once. */
export class DistinctTexts {
  /** Each once, in the order in which it first comes. */
  readonly texts: string[] = []
  /** By place: the number of its text. */
  readonly #first: number[] = []
  /** By place: the next place with the same text; -1 for the last. Undefined while no text has come twice. */
  #next: Int32Array | undefined

  constructor(readonly all: readonly string[]) {
    const numbers = new Map<string, number>()
    const last: number[] = []
    for (const [place, text] of all.entries()) {
      const known = numbers.get(text)
      if (known === undefined) {
        numbers.set(text, this.texts.length)
        this.texts.push(text)
        this.#first.push(place)
        last.push(place)
        continue
      }
      this.#next ??= new Int32Array(all.length).fill(-1)
      this.#next[last[known]!] = place
      last[known] = place
    }
  }

  /** Where a text first is. */
  first(number: number): number {
    return this.#first[number]!
  }

  /** All places of a text. */
  forEachPlace(number: number, use: (place: number) => void): void {
    for (let place = this.first(number); place !== -1; place = this.#next?.[place] ?? -1) use(place)
  }
}
