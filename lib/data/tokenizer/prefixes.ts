/**
 * Texts by what they begin with, so that all of them that begin at one place are found in the time of the longest, however many
 * there are.
 */
export class Prefixes<T> {
  /** By node and next UTF-16 unit the next node. */
  private readonly next = new Map<number, number>()
  /** By node what ends there. */
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

  /** Tells of every text that stands in `text` from `from` on, the shortest first. */
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
