import type { IdBuffer } from './id-buffer.js'

/** Limit of stretches of text whose ids are kept: some 10 MB together. */
const KEPT = 1 << 16
/** Limit of UTF-16 units in a kept stretch. */
export const KEPT_LENGTH = 32

/** Ids of short stretches of text that occurred before. */
export class KeptIds {
  private readonly kept = new Map<string, number | readonly number[]>()

  /**
   * Appends the ids of a stretch.
   * @returns false when they are unknown
   */
  append(stretch: string, ids: IdBuffer): boolean {
    const found = this.kept.get(stretch)
    if (found === undefined) return false
    if (typeof found === 'number') ids.push(found)
    else for (let i = 0; i < found.length; i++) ids.push(found[i]!)
    return true
  }

  /** Keeps the ids of a stretch, if it is short: those in the buffer from `start` on. */
  keep(stretch: string, ids: IdBuffer, start: number): void {
    if (stretch.length > KEPT_LENGTH) return
    if (this.kept.size === KEPT) this.kept.clear()
    const found = ids.from(start)
    this.kept.set(ownMemory(stretch), found.length === 1 ? found[0]! : found)
  }
}

/** Copies, because a slice may be a view that keeps a whole text in memory. */
function ownMemory(slice: string): string {
  return slice.length < 13 ? slice : Buffer.from(slice, 'utf16le').toString('utf16le')
}
