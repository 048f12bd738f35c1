/**
 * Finds all texts of a set that begin at a position, in the time of the longest one, however many there are.
 */
export class Prefixes<T> {
  /** For each node and next UTF-16 unit, the next node. */
  private readonly next = new Map<number, number>()
  /** For each node, the entry that ends there. */
  private readonly values: (T | undefined)[] = [undefined]

  /** Of equal texts the first counts. */
  add(text: string, value: T): void {
    let node = 0
    for (let i = 0; i < text.length; i++) {
      const key = node * 0x10000 + text.charCodeAt(i)
      let child = this.next.get(key)
      if (child === undefined) {
        child = this.values.push(undefined) - 1
        this.next.set(key, child)
      }
      node = child
    }
    this.values[node] ??= value
  }

  /** Reports every text that begins at `from` in `text`, the shortest first. */
  each(text: string, from: number, tell: (length: number, value: T) => void): void {
    let node = 0
    for (let at = from; at < text.length; at++) {
      const child = this.next.get(node * 0x10000 + text.charCodeAt(at))
      if (child === undefined) return
      node = child
      const value = this.values[node]
      if (value !== undefined) tell(at + 1 - from, value)
    }
  }
}
