import type { IdBuffer } from './id-buffer.js'
import { hashOfPart } from './unit-hash.js'

/** Limit of stretches of text whose ids are kept: some 10 MB together. */
const KEPT = 1 << 16
/** Limit of UTF-16 units in a kept stretch. */
const KEPT_LENGTH = 32
/**
 * Slots of the hash table at first, a power of two; half of them are used at most. Few, so that it grows before the functions here
 * are compiled: code that was made for tables that never change is thrown away when they do.
 */
const SLOTS = 1 << 4
/** Numbers of an entry: its first unit, how many units, and its id. */
const ENTRY = 3

/**
 * Ids of short stretches of text that occurred before. A stretch is looked up in the text where it stands: cutting it out as
 * a string of its own, for a Map, took longer than finding it.
 */
export class KeptIds {
  /** For each slot the hash and the place of the entry, or 0 for none. */
  private slots = new Int32Array(2 * SLOTS)
  private shift = 32 - Math.log2(SLOTS)
  private count = 0
  /** The first one stays empty. */
  private entries = new Int32Array(ENTRY * (SLOTS / 2 + 1))
  private units = new Uint16Array(8 * SLOTS)
  private unitsEnd = 0
  /** For stretches with another number of ids than one, that number and the ids. Their entry has −1 − the place. */
  private several: number[] = []

  /**
   * Appends the ids of a part of a text.
   * @param hash that of the part
   * @returns false when they are unknown
   */
  append(ids: IdBuffer, text: string, start = 0, end = text.length, hash = hashOfPart(text, start, end)): boolean {
    const entry = this.find(text, start, end, hash)
    if (entry === 0) return false
    const id = this.entries[entry + 2]!
    if (id >= 0) {
      ids.push(id)
      return true
    }
    const { several } = this
    const place = -1 - id
    const last = place + several[place]!
    for (let i = place + 1; i <= last; i++) ids.push(several[i]!)
    return true
  }

  /** Keeps the ids of a part of a text that are unknown, if it is short: those in the buffer from `first` on. */
  keep(
    ids: IdBuffer,
    first: number,
    text: string,
    start = 0,
    end = text.length,
    hash = hashOfPart(text, start, end),
  ): void {
    const length = end - start
    if (length > KEPT_LENGTH) return
    if (this.count === KEPT) this.clear()
    const entry = ENTRY * ++this.count
    if (2 * this.count > this.slots.length / 2) this.grow()
    this.reserve(entry + ENTRY, this.unitsEnd + length)
    const { entries, units } = this
    entries[entry] = this.unitsEnd
    entries[entry + 1] = length
    entries[entry + 2] = this.idOf(ids, first)
    for (let i = start; i < end; i++) units[this.unitsEnd++] = text.charCodeAt(i)
    this.place(hash, entry)
  }

  private find(text: string, start: number, end: number, hash: number): number {
    const { slots, entries, units } = this
    const mask = slots.length / 2 - 1
    const length = end - start
    for (let slot = hash >>> this.shift; ; slot = (slot + 1) & mask) {
      const entry = slots[2 * slot + 1]!
      if (entry === 0) return 0
      if (slots[2 * slot] !== hash || entries[entry + 1] !== length) continue
      let unit = entries[entry]!
      let i = start
      while (i < end && units[unit] === text.charCodeAt(i)) {
        unit++
        i++
      }
      if (i === end) return entry
    }
  }

  /** What an entry has for the ids from `first` on. */
  private idOf(ids: IdBuffer, first: number): number {
    const count = ids.length - first
    if (count === 1 && ids.at(first) >= 0) return ids.at(first)
    const place = this.several.push(count) - 1
    for (let i = first; i < ids.length; i++) this.several.push(ids.at(i))
    return -1 - place
  }

  private place(hash: number, entry: number): void {
    const { slots } = this
    const mask = slots.length / 2 - 1
    let slot = hash >>> this.shift
    while (slots[2 * slot + 1] !== 0) slot = (slot + 1) & mask
    slots[2 * slot] = hash
    slots[2 * slot + 1] = entry
  }

  private grow(): void {
    const before = this.slots
    this.slots = new Int32Array(2 * before.length)
    this.shift--
    for (let i = 0; i < before.length; i += 2) if (before[i + 1] !== 0) this.place(before[i]!, before[i + 1]!)
  }

  private reserve(entriesEnd: number, unitsEnd: number): void {
    if (entriesEnd > this.entries.length) {
      const larger = new Int32Array(2 * this.entries.length)
      larger.set(this.entries)
      this.entries = larger
    }
    if (unitsEnd > this.units.length) {
      const larger = new Uint16Array(2 * this.units.length)
      larger.set(this.units)
      this.units = larger
    }
  }

  private clear(): void {
    this.slots.fill(0)
    this.count = 0
    this.unitsEnd = 0
    this.several = []
  }
}
