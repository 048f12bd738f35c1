import type { Ruler } from './sizes.js'
import type { Unit } from './units.js'

/** The text of a passage, and the line where it begins. */
export interface PackedText {
  text: string
  line: number
}

/**
 * Puts paragraphs together while they fit into a passage. A paragraph that fits only alone begins a new passage; a longer
 * one is cut between its units. A passage begins with the last units of the one before, up to `overlap`.
 */
export async function* packUnits(
  paragraphs: AsyncIterable<readonly Unit[]>,
  ruler: Ruler,
  overlap: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<PackedText, void, undefined> {
  const packer = new Packer(ruler, overlap, signal)
  for await (const paragraph of paragraphs) {
    const size = paragraph.reduce((sum, unit) => sum + unit.size, 0)
    if (size <= ruler.room && packer.size + size > ruler.room && packer.hasNew) yield await packer.close()
    for (const unit of paragraph) {
      while (!packer.makeRoom(unit.size)) yield await packer.close()
      packer.push(unit)
    }
  }
  while (packer.hasNew) yield await packer.close()
}

class Packer {
  size = 0
  private units: Unit[] = []
  /** How many of the first units are also in the passage before. */
  private old = 0

  constructor(
    private readonly ruler: Ruler,
    private readonly overlap: number,
    private readonly signal: AbortSignal | undefined,
  ) {}

  get hasNew(): boolean {
    return this.units.length > this.old
  }

  push(unit: Unit): void {
    this.units.push(unit)
    this.size += unit.size
  }

  /** Makes room for a passage's first new unit. @returns false if the passage must end before this unit */
  makeRoom(size: number): boolean {
    while (!this.hasNew && this.old > 0 && this.size + size > this.ruler.room) this.dropFirst()
    return this.units.length === 0 || this.size + size <= this.ruler.room
  }

  /** Ends the passage. The next one has its last units. */
  async close(): Promise<PackedText> {
    const rest: Unit[] = []
    // Tokens of a text may be a few more than those of its parts.
    while (!(await this.fits()) && this.units.length > 1) {
      if (this.old > 0) this.dropFirst()
      else rest.unshift(this.units.pop()!)
    }
    const { units } = this
    const passage = { text: textOf(units), line: units[0]!.line }
    let first = units.length
    let size = 0
    // The first unit stays behind: otherwise a passage could be a part of the next one.
    while (first > 1 && size + units[first - 1]!.size <= this.overlap) size += units[--first]!.size
    this.units = [...units.slice(first), ...rest]
    this.old = units.length - first
    this.size = this.units.reduce((sum, unit) => sum + unit.size, 0)
    return passage
  }

  private async fits(): Promise<boolean> {
    if (this.ruler.isExact) return true
    const [size] = await this.ruler.sizesOf([textOf(this.units)], this.signal)
    return size! <= this.ruler.room
  }

  private dropFirst(): void {
    this.size -= this.units.shift()!.size
    this.old--
  }
}

function textOf(units: readonly Unit[]): string {
  return units
    .map(({ text }) => text)
    .join('')
    .trim()
}
