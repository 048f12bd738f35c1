/** Ids with the same meaning: `{ id: { otherId: true } }`. */
export type Duplicates = Readonly<Record<string, Readonly<Record<string, boolean>>>>

/** The known duplicates among some ids, in both directions. */
export class DuplicatePairs {
  readonly #known: ReadonlySet<string>
  readonly #others = new Map<string, Set<string>>()

  /** Pairs of `list` with an id that is not in `known` are left out. */
  constructor(known: ReadonlySet<string>, list: readonly (readonly [string, string])[], dict: Duplicates) {
    this.#known = known
    for (const [a, row] of Object.entries(dict)) for (const [b, is] of Object.entries(row)) if (is) this.#add(a, b)
    for (const [a, b] of list) if (known.has(a) && known.has(b)) this.#add(a, b)
  }

  has(a: string, b: string): boolean {
    return this.#others.get(a)?.has(b) ?? false
  }

  /** Pairs of known ids, each counted once. */
  get count(): number {
    let [directed, selves] = [0, 0]
    for (const [a, others] of this.#others) {
      if (!this.#known.has(a)) continue
      for (const b of others) if (this.#known.has(b)) a === b ? selves++ : directed++
    }
    return directed / 2 + selves
  }

  /** Makes all ids that are connected duplicates of each other. */
  addTransitiveClosure(): void {
    const visited = new Set<string>()
    for (const start of [...this.#others.keys()]) {
      if (visited.has(start)) continue
      const group = [start]
      visited.add(start)
      for (let i = 0; i < group.length; i++) {
        for (const other of this.#others.get(group[i]!) ?? []) {
          if (!visited.has(other)) group.push(other)
          visited.add(other)
        }
      }
      for (let i = 0; i < group.length; i++) for (let j = i + 1; j < group.length; j++) this.#add(group[i]!, group[j]!)
    }
  }

  #add(a: string, b: string): void {
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const others = this.#others.get(one) ?? new Set()
      this.#others.set(one, others.add(other))
    }
  }
}
