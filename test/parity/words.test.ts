import { readFileSync } from 'node:fs'
import test from 'ava'
import { joinWords, sentences, sentenceWords, words } from '../../lib/data/legacy/treebank.js'
import { equal } from './report.js'

/** Made by make_word_goldens.py: text, its words, the text of them, some of them, the text of those. */
type Row = [string, string[], string, string[], string]
const rows = JSON.parse(
  readFileSync(new URL('../../../test/parity/golden/data/words.json', import.meta.url), 'utf8'),
) as Row[]

test('sentences are split into words as NLTK does', (t) => {
  t.true(rows.length > 250)
  for (const [text, expected] of rows) t.deepEqual(sentenceWords(text), expected, JSON.stringify(text))
  equal('words', 'words', rows.length)
})

test('words are joined as NLTK does', (t) => {
  for (const [, all, whole, some, part] of rows) {
    t.is(joinWords(all), whole)
    t.is(joinWords(some), part)
  }
})

test('a period is a word of its own at the end of every sentence', (t) => {
  const text = 'Mr. J. Smith left (at 5 p.m. or so). "Why?" Nobody knows, e.g. Bob.'
  t.deepEqual(sentences(text), ['Mr. J. Smith left (at 5 p.m. or so).', '"Why?"', 'Nobody knows, e.g. Bob.'])
  t.deepEqual(words('It rained. It was 3.5 degrees. So what'), [
    ...['It', 'rained', '.', 'It', 'was', '3.5', 'degrees', '.', 'So', 'what'],
  ])
})
