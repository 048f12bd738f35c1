import test from 'ava'
import { Tokenizer } from '../../lib/data/tokenizer.js'
import { wordPieceTokenizer } from '../helpers/word-piece.js'

const files = {
  ...wordPieceTokenizer(['the', 'cat', '##s', '.']),
  decoder: { type: 'WordPiece', prefix: '##', cleanup: false },
}
const config = { tokenizer_class: 'PreTrainedTokenizerFast' }
const tokenizer = Tokenizer.fromFiles(files, config, { maxSeqLength: 16 })

test('ids become a text, with or without special tokens and spaces before punctuation', (t) => {
  const { ids } = tokenizer.encode(['the cats.'])
  t.is(tokenizer.decode(ids), '[CLS] the cats . [SEP]')
  t.is(tokenizer.decode([...ids], { skipSpecialTokens: true }), 'the cats .')
  t.is(tokenizer.decode(ids, { skipSpecialTokens: true, cleanUpTokenizationSpaces: true }), 'the cats.')
  const cleans = Tokenizer.fromFiles(files, { ...config, clean_up_tokenization_spaces: true }, { maxSeqLength: 16 })
  t.is(cleans.decode(ids, { skipSpecialTokens: true }), 'the cats.')
  t.is(cleans.decode(ids, { skipSpecialTokens: true, cleanUpTokenizationSpaces: false }), 'the cats .')
})

test('several rows, and what encode returns', (t) => {
  const encoded = tokenizer.encode(['the', 'cats', ''])
  const options = { skipSpecialTokens: true }
  t.deepEqual(tokenizer.batchDecode(encoded, options), ['the', 'cats', ''])
  const cat = tokenizer.tokenId('cat')!
  t.deepEqual(tokenizer.batchDecode([[cat], new Int32Array([cat, cat]), []], options), ['cat', 'cat cat', ''])
  t.is(tokenizer.decode([10_000_000, cat]), 'cat', 'ids without a token are left out, as in Python')
})

test('bad arguments and decoders are named', (t) => {
  t.throws(() => tokenizer.decode([1.5]), { code: 'ERR_INVALID_ARGUMENT', message: /ids\[0\]/ })
  t.throws(() => tokenizer.decode([-1]), { message: /ids\[0\]/ })
  t.throws(() => tokenizer.decode(3 as never), { message: /an array of token ids/ })
  t.throws(() => tokenizer.batchDecode([[0], ['a' as never]]), { message: /rows\[1\]\[0\]/ })
  t.throws(() => tokenizer.batchDecode({} as never), { message: /rows/ })
  t.throws(() => tokenizer.decode([1], { skip_special_tokens: true } as never), {
    message: /did you mean skipSpecialTokens/,
  })
  t.throws(() => tokenizer.decode([1], { skipSpecialTokens: 1 as never }), { message: /skipSpecialTokens/ })
  for (const decoder of [{ type: 'Odd' }, { type: 'Sequence' }, { type: 'Strip', start: -1 }, 5]) {
    const odd = Tokenizer.fromFiles({ ...files, decoder }, config, { maxSeqLength: 16 })
    t.is(odd.encode(['the']).ids.length, 3, 'a decoder that cannot be understood does not hinder encoding')
    t.throws(() => odd.decode([1]), { code: 'ERR_INVALID_MODEL', message: /decoder/ })
  }
})

test('a decoder cannot make a text of any length', (t) => {
  const replace = { type: 'Replace', pattern: { Regex: '.' }, content: 'a'.repeat(1000) }
  const decoder = { type: 'Sequence', decoders: [replace, replace, replace] }
  const odd = Tokenizer.fromFiles({ ...files, decoder }, config, { maxSeqLength: 16 })
  const ids = new Array<number>(1000).fill(odd.tokenId('the')!)
  t.throws(() => odd.decode(ids), { code: 'ERR_INVALID_MODEL', message: /its decoder makes more than/ })
})
