import test from 'ava'
import { decimal, EXACT_DIGITS } from '../../lib/data/tokenizer/decimal.js'
import { parseTokenizerJson } from '../../lib/data/tokenizer/parse-pieces.js'
import { Pieces } from '../../lib/data/tokenizer/pieces.js'
import { mulberry32 } from '../helpers/tiny-model.js'

const bytesOf = (text: string) => new TextEncoder().encode(text)

/** The value of a text, with arrays of pairs for pieces; whether those were read from the bytes; the message of an error. */
function parsed(bytes: Uint8Array): { value?: unknown; isFast?: boolean; message?: string } {
  try {
    const value = parseTokenizerJson(bytes, 'tokenizer.json') as { model?: { vocab?: unknown } } | null
    const vocab = value?.model?.vocab
    if (!(vocab instanceof Pieces)) return { value, isFast: false }
    return { value: { ...value, model: { ...value!.model, vocab: vocab.toJSON() } }, isFast: true }
  } catch (error) {
    return { message: (error as Error).message }
  }
}

const vocabularies = {
  usual: '[["a", -1.5], ["▁中😀", 0], ["", -0]]',
  dense: '[["a",-1],["b",-2.25]]',
  spaces: '\n [ [ "a" , -1.5 ] ,\r\n\t[ "b" , 2e-3 ] ] ',
  escapes: String.raw`[["\"\\\/\b\f\n\r\t", 1], ["\u00e9\ud83d\ude00\ud800", 1E+2]]`,
  digits:
    '[["a", -13.123456789012345], ["b", 0.1], ["c", 123456789012345678901234567890], ["d", 1.7976931348623157e308]]',
}

test('a list of pieces is read from the bytes as JSON.parse reads it', (t) => {
  for (const [name, vocab] of Object.entries(vocabularies)) {
    const text = `{"added_tokens": [{"content": "\\"vocab\\": [["}], "model": {"type": "Unigram", "vocab":${vocab}, "unk_id": 0}}`
    t.deepEqual(parsed(bytesOf(text)), { value: JSON.parse(text), isFast: true }, name)
    t.deepEqual(parsed(bytesOf(`\ufeff${text}`)), { value: JSON.parse(text), isFast: true }, name)
  }
})

test('what is no usual list of pieces is left to JSON.parse', (t) => {
  const texts = [
    '{"model": {"vocab": {"a": 1}}}',
    '{"model": {"vocab": []}}',
    '{"model": {"vocab": [["a", 1, 2]]}}',
    '{"model": {"vocab": [["a"]]}}',
    '{"model": {"vocab": [[1, 2]]}}',
    '{"model": {"vocab": [["a", null]]}}',
    '{"model": {"vocab": [["a", 1e999]]}}',
    `{"model": {"vocab": [["${'a'.repeat(1001)}", 1]]}}`,
    '{"model": {"vocab": [["a", 1]], "vocab": []}}',
    '{"model": {"vocab": [["a", 1]], "\\u0076ocab": {"b": 2}}}',
    '{"model": {"vocab": [["a", 1]]}, "model": {"type": "BPE"}}',
    '{"vocab": [["a", 1]]}',
    '{"x\\"vocab": [["a", 1]], "model": {"vocab": {"a": 1}}}',
    '[["vocab", 1]]',
    '"vocab"',
    'null',
  ]
  for (const text of texts) t.deepEqual(parsed(bytesOf(text)), { value: JSON.parse(text), isFast: false }, text)
})

test('bytes that are no JSON or no UTF-8 have the error of JSON.parse', (t) => {
  const lists = [
    ...['[["a", 01]]', '[["a", 1.]]', '[["a", .5]]', '[["a", +1]]', '[["a", 1e]]', '[["a", -]]', '[["a", 1.2.3]]'],
    ...['[["a", 1],]', '[["a" 1]]', '[["a", 1]', '[["a\n", 1]]', '[["\\x", 1]]', '[["\\u12g4", 1]]', '[["a', '[["\\'],
  ]
  for (const list of lists) {
    const text = `{"model": {"vocab": ${list}}}`
    const error = t.throws(() => JSON.parse(text), undefined, text)
    t.deepEqual(parsed(bytesOf(text)), { message: `tokenizer.json is not valid JSON: ${error?.message}` }, text)
  }
  const [before, after] = [bytesOf('{"model": {"vocab": [["'), bytesOf('", 1]]}}')]
  const wrong = ['80', 'c0af', 'c3', 'e080af', 'eda080', 'f08080af', 'f4908080', 'f5808080', 'ff', 'e282'].map((hex) =>
    Buffer.concat([before, Buffer.from(hex, 'hex'), after]),
  )
  for (const bytes of wrong) t.regex(parsed(bytes).message ?? '', /not valid JSON.*encoded data was not valid/s)
})

test('decimal numbers are read as Number reads them', (t) => {
  const random = mulberry32(1)
  let found = 0
  for (let i = 0; i < 100_000; i++) {
    const length = 1 + Math.floor(random() * 19)
    const digits = Array.from({ length }, () => Math.floor(random() * 10)).join('')
    const decimals = Math.floor(random() * 23)
    const [high, low] = [digits.slice(0, EXACT_DIGITS), digits.slice(EXACT_DIGITS)]
    const value = decimal(Number(high), Number(low), low.length, decimals)
    if (Number.isNaN(value)) continue
    found++
    if (value !== Number(`${digits}e-${decimals}`)) t.fail(`${digits}e-${decimals} is not ${value}`)
  }
  t.true(found > 99_000)
})
