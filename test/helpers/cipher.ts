/**
 * A made-up language for tests of multilingual models, since ../shared has no parallel texts: each of the most frequent words of some
 * texts is a letter of a foreign script, always the same, and the other words stay. It has English's order of words and no
 * grammar of its own, so that it is far easier than any real language.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const WORD = /[a-z']+/g

export type Translate = (text: string) => string

/**
 * @param texts whose most frequent words get a letter
 * @param folder of a model whose vocabulary has the letters as words of their own
 */
export function cipherOf(texts: readonly string[], folder: string): Translate {
  const vocabulary = readFileSync(join(folder, 'vocab.txt'), 'utf8').split('\n')
  const letters = vocabulary.filter(
    (entry) => /^[^\p{ASCII}\p{Script=Latin}]$/u.test(entry) && /^\p{L}$/u.test(entry.normalize('NFD')),
  )
  const counts = new Map<string, number>()
  for (const text of texts) {
    for (const [word] of text.toLowerCase().matchAll(WORD)) counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  const words = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, letters.length)
  const letterOf = new Map(words.map(([word], i) => [word, letters[i]!]))
  return (text) => text.toLowerCase().replaceAll(WORD, (word) => letterOf.get(word) ?? word)
}
