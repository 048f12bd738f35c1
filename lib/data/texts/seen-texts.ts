import { createHash } from 'node:crypto'

const FIRST_SLOTS = 1 << 10

/** Remembers texts by 64 bits of a digest, so that millions of passages take some 20 bytes each. */
export class SeenTexts {
  private slots = new BigUint64Array(FIRST_SLOTS)
  private count = 0

  /** Whether the text is new. */
  add(text: string): boolean {
    // 0 marks a free slot.
    const key = createHash('sha1').update(text).digest().readBigUInt64LE() || 1n
    if (2 * this.count >= this.slots.length) this.grow()
    const slot = this.slotOf(key)
    if (this.slots[slot] === key) return false
    this.slots[slot] = key
    this.count++
    return true
  }

  /** The slot of a key, or the free one where it belongs. */
  private slotOf(key: bigint): number {
    const { slots } = this
    const mask = slots.length - 1
    let slot = Number(key & BigInt(mask))
    while (slots[slot] !== 0n && slots[slot] !== key) slot = (slot + 1) & mask
    return slot
  }

  private grow(): void {
    const old = this.slots
    this.slots = new BigUint64Array(2 * old.length)
    for (const key of old) if (key !== 0n) this.slots[this.slotOf(key)] = key
  }
}
