import test from 'ava'
import { LinearPattern } from '../../lib/data/tokenizer/linear-pattern.js'
import { costOf, parsePattern } from '../../lib/data/tokenizer/pattern-syntax.js'
import { matches, patternOf } from '../../lib/data/tokenizer/patterns.js'
import { Tokenizer } from '../../lib/data/tokenizer.js'
import { mulberry32 } from '../helpers/tiny-model.js'
import { wordPieceTokenizer } from '../helpers/word-piece.js'

const fast = { tokenizer_class: 'PreTrainedTokenizerFast' }
const pattern = (Regex: string) => patternOf({ type: 'Split', pattern: { Regex } })
const spans = (text: string, regex: string) => [...matches(text, pattern(regex))]

/** Runs work that would not end. */
function inTime<T>(work: () => T): T {
  const start = performance.now()
  const result = work()
  const milliseconds = performance.now() - start
  if (milliseconds > 5000) throw new Error(`It took ${milliseconds} ms`)
  return result
}

const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]'
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]'
const TAIL = ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'

/** Patterns of released tokenizers, and how many pieces Python's tokenizers 0.23 make of the text below. */
const released: Record<string, [regex: string, pieces: number]> = {
  'GPT-2': [GPT2, 8],
  Qwen2: [`[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|${TAIL}`, 13],
  'Llama 3': [`[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|${TAIL}`, 11],
  o200k: [`[^\\r\\n\\p{L}\\p{N}]?${UPPER}*${LOWER}+|[^\\r\\n\\p{L}\\p{N}]?${UPPER}+${LOWER}*|\\p{N}{1,3}|${TAIL}`, 11],
  'DeepSeek, spaces': ['\\s+$', 1],
  'DeepSeek, letters': ['\\s?[A-Za-z\u00b5\u00c0-\u00d6]+', 4],
  'DeepSeek V3': [
    `[!"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_\`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
    9,
  ],
  BLOOM: [' ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+', 4],
  'T5 and XLM-R': [' {2,}', 2],
  Falcon: ['[0-9][0-9][0-9]', 1],
  numbers: ['\\d{1,3}(?=(?:\\d{3})*\\b)', 2],
  CLIP: ["<\\|startoftext\\|>|'s|'t|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+", 9],
}

for (const [name, [regex, pieces]] of Object.entries(released)) {
  test(`the pattern of a released tokenizer is taken as it is: ${name}`, (t) => {
    const text = "Don't pay 1234\n  now!  "
    const found = spans(text, regex)
    t.is(found.length, pieces, JSON.stringify(found.map(([from, to]) => text.slice(from, to))))
    const own = pattern(regex)
    // Some are written out by hand.
    if (typeof own === 'function') return
    // Texts of the usual length are searched by the engine.
    t.true(own instanceof RegExp || own.longest > 1000, JSON.stringify(own))
    const { native } = own instanceof RegExp ? { native: own } : own
    const expected = [...text.matchAll(native)].map(({ 0: match, index }) => [index, index + match.length])
    t.deepEqual(
      [...new LinearPattern(parsePattern(native.source)).spans(text)].map((span) => [...span]),
      expected,
    )
  })
}

const hostile = [
  ...['(a+)+$', '(a|a)*b', '(a|ab|b)*c', '(.*a){20}', '(a?){25}a{25}', '(\\w|\\w\\w)+!', '(?=(a+)+$)b', '(?<=(a+)+)b'],
  ...['a+a+a+a+a+b', '(a{1,9}){1,9}b', '(?:a|b|ab)+?c', '\\s+$', '(?=a*b)a', 'a?a?a?a?a?a?a?a?a?a?aaaaaaaaaab'],
]
for (const regex of hostile) {
  test(`a pattern that tries too much has the time of the text: ${regex}`, (t) => {
    for (const text of ['a'.repeat(200_000), `${' '.repeat(200_000)}x`, `${'ab'.repeat(100_000)}!`]) {
      t.notThrows(() => inTime(() => spans(text, regex)))
    }
    for (const text of ['aaaa', 'aab', 'abab!', '  ', ' x', 'a'.repeat(15)]) {
      const expected = [...text.matchAll(new RegExp(regex, 'gu'))].map(({ 0: match, index }) => [
        index,
        index + match.length,
      ])
      t.deepEqual(
        spans(text, regex).map((span) => [...span]),
        expected,
        text,
      )
    }
  })
}

test('random patterns match what a RegExp matches', (t) => {
  const random = mulberry32(5)
  const draw = (below: number) => Math.floor(random() * below)
  const atoms = ['a', 'b', '[ab]', '[^a]', 'c', '\\p{L}', '\\P{L}', '[\\s\\S]', '\\s']
  const quantifiers = ['', '', '', '*', '+', '?', '*?', '+?', '??', '{2}', '{1,3}', '{0,2}?', '{2,}']
  const item = (depth: number): string => {
    const kind = draw(depth > 0 ? 12 : 6)
    if (kind > 8) return `${['(?=', '(?!', '(?<=', '(?<!'][draw(4)]}${options(depth - 1)})`
    const atom = kind < 6 ? atoms[draw(atoms.length)] : `${kind < 8 ? '(?:' : '('}${options(depth - 1)})`
    return `${atom}${quantifiers[draw(quantifiers.length)]}`
  }
  const some = (make: () => string, separator: string) => Array.from({ length: 1 + draw(3) }, make).join(separator)
  const options = (depth: number): string => some(() => some(() => item(depth), ''), '|')
  let compared = 0
  for (let i = 0; i < 3000; i++) {
    const native = new RegExp(options(2), 'gu')
    const node = parsePattern(native.source)
    t.true(costOf(node).factor >= 1)
    let linear: LinearPattern
    try {
      linear = new LinearPattern(node)
    } catch (error) {
      t.regex((error as Error).message, /can be empty|states/)
      continue
    }
    const text = Array.from({ length: draw(9) }, () => 'aaabbc \n1\u00e9'[draw(10)]).join('')
    const expected = [...text.matchAll(native)].map(({ 0: match, index }) => `${index}-${index + match.length}`)
    t.deepEqual(
      [...linear.spans(text)].map((span) => span.join('-')),
      expected,
      `${native} ${JSON.stringify(text)}`,
    )
    compared++
  }
  t.true(compared > 1000)
})

test('20,000 added tokens, also with one first character, and white space that they take', (t) => {
  const json = wordPieceTokenizer(['a'])
  const extra = Array.from({ length: 20_000 }, (_, i) => ({ id: 6 + i, content: `<${i}>`, lstrip: true, rstrip: true }))
  const make = () =>
    Tokenizer.fromFiles({ ...json, added_tokens: [...json.added_tokens, ...extra] }, fast, { maxSeqLength: 10 ** 7 })
  const tokenizer = inTime(make)
  t.deepEqual([...inTime(() => tokenizer.encode([`a <19999>${' '.repeat(100_000)}<7> a <x`])).ids].slice(0, 5), [
    ...[2, 5, 6 + 19_999, 6 + 7, 5],
  ])
  t.notThrows(() => inTime(() => tokenizer.encode(['<'.repeat(100_000)])))
})

test('a token may be long, and a word too', (t) => {
  const vocab: [string, number][] = [
    ['<unk>', 0],
    ['a', -1],
    ['b', -2],
  ]
  for (let size = 2; size <= 1000; size++) vocab.push(['a'.repeat(size), -1 - size / 10])
  const json = { model: { type: 'Unigram', vocab, unk_id: 0 } }
  const tokenizer = Tokenizer.fromFiles(json, fast, { maxSeqLength: 10 ** 7 })
  // The longest pieces are the likeliest by letter.
  t.deepEqual([...tokenizer.encode([`${'a'.repeat(2000)}b`]).ids].length, 3)
  t.notThrows(() => inTime(() => tokenizer.encode(['a'.repeat(20_000)])))

  const letters = { a: 0, b: 1, ab: 2, abab: 3 }
  const merges = ['a b', 'ab ab']
  const pairs = Tokenizer.fromFiles({ model: { type: 'BPE', vocab: letters, merges } }, fast, { maxSeqLength: 10 ** 7 })
  t.is(inTime(() => pairs.encode(['ab'.repeat(40_000)])).ids.length, 20_000)

  const { model } = wordPieceTokenizer(['a', '##a'])
  const words = { ...wordPieceTokenizer([]), model: { ...model, max_input_chars_per_word: 10_000 } }
  const wordPiece = Tokenizer.fromFiles(words, fast, { maxSeqLength: 10 ** 7 })
  t.is(inTime(() => wordPiece.encode(['a'.repeat(10_000), 'a'.repeat(10 ** 6)])).ids.length, 10_000 + 2 + 3)
})

test('a normaliser that makes a text ever longer is stopped', (t) => {
  const double = { type: 'Replace', pattern: { String: 'a' }, content: 'aa' }
  const encode = (normalizer: object, text: string) => {
    const json = { ...wordPieceTokenizer(['a']), normalizer }
    return Tokenizer.fromFiles(json, fast, { maxSeqLength: 10 ** 7 }).encode([text])
  }
  const all = { type: 'Sequence', normalizers: Array.from({ length: 60 }, () => double) }
  t.throws(() => inTime(() => encode(all, 'a')), { code: 'ERR_INVALID_MODEL', message: /characters of 1/ })
  const long = { ...double, content: 'b'.repeat(1000) }
  t.throws(() => inTime(() => encode(long, 'a'.repeat(10 ** 6))), { code: 'ERR_INVALID_MODEL' })
  const spaces = `a${' '.repeat(300_000)}a`
  t.is(inTime(() => encode({ type: 'Strip', strip_left: true, strip_right: true }, spaces)).ids.length, 4)
})
