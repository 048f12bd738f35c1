/** Random in every process, so that no file and no text can make all stretches collide. */
const FACTOR = (Math.floor(Math.random() * 2 ** 31) ^ 0x1e3779b1) | 1

/** The hash of no UTF-16 units. */
export const EMPTY_HASH = Math.floor(Math.random() * 2 ** 31)

/** The hash of a stretch of text and one more UTF-16 unit. Its upper bits are the better ones. */
export function hashOfMore(hash: number, unit: number): number {
  return Math.imul(hash ^ unit, FACTOR)
}

export function hashOfPart(text: string, start: number, end: number): number {
  let hash = EMPTY_HASH
  for (let i = start; i < end; i++) hash = hashOfMore(hash, text.charCodeAt(i))
  return hash
}
