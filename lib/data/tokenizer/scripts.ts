import { scriptRanges } from './unicode-scripts.js'

/** Characters without a script, which belong to those before them. */
const NONE = 0

/** The start of each range, and its script. Built on first use. */
let ranges: { starts: Int32Array; scripts: Uint8Array } | undefined

function readRanges(): { starts: Int32Array; scripts: Uint8Array } {
  const all = scriptRanges.split(' ').map((range) => range.split('.').map((part) => Number.parseInt(part, 36)))
  const starts = new Int32Array(all.length)
  let start = 0
  for (const [i, [length]] of all.entries()) {
    starts[i] = start
    start += length!
  }
  return { starts, scripts: Uint8Array.from(all, ([, script]) => script!) }
}

function scriptOf(codePoint: number): number {
  ranges ??= readRanges()
  const { starts, scripts } = ranges
  let low = 0
  let high = starts.length
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (starts[middle]! <= codePoint) low = middle
    else high = middle
  }
  return scripts[low]!
}

/**
 * Splits a text where its script changes. Text before the first character with a script is dropped.
 * Source: `UnicodeScripts` of Hugging Face's Rust tokenizers, with kana as Han.
 */
export function scriptWords(text: string): string[] {
  const words: string[] = []
  let start = 0
  let last = NONE
  for (let at = 0; at < text.length; ) {
    const codePoint = text.codePointAt(at)!
    const script = scriptOf(codePoint)
    if (script !== NONE && script !== last) {
      if (last !== NONE) words.push(text.slice(start, at))
      start = at
      last = script
    }
    at += codePoint > 0xffff ? 2 : 1
  }
  if (last !== NONE) words.push(text.slice(start))
  return words
}
