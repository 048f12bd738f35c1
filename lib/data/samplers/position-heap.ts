/** The smallest of a changing set of integers: a binary heap. */
export class PositionHeap {
  private readonly values: number[] = []

  get size(): number {
    return this.values.length
  }

  /** The smallest value; Infinity without any. */
  peek(): number {
    return this.values[0] ?? Number.POSITIVE_INFINITY
  }

  push(value: number): void {
    const { values } = this
    let at = values.length
    values.push(value)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (values[parent]! <= value) break
      values[at] = values[parent]!
      at = parent
    }
    values[at] = value
  }

  /** Removes and returns the smallest value. The heap must not be empty. */
  pop(): number {
    const { values } = this
    const smallest = values[0]!
    const last = values.pop()!
    if (values.length === 0) return smallest
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= values.length) break
      if (child + 1 < values.length && values[child + 1]! < values[child]!) child++
      if (values[child]! >= last) break
      values[at] = values[child]!
      at = child
    }
    values[at] = last
    return smallest
  }
}
