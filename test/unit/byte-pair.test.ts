import test from 'ava'
import { BytePairEncoder } from '../../lib/data/byte-pair.js'
import { IdBuffer } from '../../lib/data/id-buffer.js'
import type { Block, TokenizerJson } from '../../lib/data/tokenizer/blocks.js'
import { byteSymbols, characters } from '../../lib/data/tokenizer/byte-level.js'
import { BytePairs, type BytePairsBlock } from '../../lib/data/tokenizer/byte-pairs.js'
import { appendParts } from '../../lib/data/tokenizer/fast.js'
import { Merges } from '../../lib/data/tokenizer/merges.js'
import { makeNormalizer } from '../../lib/data/tokenizer/normalizers.js'
import { partsOf } from '../../lib/data/tokenizer/safe-cuts.js'
import { gpt2Words, wordScanner } from '../../lib/data/tokenizer/word-scanners.js'
import { Tokenizer } from '../../lib/data/tokenizer.js'
import { mulberry32 } from '../helpers/tiny-model.js'

const config = { tokenizer_class: 'PreTrainedTokenizerFast' }
const words = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }
const QWEN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
const LLAMA3 = QWEN.replace('|\\p{N}|', '|\\p{N}{1,3}|')

/** All bytes, and what merges make of them. */
function modelOf(merges: readonly [string, string][], more: object = {}): BytePairsBlock {
  const tokens = [...characters, ...merges.map((pair) => pair.join(''))]
  return { type: 'BPE', vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges, ...more }
}

const model = modelOf([
  ['t', 'h'],
  ['th', 'e'],
  ['Ġ', 'the'],
  ['a', 'b'],
  ['Ġ', 'Ġ'],
])

function jsonOf(parts: object = {}): TokenizerJson {
  return { added_tokens: [], normalizer: null, pre_tokenizer: words, post_processor: null, model, ...parts }
}

function encoderOf(parts: object = {}): BytePairEncoder {
  const json = jsonOf(parts)
  return BytePairEncoder.for(json, makeNormalizer(json.normalizer))!
}

function idsOf(encoder: BytePairEncoder, text: string, most = Number.POSITIVE_INFINITY): number[] | undefined {
  const ids = new IdBuffer(1)
  return encoder.append(text, ids, most) ? ids.from(0) : undefined
}

function wordsOf(scanner: (text: string, at: number) => number, text: string): string[] {
  const found: string[] = []
  for (let at = 0; at < text.length; ) {
    const end = scanner(text, at)
    found.push(text.slice(at, end))
    at = end
  }
  return found
}

const added = (content: string, id: number, more: object = {}) => ({
  ...{ id, content, special: true, normalized: false, single_word: false, lstrip: false, rstrip: false },
  ...more,
})

// The words of Python's tokenizers 0.23.3.
const splits: [text: string, gpt2: string[], qwen: string[]][] = [
  [
    "I'm, WE'RE 'stop'",
    ['I', "'m", ',', ' WE', "'", 'RE', " '", 'stop', "'"],
    ['I', "'m", ',', ' WE', "'RE", " '", 'stop', "'"],
  ],
  ["'ſ 'LL'lL'x", ["'", 'ſ', " '", 'LL', "'", 'lL', "'", 'x'], ["'ſ", " '", 'LL', "'lL", "'x"]],
  ['  a  b ', [' ', ' a', ' ', ' b', ' '], [' ', ' a', ' ', ' b', ' ']],
  ['a\n\n b\r\n', ['a', '\n\n', ' b', '\r\n'], ['a', '\n\n', ' b', '\r\n']],
  ['x 1234½.\n\ny', ['x', ' 1234½', '.', '\n', '\n', 'y'], ['x', ' ', '1', '2', '3', '4', '½', '.\n\n', 'y']],
  ['!\u{10400}\u{1f600}é', ['!', '\u{10400}', '\u{1f600}', 'é'], ['!\u{10400}', '\u{1f600}é']],
  [' \t\u00a0x', [' \t', '\u00a0', 'x'], [' \t', '\u00a0x']],
  ['   ', ['   '], ['   ']],
  [' \n \n x', [' \n \n', ' x'], [' \n \n', ' x']],
]

test('words end where they end in Python', (t) => {
  for (const [text, gpt2, qwen] of splits) {
    t.deepEqual(wordsOf(gpt2Words(), text), gpt2, JSON.stringify(text))
    t.deepEqual(wordsOf(wordScanner(QWEN)!, text), qwen, JSON.stringify(text))
  }
  t.deepEqual(wordsOf(wordScanner(LLAMA3)!, 'in 12345 \u{1d7d8}\u{1d7d9}\u{1d7da}\u{1d7db}'), [
    ...['in', ' ', '123', '45', ' ', '\u{1d7d8}\u{1d7d9}\u{1d7da}', '\u{1d7db}'],
  ])
  t.is(wordScanner('\\p{L}+'), undefined)
})

test('lone surrogates are U+FFFD', (t) => {
  for (const text of ['\ud83d', 'a\ud83d', '\ude00b', ' \ud83d the', '\ud83d\ud83d\ude00', '!\udc00\n']) {
    const replaced = (text as string & { toWellFormed(): string }).toWellFormed()
    t.deepEqual(
      wordsOf(gpt2Words(), text).map((word) => word.length),
      wordsOf(gpt2Words(), replaced).map((word) => word.length),
    )
    t.deepEqual(idsOf(encoderOf(), text), idsOf(encoderOf(), replaced), JSON.stringify(text))
  }
})

test('merges of the lowest rank come first, of equal ones those on the left', (t) => {
  const append = (block: BytePairsBlock, word: string) => {
    const ids = new IdBuffer(1)
    new BytePairs(block).append(word, ids)
    return ids.from(0)
  }
  const vocab = { a: 0, b: 1, c: 2, ab: 3, bc: 4, abc: 5, aa: 6, aaa: 7, aaaa: 8 }
  const ids = (merges: readonly string[], word: string) => append({ vocab, merges }, word)
  t.deepEqual(ids(['a b', 'b c'], 'abc'), [3, 2])
  t.deepEqual(ids(['b c', 'a b'], 'abc'), [0, 4])
  t.deepEqual(ids(['b c', 'a b', 'a bc'], 'abcab'), [5, 3])
  t.deepEqual(ids(['a a', 'aa a'], 'aaaaa'), [6, 7])
  t.deepEqual(ids(['a a', 'aa aa'], 'aaaaaaa'), [8, 6, 0])
  t.deepEqual(ids(['a b', 'b c', 'a b'], 'abc'), [0, 4], 'of two equal merges the later counts')
  t.deepEqual(ids(['#version: 0.2', 'b c', 'a b'], 'abc'), [0, 4])
  t.deepEqual(ids([], 'ab'), [0, 1])
})

test('ends of texts: none, spaces alone, spaces around', (t) => {
  const { vocab } = model as { vocab: Record<string, number> }
  const [the, spaced, space, spaces] = ['the', 'Ġthe', 'Ġ', 'ĠĠ'].map((token) => vocab[token])
  const [plain, prefixed] = [encoderOf(), encoderOf({ pre_tokenizer: { ...words, add_prefix_space: true } })]
  t.deepEqual(idsOf(plain, ''), [])
  t.deepEqual(idsOf(prefixed, ''), [])
  t.deepEqual(idsOf(plain, ' '), [space])
  t.deepEqual(idsOf(plain, '     '), [spaces, spaces, space])
  t.deepEqual(idsOf(prefixed, '  '), [spaces])
  t.deepEqual(idsOf(plain, 'the'), [the])
  t.deepEqual(idsOf(prefixed, 'the the'), [spaced, spaced])
  t.deepEqual(idsOf(prefixed, ' the'), [spaced])
  t.deepEqual(idsOf(plain, '  the '), [space, spaced, space])
  t.deepEqual(idsOf(prefixed, '\nthe'), [space, vocab.Ċ, the])
})

test('it stops where a text is cut', (t) => {
  const encoder = encoderOf()
  const all = idsOf(encoder, 'the abc the the')!
  t.deepEqual(idsOf(encoder, 'the abc the the', 1)!.slice(0, 1), all.slice(0, 1))
  for (let most = 0; most <= all.length; most++) {
    const some = idsOf(encoder, 'the abc the the', most)!
    t.deepEqual(some, all.slice(0, some.length))
    t.true(some.length >= most && some.length <= most + 3)
  }
})

test('symbols are the bytes of UTF-8, of lone surrogates those of U+FFFD', (t) => {
  const bytes = Int32Array.from({ length: 256 }, (_, byte) => byte)
  const units = [0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xffff]
  const parts = [...units.map((unit) => String.fromCharCode(unit)), '\u{10000}', '\u{10ffff}', 'a']
  for (const text of parts.flatMap((a) => parts.flatMap((b) => parts.map((c) => a + b + c)))) {
    const symbols = new Int32Array(3 * text.length)
    const count = byteSymbols(`x${text}`, 1, 1 + text.length, bytes, symbols)
    t.deepEqual([...symbols.subarray(0, count)], [...Buffer.from(text)])
  }
})

test('a text in parts has the ids of the text', (t) => {
  const qwen = {
    type: 'Sequence',
    pretokenizers: [
      { type: 'Split', pattern: { Regex: QWEN }, behavior: 'Isolated', invert: false },
      { ...words, use_regex: false },
    ],
  }
  const pieces = [
    'the',
    ' the',
    '  ',
    '\n',
    ' \n ',
    "'s",
    ' 12',
    '\u00a0 ',
    '\u0085 ',
    'é',
    'e\u0301',
    ' \u0301',
    '´',
    '中',
    '. ',
  ]
  let state = 7
  const draw = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state >>> 8) % below
  }
  const text = Array.from({ length: 30_000 }, () => pieces[draw(pieces.length)]).join('')
  // Of ´ they leave a space, which belongs to the white space behind it.
  const withoutMarks = { type: 'Sequence', normalizers: [{ type: 'NFKD' }, { type: 'StripAccents' }] }
  for (const parts of [{}, { normalizer: { type: 'NFC' }, pre_tokenizer: qwen }, { normalizer: withoutMarks }]) {
    const encoder = encoderOf(parts)
    const cut = [...partsOf(text, encoder.cuts)]
    t.true(cut.length > 10)
    const ids = new IdBuffer(1)
    for (const _ of appendParts(encoder, cut, ids, 10 ** 7));
    t.deepEqual(ids.from(0), idsOf(encoder, text))
  }
})

test('other words and other normalisers go the general way', (t) => {
  const taken = (parts: object) => {
    const json = jsonOf(parts)
    return BytePairEncoder.for(json, makeNormalizer(json.normalizer)) !== undefined
  }
  const sequence = (...pretokenizers: Block[]) => ({ pre_tokenizer: { type: 'Sequence', pretokenizers } })
  const split = (more: object = {}) => ({
    type: 'Split',
    pattern: { Regex: QWEN },
    behavior: 'Isolated',
    invert: false,
    ...more,
  })
  const bytes = { ...words, use_regex: false }
  t.true(taken({}))
  t.true(taken(sequence(words)))
  t.true(taken(sequence(split(), bytes)))
  t.true(taken({ normalizer: { type: 'Sequence', normalizers: [{ type: 'NFC' }, { type: 'Lowercase' }] } }))
  t.false(taken({ normalizer: { type: 'Strip', strip_left: true, strip_right: true } }))
  t.false(taken(sequence({ type: 'Digits', individual_digits: true }, words)))
  t.false(taken(sequence(split({ behavior: 'Removed' }), bytes)))
  t.false(taken(sequence(split({ pattern: { Regex: '\\s+' } }), bytes)))
  t.false(taken(sequence(split(), words)))
  t.false(taken(sequence(split(), { ...bytes, add_prefix_space: true })))
  t.false(taken({ pre_tokenizer: bytes }))
  t.false(taken({ pre_tokenizer: null }))
  t.false(taken({ model: { type: 'WordLevel', vocab: { a: 0 }, unk_token: 'a' } }))
})

test('texts that hold an added token go the general way, and their other parts the fast one', (t) => {
  const tokens = [added('<mask>', 600, { lstrip: true }), added('  ', 601, { special: false, normalized: true })]
  const encoder = encoderOf({ added_tokens: tokens })
  t.false(encoder.takes('the <mask>'))
  t.false(encoder.takes('the  the'))
  t.true(encoder.takes('the < mask>'))
  t.is(idsOf(encoder, 'the <mask>'), undefined)
  const tokenizer = Tokenizer.fromFiles(jsonOf({ added_tokens: tokens }), config, { maxSeqLength: 100 })
  const { vocab } = model as { vocab: Record<string, number> }
  // As transformers adds them: the first ids behind the vocabulary.
  const [mask, twice] = [tokenizer.tokenId('<mask>'), tokenizer.tokenId('  ')]
  const { the, Ġthe } = vocab
  t.deepEqual([...tokenizer.encode(['the the <mask> the']).ids], [the, Ġthe, mask, Ġthe])
  t.deepEqual([...tokenizer.encode(['the  the<mask>']).ids], [the, twice, the, mask])
  const composed = encoderOf({ normalizer: { type: 'NFC' }, added_tokens: [added('é', 600, { normalized: true })] })
  t.false(composed.takes('caf\u00e9'))
  t.false(composed.takes('cafe\u0301'))
  t.true(composed.takes('cafe \u0301'))
})

test('the ids of a word are the same when it comes again, and when more words came than are kept', (t) => {
  const encoder = encoderOf()
  const texts = ['the', ' the', 'thethethe', 'abtheab'.repeat(4), 'abtheab'.repeat(5), 'é', '中'.repeat(40), "'s"]
  const first = texts.map((text) => idsOf(encoder, text))
  const again = texts.map((text) => idsOf(encoder, text))
  for (let i = 0; i < 70_000; i++)
    idsOf(encoder, ` ${i.toString(26).replace(/\d/g, (digit) => 'qrstuvwxyz'[Number(digit)]!)}`)
  t.deepEqual(again, first)
  t.deepEqual(
    texts.map((text) => idsOf(encoder, text)),
    first,
  )
})

test('a short word has the ids that it has before symbols which nothing merges with', (t) => {
  const draw = mulberry32(5)
  const below = (n: number) => Math.floor(draw() * n)
  const alone = 1000
  for (let round = 0; round < 300; round++) {
    const merges = new Merges(200)
    // Some make the same token of others, as a damaged vocabulary may: then outdated merges count.
    for (let rank = 0; rank < 200; rank++) merges.add(below(20), below(20), below(25))
    for (let length = 0; length <= 32; length++) {
      const word = Int32Array.from({ length }, () => below(12))
      const longer = new Int32Array(length + 40).fill(alone)
      longer.set(word)
      const left = merges.merge(word, length)
      t.is(merges.merge(longer, longer.length), left + 40)
      t.deepEqual(word.subarray(0, left), longer.subarray(0, left))
    }
  }
})

test('a word of a megabyte', (t) => {
  const encoder = encoderOf()
  const { vocab } = model as { vocab: Record<string, number> }
  const ids = idsOf(encoder, 'the'.repeat(350_000))!
  t.is(ids.length, 350_000)
  t.true(ids.every((id) => id === vocab.the))
  t.is(idsOf(encoder, '中'.repeat(350_000))!.length, 3 * 350_000)
  const plain = new IdBuffer(1)
  new BytePairs(model).append('ab'.repeat(500_000), plain)
  t.is(plain.length, 500_000)
})

test('words that are tokens stay whole with ignore_merges', (t) => {
  const { vocab, ...rest } = model as { vocab: Record<string, number> }
  const block = { ...rest, vocab: { ...vocab, Ġabc: 900, hé: 901, 'hÃ©': 902 }, ignore_merges: true }
  const encoder = encoderOf({ model: block })
  t.deepEqual(idsOf(encoder, ' abc hé'), [900, vocab.Ġ, vocab.h, vocab.Ã, vocab['©']])
  t.deepEqual(idsOf(encoder, 'hé'), [902])
  t.deepEqual(idsOf(encoderOf({ model: { ...block, ignore_merges: false } }), ' abc'), [vocab.Ġ, vocab.ab, vocab.c])
})

test('damaged models are refused when they are loaded, and the error names what is wrong', (t) => {
  const refused = (more: object, message: RegExp, code = 'ERR_INVALID_MODEL') => {
    for (const pre_tokenizer of [words, { type: 'Whitespace' }]) {
      const json = jsonOf({ pre_tokenizer, model: { ...model, ...more } })
      t.throws(() => Tokenizer.fromFiles(json, config, { maxSeqLength: 8 }), { code, message })
    }
  }
  refused({ merges: ['a  b'] }, /its merge "a {2}b" is not two tokens/)
  refused({ merges: ['ab'] }, /its merge "ab" is not two tokens/)
  refused({ merges: [['a', '']] }, /its merge \["a",""\] needs the token ""/)
  refused({ merges: [['x', 'y']] }, /its merge \["x","y"\] needs the token "xy", which its vocabulary does not have/)
  refused({ merges: ['constructor a'] }, /needs the token "constructor"/)
  refused({ merges: undefined }, /no merges/)
  refused(
    { merges: ['a b'], continuing_subword_prefix: '##' },
    /second token of its merge "a b" does not begin with "##"/,
  )
  refused({ vocab: null }, /no vocabulary/)
  refused({ vocab: [['a', 0.5]] }, /no vocabulary/)
  refused({ dropout: 0.1 }, /the dropout 0.1 of its BPE model, which is not built yet/, 'ERR_NOT_IMPLEMENTED')
  refused({ dropout: -1 }, /the dropout -1 of its BPE model is not from 0 to 1/)
  t.notThrows(() => Tokenizer.fromFiles(jsonOf({ model: { ...model, dropout: 0 } }), config, { maxSeqLength: 8 }))
  const split = { type: 'Split', pattern: { Regex: '(' }, behavior: 'Isolated' }
  const bad = { type: 'Sequence', pretokenizers: [split, { ...words, use_regex: false }] }
  t.throws(() => Tokenizer.fromFiles(jsonOf({ pre_tokenizer: bad }), config, { maxSeqLength: 8 }))
  const typed = { ...words, use_regex: 'no' }
  t.throws(() => Tokenizer.fromFiles(jsonOf({ pre_tokenizer: typed }), config, { maxSeqLength: 8 }), {
    code: 'ERR_INVALID_MODEL',
  })
})

test('continuations, token ids and the size of the vocabulary without the general way', (t) => {
  const json = jsonOf({ added_tokens: [added('<s>', 0)] })
  const tokenizer = Tokenizer.fromFiles(json, config, { maxSeqLength: 8 })
  const size = Object.keys(model.vocab!).length
  t.is(tokenizer.tokenId('<s>'), size)
  t.is(tokenizer.vocabSize, size + 1)
  t.is(tokenizer.tokenId('Ġthe'), (model.vocab as Record<string, number>).Ġthe)
  t.is(tokenizer.continuations()[tokenizer.tokenId('Ġthe')!], 0)
  t.is(tokenizer.continuations()[tokenizer.tokenId('the')!], 1)
})
