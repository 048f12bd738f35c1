import test from 'ava'
import { IdBuffer } from '../../lib/data/id-buffer.js'
import type { TokenizerJson } from '../../lib/data/tokenizer/blocks.js'
import { Tokenizer } from '../../lib/data/tokenizer.js'
import { WordPieceEncoder } from '../../lib/data/word-piece.js'
import { hubIds } from '../helpers/hub-tokenizer.js'
import { wordPieceTokenizer } from '../helpers/word-piece.js'

const letters = [...'abcdefghijklmnopqrstuvwxyz0123456789']
const words = [...letters, ...letters.map((letter) => `##${letter}`), 'word', '##ing', '.', '[', ']', 'construct']
const lower = (text: string) => text.toLowerCase()

/** A tokenizer.json with some blocks replaced. */
function json(blocks: object = {}): TokenizerJson {
  return { ...wordPieceTokenizer(words), ...blocks } as unknown as TokenizerJson
}

function idsOf(encoder: WordPieceEncoder | undefined, text: string, most = 1000): number[] | undefined {
  const ids = new IdBuffer(1)
  if (!encoder!.append(text, ids, most)) return undefined
  ids.endText(0, most, false, [])
  return [...ids.take().ids]
}

test('only what is BERT from end to end is done here', (t) => {
  t.truthy(WordPieceEncoder.for(json(), lower))
  t.truthy(WordPieceEncoder.for(json({ normalizer: null }), lower))
  const { model } = json()
  for (const blocks of [
    { normalizer: { type: 'Lowercase' } },
    { pre_tokenizer: { type: 'Whitespace' } },
    { pre_tokenizer: null },
    { model: { ...model, type: 'BPE' } },
    { model: { ...model, unk_token: '[NONE]' } },
    { added_tokens: [{ id: 0, content: 'Word', special: false, normalized: true }] },
  ]) {
    t.is(WordPieceEncoder.for(json(blocks), lower), undefined, JSON.stringify(blocks).slice(0, 80))
  }
})

test('texts that may hold added tokens are left to the general way, and nothing is added for them', (t) => {
  const encoder = WordPieceEncoder.for(json(), lower)
  t.is(idsOf(encoder, 'a[MASK]b'), undefined)
  t.truthy(idsOf(encoder, 'a [mask] [b] [C\u0012LS]'))
  const added = [...wordPieceTokenizer(words).added_tokens, { id: 9, content: '<b>', special: false, normalized: true }]
  const cleaned = WordPieceEncoder.for(json({ added_tokens: added }), lower)
  t.truthy(idsOf(cleaned, 'plain words, no brackets'))
  for (const text of ['a <B>', 'a < b', '[mask]', '\u226e b>']) t.is(idsOf(cleaned, text), undefined, text)
})

test('an added token in a text is one token, and takes the space before it where it shall', (t) => {
  const [pad, unknown, ...rest] = wordPieceTokenizer(words).added_tokens
  const blocks = { added_tokens: [pad!, unknown!, ...rest.map((token) => ({ ...token, lstrip: true }))] }
  const tokenizer = Tokenizer.fromFiles(json(blocks), {}, { maxSeqLength: 16 })
  const id = (token: string) => tokenizer.tokenId(token)!
  const [cls, sep, mask] = [id('[CLS]'), id('[SEP]'), id('[MASK]')]
  t.deepEqual([...tokenizer.encode(['word  [MASK] a']).ids], [cls, id('word'), mask, id('a'), sep])
})

test('names that every object has are words like others', (t) => {
  const encoder = WordPieceEncoder.for(json(), lower)
  const library = hubIds(json(), lower)
  for (const text of ['constructor', '__proto__ toString', 'valueOf hasOwnProperty'])
    t.deepEqual(idsOf(encoder, text), library(text), text)
})

test('more words than are kept, long ones, and words of more than 100 characters', (t) => {
  const encoder = WordPieceEncoder.for(json(), lower)
  const library = hubIds(json(), lower)
  const check = (text: string) => t.deepEqual(idsOf(encoder, text), library(text), text)
  for (let i = 0; i < 70_000; i++) idsOf(encoder, i.toString(36))
  for (const length of [1, 12, 13, 32, 33, 99, 100, 101, 200]) {
    check('wording'.repeat(30).slice(0, length))
    check('wording'.repeat(30).slice(0, length))
    check(`${'é'.repeat(length)} ${'\u{10400}'.repeat(length)}`)
  }
  for (const text of ['0', 'zz', '1i1', 'WORDing word.ing']) check(text)
})

test('it stops where a text is cut', (t) => {
  const encoder = WordPieceEncoder.for(json(), lower)
  const all = idsOf(encoder, 'word a.b cd')!
  for (let most = 0; most <= all.length; most++) t.deepEqual(idsOf(encoder, 'word a.b cd', most), all.slice(0, most))
})

test('a buffer of ids grows, cuts on either side and keeps what came before', (t) => {
  const buffer = new IdBuffer(3)
  for (let i = 0; i < 1000; i++) buffer.push(i)
  buffer.endText(0, 999, true, [-1])
  for (const id of [7, 8, 9]) buffer.push(id)
  buffer.endText(1000, 2, false, [-1, -2])
  buffer.endText(1004, 5, false, [])
  const { ids, offsets } = buffer.take()
  t.deepEqual([...offsets], [0, 1000, 1004, 1004])
  t.deepEqual([...ids], [...Array.from({ length: 999 }, (_, i) => i + 1), -1, 7, 8, -1, -2])
})
