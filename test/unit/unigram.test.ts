import test from 'ava'
import { IdBuffer } from '../../lib/data/id-buffer.js'
import type { ModelBlock, TokenizerJson } from '../../lib/data/tokenizer/blocks.js'
import { NONE, PieceTable } from '../../lib/data/tokenizer/piece-table.js'
import { Pieces } from '../../lib/data/tokenizer/pieces.js'
import { Pipeline } from '../../lib/data/tokenizer/pipeline.js'
import { asRustReads } from '../../lib/data/tokenizer/rust-numbers.js'
import { Unigram } from '../../lib/data/tokenizer/unigram.js'
import { Tokenizer } from '../../lib/data/tokenizer.js'
import { UnigramEncoder } from '../../lib/data/unigram-encoder.js'
import { mulberry32 } from '../helpers/tiny-model.js'

type Pairs = [string, number][]
const small: Pairs = [
  ['<unk>', 0],
  ['▁', -3],
  ['a', -1],
  ['aa', -2],
  ['b', -1.5],
  ['▁b', -2.5],
  ['x', -9],
]
const marks = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true }
const spacesAndMarks = { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, marks] }

function json(blocks: object = {}, vocab: Pairs = small): TokenizerJson {
  const model = { type: 'Unigram', unk_id: 0, vocab: Pieces.of(vocab) }
  const rest = { added_tokens: [], normalizer: null, pre_tokenizer: marks, post_processor: null }
  return { ...rest, model, ...blocks }
}

const same = (text: string) => text

function fastIds(file: TokenizerJson, text: string, normalize: (text: string) => string = same): number[] {
  const ids = new IdBuffer(1)
  UnigramEncoder.for(file, normalize)!.append(text, ids, Number.POSITIVE_INFINITY)
  return [...ids.take().ids]
}

function generalIds(file: TokenizerJson, text: string): number[] {
  const ids = new IdBuffer(1)
  for (const _ of new Pipeline(file).append(text, ids, Number.POSITIVE_INFINITY));
  return [...ids.take().ids]
}

function wordIds({ vocab, ...model }: Omit<ModelBlock, 'vocab'> & { vocab?: Pairs }, word: string): number[] {
  const ids = new IdBuffer(1)
  new Unigram({ ...model, ...(vocab && { vocab: Pieces.of(vocab) }) }).append(word, ids)
  return [...ids.take().ids]
}

// Values of Python's tokenizers 0.23.3.
test('of equally likely ways the one that came first stays', (t) => {
  const model = { vocab: small, unk_id: 0 }
  t.deepEqual(wordIds(model, 'aaa'), [2, 3])
  t.deepEqual(wordIds(model, 'aaaa'), [3, 3])
  t.deepEqual(wordIds(model, 'aaaaa'), [2, 3, 3])
})

// Values of Python's tokenizers 0.23.3.
test('without an unknown token, a character without a piece is an error only where no better way leads past it', (t) => {
  const vocab: Pairs = [
    ['a', -1],
    ['ab', -1],
    ['abc', -1],
    ['c', -1],
  ]
  t.deepEqual(wordIds({ vocab }, 'abc'), [2])
  t.throws(() => wordIds({ vocab }, 'cb'), { code: 'ERR_INVALID_DATA' })
})

const edges: [text: string, ids: number[]][] = [
  ['', []],
  [' ', [1]],
  ['   ', [1, 1, 1]],
  ['▁', [1]],
  ['▁▁', [1, 1]],
  ['a ▁ b', [1, 2, 1, 1, 5]],
  ['a▁b', [1, 2, 5]],
  ['zz a zq', [1, 0, 1, 2, 1, 0]],
  ['a  a', [1, 2, 1, 1, 2]],
  ['<unk>', [1, 0]],
  ['u<unk>', [1, 0]],
  ['\u001f', [1, 0]],
  ['b b', [5, 5]],
  [' b', [5]],
  ['日本 a', [1, 0, 1, 2]],
]
test('words at marks as in Python', (t) => {
  for (const [text, ids] of edges) {
    t.deepEqual(fastIds(json(), text), ids, JSON.stringify(text))
    t.deepEqual(generalIds(json(), text), ids, JSON.stringify(text))
  }
})

test('scores beyond all sums, and an unk_id that names a piece that comes again', (t) => {
  const huge: Pairs = [
    ['<unk>', 0],
    ['a', -1e308],
    ['b', -1e308],
    ['ab', -1.5e308],
  ]
  t.deepEqual(fastIds(json({}, huge), 'aab'), [0, 1, 3])
  t.deepEqual(fastIds(json({}, huge), 'abab'), [0, 3, 3])
  const real: Pairs = [
    ['a', -1],
    ['<unk>', -5],
    ['b', -2],
    ['a', -9],
    ['', -1],
  ]
  const model = { vocab: real, unk_id: 1 }
  t.deepEqual(wordIds(model, 'a'), [3])
  t.deepEqual(wordIds(model, 'ab'), [3, 2])
  t.deepEqual(wordIds(model, 'zab'), [1, 3, 2])
  t.deepEqual(wordIds(model, '<unk>'), [1])
  t.deepEqual(wordIds(model, 'a<unk>z'), [3, 1])
})

// Read by Python's tokenizers 0.23.3, and written again.
test('numbers are those that Rust reads', (t) => {
  for (const [written, read] of [
    [-18.649372100830078, -18.64937210083008],
    [-14.806427955627441, -14.80642795562744],
    [-9.407250896684193, -9.407250896684191],
    [-13.411908149501565, -13.411908149501564],
    [-944942869.3002757, -944942869.3002756],
    [-5.541756690163628e-13, -5.541756690163629e-13],
    [-4.32706127210717e-9, -4.3270612721071705e-9],
    [-8.624817533647242e-8, -8.624817533647242e-8],
    [-5.17048346531849e-6, -5.17048346531849e-6],
    [0, 0],
    [-100, -100],
    [-2.5, -2.5],
  ] as const) {
    t.is(asRustReads(written), read)
  }
  // The scores of Python's own classes are not read by Rust.
  const repeated: Pairs = [
    ['<unk>', 0],
    ['a', -9.407250896684193],
  ]
  t.notThrows(() => wordIds({ vocab: repeated, unk_id: 0, exact_scores: true }, 'aaa'))
})

test('pieces are found by their text, whatever they are', (t) => {
  const random = mulberry32(3)
  const draw = (below: number) => Math.floor(random() * below)
  const unit = () => ['a', 'b', 'é', '中', '\u{1f600}', '▁', '\ud800'][draw(7)]!
  const text = (most: number) => Array.from({ length: draw(most) }, unit).join('')
  const odd = ['constructor', '__proto__', '', 'x'.repeat(1000), '\0']
  const pieces = [...Array.from({ length: 3000 }, () => text(7)), ...odd].map((piece): [string, number] => [piece, 0])
  const table = new PieceTable(Pieces.of(pieces))
  const found = table.roomFor()
  const idOf = new Map(pieces.map(([piece], id) => [piece, id]))
  idOf.delete('')
  for (const [piece, id] of idOf) t.is(table.find(piece), id)
  t.is(table.find(''), NONE)
  t.is(table.find('x'.repeat(999)), NONE)
  t.is(table.find('toString'), NONE)
  for (let i = 0; i < 2000; i++) {
    const long = text(20)
    const at = draw(long.length + 1)
    const expected: number[] = []
    for (let end = at + 1; end <= long.length; end++) {
      const id = idOf.get(long.slice(at, end))
      if (id !== undefined) expected.push(end, id)
    }
    t.deepEqual([...found.subarray(0, table.findAll(long, at, found))], expected)
  }
  t.is(new PieceTable(Pieces.of([])).find('a'), NONE)
})

test('the fast way gives the ids of the general one, for all ways to cut', (t) => {
  const random = mulberry32(7)
  const draw = (below: number) => Math.floor(random() * below)
  const units = [
    'a',
    'b',
    'x',
    'z',
    ' ',
    ' ',
    '  ',
    '▁',
    '\t',
    '\u00a0',
    '\u3000',
    '\ufeff',
    '\u0301',
    '\u{1f600}',
    '_',
  ]
  for (const prepend_scheme of ['always', 'first', 'never']) {
    for (const replacement of ['▁', '_']) {
      const own = { ...marks, prepend_scheme, replacement }
      const blocks = [own, { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, own] }]
      for (const pre_tokenizer of blocks) {
        const file = json({ pre_tokenizer })
        for (let i = 0; i < 150; i++) {
          const text = Array.from({ length: draw(12) }, () => units[draw(units.length)]).join('')
          t.deepEqual(fastIds(file, text), generalIds(file, text), JSON.stringify([pre_tokenizer, text]))
        }
      }
    }
  }
})

test('other kinds go the general way', (t) => {
  const punctuation = { type: 'Sequence', pretokenizers: [{ type: 'Punctuation' }, marks] }
  for (const pre_tokenizer of [null, { ...marks, split: false }, { ...marks, replacement: '__' }, punctuation]) {
    t.is(UnigramEncoder.for(json({ pre_tokenizer }), same), undefined)
  }
  t.truthy(UnigramEncoder.for(json({ pre_tokenizer: spacesAndMarks }), same))
  t.is(UnigramEncoder.for(json({ model: { type: 'WordLevel', vocab: { a: 0 } } }), same), undefined)
})

test('a text that holds an added token is left to the general way', (t) => {
  const token = {
    id: 7,
    content: '<m>',
    special: true,
    normalized: false,
    single_word: false,
    lstrip: true,
    rstrip: false,
  }
  const lower = (text: string) => text.toLowerCase()
  const file = json({ added_tokens: [token, { ...token, id: 8, content: 'AB', normalized: true }] })
  const encoder = UnigramEncoder.for(file, lower)!
  for (const text of ['a <m>', 'ab', 'xAB']) t.false(encoder.append(text, new IdBuffer(1), 9), text)
  for (const text of ['a <m', 'a b', '']) t.true(encoder.append(text, new IdBuffer(1), 9), text)
  const tokenizer = Tokenizer.fromFiles(file, { tokenizer_class: 'PreTrainedTokenizerFast' }, { maxSeqLength: 99 })
  t.deepEqual([...tokenizer.encode(['a <m> b']).ids], [1, 2, 7, 5])
})

test('lone surrogates are characters that nobody knows, and a text stops where it is cut', (t) => {
  t.deepEqual(fastIds(json(), 'a\ud800 \udc00b'), [1, 2, 0, 1, 0, 4])
  const encoder = UnigramEncoder.for(json(), same)!
  const all = fastIds(json(), 'a b aa x')
  for (let most = 0; most <= all.length; most++) {
    const ids = new IdBuffer(1)
    encoder.append('a b aa x', ids, most)
    t.deepEqual([...ids.take().ids].slice(0, most), all.slice(0, most))
  }
})

test('more words than are kept, and words of a megabyte', (t) => {
  const encoder = UnigramEncoder.for(json(), same)!
  for (let i = 0; i < 70_000; i++) encoder.append(i.toString(36), new IdBuffer(1), 99)
  const ids = new IdBuffer(1)
  encoder.append('aab aab', ids, 99)
  t.deepEqual([...ids.take().ids], [1, 3, 4, 1, 3, 4])
  const long = new IdBuffer(1)
  encoder.append(`${'ab'.repeat(500_000)} ${'z'.repeat(1_000_000)}`, long, 10 ** 7)
  const found = long.take().ids
  t.is(found.length, 1 + 1_000_000 + 2)
  t.deepEqual([...found.subarray(-3)], [4, 1, 0])
})

test('a long text gives turns to others', async (t) => {
  const tokenizer = Tokenizer.fromFiles(
    json(),
    { tokenizer_class: 'PreTrainedTokenizerFast' },
    { maxSeqLength: 10 ** 8 },
  )
  let turns = 0
  const timer = setInterval(() => turns++, 0)
  const text = Array.from({ length: 300_000 }, (_, i) => i.toString(36)).join(' ')
  const { ids } = await tokenizer.encodeAll([text])
  clearInterval(timer)
  t.true(turns > 3, `${turns} turns`)
  t.deepEqual(ids, tokenizer.encode([text]).ids)
})

test('a vocabulary is looked up without a second copy of it', (t) => {
  const vocab: Pairs = [...small, ['a', -4]]
  const tokens = [{ id: 8, content: '<m>' }]
  const file = json({ added_tokens: tokens }, vocab)
  const tokenizer = Tokenizer.fromFiles(file, { tokenizer_class: 'PreTrainedTokenizerFast' }, { maxSeqLength: 99 })
  t.is(tokenizer.tokenId('a'), 7)
  t.is(tokenizer.tokenId('<m>'), 8)
  t.is(tokenizer.tokenId('constructor'), undefined)
  t.is(tokenizer.vocabSize, 9)
  t.deepEqual([...tokenizer.continuations()], [1, 0, 1, 1, 1, 0, 1, 1, 1])
})

test('a Unigram that makes no sense is an error', (t) => {
  const load = (model: object) => () =>
    Tokenizer.fromFiles(json({ model }), { tokenizer_class: 'PreTrainedTokenizerFast' }, { maxSeqLength: 9 })
  const expected = { code: 'ERR_INVALID_MODEL' } as const
  t.throws(load({ type: 'Unigram', unk_id: 9, vocab: small }), expected)
  t.throws(load({ type: 'Unigram', unk_id: -1, vocab: small }), expected)
  t.throws(load({ type: 'Unigram', vocab: { a: 0 } }), expected)
  t.throws(load({ type: 'Unigram', vocab: [['a', null]] }), expected)
  t.throws(load({ type: 'Unigram', vocab: [['a', Number.POSITIVE_INFINITY]] }), expected)
  const none = Tokenizer.fromFiles(
    json({ model: { type: 'Unigram', vocab: [['a', -1]] } }),
    { tokenizer_class: 'PreTrainedTokenizerFast' },
    { maxSeqLength: 9 },
  )
  t.throws(() => none.encode(['b']), { code: 'ERR_INVALID_DATA' })
})
