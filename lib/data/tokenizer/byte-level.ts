/** GPT-2's printable characters for the 256 bytes: a printable byte stands for itself, the others start at U+0100. */
export const characters = (() => {
  const isPrinted = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff)
  let others = 0x100
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrinted(byte) ? byte : others++))
})()

/** A character for every byte of the text in UTF-8. */
export function byteCharacters(text: string): string {
  let result = ''
  for (const byte of Buffer.from(text)) result += characters[byte]
  return result
}

/**
 * Writes a symbol for every byte of a part of a text in UTF-8. Lone surrogates count as U+FFFD.
 * @param byteIds the symbols, by byte
 * @param symbols has room for three symbols for each UTF-16 unit
 * @returns number of symbols
 */
export function byteSymbols(
  text: string,
  start: number,
  end: number,
  byteIds: Int32Array,
  symbols: Int32Array,
): number {
  let count = 0
  for (let i = start; i < end; i++) {
    let code = text.charCodeAt(i)
    if (code < 0x80) {
      symbols[count++] = byteIds[code]!
      continue
    }
    if ((code & 0xf800) === 0xd800) {
      code = text.codePointAt(i)!
      if (code < 0x10000) code = 0xfffd
      else i++
    }
    if (code < 0x800) symbols[count++] = byteIds[0xc0 | (code >> 6)]!
    else {
      if (code < 0x10000) symbols[count++] = byteIds[0xe0 | (code >> 12)]!
      else {
        symbols[count++] = byteIds[0xf0 | (code >> 18)]!
        symbols[count++] = byteIds[0x80 | ((code >> 12) & 0x3f)]!
      }
      symbols[count++] = byteIds[0x80 | ((code >> 6) & 0x3f)]!
    }
    symbols[count++] = byteIds[0x80 | (code & 0x3f)]!
  }
  return count
}

/** The tokens `<0x..>` for the bytes of a text in UTF-8; undefined when the vocabulary lacks one. */
export function byteIds(text: string, vocabulary: Pick<ReadonlyMap<string, number>, 'get'>): number[] | undefined {
  const ids: number[] = []
  for (const byte of Buffer.from(text)) {
    const id = vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)
    if (id === undefined) return undefined
    ids.push(id)
  }
  return ids
}
