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
