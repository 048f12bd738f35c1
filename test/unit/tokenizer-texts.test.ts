import test from 'ava'
import { PairTokenizer } from '../../lib/data/pairs.js'
import { tokenFinder } from '../../lib/data/tokenizer/added-finder.js'
import { makeNormalizer } from '../../lib/data/tokenizer/normalizers.js'
import { Tokenizer } from '../../lib/data/tokenizer.js'
import { wordPieceTokenizer } from '../helpers/word-piece.js'

const fast = { tokenizer_class: 'PreTrainedTokenizerFast' }
const whitespace = { type: 'Whitespace' }

/** A tokenizer that puts nothing around texts and knows no unknown token. */
function bare(): Tokenizer {
  const { added_tokens, ...json } = wordPieceTokenizer(['word', 'a'])
  const model = { ...json.model, unk_token: '[NONE]', vocab: { word: 0, a: 1, '##a': 2 } }
  const blocks = { model, added_tokens: [], post_processor: null, normalizer: null, pre_tokenizer: whitespace }
  return Tokenizer.fromFiles({ ...json, ...blocks }, fast, { maxSeqLength: 16 })
}

/** Unigram over the letter a, with words of any length. */
function letters(): Tokenizer {
  const model = {
    type: 'Unigram',
    unk_id: 0,
    vocab: [
      ['<unk>', 0],
      ['▁', -2],
      ['a', -1],
      ['aa', -2.5],
    ],
  }
  const pre_tokenizer = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'never', split: true }
  return Tokenizer.fromFiles({ model, pre_tokenizer }, fast, { maxSeqLength: 10 ** 6 })
}

test('an error in one text names the text, here, in a thread and among pairs', async (t) => {
  const tokenizer = bare()
  const texts = Array.from({ length: 1500 }, (_, i) => (i === 1200 ? 'word other' : 'word a'))
  const expected = {
    code: 'ERR_INVALID_DATA',
    message: /^texts\[1200\] \("word other"\) .*"other" is not in the vocabulary/,
  } as const
  t.throws(() => tokenizer.encode(texts), expected)
  await t.throwsAsync(tokenizer.encodeAll(texts), expected)
  await t.throwsAsync(tokenizer.encodeAll(texts, 16, { workers: 2 }), expected)
  const nameOf = (i: number) => `row ${i + 7}`
  await t.throwsAsync(tokenizer.encodeAll(['a', 'b'], 16, { nameOf }), { message: /^row 8 \("b"\)/ })
  const pairs = new PairTokenizer(tokenizer)
  await t.throwsAsync(pairs.encode(['a', 'a'], ['word', 'b']), { message: /^the second text of pair 1 \("b"\)/ })
  await t.throwsAsync(pairs.encode(['a', 'b'], ['word', 'b']), { message: /^the first text of pair 1 \("b"\)/ })
  await tokenizer.dispose()
})

test('texts that hold an added token are found, whatever others begin with the same characters', (t) => {
  const tokens = ['<s>', '<mask>', '</s>', '[PAD]', '[', '  ', '\u{1f600}']
  const holds = tokenFinder(tokens)!
  for (const token of tokens) {
    t.true(holds(token), token)
    t.true(holds(`a ${token} b`), token)
  }
  for (const text of ['', 'a b', '<', '< s>', '<ma sk>', '/s>', ']', '\ud83d', '\u{1f601}']) t.false(holds(text), text)
  t.is(tokenFinder(['a', '']), undefined)
  t.false(tokenFinder([])!('a'))
})

/** A tokenizer without words, whose added tokens have the ids from 1 on. */
function addedOnly(tokens: readonly object[], blocks: object = {}): Tokenizer {
  const flags = { special: false, normalized: false, single_word: false, lstrip: false, rstrip: false }
  const added_tokens = tokens.map((token, i) => ({ id: i + 1, ...flags, ...token }))
  const model = { type: 'WordLevel', vocab: { '[UNK]': 0 }, unk_token: '[UNK]' }
  return Tokenizer.fromFiles({ model, added_tokens, ...blocks }, fast, { maxSeqLength: 100 })
}

// Values of Python's tokenizers 0.23.3.
test('an added token of white space that the token before has taken has no id if it takes white space on its left', (t) => {
  const spaces = addedOnly([{ content: '  ', lstrip: true, rstrip: true }])
  t.deepEqual([...spaces.encode(['a       b', 'a     b']).ids], [0, 1, 0, 0, 1, 0])
  const right = addedOnly([{ content: ' ', rstrip: true }])
  t.deepEqual([...right.encode(['a       b']).ids], [0, 1, 1, 1, 1, 1, 1, 1, 0])
  const two = addedOnly([
    { content: 'x', rstrip: true },
    { content: ' y', lstrip: true },
  ])
  t.deepEqual([...two.encode(['x yz', 'x   y z']).ids], [1, 2, 0, 1, 2, 0])
  const more = [{ content: 'x', rstrip: true }, { content: ' y' }, { content: '  ' }, { content: '\n', rstrip: true }]
  t.deepEqual([...addedOnly(more).encode(['x \n\n y z', 'x   \n']).ids], [1, 4, 4, 2, 0, 1, 3, 0, 4])
})

test('an added token of which the normalizer leaves nothing is refused', (t) => {
  const normalizer = { type: 'Strip', strip_left: true, strip_right: true }
  t.throws(() => addedOnly([{ content: '\n', normalized: true }], { normalizer }), {
    code: 'ERR_NOT_IMPLEMENTED',
    message: /the added token "\\n", of which its normalizer leaves nothing/,
  })
  t.notThrows(() => addedOnly([{ content: '\n' }], { normalizer }))
})

test('a mark before the beginning of a text stands there also when its bytes are spelt first', (t) => {
  const model = { type: 'WordLevel', vocab: { '[UNK]': 0, '▁Ã©': 1, 'Ã©': 2, Ġa: 3, '▁Ġa': 4 }, unk_token: '[UNK]' }
  const bytes = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }
  const mark = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: true }
  const pre_tokenizer = { type: 'Sequence', pretokenizers: [bytes, mark] }
  const tokenizer = addedOnly([], { model, pre_tokenizer })
  t.deepEqual([...tokenizer.encode(['é', ' a', ' a a']).ids], [1, 4, 4, 3])
})

test('a text without tokens is an error that names it, unless it is allowed', async (t) => {
  const tokenizer = bare()
  const expected = { code: 'ERR_INVALID_DATA', message: /^texts\[1\] \(" "\) .* no tokens/ } as const
  await t.throwsAsync(tokenizer.encodeAll(['a', ' ', '']), expected)
  await t.throwsAsync(tokenizer.encodeAll(['a', ' ', ''], 16, { workers: 1 }), expected)
  t.deepEqual([...(await tokenizer.encodeAll(['a', ' ', ''], 16, { allowEmpty: true })).offsets], [0, 1, 1, 1])
  const pairs = await new PairTokenizer(tokenizer).encode(['a', ''], ['', 'word'])
  t.deepEqual(
    [[...pairs.ids], [...pairs.offsets]],
    [
      [1, 0],
      [0, 1, 2],
    ],
  )
  await tokenizer.dispose()
})

test('200,000 characters without a blank have their ids, here and in a thread', async (t) => {
  const tokenizer = letters()
  const long = 'a'.repeat(200_000)
  // "a" twice is likelier than "aa".
  t.deepEqual(tokenizer.encode([long]).ids, new Int32Array(200_000).fill(2))
  const { ids, offsets } = await tokenizer.encodeAll(['a', long, 'x'.repeat(200_000), 'aa'])
  t.deepEqual([...offsets], [0, 1, 200_001, 200_002, 200_004])
  t.true(ids.subarray(1, 200_001).every((id) => id === 2))
  t.is(ids[200_001], 0, 'unknown characters side by side are one token')
  await tokenizer.dispose()
})

test('a long text lets others run, is read only as far as it is needed, and can be stopped', async (t) => {
  const tokenizer = letters()
  const long = 'a '.repeat(2_000_000)
  const rounds = async (work: Promise<unknown>) => {
    let [count, isDone] = [0, false]
    const counting = (async () => {
      for (; !isDone; count++) await new Promise((resolve) => setImmediate(resolve))
    })()
    await work
    isDone = true
    await counting
    return count
  }
  // One round where nobody else runs. How many there are depends on the machine.
  const all = await rounds(tokenizer.encodeAll([long], 10 ** 7))
  const few = await rounds(tokenizer.encodeAll([long], 8))
  t.true(all > 4 && few < all, `${all} rounds, and ${few} for the first tokens`)
  t.deepEqual([...(await tokenizer.encodeAll([long], 3)).ids], [2, 1, 2])
  const controller = new AbortController()
  const job = tokenizer.encodeAll([long], 10 ** 7, { signal: controller.signal })
  setImmediate(() => controller.abort())
  await t.throwsAsync(job, { code: 'ERR_ABORTED', message: /^Tokenising was stopped/ })
  const blank = tokenizer.encodeAll(['a', 'a'.repeat(300_000)], 10 ** 7, { signal: AbortSignal.timeout(0) })
  await t.throwsAsync(blank, { code: 'ERR_ABORTED', message: /^Tokenising was stopped/ })
  await tokenizer.dispose()
})

test('a long text of a BERT is cut at spaces, whatever its prompt, sides and special tokens', async (t) => {
  const json = wordPieceTokenizer(['word', 'a', '.'])
  for (const config of [{}, { truncation_side: 'left' }]) {
    const tokenizer = Tokenizer.fromFiles(json, config, { maxSeqLength: 512 })
    for (const text of ['word a. '.repeat(9000), 'word\ta\n'.repeat(9000), `${'a '.repeat(9000)}[MASK]`]) {
      for (const length of [5, 512, 10 ** 6]) {
        t.deepEqual(
          await tokenizer.encodeAll(['a', text, 'word'], length),
          tokenizer.encode(['a', text, 'word'], length),
        )
      }
    }
    await tokenizer.dispose()
  }
})

test('what would give other ids than in Python is refused by name', (t) => {
  const make = (blocks: object) => () =>
    Tokenizer.fromFiles({ ...wordPieceTokenizer(['a']), ...blocks }, fast, { maxSeqLength: 8 })
  const refused = (blocks: object, message: RegExp) => t.throws(make(blocks), { code: 'ERR_NOT_IMPLEMENTED', message })
  const split = (Regex: string) => ({
    pre_tokenizer: { type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false },
  })
  refused(split('\\p{L}++|\\s'), /possessive pattern in its Split/)
  refused(split('(?>a|ab)c'), /possessive/)
  refused(split("(?i:'s|'t)|a"), /without regard to case/)
  const bytePairs = { type: 'BPE', vocab: { a: 0 }, merges: [] }
  refused({ model: { ...bytePairs, dropout: 0.1 } }, /dropout 0.1/)
  t.notThrows(make({ model: { ...bytePairs, dropout: null } }))
})

test('characters that Rust does not compose stay apart: those of newer Unicode versions', (t) => {
  // As tokenizers 0.23.3 has them: the parts of all characters with a canonical composition that came with Unicode 13 or later.
  const parts = [
    ...[
      '105d2 307',
      '105da 307',
      '11382 113c9',
      '11384 113bb',
      '1138b 113c2',
      '11390 113c9',
      '113c2 113c2',
      '113c2 113b8',
    ],
    ...['113c2 113c9', '11935 11930', '1611e 1611e', '1611e 16129', '1611e 1611f', '16129 1611f', '1611e 16120'],
    ...['1611e 1611e 1611f', '16d67 16d67', '16d63 16d67', '16d63 16d67 16d67'],
  ].map((codes) => String.fromCodePoint(...codes.split(' ').map((code) => Number.parseInt(code, 16))))
  for (const type of ['NFC', 'NFKC', 'NFD']) {
    const normalize = makeNormalizer({ type })
    for (const part of parts) t.is(normalize(`a${part}b`), `a${part}b`)
    t.is(normalize('\u{105d2}\u0307\u0323'), '\u{105d2}\u0323\u0307')
  }
})

test('a damaged charsmap is an error with a code', (t) => {
  const make = (precompiled_charsmap: unknown) => () => {
    const normalizer = { type: 'Precompiled', precompiled_charsmap }
    return Tokenizer.fromFiles({ ...wordPieceTokenizer(['a']), normalizer }, fast, { maxSeqLength: 8 }).encode(['aé'])
  }
  const units = (...values: number[]) => Buffer.from(new Uint32Array(values).buffer).toString('base64')
  for (const value of [null, '', 'AAA', units(400, 1), units(5, 1, 2), units(0, 1)]) {
    t.throws(make(value), { code: 'ERR_INVALID_MODEL', message: /charsmap is damaged/ }, String(value))
  }
  // The children of the root lie outside.
  t.throws(make(units(4, 0x3ffffc00)), { code: 'ERR_INVALID_MODEL' })
})

test('a class of transformers that builds another tokenizer is warned of, once', async (t) => {
  const heard: (Error & { code?: string })[] = []
  const listen = (warning: Error) => heard.push(warning)
  process.on('warning', listen)
  const make = (tokenizer_class: string) =>
    Tokenizer.fromFiles(wordPieceTokenizer(['a']), { tokenizer_class }, { maxSeqLength: 8 })
  for (const name of ['BertTokenizer', 'PreTrainedTokenizerFast', 'HerbertTokenizer', 'HerbertTokenizer']) make(name)
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', listen)
  t.deepEqual(
    heard.map(({ code, message }) => [code, /HerbertTokenizer/.test(message)]),
    [['WARN_TOKENIZER_CLASS', true]],
  )
})
